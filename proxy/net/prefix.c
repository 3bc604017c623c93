#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "net/prefix.h"

/* Where the 32 bits of an IPv4 address stand. */
#define V4_BITS 96u
#define V4_AT 12

static const uint8_t v4_head[V4_AT] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* The mask of the i-th byte. */
static uint8_t
mask(unsigned bits, unsigned i)
{
	if (bits >= 8 * (i + 1))
		return 0xff;
	if (bits <= 8 * i)
		return 0;
	return (uint8_t)(0xff00u >> (bits - 8 * i));
}

static bool
bytes_of(const struct addr *a, uint8_t *bytes)
{
	if (a->u.sa.sa_family == AF_INET6) {
		memcpy(bytes, &a->u.in6.sin6_addr, 16);
		return true;
	}
	if (a->u.sa.sa_family != AF_INET)
		return false;
	memcpy(bytes, v4_head, V4_AT);
	memcpy(bytes + V4_AT, &a->u.in.sin_addr, 4);
	return true;
}

static bool
is_v4(const uint8_t *bytes)
{
	return memcmp(bytes, v4_head, V4_AT) == 0;
}

static void
cut(struct addr_prefix *p)
{
	for (unsigned i = 0; i < 16; i++)
		p->bytes[i] &= mask(p->bits, i);
}

/* The address alone; *most is how many bits its family has. */
static int
parse_address(const char *text, struct addr_prefix *p, unsigned *most)
{
	if (inet_pton(AF_INET6, text, p->bytes) == 1) {
		*most = 128;
		return 0;
	}
	memcpy(p->bytes, v4_head, V4_AT);
	*most = 32;
	return inet_pton(AF_INET, text, p->bytes + V4_AT) == 1 ? 0 : -1;
}

int
prefix_parse(const char *text, struct addr_prefix *result, struct errmsg *why)
{
	const char *slash = strchr(text, '/');
	size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);
	char address[INET6_ADDRSTRLEN];
	struct addr_prefix p, whole;
	unsigned most, bits = 0;
	const char *s;

	if (n >= sizeof(address))
		n = 0;
	memcpy(address, text, n);
	address[n] = '\0';
	if (parse_address(address, &p, &most) == -1)
		return errmsg_set(why,
		    "\"%.128s\" is no IP address or prefix: give e.g. 192.0.2.0/24 or "
		    "2001:db8::/32", text);
	if (slash == NULL) {
		bits = most;
	} else {
		for (s = slash + 1; *s >= '0' && *s <= '9' && bits <= most; s++)
			bits = bits * 10 + (unsigned)(*s - '0');
		if (s == slash + 1 || *s != '\0' || bits > most)
			return errmsg_set(why, "\"%.128s\": the length behind / must be 0 "
			    "to %u", text, most);
	}
	p.bits = bits + 128 - most;
	whole = p;
	cut(&p);
	if (memcmp(whole.bytes, p.bytes, sizeof(p.bytes)) != 0) {
		char right[PREFIX_TEXT];

		return errmsg_set(why, "\"%.128s\" has bits behind its length: write %s",
		    text, prefix_text(&p, right));
	}
	*result = p;
	return 0;
}

bool
prefix_has(const struct addr_prefix *p, const struct addr *a)
{
	uint8_t bytes[16];

	if (!bytes_of(a, bytes))
		return false;
	/* ::/0 means IPv6; the IPv4 addresses inside it are another family. */
	if (p->bits < V4_BITS && is_v4(bytes))
		return false;
	for (unsigned i = 0; i < 16; i++)
		if (((bytes[i] ^ p->bytes[i]) & mask(p->bits, i)) != 0)
			return false;
	return true;
}

bool
prefix_of(const struct addr *a, unsigned v4_bits, unsigned v6_bits, struct addr_prefix *p)
{
	assert(v4_bits <= 32 && v6_bits <= 128);
	if (!bytes_of(a, p->bytes))
		return false;
	p->bits = is_v4(p->bytes) ? V4_BITS + v4_bits : v6_bits;
	cut(p);
	return true;
}

const char *
prefix_text(const struct addr_prefix *p, char *text)
{
	bool v4 = p->bits >= V4_BITS && is_v4(p->bytes);
	char address[INET6_ADDRSTRLEN];

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? p->bytes + V4_AT : p->bytes, address,
	    sizeof(address));
	snprintf(text, PREFIX_TEXT, "%s/%u", address, v4 ? p->bits - V4_BITS : p->bits);
	return text;
}
