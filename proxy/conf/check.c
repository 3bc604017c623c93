#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "check_priv.h"
#include "conf/protocol.h"
#include "conf/sni.h"
#include "conf/sslopt.h"

/* Where something stands in front of a message; quoted is what stands there. */
static void
say(struct judge *j, int level, const struct conf_mark *at, const char *quoted,
    const char *fmt, va_list ap)
{
	const struct conf_strings *files = &j->config->files;
	const char *file = at->file < files->n ? files->items[at->file] : "configuration";
	struct errmsg text;

	vsnprintf(text.text, sizeof(text.text), fmt, ap);
	if (at->line > 0)
		errmsg_prefix(&text, "%s:%u: \"%.256s\"", file, at->line, quoted);
	else
		errmsg_prefix(&text, "%s", file);
	if (level <= LOG_ERR)
		j->failed = true;
	j->report->say(j->report->arg, level, text.text);
}

void
judge_section(struct judge *j, int level, const char *fmt, ...)
{
	char header[128];
	va_list ap;

	snprintf(header, sizeof(header), "[%.120s]", j->service->name);
	va_start(ap, fmt);
	say(j, level, &j->service->at, header, fmt, ap);
	va_end(ap);
}

void
judge_line(struct judge *j, int level, const struct conf_mark *at, const char *quoted,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(j, level, at, quoted, fmt, ap);
	va_end(ap);
}

/* The row as the section knows it, else the global one. */
static const struct option *
row(const char *name)
{
	return options_find(name, true);
}

/* "name = value", of a list the last value, which stands where the mark says. */
static const char *
quote(const struct judge *j, const struct option *o, char *text, size_t size)
{
	char value[256];
	size_t n = 0;

	while (options_value(o, j->config, j->service, n, value, sizeof(value)) != NULL)
		n++;
	if (n == 0)
		value[0] = '\0';
	if (options_secret(o))
		strcpy(value, "...");
	snprintf(text, size, "%s = %s", o->name, value);
	return text;
}

void
judge_option(struct judge *j, int level, const char *option, const char *fmt, ...)
{
	const struct option *o = row(option);
	const struct conf_mark *at = options_marked(o, j->config, j->service);
	char text[384];
	va_list ap;

	va_start(ap, fmt);
	if (at->line > 0)
		say(j, level, at, quote(j, o, text, sizeof(text)), fmt, ap);
	else {
		snprintf(text, sizeof(text), "[%.120s]", j->service->name);
		say(j, level, &j->service->at, text, fmt, ap);
	}
	va_end(ap);
}

bool
judge_says(const struct judge *j, const char *option)
{
	return options_marked(row(option), j->config, j->service)->line > 0;
}

/* How many addresses are of the kind. */
static size_t
count(const struct conf_addrs *list, enum addr_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++)
		n += list->items[i].kind == kind;
	return n;
}

/* Where a server's tunnel goes is not always said by connect. */
static bool
finds_target(const struct conf_service *s)
{
	return (s->transparent & TRANSPARENT_DESTINATION) != 0 ||
	    (protocol_names_target(s) && s->connect.n == 0);
}

/* What was given and refused counts: it has had its message. */
static void
check_endpoints(struct judge *j)
{
	const struct conf_service *s = j->service;
	const int targets =
	    judge_says(j, "connect") + judge_says(j, "exec") + finds_target(s);

	if (j->config->inetd) {
		if (judge_says(j, "accept"))
			judge_option(j, LOG_ERR, "accept",
			    "accept needs a [section] in front "
			    "of it: without one the connection is on the descriptors 0 and 1");
		else if (targets != 1)
			judge_section(j, LOG_ERR,
			    "Inetd mode must define one endpoint: give "
			    "connect or exec, or begin a [section]");
	} else if (judge_says(j, "accept") + sni_is_named(s) + targets != 2)
		judge_section(j, LOG_ERR,
		    "Each service must define two endpoints: give accept "
		    "and one of connect and exec, or exec and connect");
}

static void
check_addresses(struct judge *j)
{
	const struct conf_service *s = j->service;

	if (count(&s->accept, ADDR_ECHO) > 0)
		judge_option(
		    j, LOG_ERR, "accept", "echo: is a target: for connect of a server");
	if (count(&s->accept, ADDR_STDIO) > 0)
		judge_option(j, LOG_ERR, "accept",
		    "to serve the descriptors 0 and 1 leave out "
		    "accept and all [sections]");
	if (count(&s->connect, ADDR_STDIO) > 0)
		judge_option(j, LOG_ERR, "connect",
		    "- is for the command line: sluss server "
		    "--connect -");
	if (s->client && count(&s->connect, ADDR_ECHO) > 0)
		judge_option(j, LOG_ERR, "connect",
		    "echo: is for a server, not with "
		    "client = yes");
	for (size_t i = 0; i < s->connect.n; i++) {
		const struct addr_spec *a = &s->connect.items[i];

		if (a->kind == ADDR_TCP && a->port[strspn(a->port, "0")] == '\0')
			judge_option(j, LOG_ERR, "connect",
			    "%.128s: nothing listens on port 0", a->text);
	}
}

static void
check_exec(struct judge *j)
{
	const struct conf_service *s = j->service;

	if (s->exec != NULL && s->connect.n > 0 && s->accept.n == 0 && !s->client &&
	    !j->config->inetd)
		judge_option(j, LOG_ERR, "exec",
		    "with connect it is for client = yes: a server "
		    "needs accept, with connect or exec");
	if (s->exec != NULL && s->pty && s->client && s->connect.n == 0)
		judge_option(j, LOG_ERR, "pty",
		    "with client = yes TLS is spoken to the program, "
		    "which cannot be on a terminal");
	if (s->exec != NULL)
		return;
	if (s->execargs.n > 0)
		judge_option(j, LOG_WARNING, "execArgs", "ignored: there is no exec");
	if (s->pty)
		judge_option(j, LOG_WARNING, "pty", "ignored: there is no exec");
}

static void
check_protocol(struct judge *j)
{
	const struct conf_service *s = j->service;
	const char *option;
	struct errmsg why;

	if ((option = protocol_check(s, &why)) != NULL)
		judge_option(j, LOG_ERR, option, "%s", why.text);
	for (size_t i = 0; (option = protocol_idle(s, i)) != NULL; i++)
		judge_option(j, LOG_WARNING, option,
		    "ignored: protocol = %s makes no use of it",
		    protocol_name(s->protocol));
}

static void
check_versions(struct judge *j)
{
	const struct conf_service *s = j->service;
	enum conf_version min, max;

	if (s->version_min > s->version_max)
		judge_option(j, LOG_ERR, "sslVersionMin",
		    "sslVersionMin TLSv1.3 is above "
		    "sslVersionMax TLSv1.2: raise the one or lower the other");
	else if (sslopt_versions(s, &min, &max) == -1)
		judge_option(j, LOG_ERR, "options",
		    "with sslVersion it leaves no TLS version: "
		    "leave NO_TLSv1_2 or NO_TLSv1_3 out");
}

/* In the background every path is seen from the root folder. */
static void
check_paths(struct judge *j)
{
	const struct config *c = j->config;

	if (c->foreground != FOREGROUND_NO || c->inetd)
		return;
	if (c->pid != NULL && c->pid[0] != '/')
		judge_option(j, LOG_ERR, "pid",
		    "with foreground = no the path must begin "
		    "with /");
	if (c->output != NULL && c->output[0] != '/')
		judge_option(j, LOG_ERR, "output",
		    "with foreground = no the path must begin "
		    "with /");
}

int
config_check_file(const struct config *config, const struct conf_report *report)
{
	static void (*const checks[])(struct judge *) = { check_endpoints,
		check_addresses, check_exec, check_protocol, check_versions,
		check_identity };
	struct judge j = { .config = config, .report = report };

	assert(config->nservices > 0);
	j.service = &config->services[0];
	check_paths(&j);
	for (size_t i = 0; i < config->nservices; i++) {
		j.service = &config->services[i];
		for (size_t k = 0; k < sizeof(checks) / sizeof(checks[0]); k++)
			checks[k](&j);
	}
	return j.failed ? -1 : 0;
}

void
config_warn_file(const struct config *config, const struct conf_report *report)
{
	struct judge j = { .config = config, .report = report };

	for (size_t i = 0; i < config->nservices; i++) {
		j.service = &config->services[i];
		check_weak(&j);
	}
}
