#include <string.h>

#include <sluss-config.h>

#include "cmd/help.h"
#include "conf/options.h"
#include "tls/accel.h"
#include "tls/library.h"

#define WIDTH 80  /* columns of a terminal */
#define INDENT 28 /* where the text of an option begins */

static void
put_lines(FILE *out, const char *const *lines)
{
	for (; *lines != NULL; lines++)
		fprintf(out, "%s\n", *lines);
}

void
help_overview(FILE *out)
{
	static const char *const lines[] = {
		"sluss puts mutual TLS between two machines: what a plain client and a",
		"plain service say travels encrypted, and both ends prove who they are.",
		"",
		"Usage: sluss COMMAND [OPTION]...",
		"       sluss [CONFIG | -fd N | -help | -version | -sockets | -options]",
		"",
		"Commands:",
		"  server    accept TLS from verified peers, connect to a plain service",
		"  client    accept plain connections, verify and connect to a TLS server",
		"  keygen    make a key and a certificate",
		"  check     judge a configuration file without serving: sluss check CONFIG",
		"  doctor    find out what is wrong with a TLS server: sluss doctor HOST:PORT",
		"  explain   whether a peer may pass, why, until when: sluss explain CONFIG",
		"  upgrade   replace a running process without a gap: sluss upgrade PIDFILE",
		"  help      this text, or that of a command: sluss help server",
		"",
		"CONFIG is a file in stunnel's format; with -fd it is read from descriptor N,",
		"without either it is",
		SYSCONFDIR "/sluss/sluss.conf.",
		"",
		"sluss COMMAND --help lists a command's options, sluss -help those of",
		"configuration files, sluss --version tells the version.",
		"",
		"Examples:",
		"  sluss keygen server --dns db.example.org",
		"  sluss server --accept 4433 --connect 127.0.0.1:6379 \\",
		"      --cert server.pem --peer client.crt",
		"  sluss client --accept 127.0.0.1:6379 --connect db.example.org:4433 \\",
		"      --cert client.pem --peer server.crt",
		NULL,
	};

	put_lines(out, lines);
}

/* Writes the text from column INDENT on, words whole, starting at column col. */
static void
wrap(FILE *out, const char *text, size_t col)
{
	while (*text != '\0') {
		size_t n = strcspn(text, " ");

		if (col > INDENT && col + 1 + n > WIDTH) {
			fputc('\n', out);
			col = 0;
		} else if (col > INDENT) {
			fputc(' ', out);
			col++;
		}
		if (col < INDENT) {
			fprintf(out, "%*s", (int)(INDENT - col), "");
			col = INDENT;
		}
		fprintf(out, "%.*s", (int)n, text);
		col += n;
		text += n;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void
put_option(FILE *out, const struct option *o)
{
	char flag[OPTION_FLAG_TEXT], text[512];
	const char *between = o->type == OPTION_FLAG ? "[=" : " ";
	const char *after = o->type == OPTION_FLAG ? "]" : "";
	int col;

	col = fprintf(
	    out, "  %s%s%s%s", options_flag(o, flag), between, o->argument, after);
	if (col < 0)
		return;
	/* Too long to stand beside its text. */
	if (col + 2 > INDENT) {
		fputc('\n', out);
		col = 0;
	}
	wrap(out, options_help(o, text, sizeof(text)), (size_t)col);
}

void
help_command(FILE *out, bool client)
{
	static const char *const server_lines[] = {
		"Usage: sluss server --accept ADDRESS --connect ADDRESS --cert FILE",
		"           (--peer FILE | --cafile FILE) [OPTION]...",
		"",
		"Accepts TLS connections, lets those pass that the options name, and",
		"connects each to a plain service.",
		"",
		"Example:",
		"  sluss server --accept 4433 --connect 127.0.0.1:6379 \\",
		"      --cert server.pem --peer client.crt",
		NULL,
	};
	static const char *const client_lines[] = {
		"Usage: sluss client --accept ADDRESS --connect ADDRESS --cert FILE",
		"           (--peer FILE | --cafile FILE) [OPTION]...",
		"",
		"Accepts plain connections and takes each through TLS to a server, which",
		"must be the one that the options name.",
		"",
		"Examples:",
		"  sluss client --accept 127.0.0.1:6379 --connect db.example.org:4433 \\",
		"      --cert client.pem --peer server.crt",
		"  sluss client --accept - --connect db.example.org:4433 \\",
		"      --cert client.pem --peer server.crt",
		NULL,
	};
	const unsigned commands = client ? OPTION_FOR_CLIENT : OPTION_FOR_SERVER;
	const struct option *o;
	size_t i;

	put_lines(out, client ? client_lines : server_lines);
	fputs("\nOptions (names in any case, --name value or --name=value):\n", out);
	for (i = 0; (o = options_row(i)) != NULL; i++)
		if ((o->commands & commands) != 0)
			put_option(out, o);
	fprintf(out, "  %-*s%s\n", INDENT - 2, "-h, --help", "This text.");
}

void
help_version(FILE *out)
{
	struct errmsg e;

	if (tls_library_start(&e) == 0) {
		accel_start(true);
		tls_library_stop();
	}
	fprintf(out, "sluss %s\n%s\n%s\n", PACKAGE_VERSION, tls_library_text(), accel_text());
}
