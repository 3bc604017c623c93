#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/options.h"
#include "conf/value.h"
#include "net/addr.h"

#define YEAR 31536000u /* seconds: bounds times, so that milliseconds fit anywhere */

#define GLOBAL(field) .scope = OPTION_GLOBAL, .offset = offsetof(struct config, field)
#define SERVICE(field) \
	.scope = OPTION_SERVICE, .offset = offsetof(struct conf_service, field)
#define BOTH .commands = OPTION_FOR_BOTH
#define RANGE(least, most) .min = (least), .max = (most)

/* A row is to be read as one: */
/* clang-format off */
/* In the order of help: what one must give, then what one may. */
static const struct option table[] = {
	{ .name = "accept", .type = OPTION_ADDRS, SERVICE(accept), BOTH,
	    .argument = "ADDRESS",
	    .help = "Where to listen: a port, host:port, the path of a unix socket, "
	        "or, in client mode, - for standard input and output." },
	{ .name = "connect", .type = OPTION_ADDRS, SERVICE(connect), BOTH,
	    .argument = "ADDRESS",
	    .help = "Where to connect, tried in the order given: a port of this "
	        "machine, host:port, the path of a unix socket, or, in server mode, - "
	        "for standard input and output or echo: for a built-in echo." },
	{ .name = "cert", .type = OPTION_PATH, SERVICE(cert), BOTH,
	    .argument = "FILE",
	    .help = "Our own certificate in PEM, followed by those of the CAs between, "
	        "if any." },
	{ .name = "key", .type = OPTION_PATH, SERVICE(key), BOTH,
	    .argument = "FILE",
	    .help = "The private key of our certificate in PEM; without it, it is "
	        "looked for in the certificate's file." },
	{ .name = "peer", .type = OPTION_PATHS, SERVICE(peer), BOTH,
	    .argument = "FILE",
	    .help = "Let pass exactly the certificates in this PEM file, by "
	        "fingerprint; their dates still count." },
	{ .name = "CAfile", .type = OPTION_PATHS, SERVICE(cafile), BOTH,
	    .argument = "FILE",
	    .help = "Let pass the certificates that the CAs in this PEM file have "
	        "issued; together with peer, both must hold." },
	{ .name = "checkHost", .type = OPTION_HOSTS, SERVICE(checkhost), BOTH,
	    .argument = "HOST",
	    .help = "The host name or IP address that the peer's certificate must "
	        "have, or one of them; in client mode with a CA the default is the "
	        "host to connect to." },
	{ .name = "insecure", .type = OPTION_FLAG, SERVICE(insecure), BOTH,
	    .argument = "yes|no", .initial = "no",
	    .help = "Let anyone pass, unverified: for trying out only." },
	{ .name = "sslVersion", .type = OPTION_VERSIONS, SERVICE(version_min), BOTH,
	    .argument = "VERSION",
	    .help = "The only TLS version to speak, TLSv1.2 or TLSv1.3." },
	{ .name = "sslVersionMin", .type = OPTION_VERSION, SERVICE(version_min), BOTH,
	    .argument = "VERSION", .initial = "TLSv1.2",
	    .help = "The oldest TLS version to speak." },
	{ .name = "sslVersionMax", .type = OPTION_VERSION, SERVICE(version_max), BOTH,
	    .argument = "VERSION", .initial = "TLSv1.3",
	    .help = "The newest TLS version to speak." },
	{ .name = "abort", .type = OPTION_ABORT, SERVICE(abort), BOTH,
	    .argument = "strict|compat", .initial = "strict",
	    .help = "What one side learns when the other was cut off or reset: with "
	        "strict a reset too, with compat a clean end." },
	{ .name = "TIMEOUTbusy", .type = OPTION_SECONDS, SERVICE(timeout_busy), BOTH,
	    .argument = "SECONDS", .initial = "10", RANGE(1, YEAR),
	    .help = "The seconds that a whole TLS handshake may take." },
	{ .name = "TIMEOUTconnect", .type = OPTION_SECONDS, SERVICE(timeout_connect),
	    BOTH, .argument = "SECONDS", .initial = "10", RANGE(1, YEAR),
	    .help = "The seconds that connecting to one address may take." },
	{ .name = "TIMEOUTidle", .type = OPTION_SECONDS, SERVICE(timeout_idle), BOTH,
	    .argument = "SECONDS", .initial = "43200", RANGE(1, YEAR),
	    .help = "The seconds after which a tunnel ends that moved no byte." },
	{ .name = "TIMEOUTclose", .type = OPTION_SECONDS, SERVICE(timeout_close), BOTH,
	    .argument = "SECONDS", .initial = "60", RANGE(0, YEAR),
	    .help = "The seconds without a byte after which a tunnel ends once one "
	        "side has closed; with 0 it is TIMEOUTidle that ends it, and with "
	        "abort = compat nobody waits for the TLS peer's close_notify." },
	{ .name = "TIMEOUTdrain", .type = OPTION_SECONDS, GLOBAL(timeout_drain), BOTH,
	    .argument = "SECONDS", .initial = "30", RANGE(0, YEAR),
	    .help = "The seconds that open tunnels get to finish after SIGTERM." },
	{ .name = "maxTunnels", .type = OPTION_COUNT, GLOBAL(max_tunnels), BOTH,
	    .argument = "NUMBER", RANGE(1, 1000000),
	    .help = "How many tunnels may be open at once, further ones wait in the "
	        "backlog; without it, what the limit of open files allows." },
	{ .name = "acceptThreads", .type = OPTION_COUNT, GLOBAL(accept_threads), BOTH,
	    .argument = "NUMBER", RANGE(1, 256),
	    .help = "The threads that accept and do handshakes; without it, one for "
	        "each CPU." },
	{ .name = "workerThreads", .type = OPTION_COUNT, GLOBAL(worker_threads), BOTH,
	    .argument = "NUMBER", RANGE(1, 256),
	    .help = "The threads that move the data; without it, one for each CPU." },
	{ .name = "debug", .type = OPTION_LEVEL, GLOBAL(debug), BOTH,
	    .argument = "LEVEL", .initial = "info",
	    .help = "How much to log: emerg, alert, crit, err, warning, notice, info, "
	        "debug, or 0 to 7." },
	{ .name = "service", .type = OPTION_NAME, SERVICE(name), BOTH,
	    .argument = "NAME",
	    .help = "The name of the tunnel's service in log lines; without it, the "
	        "name of the command." },
};
/* clang-format on */

#define NOPTIONS (sizeof(table) / sizeof(table[0]))

const struct option *
options_row(size_t i)
{
	return i < NOPTIONS ? &table[i] : NULL;
}

const struct option *
options_find(const char *name)
{
	size_t i;

	for (i = 0; i < NOPTIONS; i++)
		if (strcasecmp(name, table[i].name) == 0)
			return &table[i];
	return NULL;
}

const char *
options_nearest(const char *name)
{
	const char *names[NOPTIONS];
	size_t i;

	for (i = 0; i < NOPTIONS; i++)
		names[i] = table[i].name;
	return value_nearest(name, names, NOPTIONS);
}

bool
options_repeats(const struct option *o)
{
	return o->type == OPTION_PATHS || o->type == OPTION_HOSTS ||
	    o->type == OPTION_ADDRS;
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

static int
set_abort(const char *value, enum conf_abort *field, struct errmsg *why)
{
	static const char *const words[] = { "strict", "compat" };
	static const enum conf_abort means[] = { ABORT_STRICT, ABORT_COMPAT };
	size_t i;

	if (value_choice(value, words, 2, &i, why) == -1)
		return -1;
	*field = means[i];
	return 0;
}

static int
set_version(const char *value, enum conf_version *field, struct errmsg *why)
{
	static const char *const words[] = { "TLSv1.2", "TLSv1.3" };
	static const enum conf_version means[] = { VERSION_TLS12, VERSION_TLS13 };
	static const char *const old[] = { "SSLv2", "SSLv3", "TLSv1", "TLSv1.0",
		"TLSv1.1" };
	size_t i;

	for (i = 0; i < sizeof(old) / sizeof(old[0]); i++)
		if (strcasecmp(value, old[i]) == 0)
			return errmsg_set(why,
			    "%s is refused, since it has known attacks that no setting "
			    "cures: give TLSv1.2 or TLSv1.3",
			    old[i]);
	if (strcasecmp(value, "all") == 0)
		return errmsg_set(why,
		    "\"all\" would allow versions with known attacks: leave the option "
		    "out to allow TLSv1.2 and TLSv1.3");
	if (value_choice(value, words, 2, &i, why) == -1)
		return -1;
	*field = means[i];
	return 0;
}

static int
set_versions(const char *value, struct conf_service *service, struct errmsg *why)
{
	if (set_version(value, &service->version_min, why) == -1)
		return -1;
	service->version_max = service->version_min;
	return 0;
}

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

int
options_assign(const struct option *o, struct config *config,
    struct conf_service *service, const char *value, struct errmsg *why)
{
	void *field = o->scope == OPTION_GLOBAL ? (void *)config : (void *)service;

	assert(field != NULL);
	field = (char *)field + o->offset;
	switch (o->type) {
	case OPTION_FLAG:
		return value_bool(value, field, why);
	case OPTION_SECONDS:
		return value_number(value, "seconds", o->min, o->max, field, why);
	case OPTION_COUNT:
		return value_number(value, NULL, o->min, o->max, field, why);
	case OPTION_LEVEL:
		return value_level(value, field, why);
	case OPTION_ABORT:
		return set_abort(value, field, why);
	case OPTION_VERSION:
		return set_version(value, field, why);
	case OPTION_VERSIONS:
		return set_versions(value, service, why);
	case OPTION_NAME:
		return value_name(value, field, why);
	case OPTION_PATH:
		return value_path(value, field, why);
	case OPTION_PATHS:
		return add_string(value, value_path, field, why);
	case OPTION_HOSTS:
		return add_string(value, value_host, field, why);
	case OPTION_ADDRS:
		return add_addr(value, field, why);
	}
	assert(0 && "a type without a case");
	return -1;
}

int
options_set(struct config *config, struct conf_service *service, const char *name,
    const char *value, struct errmsg *why)
{
	const struct option *o = options_find(name);
	const char *nearest;

	if (o == NULL) {
		nearest = options_nearest(name);
		return errmsg_set(why, "unknown option %.128s%s%s%s", name,
		    nearest != NULL ? " (did you mean " : "",
		    nearest != NULL ? nearest : "", nearest != NULL ? "?)" : "");
	}
	if (options_assign(o, config, service, value, why) == -1)
		return errmsg_prefix(why, "%s", o->name);
	return 0;
}

int
options_defaults(struct config *config, struct conf_service *service, struct errmsg *why)
{
	size_t i;

	for (i = 0; i < NOPTIONS; i++)
		if (table[i].initial != NULL &&
		    options_set(config, service, table[i].name, table[i].initial, why) ==
			-1)
			return -1;
	return 0;
}

static void
free_strings(struct conf_strings *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	list->items = NULL;
	list->n = 0;
}

static void
free_addrs(struct conf_addrs *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		addr_spec_free(&list->items[i]);
	free(list->items);
	list->items = NULL;
	list->n = 0;
}

static void
free_string(char **at)
{
	free(*at);
	*at = NULL;
}

/* By the table, so that no field can be forgotten.  No global option owns memory. */
void
options_release(struct conf_service *service)
{
	size_t i;

	for (i = 0; i < NOPTIONS; i++) {
		void *field = (char *)service + table[i].offset;

		switch (table[i].type) {
		case OPTION_NAME:
		case OPTION_PATH:
			free_string(field);
			break;
		case OPTION_PATHS:
		case OPTION_HOSTS:
			free_strings(field);
			break;
		case OPTION_ADDRS:
			free_addrs(field);
			break;
		default:
			continue;
		}
		assert(table[i].scope == OPTION_SERVICE);
	}
}
