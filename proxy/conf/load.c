#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "check_priv.h"
#include "conf/file.h"
#include "conf/load.h"
#include "conf/options.h"

/* The name of the one service of a file without sections. */
#define INETD_NAME "inetd"

/* A configuration as it grows. */
struct loading {
	const struct conf_report *report;
	struct config *config;
	bool in_section;
	bool failed;
};

static struct conf_service *
current(const struct loading *l)
{
	struct config *c = l->config;

	return l->in_section ? &c->services[c->nservices - 1] : &c->defaults;
}

/* Whether a name is that of a secret, or is likely to be meant so. */
static bool
is_secret(const char *name)
{
	const struct option *o = options_find(name, true);
	const char *nearest = o == NULL ? options_nearest(name) : NULL;

	if (nearest != NULL)
		o = options_find(nearest, true);
	return o != NULL && options_secret(o);
}

/* The line, but of a secret only that it is one. */
static const char *
shown(const char *line, char *text, size_t size)
{
	size_t n = strcspn(line, "= \t");
	const struct option *o;

	if (line[n] == '\0' || n >= size)
		return line;
	memcpy(text, line, n);
	text[n] = '\0';
	if (!is_secret(text))
		return line;
	o = options_find(text, true);
	snprintf(text + n, size - n, "%s...", strchr(line, '=') != NULL ? " = " : " ");
	if (o != NULL)
		memcpy(text, o->name, n);
	return text;
}

static void
say(struct loading *l, int level, const struct file_place *at, const char *why)
{
	struct errmsg text;
	char secret[64];

	if (at->line == 0)
		errmsg_set(&text, "%s: %s", at->path, why);
	else
		errmsg_set(&text, "%s:%u: \"%.256s\": %s", at->path, at->line,
		    shown(at->text, secret, sizeof(secret)), why);
	l->report->say(l->report->arg, level, text.text);
}

static void
fail(void *arg, const struct file_place *at, const char *why)
{
	struct loading *l = arg;

	say(l, LOG_ERR, at, why);
	l->failed = true;
}

/* Keeps a copy; memory that ran out shows soon enough elsewhere.  Whether it is there. */
static bool
keep(struct conf_strings *list, const char *path)
{
	char **items, *copy;

	if ((copy = strdup(path)) == NULL)
		return false;
	if ((items = reallocarray(list->items, list->n + 1, sizeof(*items))) == NULL) {
		free(copy);
		return false;
	}
	list->items = items;
	items[list->n++] = copy;
	return true;
}

static unsigned short
opened(void *arg, const char *path)
{
	struct loading *l = arg;
	struct conf_strings *files = &l->config->files;

	if (files->n > 0xffff || !keep(files, path))
		return 0;
	return (unsigned short)(files->n - 1);
}

static void
folder(void *arg, const char *path)
{
	struct loading *l = arg;

	keep(&l->config->folders, path);
}

static struct conf_mark
mark_at(const struct loading *l, const struct file_place *at)
{
	return (struct conf_mark){ .line = at->line, .file = at->file,
		.here = l->in_section };
}

static void
begin_section(void *arg, const struct file_place *at, const char *name)
{
	struct loading *l = arg;
	struct errmsg why;

	if (config_add(l->config, name, &why) == NULL) {
		fail(l, at, why.text);
		return;
	}
	l->in_section = true;
	current(l)->at = mark_at(l, at);
}

static void
unknown(struct loading *l, const struct file_place *at, const char *name)
{
	const char *nearest = options_nearest(name);
	struct errmsg why;

	errmsg_set(&why, "Specified option name is not valid here%s%s%s",
	    nearest != NULL ? " (did you mean " : "", nearest != NULL ? nearest : "",
	    nearest != NULL ? "?)" : "");
	fail(l, at, why.text);
}

/* In front of the first section a profile is that of the whole. */
static int
assign(struct loading *l, const struct option *o, const char *value, struct errmsg *why)
{
	int rc = options_assign(o, l->config, current(l), value, why);

	if (rc != -1 && o->type == OPTION_PROFILE && !l->in_section &&
	    options_defaults(l->config->defaults.profile, l->config, current(l), why) == -1)
		return -1;
	return rc;
}

/* The last one holds, as with stunnel; but of two certificates, say, both may have been meant.
 * What sslVersion says may be said again in part. */
static void
warn_repeated(struct loading *l, const struct file_place *at, const struct option *o)
{
	const struct conf_mark *before = options_marked(o, l->config, current(l));
	const struct conf_strings *files = &l->config->files;
	struct errmsg why;

	if (before->line == 0 || before->here != l->in_section || options_repeats(o) ||
	    o->status != OPTION_WORKS || o->type == OPTION_VERSION)
		return;
	errmsg_set(&why, "%s:%u counts no more: the option holds one value, the last",
	    before->file < files->n ? files->items[before->file] : at->path, before->line);
	say(l, LOG_WARNING, at, why.text);
}

static void
take_option(void *arg, const struct file_place *at, const char *name, const char *value)
{
	struct loading *l = arg;
	const struct option *o = options_find(name, l->in_section);
	const struct conf_mark mark = mark_at(l, at);
	struct errmsg why;

	if (o == NULL) {
		unknown(l, at, name);
		return;
	}
	if (l->in_section && o->scope == OPTION_GLOBAL) {
		fail(l, at, "Specified option name is not valid here: it is for the whole "
		    "program, so write it before the first section");
		return;
	}
	warn_repeated(l, at, o);
	options_mark(o, l->config, current(l), &mark);
	switch (assign(l, o, value, &why)) {
	case -1:
		fail(l, at, why.text);
		break;
	case OPTIONS_WARNING:
		say(l, LOG_WARNING, at, why.text);
		break;
	}
}

/* A file without sections is one service. */
static int
make_inetd(struct config *c, struct errmsg *why)
{
	struct conf_service *s;

	if ((s = config_add(c, c->ident != NULL ? c->ident : INETD_NAME, why)) == NULL)
		return -1;
	c->inetd = true;
	return 0;
}

/* Its connection is there already. */
static int
serve_stdio(struct config *c, struct errmsg *why)
{
	return options_assign(options_find("accept", true), c, &c->services[0], "-", why);
}

/* What came of nothing is not judged. */
static int
judge(struct loading *l, struct errmsg *why)
{
	struct config *c = l->config;

	if (c->nservices == 0 && l->failed)
		return 0;
	if (c->nservices == 0 && make_inetd(c, why) == -1)
		return -1;
	if (config_check_file(c, l->report) == -1)
		l->failed = true;
	if (!l->failed)
		config_warn_file(c, l->report);
	return c->inetd && !l->failed ? serve_stdio(c, why) : 0;
}

static struct config *
finish(struct loading *l)
{
	struct errmsg why;

	if (judge(l, &why) == -1) {
		l->report->say(l->report->arg, LOG_ERR, why.text);
		l->failed = true;
	}
	if (!l->failed)
		return l->config;
	config_free(l->config);
	return NULL;
}

static int
begin(struct loading *l, const struct conf_report *report)
{
	struct errmsg why;

	*l = (struct loading){ .report = report };
	if ((l->config = config_empty(PROFILE_STUNNEL, &why)) != NULL)
		return 0;
	report->say(report->arg, LOG_ERR, why.text);
	return -1;
}

static const struct file_reader *
reader_of(struct loading *l, struct file_reader *r)
{
	*r = (struct file_reader){
		.arg = l,
		.opened = opened,
		.folder = folder,
		.section = begin_section,
		.option = take_option,
		.error = fail,
	};
	return r;
}

struct config *
config_load(const char *path, const struct conf_report *report)
{
	struct loading l;
	struct file_reader r;

	if (begin(&l, report) == -1)
		return NULL;
	file_read(path, reader_of(&l, &r));
	return finish(&l);
}

struct config *
config_load_fd(int fd, const char *name, const struct conf_report *report)
{
	struct loading l;
	struct file_reader r;

	if (begin(&l, report) == -1)
		return NULL;
	file_read_fd(fd, name, reader_of(&l, &r));
	return finish(&l);
}
