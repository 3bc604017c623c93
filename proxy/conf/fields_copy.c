#include <stdlib.h>
#include <string.h>

#include "fields_priv.h"
#include "lists_priv.h"

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
		return text_copy(FIELD(o, to), *(char *const *)CONST_FIELD(o, from));
	case OPTION_PATHS:
	case OPTION_HOSTS:
	case OPTION_IPS:
	case OPTION_TEXTS:
	case OPTION_ENV:
	case OPTION_ARGV:
	case OPTION_CIPHERS:
	case OPTION_SUITES:
	case OPTION_CURVES:
	case OPTION_PROTOCOLS:
		return list_copy_strings(FIELD(o, to), CONST_FIELD(o, from));
	case OPTION_ADDR:
	case OPTION_ADDRS:
		return list_copy_addrs(FIELD(o, to), CONST_FIELD(o, from));
	case OPTION_ALLOW:
	case OPTION_DENY:
		return list_copy_rules(FIELD(o, to), CONST_FIELD(o, from));
	case OPTION_PREFIXES:
		return list_copy_plain(FIELD(o, to), CONST_FIELD(o, from), sizeof(struct addr_prefix));
	case OPTION_SOCKOPTS:
		return list_copy_plain(FIELD(o, to), CONST_FIELD(o, from), sizeof(struct sockopt));
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
	case OPTION_PROTOCOLS:
		list_free_strings(FIELD(o, base));
		break;
	case OPTION_ADDR:
	case OPTION_ADDRS:
		list_free_addrs(FIELD(o, base));
		break;
	case OPTION_ALLOW:
	case OPTION_DENY:
		list_free_rules(FIELD(o, base));
		break;
	case OPTION_PREFIXES:
	case OPTION_SOCKOPTS:
		list_free_plain(FIELD(o, base));
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
	case OPTION_PROTOCOLS:
	case OPTION_ADDRS:
	case OPTION_PREFIXES:
	case OPTION_ALLOW:
	case OPTION_DENY:
	case OPTION_SOCKOPTS:
		return true;
	default:
		return false;
	}
}
