#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "conf/ciphers.h"
#include "conf/sslopt.h"
#include "conf/value.h"
#include "fields_priv.h"
#include "net/addr.h"

#define FIELD(o, base) ((void *)((char *)(base) + (o)->offset))
#define CONST_FIELD(o, base) ((const void *)((const char *)(base) + (o)->offset))

static const char *const version_words[] = { "TLSv1.2", "TLSv1.3" };
static const enum conf_version versions[] = { VERSION_TLS12, VERSION_TLS13 };

#define NVERSIONS (sizeof(versions) / sizeof(versions[0]))

/*
 * Lists.  All are a pointer to items and a count, so growing is one function.
 */

/* Makes a list one item longer.  Returns the new place for its items, or NULL. */
static void *
longer(void *items, size_t n, size_t size, struct errmsg *why)
{
	void *p = reallocarray(items, n + 1, size);

	if (p == NULL)
		errmsg_set(why, "out of memory");
	return p;
}

static int
add_string(const char *value, int (*read)(const char *, char **, struct errmsg *),
    struct conf_strings *list, struct errmsg *why)
{
	char **items;

	if ((items = longer(list->items, list->n, sizeof(*items), why)) == NULL)
		return -1;
	list->items = items;
	items[list->n] = NULL;
	if (read(value, &items[list->n], why) == -1)
		return -1;
	list->n++;
	return 0;
}

static int
add_addr(const char *value, struct conf_addrs *list, struct errmsg *why)
{
	struct addr_spec *items;

	if ((items = longer(list->items, list->n, sizeof(*items), why)) == NULL)
		return -1;
	list->items = items;
	if (addr_parse(value, &items[list->n], why) == -1)
		return -1;
	list->n++;
	return 0;
}

static int
add_prefix(const char *value, struct conf_prefixes *list, struct errmsg *why)
{
	struct addr_prefix *items;

	if ((items = longer(list->items, list->n, sizeof(*items), why)) == NULL)
		return -1;
	list->items = items;
	if (prefix_parse(value, &items[list->n], why) == -1)
		return -1;
	list->n++;
	return 0;
}

static int
add_sockopt(const char *value, struct conf_sockopts *list, struct errmsg *why)
{
	struct sockopt *items;

	if ((items = longer(list->items, list->n, sizeof(*items), why)) == NULL)
		return -1;
	list->items = items;
	if (sockopt_parse(value, &items[list->n], why) == -1)
		return -1;
	list->n++;
	return 0;
}

static void
free_strings(struct conf_strings *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct conf_strings){ 0 };
}

static void
free_addrs(struct conf_addrs *list)
{
	for (size_t i = 0; i < list->n; i++)
		addr_spec_free(&list->items[i]);
	free(list->items);
	*list = (struct conf_addrs){ 0 };
}

/* A list whose items own nothing. */
static void
free_plain(void *field)
{
	struct conf_strings *list = field;

	_Static_assert(sizeof(*list) == sizeof(struct conf_prefixes) &&
	    sizeof(*list) == sizeof(struct conf_sockopts), "lists are alike");
	free(list->items);
	*list = (struct conf_strings){ 0 };
}

/*
 * Reading.
 */

static int
replace(char **field, const char *value, struct errmsg *why)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return errmsg_set(why, "out of memory");
	free(*field);
	*field = copy;
	return 0;
}

/* Any text at all. */
static int
copy_text(const char *value, char **field, struct errmsg *why)
{
	return replace(field, value, why);
}

static int
read_choice(const struct option *o, const char *value, void *field, struct errmsg *why)
{
	size_t n = 0, i;

	while (o->words[n] != NULL)
		n++;
	if (value_choice(value, o->words, n, &i, why) == -1)
		return -1;
	*(unsigned *)field = (unsigned)i;
	return 0;
}

static int
read_version(const char *value, enum conf_version *field, struct errmsg *why)
{
	static const char *const old[] = { "SSLv2", "SSLv3", "TLSv1", "TLSv1.0",
		"TLSv1.1" };
	size_t i;

	for (i = 0; i < sizeof(old) / sizeof(old[0]); i++)
		if (strcasecmp(value, old[i]) == 0)
			return errmsg_set(why,
			    "%s is refused, since it has known attacks that no setting "
			    "cures: give TLSv1.2 or TLSv1.3",
			    old[i]);
	if (value_choice(value, version_words, NVERSIONS, &i, why) == -1)
		return -1;
	*field = versions[i];
	return 0;
}

/* One end of the range; "all" is as far as it goes. */
static int
read_end(const struct option *o, const char *value, enum conf_version *field,
    struct errmsg *why)
{
	if (strcasecmp(value, "all") != 0)
		return read_version(value, field, why);
	*field = o->offset == offsetof(struct conf_service, version_max) ? VERSION_TLS13 :
	    VERSION_TLS12;
	return 0;
}

/* "all" is whatever is safe: both. */
static int
read_versions(const char *value, struct conf_service *s, struct errmsg *why)
{
	if (strcasecmp(value, "all") == 0) {
		s->version_min = VERSION_TLS12;
		s->version_max = VERSION_TLS13;
		return 0;
	}
	if (read_version(value, &s->version_min, why) == -1)
		return -1;
	s->version_max = s->version_min;
	return 0;
}

static int
read_retry(const char *value, struct conf_service *s, struct errmsg *why)
{
	unsigned ms = 1000;
	bool yes = strcasecmp(value, "no") != 0;

	if (yes && strcasecmp(value, "yes") != 0 &&
	    value_number(value, "milliseconds, yes or no", 0, 86400000, &ms, why) == -1)
		return -1;
	s->retry = yes;
	s->retry_ms = ms;
	return 0;
}

/* "10", "10/24" or "10/24/64". */
static int
read_source(const struct option *o, const char *value, struct conf_service *s,
    struct errmsg *why)
{
	/* Who has one IPv6 address has 64 bits of them. */
	unsigned numbers[3] = { 0, 32, 64 };
	const unsigned least[3] = { o->min, 8, 16 }, most[3] = { o->max, 32, 128 };
	const char *const units[3] = { NULL, "bits of an IPv4 address",
		"bits of an IPv6 address" };
	char part[16];
	size_t i, n;

	for (i = 0; i < 3; i++) {
		n = strcspn(value, "/");
		snprintf(part, sizeof(part), "%.*s", (int)(n < 15 ? n : 15), value);
		if (value_number(part, units[i], least[i], most[i], &numbers[i], why) == -1)
			return -1;
		value += n;
		if (*value == '\0')
			break;
		value++;
	}
	if (i == 3)
		return errmsg_set(why, "too many parts: give NUMBER, NUMBER/BITS or "
		    "NUMBER/BITS/BITS");
	s->max_per_source = numbers[0];
	s->per_source_v4 = numbers[1];
	s->per_source_v6 = numbers[2];
	return 0;
}

static int
read_debug(const char *value, struct config *c, struct errmsg *why)
{
	int facility = LOG_DAEMON, level;
	const char *dot = strchr(value, '.');

	if (dot != NULL && value_facility(value, (size_t)(dot - value), &facility, why) == -1)
		return -1;
	if (value_level(dot != NULL ? dot + 1 : value, &level, why) == -1)
		return -1;
	c->debug = level;
	c->facility = facility;
	return 0;
}

static int
read_path(const struct option *o, const char *value, char **field, struct errmsg *why)
{
	if (*value != '\0' || o->min == 1)
		return value_path(value, field, why);
	free(*field);
	*field = NULL;
	return 0;
}

static int
read_text(const char *value, char **field, struct errmsg *why)
{
	if (*value == '\0')
		return errmsg_set(why, "the value is empty");
	return replace(field, value, why);
}

static int
read_ip(const char *value, char **field, struct errmsg *why)
{
	unsigned char bytes[16];

	if (inet_pton(AF_INET, value, bytes) != 1 && inet_pton(AF_INET6, value, bytes) != 1)
		return errmsg_set(why, "\"%.128s\" is no IP address", value);
	return replace(field, value, why);
}

static int
read_env(const char *value, char **field, struct errmsg *why)
{
	const char *equals = strchr(value, '=');

	if (equals == NULL || equals == value)
		return errmsg_set(why, "\"%.128s\" is no variable: give NAME=VALUE", value);
	return replace(field, value, why);
}

static int
read_argv(const char *value, struct conf_strings *field, struct errmsg *why)
{
	static const char blanks[] = " \t";
	struct conf_strings list = { 0 };
	char word[4096];
	size_t n;

	for (value += strspn(value, blanks); *value != '\0'; value += strspn(value, blanks)) {
		n = strcspn(value, blanks);
		if (n >= sizeof(word)) {
			free_strings(&list);
			return errmsg_set(why, "a word is longer than %zu bytes", sizeof(word) - 1);
		}
		memcpy(word, value, n);
		word[n] = '\0';
		if (add_string(word, copy_text, &list, why) == -1) {
			free_strings(&list);
			return -1;
		}
		value += n;
	}
	if (list.n == 0)
		return errmsg_set(why, "no words: give the program's name and its arguments");
	free_strings(field);
	*field = list;
	return 0;
}

static int
read_only_addr(const char *value, struct conf_addrs *field, struct errmsg *why)
{
	struct conf_addrs list = { 0 };

	if (add_addr(value, &list, why) == -1) {
		free_addrs(&list);
		return -1;
	}
	free_addrs(field);
	*field = list;
	return 0;
}

static int
read_profile(const char *value, const struct option *o, struct conf_service *s,
    struct errmsg *why)
{
	enum conf_profile p;

	if (read_choice(o, value, &p, why) == -1)
		return -1;
	s->profile = p;
	return options_defaults(p, NULL, s, why);
}

int
field_read(const struct option *o, void *base, const char *value, struct errmsg *why)
{
	void *field = FIELD(o, base);

	switch (o->type) {
	case OPTION_FLAG:
		return value_bool(value, field, why);
	case OPTION_SECONDS:
		return value_number(value, "seconds", o->min, o->max, field, why);
	case OPTION_COUNT:
		return value_number(value, NULL, o->min, o->max, field, why);
	case OPTION_LEVEL:
		return value_level(value, field, why);
	case OPTION_DEBUG:
		return read_debug(value, base, why);
	case OPTION_CHOICE:
		return read_choice(o, value, field, why);
	case OPTION_VERSION:
		return read_end(o, value, field, why);
	case OPTION_VERSIONS:
		return read_versions(value, base, why);
	case OPTION_RETRY:
		return read_retry(value, base, why);
	case OPTION_SOURCE:
		return read_source(o, value, base, why);
	case OPTION_NAME:
		return value_name(value, field, why);
	case OPTION_TEXT:
		return replace(field, value, why);
	case OPTION_PATH:
		return read_path(o, value, field, why);
	case OPTION_PATHS:
		return add_string(value, value_path, field, why);
	case OPTION_HOST:
		return value_host(value, field, why);
	case OPTION_HOSTS:
		return add_string(value, value_host, field, why);
	case OPTION_IPS:
		return add_string(value, read_ip, field, why);
	case OPTION_TEXTS:
		return add_string(value, read_text, field, why);
	case OPTION_ENV:
		return add_string(value, read_env, field, why);
	case OPTION_ARGV:
		return read_argv(value, field, why);
	case OPTION_ADDR:
		return read_only_addr(value, field, why);
	case OPTION_ADDRS:
		return add_addr(value, field, why);
	case OPTION_PREFIXES:
		return add_prefix(value, field, why);
	case OPTION_SOCKOPTS:
		return add_sockopt(value, field, why);
	case OPTION_CIPHERS:
		return ciphers_tls12(value, field, why);
	case OPTION_SUITES:
		return ciphers_tls13(value, field, why);
	case OPTION_CURVES:
		return ciphers_groups(value, field, why);
	case OPTION_SSLOPT:
		return sslopt_set(base, value, why);
	case OPTION_PROFILE:
		return read_profile(value, o, base, why);
	}
	assert(0 && "a type without a case");
	return -1;
}

/*
 * Copying.
 */

static int
copy_string(char **to, const char *from)
{
	*to = from == NULL ? NULL : strdup(from);
	return from == NULL || *to != NULL ? 0 : -1;
}

static int
copy_strings(struct conf_strings *to, const struct conf_strings *from)
{
	struct errmsg why;

	*to = (struct conf_strings){ 0 };
	for (size_t i = 0; i < from->n; i++)
		if (add_string(from->items[i], copy_text, to, &why) == -1) {
			free_strings(to);
			return -1;
		}
	return 0;
}

static int
copy_addrs(struct conf_addrs *to, const struct conf_addrs *from)
{
	struct errmsg why;

	*to = (struct conf_addrs){ 0 };
	for (size_t i = 0; i < from->n; i++)
		if (add_addr(from->items[i].text, to, &why) == -1) {
			free_addrs(to);
			return -1;
		}
	return 0;
}

/* A list whose items own nothing. */
static int
copy_plain(void *to, const void *from, size_t size)
{
	const struct conf_strings *src = from;
	struct conf_strings list = { 0 };

	if (src->n > 0) {
		if ((list.items = reallocarray(NULL, src->n, size)) == NULL)
			return -1;
		memcpy(list.items, src->items, src->n * size);
		list.n = src->n;
	}
	memcpy(to, &list, sizeof(list));
	return 0;
}

static size_t
scalar_size(enum option_type type)
{
	switch (type) {
	case OPTION_FLAG:
		return sizeof(bool);
	case OPTION_LEVEL:
		return sizeof(int);
	default:
		/* Numbers and enums. */
		return sizeof(unsigned);
	}
}

int
field_copy(const struct option *o, void *to, const void *from)
{
	const struct conf_service *s = from;
	struct conf_service *t = to;

	switch (o->type) {
	case OPTION_NAME:
	case OPTION_TEXT:
	case OPTION_PATH:
	case OPTION_HOST:
		return copy_string(FIELD(o, to), *(char *const *)CONST_FIELD(o, from));
	case OPTION_PATHS:
	case OPTION_HOSTS:
	case OPTION_IPS:
	case OPTION_TEXTS:
	case OPTION_ENV:
	case OPTION_ARGV:
	case OPTION_CIPHERS:
	case OPTION_SUITES:
	case OPTION_CURVES:
		return copy_strings(FIELD(o, to), CONST_FIELD(o, from));
	case OPTION_ADDR:
	case OPTION_ADDRS:
		return copy_addrs(FIELD(o, to), CONST_FIELD(o, from));
	case OPTION_PREFIXES:
		return copy_plain(FIELD(o, to), CONST_FIELD(o, from), sizeof(struct addr_prefix));
	case OPTION_SOCKOPTS:
		return copy_plain(FIELD(o, to), CONST_FIELD(o, from), sizeof(struct sockopt));
	case OPTION_VERSIONS:
		t->version_min = s->version_min;
		t->version_max = s->version_max;
		return 0;
	case OPTION_RETRY:
		t->retry = s->retry;
		t->retry_ms = s->retry_ms;
		return 0;
	case OPTION_SOURCE:
		t->max_per_source = s->max_per_source;
		t->per_source_v4 = s->per_source_v4;
		t->per_source_v6 = s->per_source_v6;
		return 0;
	case OPTION_SSLOPT:
		t->server_preference = s->server_preference;
		t->no_tls12 = s->no_tls12;
		t->no_tls13 = s->no_tls13;
		return 0;
	case OPTION_DEBUG:
		((struct config *)to)->debug = ((const struct config *)from)->debug;
		((struct config *)to)->facility = ((const struct config *)from)->facility;
		return 0;
	default:
		memcpy(FIELD(o, to), CONST_FIELD(o, from), scalar_size(o->type));
		return 0;
	}
}

void
field_release(const struct option *o, void *base)
{
	char **text = FIELD(o, base);

	switch (o->type) {
	case OPTION_NAME:
	case OPTION_TEXT:
	case OPTION_PATH:
	case OPTION_HOST:
		free(*text);
		*text = NULL;
		break;
	case OPTION_PATHS:
	case OPTION_HOSTS:
	case OPTION_IPS:
	case OPTION_TEXTS:
	case OPTION_ENV:
	case OPTION_ARGV:
	case OPTION_CIPHERS:
	case OPTION_SUITES:
	case OPTION_CURVES:
		free_strings(FIELD(o, base));
		break;
	case OPTION_ADDR:
	case OPTION_ADDRS:
		free_addrs(FIELD(o, base));
		break;
	case OPTION_PREFIXES:
	case OPTION_SOCKOPTS:
		free_plain(FIELD(o, base));
		break;
	default:
		break;
	}
}

bool
field_is_list(enum option_type type)
{
	switch (type) {
	case OPTION_PATHS:
	case OPTION_HOSTS:
	case OPTION_IPS:
	case OPTION_TEXTS:
	case OPTION_ENV:
	case OPTION_ADDRS:
	case OPTION_PREFIXES:
	case OPTION_SOCKOPTS:
		return true;
	default:
		return false;
	}
}

/*
 * As text.
 */

static const char *
text_of(const char *value, char *text, size_t size)
{
	if (value == NULL)
		return NULL;
	snprintf(text, size, "%s", value);
	return text;
}

/* Names with colons (or blanks) between. */
static const char *
joined(const struct conf_strings *list, const char *between, char *text, size_t size)
{
	size_t used = 0;

	if (list->n == 0)
		return NULL;
	for (size_t i = 0; i < list->n && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? between : "",
		    list->items[i]);
	return text;
}

static const char *
text_item(const struct conf_strings *list, size_t i, char *text, size_t size)
{
	return i < list->n ? text_of(list->items[i], text, size) : NULL;
}

static const char *
text_sockopt(const struct sockopt *o, char *text, size_t size)
{
	if (o->level == SOL_SOCKET && o->name == SO_LINGER)
		snprintf(text, size, "%c:%s=%d:%d", o->side, o->text, o->value.linger.l_onoff,
		    o->value.linger.l_linger);
	else if (o->level == SOL_SOCKET && (o->name == SO_RCVTIMEO || o->name == SO_SNDTIMEO))
		snprintf(text, size, "%c:%s=%ld:%ld", o->side, o->text,
		    (long)o->value.time.tv_sec, (long)o->value.time.tv_usec);
	else if (o->level == SOL_SOCKET && o->name == SO_BINDTODEVICE)
		snprintf(text, size, "%c:%s=%s", o->side, o->text, o->value.text);
	else
		snprintf(text, size, "%c:%s=%d", o->side, o->text, o->value.number);
	return text;
}

static const char *
text_list(const struct option *o, const void *field, size_t i, char *text, size_t size)
{
	const struct conf_addrs *addrs = field;
	const struct conf_prefixes *prefixes = field;
	const struct conf_sockopts *sockopts = field;
	char prefix[PREFIX_TEXT];

	switch (o->type) {
	case OPTION_ADDR:
	case OPTION_ADDRS:
		return i < addrs->n ? text_of(addrs->items[i].text, text, size) : NULL;
	case OPTION_PREFIXES:
		return i < prefixes->n ?
		    text_of(prefix_text(&prefixes->items[i], prefix), text, size) : NULL;
	case OPTION_SOCKOPTS:
		return i < sockopts->n ? text_sockopt(&sockopts->items[i], text, size) : NULL;
	default:
		return text_item(field, i, text, size);
	}
}

static const char *
text_number(unsigned n, char *text, size_t size)
{
	snprintf(text, size, "%u", n);
	return text;
}

/* What is out of range stands for an option that was not given. */
static const char *
text_count(const struct option *o, unsigned n, char *text, size_t size)
{
	return n < o->min || n > o->max ? NULL : text_number(n, text, size);
}

static const char *
text_debug(const struct config *c, char *text, size_t size)
{
	snprintf(text, size, "%s.%d", value_facility_text(c->facility), c->debug);
	return text;
}

static const char *
text_scalar(const struct option *o, const void *base, char *text, size_t size)
{
	const void *field = CONST_FIELD(o, base);
	const struct conf_service *s = base;
	const struct config *c = base;

	switch (o->type) {
	case OPTION_FLAG:
		return text_of(*(const bool *)field ? "yes" : "no", text, size);
	case OPTION_LEVEL:
		return *(const int *)field < 0 ? NULL :
		    text_number((unsigned)*(const int *)field, text, size);
	case OPTION_DEBUG:
		return text_debug(c, text, size);
	case OPTION_CHOICE:
	case OPTION_PROFILE:
		return text_of(o->words[*(const unsigned *)field], text, size);
	case OPTION_VERSION:
		return text_of(version_words[*(const enum conf_version *)field == VERSION_TLS13],
		    text, size);
	case OPTION_RETRY:
		return s->retry ? text_number(s->retry_ms, text, size) :
		    text_of("no", text, size);
	case OPTION_SOURCE:
		if (s->max_per_source == 0)
			return NULL;
		snprintf(text, size, "%u/%u/%u", s->max_per_source, s->per_source_v4,
		    s->per_source_v6);
		return text;
	case OPTION_NAME:
	case OPTION_TEXT:
	case OPTION_PATH:
	case OPTION_HOST:
		return text_of(*(char *const *)field, text, size);
	case OPTION_CIPHERS:
	case OPTION_SUITES:
	case OPTION_CURVES:
		return joined(field, ":", text, size);
	case OPTION_ARGV:
		return joined(field, " ", text, size);
	case OPTION_VERSIONS:
		/* Said by the options that it stands for. */
		return NULL;
	default:
		return text_count(o, *(const unsigned *)field, text, size);
	}
}

const char *
field_text(const struct option *o, const void *base, size_t i, char *text, size_t size)
{
	if (o->type == OPTION_SSLOPT)
		return text_of(sslopt_text(base, i), text, size);
	if (field_is_list(o->type) || o->type == OPTION_ADDR)
		return text_list(o, CONST_FIELD(o, base), i, text, size);
	return i == 0 ? text_scalar(o, base, text, size) : NULL;
}
