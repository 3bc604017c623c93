#ifndef NET_PREFIX_H_
#define NET_PREFIX_H_

#include <stdbool.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "net/addr.h"

/* A set of addresses that begin with the same bits (CIDR, RFC 4632); a value. */
struct addr_prefix {
	uint8_t bytes[16]; /* network order; IPv4 as ::ffff:a.b.c.d */
	unsigned bits;     /* of the 128 that count */
};

/* Parses "192.0.2.0/24", "2001:db8::/32", or an address alone (all of its bits).  Bits
 * behind the length must be zero.  Returns 0, or -1 with the message filled. */
int prefix_parse(const char *, struct addr_prefix *, struct errmsg *);

/* Whether the address is in the set; one without an IP address (unix) is in none. */
bool prefix_has(const struct addr_prefix *, const struct addr *);

/* The prefix that stands for the source of an address: its first bits, so many of IPv4's
 * 32 or of IPv6's 128.  False when it has no IP address. */
bool prefix_of(const struct addr *, unsigned v4_bits, unsigned v6_bits, struct addr_prefix *);

/* Enough for any prefix_text(), its NUL included. */
#define PREFIX_TEXT 64

/* "192.0.2.0/24" into a buffer of PREFIX_TEXT bytes; returns it. */
const char *prefix_text(const struct addr_prefix *, char *);

#endif
