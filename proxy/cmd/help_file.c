#include <string.h>
#include <sys/utsname.h>

#include <sluss-config.h>

#include "cmd/help.h"
#include "conf/options.h"
#include "conf/sslopt.h"
#include "net/sockopt.h"
#include "tls/library.h"

static void
put_build(FILE *out)
{
	struct utsname machine;

	if (uname(&machine) == -1)
		strcpy(machine.machine, "unknown");
	fprintf(out, "Initializing inetd mode configuration\n"
	    "sluss %s on %s-linux platform\n"
	    "Compiled/running with %s\n"
	    "Threading:PTHREAD Sockets:EPOLL,IPv6,SYSTEMD TLS:TLSv1.2,TLSv1.3\n \n",
	    PACKAGE_VERSION, machine.machine, tls_library_text());
}

static void
put_note(FILE *out, const struct option *o)
{
	fprintf(out, "%-22s = %s %s", o->name, o->argument, o->help);
	if (o->status == OPTION_IGNORED)
		fprintf(out, " Ignored: %s.", o->note);
	if (o->status == OPTION_REFUSED)
		fprintf(out, " Refused: %s.", o->note);
	fputc('\n', out);
}

static void
put_notes(FILE *out, const char *title, enum option_scope scope)
{
	const struct option *o;

	fprintf(out, "%s:\n", title);
	for (size_t i = 0; (o = options_row(i)) != NULL; i++)
		if (o->scope == scope)
			put_note(out, o);
}

void
help_file(FILE *out)
{
	put_build(out);
	put_notes(out, "Global options", OPTION_GLOBAL);
	fprintf(out, "%-22s = %s\n", "include",
	    "FOLDER All files in it, in the order of their names, stand in this place.");
	fputs(" \n", out);
	put_notes(out, "Service-level options", OPTION_SERVICE);
}

static void
put_defaults(FILE *out, const char *title, enum option_scope scope)
{
	const struct option *o;
	const char *value;

	fprintf(out, "%s:\n", title);
	for (size_t i = 0; (o = options_row(i)) != NULL; i++) {
		value = o->stunnel != NULL ? o->stunnel : o->initial;
		if (o->scope == scope && value != NULL)
			fprintf(out, "%-22s = %s%s\n", o->name, value,
			    o->type == OPTION_SECONDS ? " seconds" : "");
	}
}

void
help_build(FILE *out)
{
	put_build(out);
	put_defaults(out, "Global options", OPTION_GLOBAL);
	fputs(" \n", out);
	put_defaults(out, "Service-level options", OPTION_SERVICE);
}

void
help_sockets(FILE *out)
{
	put_build(out);
	sockopt_list(out);
}

void
help_sslopts(FILE *out)
{
	put_build(out);
	fputs("Supported TLS options:\n", out);
	sslopt_list(out);
}
