/* Where a peer wants to go: said by it, judged by us. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

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

/* The four bytes of an IPv4 address that lead to this machine: 127/8, and "this network". */
static bool
is_local_v4(const uint8_t *b)
{
	return b[0] == 127 || b[0] == 0;
}

bool
preface_is_local(const struct addr *a)
{
	static const uint8_t zeros[12] = { 0 }, nat64[12] = { 0, 0x64, 0xff, 0x9b };
	struct addr plain = *a;
	const uint8_t *b;

	addr_unmap(&plain);
	switch (plain.u.sa.sa_family) {
	case AF_INET:
		return is_local_v4((const uint8_t *)&plain.u.in.sin_addr);
	case AF_INET6:
		b = plain.u.in6.sin6_addr.s6_addr;
		/* ::, ::1, and IPv4 in old and in translated clothes. */
		if (memcmp(b, zeros, sizeof(zeros)) == 0 || memcmp(b, nat64, sizeof(nat64)) == 0)
			return is_local_v4(b + sizeof(zeros));
		return false;
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
