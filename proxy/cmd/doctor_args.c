#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "conf/options.h"
#include "conf/value.h"
#include "doctor_priv.h"
#include "run_priv.h"

#define TIMEOUT 10
#define TIMEOUT_MAX 600

/* The options of a client that matter here. */
static const struct {
	const char *name;
	const char *argument;
	const char *help;
} rows[] = {
	{ "config", "FILE", "A configuration, of which a client's section says all that is not said "
	    "here." },
	{ "service", "NAME", "Which section, when it has several of clients." },
	{ "cert", "FILE", "The client certificate to show, with its key and chain (PEM)." },
	{ "key", "FILE", "Its key, when it is in a file of its own." },
	{ "keypass", "FILE", "The passphrase of that key; without it, it is asked for." },
	{ "cafile", "FILE", "CAs that the server's certificate may be of; repeatable." },
	{ "capath", "FOLDER", "A folder of such files; repeatable." },
	{ "peer", "FILE", "The server's certificate itself; repeatable." },
	{ "checkhost", "HOST", "A name that it must carry instead of HOST; repeatable." },
	{ "checkip", "ADDRESS", "An address that it must carry; repeatable." },
	{ "allow", "RULE", "A rule that it must match; repeatable." },
	{ "deny", "RULE", "A rule that it must not match; repeatable." },
	{ "crlfile", "FILE", "Lists of revoked certificates; repeatable." },
	{ "crlpath", "FOLDER", "A folder of such files; repeatable." },
	{ "psksecrets", "FILE", "Keys shared beforehand, instead of certificates." },
	{ "pskidentity", "NAME", "Which of them to use." },
	{ "sni", "NAME", "The name to ask the server for instead of HOST." },
	{ "alpn", "NAMES", "The application protocols to offer, with commas between." },
	{ "protocol", "NAME", "What is spoken before TLS: imap, ldap, nntp, pgsql, pop3 or smtp." },
	{ "timeout", "SECONDS", "How long to wait for each answer (default: 10)." },
};

#define NROWS (sizeof(rows) / sizeof(rows[0]))

void
doctor_args_help(void)
{
	fputs("Usage: sluss doctor HOST:PORT [OPTION]...\n"
	      "       sluss doctor --config FILE [--service NAME] [HOST:PORT] [OPTION]...\n"
	      "\n"
	      "Shakes hands with a TLS server and says what it offers, what is missing, who\n"
	      "refuses whom and why, and what to change.\n"
	      "\n"
	      "Options (names in any case, --name value or --name=value):\n", stdout);
	for (size_t i = 0; i < NROWS; i++)
		printf("  --%-11s %-8s %s\n", rows[i].name, rows[i].argument, rows[i].help);
	fputs("\n"
	      "Exit status:\n"
	      "  0  all is well\n"
	      "  1  a mistake in the arguments or their files\n"
	      "  2  the server cannot be reached\n"
	      "  3  it speaks no TLS, or none that we speak, too\n"
	      "  4  its certificate is not to be trusted\n"
	      "  5  it refuses us\n"
	      "\n"
	      "Example:\n"
	      "  sluss doctor db.example.org:4433 --cert client.pem --cafile ca.crt\n", stdout);
}

static int
unknown(const char *name, struct errmsg *why)
{
	const char *names[NROWS], *nearest;

	for (size_t i = 0; i < NROWS; i++)
		names[i] = rows[i].name;
	nearest = value_nearest(name, names, NROWS);
	if (nearest != NULL)
		return errmsg_set(why, "unknown option --%s (did you mean --%s?)", name, nearest);
	return errmsg_set(why, "unknown option --%s: \"sluss doctor --help\" lists them", name);
}

static int
assign(struct doctor_args *a, const char *name, const char *value, struct errmsg *why)
{
	struct conf_service *service = a->service;
	const struct option *o;

	/* They have been read. */
	if (strcasecmp(name, "config") == 0 || strcasecmp(name, "service") == 0)
		return 0;
	if (strcasecmp(name, "timeout") == 0) {
		if (value_number(value, "seconds", 1, TIMEOUT_MAX, &a->timeout, why) == -1)
			return errmsg_prefix(why, "--timeout");
		return 0;
	}
	o = options_find(name, true);
	options_mark(o, a->config, service, &(const struct conf_mark){ .line = 1, .here = true });
	switch (options_assign(o, a->config, service, value, why)) {
	case -1:
		return errmsg_prefix(why, "--%s", name);
	case OPTIONS_WARNING:
		log_line(LOG_WARNING, "main", "--%s: %s", name, why->text);
		break;
	}
	return 0;
}

/* One option, at argv[*i], with its value behind "=" or in the next word. */
static int
take_option(struct doctor_args *a, char **argv, int *i, struct errmsg *why)
{
	char name[OPTION_FLAG_TEXT];
	const char *word = argv[*i] + strspn(argv[*i], "-"), *next = argv[*i + 1];
	size_t n = strcspn(word, "="), row;

	snprintf(name, sizeof(name), "%.*s", (int)(n < sizeof(name) ? n : sizeof(name) - 1), word);
	for (row = 0; row < NROWS && strcasecmp(rows[row].name, name) != 0; row++)
		;
	if (row == NROWS || strncmp(argv[*i], "--", 2) != 0)
		return unknown(name, why);
	if (word[n] == '=')
		return assign(a, name, word + n + 1, why);
	if (next == NULL || strncmp(next, "--", 2) == 0)
		return errmsg_set(why, "--%s needs a value: write --%s %s", rows[row].name,
		    rows[row].name, rows[row].argument);
	(*i)++;
	return assign(a, name, next, why);
}

static int
take_target(struct doctor_args *a, const char *word, struct errmsg *why)
{
	if (a->target.text != NULL)
		return errmsg_set(why, "stray argument \"%.128s\": give one HOST:PORT", word);
	if (addr_parse(word, &a->target, why) == -1)
		return -1;
	if (a->target.kind != ADDR_TCP && a->target.kind != ADDR_UNIX)
		return errmsg_set(why, "\"%.128s\" is no server: give HOST:PORT", word);
	return 0;
}

static int
take_all(struct doctor_args *a, int argc, char **argv, struct errmsg *why)
{
	int rc = 0;

	for (int i = 1; i < argc && rc == 0; i++) {
		if (strcasecmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return 1;
		rc = argv[i][0] == '-' ? take_option(a, argv, &i, why) :
		    take_target(a, argv[i], why);
	}
	return rc;
}

static int
check(const struct doctor_args *a, struct errmsg *why)
{
	const struct conf_service *c = a->service;

	if (a->target.text == NULL)
		return errmsg_set(why, "HOST:PORT is missing: write sluss doctor HOST:PORT, as in "
		    "\"sluss doctor db.example.org:4433\"");
	if (c->key.n > 0 && c->cert.n == 0)
		return errmsg_set(why, "--key needs --cert: name the certificate, too");
	if (!phone_knows(c->protocol))
		return errmsg_set(why, "--protocol: only imap, ldap, nntp, pgsql, pop3 and smtp are "
		    "spoken here");
	return 0;
}

/* Where the configuration is comes ahead of what is said beside it. */
static void
find_config(struct doctor_args *a, int argc, char **argv)
{
	const struct {
		const char *flag;
		const char **field;
	} two[] = { { "--config", &a->file }, { "--service", &a->section } };
	size_t n;

	for (int i = 1; i < argc; i++)
		for (size_t k = 0; k < 2; k++) {
			n = strlen(two[k].flag);
			if (strncasecmp(argv[i], two[k].flag, n) != 0)
				continue;
			if (argv[i][n] == '=')
				*two[k].field = argv[i] + n + 1;
			else if (argv[i][n] == '\0' && i + 1 < argc)
				*two[k].field = argv[i + 1];
		}
}

static int
find_section(struct doctor_args *a, struct errmsg *why)
{
	struct conf_service *s;

	for (size_t i = 0; i < a->config->nservices; i++) {
		s = &a->config->services[i];
		if (a->section != NULL ? strcmp(s->name, a->section) != 0 : !s->client)
			continue;
		if (a->service != NULL)
			return errmsg_set(why, "%s has several sections with client = yes: say which "
			    "one with --service", a->file);
		a->service = s;
	}
	if (a->service == NULL)
		return errmsg_set(why, "%s: there is no section %s%s", a->file,
		    a->section != NULL ? "" : "with client = yes", a->section != NULL ? a->section : "");
	if (!a->service->client)
		return errmsg_set(why, "--service %s: this section is a server, and servers are what "
		    "doctor visits: name one with client = yes", a->section);
	return 0;
}

static int
load(struct doctor_args *a, struct errmsg *why)
{
	if (a->file == NULL) {
		if (a->section != NULL)
			return errmsg_set(why, "--service needs --config");
		if ((a->config = config_new("doctor", true, why)) == NULL)
			return -1;
		a->service = &a->config->services[0];
		return 0;
	}
	if ((a->config = run_load(a->file)) == NULL)
		return errmsg_set(why, "%s: configuration failed", a->file);
	if (find_section(a, why) == -1)
		return -1;
	/* Lists that are given beside it take the place of its own. */
	for (size_t i = 0; i < CONF_OPTIONS_MAX; i++)
		a->service->marks[i].here = false;
	return 0;
}

/* Without one, what the section connects to first. */
static int
default_target(struct doctor_args *a, struct errmsg *why)
{
	if (a->target.text != NULL || a->service->connect.n == 0)
		return 0;
	return take_target(a, a->service->connect.items[0].text, why);
}

int
doctor_args_read(struct doctor_args *a, int argc, char **argv, struct errmsg *why)
{
	int rc;

	*a = (struct doctor_args){ .timeout = TIMEOUT };
	find_config(a, argc, argv);
	rc = load(a, why);
	if (rc == 0)
		rc = take_all(a, argc, argv, why);
	if (rc == 0)
		rc = default_target(a, why);
	if (rc == 0)
		rc = check(a, why);
	if (rc != 0)
		doctor_args_free(a);
	return rc;
}

void
doctor_args_free(struct doctor_args *a)
{
	addr_spec_free(&a->target);
	config_free(a->config);
	a->config = NULL;
}
