#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/addr.h"

/* What an address may look like, for messages. */
#define FORMS "PORT, HOST:PORT, [IPV6]:PORT, /path of a unix socket, - or echo:"

static int
no_memory(struct errmsg *why)
{
	return errmsg_set(why, "out of memory");
}

static bool
is_ipv6(const char *host)
{
	char digits[INET6_ADDRSTRLEN];
	struct in6_addr in6;
	size_t n = strcspn(host, "%"); /* fe80::1%eth0: the scope is not judged here */

	if (n >= sizeof(digits))
		return false;
	memcpy(digits, host, n);
	digits[n] = '\0';
	return inet_pton(AF_INET6, digits, &in6) == 1;
}

static bool
is_number(const char *s)
{
	return s[0] != '\0' && s[strspn(s, "0123456789")] == '\0';
}

/* getaddrinfo() with no host looks only into the services file: it does not block. */
static bool
is_service(const char *port)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;

	/* getaddrinfo() would take " 80" and "+80". */
	if (!isalnum((unsigned char)port[0]))
		return false;
	if (getaddrinfo(NULL, port, &hints, &found) != 0)
		return false;
	freeaddrinfo(found);
	return true;
}

static int
check_port(const char *text, const char *port, bool alone, struct errmsg *why)
{
	if (port[0] == '\0')
		return errmsg_set(why,
		    "\"%.128s\" lacks the port: write it behind the colon, as in "
		    "%.128s443",
		    text, text);
	if (is_number(port)) {
		/* Leading zeros are no sign of a big number. */
		const char *digits = port + strspn(port, "0");

		if (strlen(digits) > 5 || strtoul(port, NULL, 10) > 65535)
			return errmsg_set(
			    why, "port %.128s is out of range: give 0 to 65535", port);
		return 0;
	}
	if (is_service(port))
		return 0;
	if (alone)
		return errmsg_set(why,
		    "\"%.128s\" is neither a port number nor a service name: give " FORMS,
		    text);
	return errmsg_set(why,
	    "port \"%.128s\" of \"%.128s\" is neither a number nor a service name: give "
	    "0 to 65535",
	    port, text);
}

static int
check_host(const char *host, struct errmsg *why)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	struct in_addr in;

	if (strchr(host, ':') != NULL) {
		if (is_ipv6(host))
			return 0;
		return errmsg_set(why,
		    "\"%.128s\" is no IPv6 address (what follows the last colon is the "
		    "port): write [IPV6]:PORT",
		    host);
	}
	if (host[strspn(host, name)] != '\0')
		return errmsg_set(why,
		    "\"%.128s\" is no host name: it may have letters, digits, '-', '_' "
		    "and '.'",
		    host);
	if (host[strspn(host, "0123456789.")] == '\0' &&
	    inet_pton(AF_INET, host, &in) != 1)
		return errmsg_set(why,
		    "\"%.128s\" is no IPv4 address: write four numbers from 0 to 255",
		    host);
	return 0;
}

/* Stores what was found; a host of no bytes or "*" is none written. */
static int
keep_host_port(struct addr_spec *spec, const char *host, size_t n, const char *port,
    struct errmsg *why)
{
	spec->kind = ADDR_TCP;
	if ((spec->port = strdup(port)) == NULL)
		return no_memory(why);
	if (n == 0 || (n == 1 && host[0] == '*'))
		return 0;
	if ((spec->host = strndup(host, n)) == NULL)
		return no_memory(why);
	return check_host(spec->host, why);
}

/* "[v6]:port" */
static int
parse_brackets(const char *text, struct addr_spec *spec, struct errmsg *why)
{
	const char *end = strchr(text, ']');

	if (end == NULL)
		return errmsg_set(
		    why, "\"%.128s\" lacks the closing bracket: write [IPV6]:PORT", text);
	if (end[1] != ':')
		return errmsg_set(
		    why, "\"%.128s\" lacks the port: write [IPV6]:PORT", text);
	if (check_port(text, end + 2, false, why) == -1 ||
	    keep_host_port(spec, text + 1, (size_t)(end - text) - 1, end + 2, why) == -1)
		return -1;
	if (spec->host == NULL || !is_ipv6(spec->host))
		return errmsg_set(why,
		    "\"%.128s\" has no IPv6 address in its brackets: brackets are for "
		    "IPv6 only",
		    text);
	return 0;
}

/* "port", "host:port" */
static int
parse_tcp(const char *text, struct addr_spec *spec, struct errmsg *why)
{
	const char *colon = strrchr(text, ':');
	const char *port = colon == NULL ? text : colon + 1;
	size_t n = colon == NULL ? 0 : (size_t)(colon - text);

	/* "fe80::abcd": else the complaint would be about a port "abcd". */
	if (is_ipv6(text) && !is_number(port))
		return errmsg_set(
		    why, "\"%.128s\" lacks the port: write [%.128s]:PORT", text, text);
	if (check_port(text, port, colon == NULL, why) == -1)
		return -1;
	return keep_host_port(spec, text, n, port, why);
}

/* A path, also written as addr_text() writes it ("unix:/path"). */
static int
parse_unix(const char *text, struct addr_spec *spec, struct errmsg *why)
{
	static const char prefix[] = "unix:";
	const size_t room = sizeof(((struct sockaddr_un *)0)->sun_path);
	const char *path = text;

	if (strstr(text, "://") != NULL)
		return errmsg_set(why, "\"%.128s\" is a URL: give HOST:PORT", text);
	if (strncmp(text, prefix, strlen(prefix)) == 0)
		path += strlen(prefix);
	if (strlen(path) >= room)
		return errmsg_set(why,
		    "the socket path \"%.128s\" is too long: give one of at most %zu "
		    "bytes",
		    path, room - 1);
	spec->kind = ADDR_UNIX;
	if ((spec->path = strdup(path)) == NULL)
		return no_memory(why);
	return 0;
}

/* "-" and "echo:" come first: what they say is neither a port nor a host. */
static int
parse(const char *text, struct addr_spec *spec, struct errmsg *why)
{
	if (strcmp(text, "-") == 0) {
		spec->kind = ADDR_STDIO;
		return 0;
	}
	if (strcmp(text, "echo:") == 0) {
		spec->kind = ADDR_ECHO;
		return 0;
	}
	if (text[0] == '@')
		return errmsg_set(why,
		    "\"%.128s\": abstract sockets are not supported: give the path of a "
		    "unix socket",
		    text);
	if (strchr(text, '/') != NULL)
		return parse_unix(text, spec, why);
	if (text[0] == '[')
		return parse_brackets(text, spec, why);
	return parse_tcp(text, spec, why);
}

int
addr_parse(const char *text, struct addr_spec *spec, struct errmsg *why)
{
	memset(spec, 0, sizeof(*spec));
	if (text[0] == '\0')
		return errmsg_set(why, "the address is empty: give " FORMS);
	if ((spec->text = strdup(text)) == NULL)
		return no_memory(why);
	if (parse(text, spec, why) == -1) {
		addr_spec_free(spec);
		return -1;
	}
	return 0;
}

void
addr_spec_free(struct addr_spec *spec)
{
	if (spec == NULL)
		return;
	free(spec->host);
	free(spec->port);
	free(spec->path);
	free(spec->text);
	memset(spec, 0, sizeof(*spec));
}

static const char *
unix_text(const struct addr *addr, char *text)
{
	const size_t start = offsetof(struct sockaddr_un, sun_path);
	size_t n = 0;

	/* The kernel may leave the NUL out.  Unnamed and abstract: no path. */
	if (addr->len > start)
		n = strnlen(addr->u.un.sun_path, addr->len - start);
	if (n == 0)
		snprintf(text, ADDR_TEXT, "unix");
	else
		snprintf(text, ADDR_TEXT, "unix:%.*s", (int)n, addr->u.un.sun_path);
	return text;
}

const char *
addr_text(const struct addr *addr, char *text)
{
	char host[INET6_ADDRSTRLEN + 32], port[8]; /* 32: the scope of fe80::1%eth0 */
	int rv;

	if (addr->len < sizeof(sa_family_t)) {
		snprintf(text, ADDR_TEXT, "unknown");
		return text;
	}
	if (addr->u.sa.sa_family == AF_UNIX)
		return unix_text(addr, text);
	rv = getnameinfo(&addr->u.sa, addr->len, host, sizeof(host), port, sizeof(port),
	    NI_NUMERICHOST | NI_NUMERICSERV);
	if (rv != 0)
		snprintf(text, ADDR_TEXT, "unknown");
	else if (addr->u.sa.sa_family == AF_INET6)
		snprintf(text, ADDR_TEXT, "[%s]:%s", host, port);
	else
		snprintf(text, ADDR_TEXT, "%s:%s", host, port);
	return text;
}

void
addr_list_free(struct addr_list *list)
{
	if (list == NULL)
		return;
	free(list->items);
	list->items = NULL;
	list->n = 0;
}

static int
unix_list(const char *path, struct addr_list *list, struct errmsg *why)
{
	struct addr *a;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		return no_memory(why);
	assert(strlen(path) < sizeof(a->u.un.sun_path));
	a->u.un.sun_family = AF_UNIX;
	strcpy(a->u.un.sun_path, path);
	a->len = sizeof(a->u.un);
	list->items = a;
	list->n = 1;
	return 0;
}

static bool
has(const struct addr_list *list, const struct addrinfo *ai)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (list->items[i].len == ai->ai_addrlen &&
		    memcmp(&list->items[i].u, ai->ai_addr, ai->ai_addrlen) == 0)
			return true;
	return false;
}

/*
 * Copies what the resolver found.  It answers 127.0.0.1 twice where the hosts
 * file has localhost for both families: a listener must not bind it twice.
 */
static int
copy_list(const struct addrinfo *found, struct addr_list *list, struct errmsg *why)
{
	const struct addrinfo *ai;
	size_t n = 0;

	for (ai = found; ai != NULL; ai = ai->ai_next)
		n++;
	if ((list->items = calloc(n, sizeof(*list->items))) == NULL)
		return no_memory(why);
	for (ai = found; ai != NULL; ai = ai->ai_next) {
		struct addr *a = &list->items[list->n];

		if (ai->ai_addrlen > sizeof(a->u) || has(list, ai))
			continue;
		memcpy(&a->u, ai->ai_addr, ai->ai_addrlen);
		a->len = ai->ai_addrlen;
		list->n++;
	}
	return 0;
}

/* The next item from i on that is, or is not, of the family; list->n: none left. */
static size_t
next_of(const struct addr_list *list, size_t i, sa_family_t family, bool same)
{
	while (i < list->n && (list->items[i].u.sa.sa_family == family) != same)
		i++;
	return i;
}

/* Alternates the families, so that a dead one costs one attempt and not many. */
static int
alternate(struct addr_list *list, struct errmsg *why)
{
	struct addr *out;
	size_t at[2], i;
	sa_family_t first;

	if (list->n < 2)
		return 0;
	if ((out = calloc(list->n, sizeof(*out))) == NULL)
		return no_memory(why);
	first = list->items[0].u.sa.sa_family;
	at[0] = 0;
	at[1] = next_of(list, 0, first, false);
	for (i = 0; i < list->n; i++) {
		size_t turn = i % 2;

		if (at[turn] == list->n)
			turn = !turn;
		assert(at[turn] < list->n);
		out[i] = list->items[at[turn]];
		at[turn] = next_of(list, at[turn] + 1, first, turn == 0);
	}
	free(list->items);
	list->items = out;
	return 0;
}

static int
lookup(const struct addr_spec *spec, int flags, struct addrinfo **found)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags };

	return getaddrinfo(spec->host, spec->port, &hints, found);
}

/* A new root has no hosts file; what this name means needs none (RFC 6761, 6.3). */
static int
lookup_localhost(const struct addr_spec *spec, int flags, struct addrinfo **found)
{
	struct addr_spec loopback = *spec;

	if (strcasecmp(spec->host, "localhost") != 0)
		return EAI_NONAME;
	loopback.host = NULL;
	return lookup(&loopback, flags & ~AI_PASSIVE, found);
}

static int
lookup_failed(const struct addr_spec *spec, int rv, struct errmsg *why)
{
	return errmsg_set(why,
	    "no address found for \"%.128s\" (%s): check the host name and the name "
	    "service",
	    spec->text, rv == EAI_SYSTEM ? strerror(errno) : gai_strerror(rv));
}

static int
tcp_list(const struct addr_spec *spec, bool passive, bool numeric_only,
    struct addr_list *list, struct errmsg *why)
{
	const int flags = passive ? AI_PASSIVE : 0;
	struct addrinfo *found;
	int rv;

	/* Without a host this asks no name server either. */
	rv = lookup(spec, flags | AI_NUMERICHOST, &found);
	if (rv == EAI_NONAME && spec->host != NULL && strchr(spec->host, ':') == NULL) {
		if (numeric_only)
			return 1;
		rv = lookup(spec, flags, &found);
		if (rv != 0 && lookup_localhost(spec, flags, &found) == 0)
			rv = 0;
	}
	if (rv != 0)
		return lookup_failed(spec, rv, why);
	rv = copy_list(found, list, why);
	freeaddrinfo(found);
	if (rv == 0 && !passive)
		rv = alternate(list, why);
	if (rv == -1)
		addr_list_free(list);
	return rv;
}

int
addr_resolve(const struct addr_spec *spec, bool passive, bool numeric_only,
    struct addr_list *list, struct errmsg *why)
{
	list->items = NULL;
	list->n = 0;
	if (spec->kind == ADDR_UNIX)
		return unix_list(spec->path, list, why);
	/* Stdio and echo have no address: whoever asks has lost his way. */
	assert(spec->kind == ADDR_TCP);
	return tcp_list(spec, passive, numeric_only, list, why);
}

void
addr_unmap(struct addr *a)
{
	const struct sockaddr_in6 six = a->u.in6;

	if (six.sin6_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&six.sin6_addr))
		return;
	a->len = sizeof(a->u.in);
	a->u.in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = six.sin6_port };
	memcpy(&a->u.in.sin_addr, &six.sin6_addr.s6_addr[12], sizeof(a->u.in.sin_addr));
}
