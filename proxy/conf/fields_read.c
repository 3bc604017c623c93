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
#include "lists_priv.h"

static const char *const version_words[] = { "TLSv1.2", "TLSv1.3" };
static const enum conf_version versions[] = { VERSION_TLS12, VERSION_TLS13 };

#define NVERSIONS (sizeof(versions) / sizeof(versions[0]))

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
	return text_replace(field, value, why);
}

static int
read_ip(const char *value, char **field, struct errmsg *why)
{
	unsigned char bytes[16];

	if (inet_pton(AF_INET, value, bytes) != 1 && inet_pton(AF_INET6, value, bytes) != 1)
		return errmsg_set(why, "\"%.128s\" is no IP address", value);
	return text_replace(field, value, why);
}

static int
read_env(const char *value, char **field, struct errmsg *why)
{
	const char *equals = strchr(value, '=');

	if (equals == NULL || equals == value)
		return errmsg_set(why, "\"%.128s\" is no variable: give NAME=VALUE", value);
	return text_replace(field, value, why);
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
			list_free_strings(&list);
			return errmsg_set(why, "a word is longer than %zu bytes", sizeof(word) - 1);
		}
		memcpy(word, value, n);
		word[n] = '\0';
		if (list_add_string(word, text_any, &list, why) == -1) {
			list_free_strings(&list);
			return -1;
		}
		value += n;
	}
	if (list.n == 0)
		return errmsg_set(why, "no words: give the program's name and its arguments");
	list_free_strings(field);
	*field = list;
	return 0;
}

static int
read_only_addr(const char *value, struct conf_addrs *field, struct errmsg *why)
{
	struct conf_addrs list = { 0 };

	if (list_add_addr(value, &list, why) == -1) {
		list_free_addrs(&list);
		return -1;
	}
	list_free_addrs(field);
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
		return text_replace(field, value, why);
	case OPTION_PATH:
		return read_path(o, value, field, why);
	case OPTION_PATHS:
		return list_add_string(value, value_path, field, why);
	case OPTION_HOST:
		return value_host(value, field, why);
	case OPTION_HOSTS:
		return list_add_string(value, value_host, field, why);
	case OPTION_IPS:
		return list_add_string(value, read_ip, field, why);
	case OPTION_TEXTS:
		return list_add_string(value, read_text, field, why);
	case OPTION_ENV:
		return list_add_string(value, read_env, field, why);
	case OPTION_ARGV:
		return read_argv(value, field, why);
	case OPTION_ADDR:
		return read_only_addr(value, field, why);
	case OPTION_ADDRS:
		return list_add_addr(value, field, why);
	case OPTION_PREFIXES:
		return list_add_prefix(value, field, why);
	case OPTION_ALLOW:
	case OPTION_DENY:
		return list_add_rule(value, o->type == OPTION_DENY,
		    &((const struct conf_service *)base)->marks[options_index(o)], field, why);
	case OPTION_SOCKOPTS:
		return list_add_sockopt(value, field, why);
	case OPTION_CIPHERS:
		return ciphers_tls12(value, field, why);
	case OPTION_SUITES:
		return ciphers_tls13(value, field, why);
	case OPTION_CURVES:
		return ciphers_groups(value, field, why);
	case OPTION_PROTOCOLS:
		return list_add_protocols(value, field, why);
	case OPTION_SSLOPT:
		return sslopt_set(base, value, why);
	case OPTION_PROFILE:
		return read_profile(value, o, base, why);
	}
	assert(0 && "a type without a case");
	return -1;
}
