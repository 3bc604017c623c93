#ifndef NET_ADDR_H_
#define NET_ADDR_H_

#include <stdbool.h>
#include <stddef.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/errmsg.h"

/* Addresses: as the operator writes them, and as the kernel takes them. */

enum addr_kind {
	ADDR_TCP,   /* host and port */
	ADDR_UNIX,  /* path of a stream socket */
	ADDR_STDIO, /* "-": our standard input and output */
	ADDR_ECHO,  /* "echo:": what arrives goes back */
};

/* An address as written; strings are owned by the value. */
struct addr_spec {
	enum addr_kind kind;
	char *host; /* NULL: none written (listen: every address; connect: localhost) */
	char *port; /* number or service name; TCP only */
	char *path; /* unix only */
	char *text; /* as written, for messages */
};

/*
 * Parses "port", "host:port", "[v6]:port", "/path" or "./path" (unix socket), "-" or
 * "echo:".  Without brackets the text is split at the last colon, so "::1:443"
 * is ::1 port 443 and ":::443" is :: port 443; "*:port" is every address.  A numeric port must be 0 … 65535, a
 * path fit into a socket address.  Returns 0, or -1 with the message filled.
 */
int addr_parse(const char *, struct addr_spec *, struct errmsg *);
void addr_spec_free(struct addr_spec *);

/* A socket address as a value. */
struct addr {
	socklen_t len;
	union {
		struct sockaddr sa;
		struct sockaddr_storage ss;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} u;
};

/* Enough for any address_text(), its NUL included. */
#define ADDR_TEXT 128

/* "192.0.2.1:443", "[2001:db8::1]:443", "unix:/path" (unnamed: "unix") into a
 * buffer of ADDR_TEXT bytes; returns it. */
const char *addr_text(const struct addr *, char *);

/* An IPv4 address that is written as IPv6 (::ffff:a.b.c.d) becomes IPv4: rules mean that. */
void addr_unmap(struct addr *);

/* Several socket addresses; a value whose items are malloc'ed. */
struct addr_list {
	struct addr *items;
	size_t n;
};

void addr_list_free(struct addr_list *);

/*
 * The socket addresses of a spec: unix paths and numeric hosts at once, names by getaddrinfo()
 * which may block (numeric_only refuses that: then a result of 1 says
 * that a look-up is needed).  passive: for listening.  For connecting, the
 * families alternate, starting with the one that the resolver prefers.  Returns 0, 1, or -1 with
 * the message filled.
 */
int addr_resolve(const struct addr_spec *, bool passive, bool numeric_only,
    struct addr_list *, struct errmsg *);

#endif
