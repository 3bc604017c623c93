#include <assert.h>
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/options.h"
#include "conf/value.h"
#include "fields_priv.h"
#include "table_priv.h"

const struct option *
options_row(size_t i)
{
	return i < option_count ? &option_table[i] : NULL;
}

size_t
options_index(const struct option *o)
{
	return (size_t)(o - option_table);
}

/* Names and aliases in their order, so that one is found without comparing it with all. */
struct name {
	const char *text;
	const struct option *row;
};

static struct {
	pthread_once_t made;
	struct name names[2 * CONF_OPTIONS_MAX];
	size_t n;
} sorted = { .made = PTHREAD_ONCE_INIT };

/* Rows of one name stay in the order of the table. */
static int
compare_names(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int order = strcasecmp(x->text, y->text);

	return order != 0 ? order : x->row < y->row ? -1 : x->row > y->row;
}

static void
sort_names(void)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option *o = &option_table[i];

		sorted.names[sorted.n++] = (struct name){ o->name, o };
		if (o->alias != NULL)
			sorted.names[sorted.n++] = (struct name){ o->alias, o };
	}
	qsort(sorted.names, sorted.n, sizeof(sorted.names[0]), compare_names);
}

/* The place of the first that is not before the name. */
static size_t
place_of(const char *name)
{
	size_t low = 0, high = sorted.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcasecmp(sorted.names[middle].text, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct option *
options_find(const char *name, bool in_section)
{
	const enum option_scope wanted = in_section ? OPTION_SERVICE : OPTION_GLOBAL;
	const struct option *found = NULL;

	pthread_once(&sorted.made, sort_names);
	for (size_t i = place_of(name);
	     i < sorted.n && strcasecmp(sorted.names[i].text, name) == 0; i++)
		if (found == NULL || sorted.names[i].row->scope == wanted)
			found = sorted.names[i].row;
	return found;
}

const char *
options_nearest(const char *name)
{
	const char *names[CONF_OPTIONS_MAX];

	for (size_t i = 0; i < option_count; i++)
		names[i] = option_table[i].name;
	return value_nearest(name, names, option_count);
}

bool
options_secret(const struct option *o)
{
	static const char *const names[] = {
		"protocolPassword", "ticketKeySecret", "ticketMacSecret",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(o->name, names[i]) == 0)
			return true;
	return false;
}

bool
options_repeats(const struct option *o)
{
	return field_is_list(o->type) || o->type == OPTION_SSLOPT;
}

const char *
options_flag(const struct option *o, char *text)
{
	char *p = text;
	const char *s;

	assert(strlen(o->name) + 3 <= OPTION_FLAG_TEXT);
	*p++ = '-';
	*p++ = '-';
	for (s = o->name; *s != '\0'; s++)
		*p++ = (char)tolower((unsigned char)*s);
	*p = '\0';
	return text;
}

const char *
options_help(const struct option *o, char *text, size_t size)
{
	int n;

	n = snprintf(text, size, "%s%s%s%s%s", o->help,
	    options_repeats(o) ? " May be given several times." : "",
	    o->initial != NULL ? " Default: " : "", o->initial != NULL ? o->initial : "",
	    o->initial != NULL ? "." : "");
	assert(n >= 0 && (size_t)n < size);
	return text;
}

static void *
base_of(const struct option *o, struct config *config, struct conf_service *service)
{
	void *base = o->scope == OPTION_GLOBAL ? (void *)config : (void *)service;

	assert(base != NULL);
	return base;
}

/* Judges a value that is to have no effect. */
static int
judge(const struct option *o, const char *value, struct errmsg *why)
{
	union {
		struct config config;
		struct conf_service service;
	} *scratch;
	int rc;

	if ((scratch = calloc(1, sizeof(*scratch))) == NULL)
		return errmsg_set(why, "out of memory");
	rc = field_read(o, scratch, value, why);
	field_release(o, scratch);
	free(scratch);
	return rc;
}

int
options_assign(const struct option *o, struct config *config,
    struct conf_service *service, const char *value, struct errmsg *why)
{
	if (o->harmless != NULL && strcasecmp(value, o->harmless) == 0)
		return 0;
	if (o->status == OPTION_WORKS)
		return field_read(o, base_of(o, config, service), value, why);
	if (judge(o, value, why) == -1)
		return -1;
	errmsg_set(why, "%s", o->note);
	if (o->status == OPTION_REFUSED)
		return -1;
	errmsg_prefix(why, "ignored");
	return OPTIONS_WARNING;
}

static struct conf_mark *
mark_of(const struct option *o, struct config *config, struct conf_service *service)
{
	return &(o->scope == OPTION_GLOBAL ? config->marks : service->marks)[options_index(o)];
}

/* What sets both ends of a range says what the two options of its ends say. */
static void
mark_versions(struct conf_service *service, const struct conf_mark *mark)
{
	for (size_t i = 0; i < option_count; i++)
		if (option_table[i].type == OPTION_VERSION)
			service->marks[i] = *mark;
}

void
options_mark(const struct option *o, struct config *config, struct conf_service *service,
    const struct conf_mark *mark)
{
	struct conf_mark *at = mark_of(o, config, service);

	if (mark->here && !at->here && o->status == OPTION_WORKS && field_is_list(o->type))
		field_release(o, base_of(o, config, service));
	*at = *mark;
	if (o->type == OPTION_VERSIONS)
		mark_versions(service, mark);
}

const struct conf_mark *
options_marked(const struct option *o, const struct config *config,
    const struct conf_service *service)
{
	return mark_of(o, (struct config *)config, (struct conf_service *)service);
}

int
options_set(struct config *config, struct conf_service *service, const char *name,
    const char *value, struct errmsg *why)
{
	const struct option *o = options_find(name, false);
	const char *nearest;
	int rc;

	if (o == NULL) {
		nearest = options_nearest(name);
		return errmsg_set(why, "unknown option %.128s%s%s%s", name,
		    nearest != NULL ? " (did you mean " : "",
		    nearest != NULL ? nearest : "", nearest != NULL ? "?)" : "");
	}
	if ((rc = options_assign(o, config, service, value, why)) != 0)
		errmsg_prefix(why, "%s", o->name);
	return rc;
}

int
options_defaults(enum conf_profile profile, struct config *config,
    struct conf_service *service, struct errmsg *why)
{
	const struct option *o;
	const char *value;

	for (size_t i = 0; (o = options_row(i)) != NULL; i++) {
		value = profile == PROFILE_STUNNEL && o->stunnel != NULL ? o->stunnel : o->initial;
		if (value == NULL || o->status != OPTION_WORKS ||
		    (o->scope == OPTION_GLOBAL && config == NULL) ||
		    mark_of(o, config, service)->line > 0)
			continue;
		if (options_assign(o, config, service, value, why) == -1)
			return errmsg_prefix(why, "%s", o->name);
	}
	return 0;
}

int
options_copy(struct conf_service *to, const struct conf_service *from, struct errmsg *why)
{
	const struct option *o;

	/* What no row names is copied as it is; what a row names and owns is copied by it. */
	*to = *from;
	to->name = NULL;
	for (size_t i = 0; (o = options_row(i)) != NULL; i++)
		if (o->scope == OPTION_SERVICE && o->status == OPTION_WORKS &&
		    field_copy(o, to, from) == -1)
			goto err;
	for (size_t i = 0; i < CONF_OPTIONS_MAX; i++)
		to->marks[i].here = false;
	return 0;

err:
	/* Those from here on still belong to the other one. */
	for (size_t i = 0; options_row(i) != o; i++)
		if (options_row(i)->scope == OPTION_SERVICE &&
		    options_row(i)->status == OPTION_WORKS)
			field_release(options_row(i), to);
	return errmsg_set(why, "out of memory");
}

/* By the table, so that no field can be forgotten. */
void
options_release(enum option_scope scope, void *base)
{
	for (size_t i = 0; i < option_count; i++)
		if (option_table[i].scope == scope && option_table[i].status == OPTION_WORKS)
			field_release(&option_table[i], base);
}

const char *
options_value(const struct option *o, const struct config *config,
    const struct conf_service *service, size_t i, char *text, size_t size)
{
	const void *base = o->scope == OPTION_GLOBAL ? (const void *)config : service;

	return o->status == OPTION_WORKS ? field_text(o, base, i, text, size) : NULL;
}
