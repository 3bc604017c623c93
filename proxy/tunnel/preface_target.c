/* Where a peer wants to go: said by it, judged by us. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "net/sock.h"
#include "tunnel/preface.h"

/* A name or an address and nothing else: no path, no zone, no word of our own. */
static bool
is_host(const char *host, size_t n)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789.-_:";

	if (n == 0 || n > 255 || host[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (host[i] == '\0' || strchr(good, host[i]) == NULL)
			return false;
	return true;
}

static bool
is_port(const char *port, size_t n)
{
	unsigned value = 0;

	if (n == 0 || n > 5)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (port[i] < '0' || port[i] > '9')
			return false;
		value = value * 10 + (unsigned)(port[i] - '0');
	}
	return value > 0 && value <= 65535;
}

int
preface_target(struct preface *p, const char *host, size_t host_len, const char *port,
    size_t port_len, struct errmsg *why)
{
	struct addr_spec spec;
	bool v6 = host_len > 0 && memchr(host, ':', host_len) != NULL;

	if (!is_host(host, host_len) || !is_port(port, port_len))
		return errmsg_set(why, "a target that is no host and port");
	snprintf(p->target, sizeof(p->target), "%s%.*s%s:%.*s", v6 ? "[" : "", (int)host_len,
	    host, v6 ? "]" : "", (int)port_len, port);
	if (addr_parse(p->target, &spec, why) == -1) {
		p->target[0] = '\0';
		return -1;
	}
	addr_spec_free(&spec);
	return 0;
}

/* IPv4 in old and in translated clothes becomes what it is. */
static void
undress(struct addr *a)
{
	static const uint8_t zeros[12] = { 0 }, nat64[12] = { 0, 0x64, 0xff, 0x9b };
	static const uint8_t none[4] = { 0 }, one[4] = { 0, 0, 0, 1 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	const uint8_t *b = a->u.in6.sin6_addr.s6_addr, *v4 = b + sizeof(zeros);

	addr_unmap(a);
	if (a->u.sa.sa_family != AF_INET6 ||
	    (memcmp(b, zeros, sizeof(zeros)) != 0 && memcmp(b, nat64, sizeof(nat64)) != 0))
		return;
	/* :: and ::1 are none of them. */
	if (b[1] == 0 && (memcmp(v4, none, 4) == 0 || memcmp(v4, one, 4) == 0))
		return;
	in.sin_port = a->u.in6.sin6_port;
	memcpy(&in.sin_addr, v4, sizeof(in.sin_addr));
	a->u.in = in;
	a->len = sizeof(in);
}

/* 127/8, "this network", and what is on the same link as this machine only, where clouds keep
 * their secrets. */
static bool
is_near_v4(const uint8_t *b)
{
	return b[0] == 127 || b[0] == 0 || (b[0] == 169 && b[1] == 254);
}

static bool
is_near_v6(const uint8_t *b)
{
	static const uint8_t zeros[15] = { 0 };

	return (memcmp(b, zeros, sizeof(zeros)) == 0 && b[15] <= 1) ||
	    (b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
}

bool
preface_is_near(const struct addr *a)
{
	struct addr plain = *a;

	if (plain.u.sa.sa_family != AF_UNIX)
		undress(&plain);
	switch (plain.u.sa.sa_family) {
	case AF_INET:
		return is_near_v4((const uint8_t *)&plain.u.in.sin_addr) || sock_is_own(&plain);
	case AF_INET6:
		return is_near_v6(plain.u.in6.sin6_addr.s6_addr) || sock_is_own(&plain);
	default:
		return true;
	}
}

bool
preface_may_go(const struct conf_service *c, const char *target)
{
	for (size_t i = 0; i < c->connect.n; i++)
		if (strcasecmp(c->connect.items[i].text, target) == 0)
			return true;
	return false;
}
