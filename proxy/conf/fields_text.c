#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "conf/sslopt.h"
#include "conf/value.h"
#include "fields_priv.h"

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
	const struct conf_rules *rules = field;
	char prefix[PREFIX_TEXT];

	switch (o->type) {
	case OPTION_ADDR:
	case OPTION_ADDRS:
		return i < addrs->n ? text_of(addrs->items[i].text, text, size) : NULL;
	case OPTION_PREFIXES:
		return i < prefixes->n ?
		    text_of(prefix_text(&prefixes->items[i], prefix), text, size) : NULL;
	case OPTION_ALLOW:
	case OPTION_DENY:
		return i < rules->n ? text_of(rules->items[i].text, text, size) : NULL;
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
		return text_of(*(const enum conf_version *)field == VERSION_TLS13 ? "TLSv1.3" : "TLSv1.2",
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
