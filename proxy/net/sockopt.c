#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/sockopt.h"

enum kind { FLAG, NUMBER, LINGER, TIME, DEVICE };

/* The kernel's names; initial is what sluss itself sets, by side, where it sets it. */
static const struct {
	const char *text;
	int level, name;
	enum kind kind;
	const char *initial[3]; /* accept, local, remote */
} table[] = {
	{ "SO_DEBUG", SOL_SOCKET, SO_DEBUG, FLAG, { 0 } },
	{ "SO_DONTROUTE", SOL_SOCKET, SO_DONTROUTE, FLAG, { 0 } },
	{ "SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, FLAG, { NULL, "yes", "yes" } },
	{ "SO_LINGER", SOL_SOCKET, SO_LINGER, LINGER, { 0 } },
	{ "SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE, FLAG, { NULL, "yes", "yes" } },
	{ "SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, NUMBER, { 0 } },
	{ "SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, NUMBER, { 0 } },
	{ "SO_RCVLOWAT", SOL_SOCKET, SO_RCVLOWAT, NUMBER, { 0 } },
	{ "SO_SNDLOWAT", SOL_SOCKET, SO_SNDLOWAT, NUMBER, { 0 } },
	{ "SO_RCVTIMEO", SOL_SOCKET, SO_RCVTIMEO, TIME, { 0 } },
	{ "SO_SNDTIMEO", SOL_SOCKET, SO_SNDTIMEO, TIME, { 0 } },
	{ "SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, FLAG, { "yes", NULL, NULL } },
	{ "SO_REUSEPORT", SOL_SOCKET, SO_REUSEPORT, FLAG, { 0 } },
	{ "SO_BINDTODEVICE", SOL_SOCKET, SO_BINDTODEVICE, DEVICE, { 0 } },
	{ "SO_PRIORITY", SOL_SOCKET, SO_PRIORITY, NUMBER, { 0 } },
	{ "SO_MARK", SOL_SOCKET, SO_MARK, NUMBER, { 0 } },
	{ "TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, NUMBER, { 0 } },
	{ "TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, NUMBER, { 0 } },
	{ "TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, NUMBER, { 0 } },
	{ "TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, FLAG, { NULL, "yes", "yes" } },
	{ "TCP_MAXSEG", IPPROTO_TCP, TCP_MAXSEG, NUMBER, { 0 } },
	{ "TCP_SYNCNT", IPPROTO_TCP, TCP_SYNCNT, NUMBER, { 0 } },
	{ "TCP_DEFER_ACCEPT", IPPROTO_TCP, TCP_DEFER_ACCEPT, NUMBER, { 0 } },
	{ "TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, NUMBER, { 0 } },
	{ "IP_TOS", IPPROTO_IP, IP_TOS, NUMBER, { 0 } },
	{ "IP_TTL", IPPROTO_IP, IP_TTL, NUMBER, { 0 } },
	{ "IP_FREEBIND", IPPROTO_IP, IP_FREEBIND, FLAG, { 0 } },
	{ "IP_BIND_ADDRESS_NO_PORT", IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, FLAG, { 0 } },
	{ "IPV6_V6ONLY", IPPROTO_IPV6, IPV6_V6ONLY, FLAG, { 0 } },
};

#define NTABLE (sizeof(table) / sizeof(table[0]))

static const char *const kinds[] = {
	[FLAG] = "yes or no",
	[NUMBER] = "a number",
	[LINGER] = "ON:SECONDS, e.g. 1:60",
	[TIME] = "SECONDS or SECONDS:MICROSECONDS",
	[DEVICE] = "the name of a network device",
};

/* Digits up to the given end; moves on.  Decimal, and 0x for those who write marks. */
static int
number(const char **s, char end, int *n)
{
	char *rest;
	unsigned long v;

	if (**s < '0' || **s > '9')
		return -1;
	errno = 0;
	v = strtoul(*s, &rest, strncasecmp(*s, "0x", 2) == 0 ? 16 : 10);
	if (errno != 0 || v > INT_MAX || (*rest != end && *rest != '\0') ||
	    (*rest != '\0' && rest[1] == '\0'))
		return -1;
	*n = (int)v;
	*s = *rest == '\0' ? rest : rest + 1;
	return 0;
}

static int
parse_two(const char *s, int *a, int *b)
{
	*b = 0;
	if (number(&s, ':', a) == -1)
		return -1;
	return *s == '\0' || (number(&s, '\0', b) == 0 && *s == '\0') ? 0 : -1;
}

_Static_assert(sizeof(((struct sockopt *)0)->value.text) == IFNAMSIZ, "a device's name");

static int
parse_value(const char *s, enum kind kind, struct sockopt *o)
{
	int a, b;

	switch (kind) {
	case FLAG:
		o->len = sizeof(o->value.number);
		if (strcasecmp(s, "yes") == 0 || strcasecmp(s, "no") == 0) {
			o->value.number = strcasecmp(s, "yes") == 0;
			return 0;
		}
		/* fallthrough */
	case NUMBER:
		o->len = sizeof(o->value.number);
		return number(&s, '\0', &o->value.number);
	case LINGER:
		o->len = sizeof(o->value.linger);
		if (parse_two(s, &a, &b) == -1)
			return -1;
		o->value.linger = (struct linger){ .l_onoff = a, .l_linger = b };
		return 0;
	case TIME:
		o->len = sizeof(o->value.time);
		if (parse_two(s, &a, &b) == -1 || b >= 1000000)
			return -1;
		o->value.time = (struct timeval){ .tv_sec = a, .tv_usec = b };
		return 0;
	case DEVICE:
		if (strlen(s) == 0 || strlen(s) >= IFNAMSIZ)
			return -1;
		strcpy(o->value.text, s);
		o->len = (socklen_t)strlen(s) + 1;
		return 0;
	}
	return -1;
}

int
sockopt_parse(const char *text, struct sockopt *result, struct errmsg *why)
{
	struct sockopt o = { 0 };
	const char *equals = strchr(text, '=');
	size_t i, n;

	if (strchr("alr", text[0]) == NULL || text[0] == '\0' || text[1] != ':' ||
	    equals == NULL)
		return errmsg_set(why,
		    "\"%.128s\" is no socket option: give a:NAME=VALUE for listening, l: "
		    "for accepted, r: for connected sockets", text);
	n = (size_t)(equals - text) - 2;
	for (i = 0; i < NTABLE; i++)
		if (strlen(table[i].text) == n && strncmp(table[i].text, text + 2, n) == 0)
			break;
	if (i == NTABLE)
		return errmsg_set(why,
		    "\"%.*s\" is not known here: \"sluss -sockets\" lists the names",
		    n > 128 ? 128 : (int)n, text + 2);
	o.side = text[0];
	o.level = table[i].level;
	o.name = table[i].name;
	o.text = table[i].text;
	if (parse_value(equals + 1, table[i].kind, &o) == -1)
		return errmsg_set(why, "%s: \"%.128s\" will not do: give %s", o.text,
		    equals + 1, kinds[table[i].kind]);
	*result = o;
	return 0;
}

/* The next of a side, at or behind the i-th; n when there is none. */
static size_t
next_of_side(const struct sockopt *opts, size_t n, size_t i, char side)
{
	while (i < n && opts[i].side != side)
		i++;
	return i;
}

bool
sockopt_same(const struct sockopt *a, size_t n, const struct sockopt *b, size_t m, char side)
{
	size_t i = next_of_side(a, n, 0, side), k = next_of_side(b, m, 0, side);

	for (; i < n && k < m; i = next_of_side(a, n, i + 1, side),
	    k = next_of_side(b, m, k + 1, side))
		if (a[i].level != b[k].level || a[i].name != b[k].name ||
		    a[i].len != b[k].len || memcmp(&a[i].value, &b[k].value, a[i].len) != 0)
			return false;
	return i == n && k == m;
}

int
sockopt_apply(int fd, char side, const struct sockopt *o, size_t n, struct errmsg *why)
{
	for (size_t i = 0; i < n; i++) {
		if (o[i].side != side ||
		    setsockopt(fd, o[i].level, o[i].name, &o[i].value, o[i].len) == 0)
			continue;
		/* A unix socket has no TCP, an IPv4 one no IPv6. */
		if (o[i].level != SOL_SOCKET && (errno == ENOPROTOOPT || errno == EOPNOTSUPP))
			continue;
		return errmsg_set(why, "socket = %c:%s: %s", side, o[i].text, strerror(errno));
	}
	return 0;
}

void
sockopt_list(FILE *out)
{
	fprintf(out, "Socket option defaults:\n    %-24s%-10s%-10s%-10s%s\n", "Option",
	    "Accept", "Local", "Remote", "Value");
	for (size_t i = 0; i < NTABLE; i++) {
		fprintf(out, "    %-24s", table[i].text);
		for (int side = 0; side < 3; side++)
			fprintf(out, "%-10s", table[i].initial[side] != NULL ?
			    table[i].initial[side] : "--");
		fprintf(out, "%s\n", kinds[table[i].kind]);
	}
}
