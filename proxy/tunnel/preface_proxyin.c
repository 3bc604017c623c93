/* The PROXY header in front of a connection that a proxy made for somebody else. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "tunnel/preface.h"

/* Version 1: the longest line, with its CR LF. */
#define V1_MAX 107

#define V2_FIXED 16
#define V2_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2_SIGNATURE_LEN 12

#define TLV_CRC32C 0x03

static enum preface_verdict
refuse(struct errmsg *why, const char *text)
{
	errmsg_set(why, "%s", text);
	return PREFACE_FAILED;
}

/* Version 1 */

/* Takes a word and the one blank behind it off the line; NULL when it is not so. */
static char *
next_word(char **line)
{
	char *word = *line, *end = strchr(word, ' ');

	if (end == NULL || end == word)
		return NULL;
	*end = '\0';
	*line = end + 1;
	return word;
}

/* 0 … 65535 in digits, without zeros in front. */
static bool
parse_port(const char *text, in_port_t *port)
{
	size_t n = text == NULL ? 0 : strspn(text, "0123456789");
	unsigned long value;

	if (n == 0 || n > 5 || text[n] != '\0' || (n > 1 && text[0] == '0'))
		return false;
	value = strtoul(text, NULL, 10);
	*port = htons((uint16_t)value);
	return value <= 65535;
}

static bool
parse_address(struct addr *a, int family, const char *text)
{
	memset(a, 0, sizeof(*a));
	a->u.sa.sa_family = (sa_family_t)family;
	if (text == NULL)
		return false;
	if (family == AF_INET) {
		a->len = sizeof(a->u.in);
		return inet_pton(AF_INET, text, &a->u.in.sin_addr) == 1;
	}
	a->len = sizeof(a->u.in6);
	return inet_pton(AF_INET6, text, &a->u.in6.sin6_addr) == 1;
}

static void
set_port(struct addr *a, in_port_t port)
{
	if (a->u.sa.sa_family == AF_INET)
		a->u.in.sin_port = port;
	else
		a->u.in6.sin6_port = port;
	addr_unmap(a);
}

static enum preface_verdict
parse_v1(struct preface *p, char *line, struct errmsg *why)
{
	char *rest = line + strlen("PROXY "), *from, *to, *from_port;
	in_port_t ports[2];
	int family;

	if (strncmp(rest, "UNKNOWN", 7) == 0 && (rest[7] == '\0' || rest[7] == ' '))
		return PREFACE_DONE;
	if (strncmp(rest, "TCP4 ", 5) != 0 && strncmp(rest, "TCP6 ", 5) != 0)
		return refuse(why, "neither TCP4, TCP6 nor UNKNOWN");
	family = rest[3] == '4' ? AF_INET : AF_INET6;
	rest += 5;
	from = next_word(&rest);
	to = from != NULL ? next_word(&rest) : NULL;
	from_port = to != NULL ? next_word(&rest) : NULL;
	if (from_port == NULL || !parse_address(&p->source, family, from) ||
	    !parse_address(&p->destination, family, to) || !parse_port(from_port, &ports[0]) ||
	    !parse_port(rest, &ports[1]))
		return refuse(why, "malformed addresses or ports");
	set_port(&p->source, ports[0]);
	set_port(&p->destination, ports[1]);
	p->has_source = true;
	return PREFACE_DONE;
}

static enum preface_verdict
hear_v1(struct preface *p, const uint8_t *in, size_t n, size_t *used, struct errmsg *why)
{
	static const char word[] = "PROXY ";
	size_t len = n < sizeof(word) - 1 ? n : sizeof(word) - 1, most = n < V1_MAX ? n : V1_MAX;
	const uint8_t *cr = memchr(in, '\r', most);
	char line[V1_MAX + 1];

	if (memcmp(in, word, len) != 0)
		return refuse(why, "the connection does not begin with a PROXY header");
	if (memchr(in, '\n', most) != NULL &&
	    (cr == NULL || memchr(in, '\n', most) != cr + 1))
		return refuse(why, "a line that does not end with CR LF");
	if (cr == NULL || (size_t)(cr - in) + 1 >= most)
		return n < V1_MAX ? PREFACE_MORE : refuse(why, "a line of more than 107 bytes");
	if (cr[1] != '\n')
		return refuse(why, "a line that does not end with CR LF");
	len = (size_t)(cr - in);
	if (memchr(in, '\0', len) != NULL)
		return refuse(why, "a line with a NUL in it");
	memcpy(line, in, len);
	line[len] = '\0';
	*used = len + 2;
	return parse_v1(p, line, why);
}

/* Version 2 */

/* Castagnoli's, of RFC 4960 appendix B, over bytes of which four count as zero. */
static uint32_t
crc32c(const uint8_t *p, size_t n, size_t zero_at)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < n; i++) {
		crc ^= i >= zero_at && i < zero_at + 4 ? 0 : p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0x82f63b78 & (0 - (crc & 1)));
	}
	return ~crc;
}

static uint32_t
number32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* What stands behind the addresses must be sound, and a check sum right. */
static const char *
check_tlvs(const uint8_t *header, size_t from, size_t total)
{
	size_t at = from, len;

	while (at < total) {
		if (total - at < 3)
			return "a malformed field";
		len = (size_t)header[at + 1] << 8 | header[at + 2];
		if (total - at - 3 < len)
			return "a field that is longer than the header";
		if (header[at] == TLV_CRC32C && (len != 4 ||
		    number32(header + at + 3) != crc32c(header, total, at + 3)))
			return "a check sum that is wrong";
		at += 3 + len;
	}
	return NULL;
}

static void
take_v4(struct preface *p, const uint8_t *a)
{
	struct addr *two[2] = { &p->source, &p->destination };

	for (int i = 0; i < 2; i++) {
		*two[i] = (struct addr){ .len = sizeof(two[i]->u.in) };
		two[i]->u.in.sin_family = AF_INET;
		memcpy(&two[i]->u.in.sin_addr, a + 4 * i, 4);
		memcpy(&two[i]->u.in.sin_port, a + 8 + 2 * i, 2);
	}
}

static void
take_v6(struct preface *p, const uint8_t *a)
{
	struct addr *two[2] = { &p->source, &p->destination };

	for (int i = 0; i < 2; i++) {
		*two[i] = (struct addr){ .len = sizeof(two[i]->u.in6) };
		two[i]->u.in6.sin6_family = AF_INET6;
		memcpy(&two[i]->u.in6.sin6_addr, a + 16 * i, 16);
		memcpy(&two[i]->u.in6.sin6_port, a + 32 + 2 * i, 2);
		addr_unmap(two[i]);
	}
}

static void
take_unix(struct preface *p, const uint8_t *a)
{
	struct addr *two[2] = { &p->source, &p->destination };

	for (int i = 0; i < 2; i++) {
		*two[i] = (struct addr){ .len = sizeof(two[i]->u.un) };
		two[i]->u.un.sun_family = AF_UNIX;
		memcpy(two[i]->u.un.sun_path, a + 108 * i, sizeof(two[i]->u.un.sun_path) - 1);
	}
}

/* By the family byte: how many bytes the addresses take, and who takes them. */
static const struct {
	uint8_t family;
	size_t len;
	void (*take)(struct preface *, const uint8_t *);
} families[] = {
	{ 0x00, 0, NULL },
	{ 0x11, 12, take_v4 },
	{ 0x21, 36, take_v6 },
	{ 0x31, 216, take_unix },
};

static enum preface_verdict
parse_v2(struct preface *p, const uint8_t *in, size_t total, struct errmsg *why)
{
	const char *wrong;

	/* The proxy's own connection, for a health check: from where it comes. */
	if (in[12] == 0x20)
		return PREFACE_DONE;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		if (families[i].family != in[13])
			continue;
		/* Of an unknown family nobody knows where the fields begin. */
		if (families[i].take == NULL)
			return PREFACE_DONE;
		if (total - V2_FIXED < families[i].len)
			return refuse(why, "too short for its addresses");
		if ((wrong = check_tlvs(in, V2_FIXED + families[i].len, total)) != NULL)
			return refuse(why, wrong);
		families[i].take(p, in + V2_FIXED);
		p->has_source = true;
		return PREFACE_DONE;
	}
	return refuse(why, "a family that is none of TCP over IPv4 or IPv6, and unix streams");
}

static enum preface_verdict
hear_v2(struct preface *p, const uint8_t *in, size_t n, size_t *used, struct errmsg *why)
{
	size_t len = n < V2_SIGNATURE_LEN ? n : V2_SIGNATURE_LEN, total;

	if (memcmp(in, V2_SIGNATURE, len) != 0)
		return refuse(why, "the connection does not begin with a PROXY header");
	if (n > 12 && in[12] >> 4 != 2)
		return refuse(why, "a version that is neither 1 nor 2");
	if (n > 12 && (in[12] & 0xf) > 1)
		return refuse(why, "neither LOCAL nor PROXY");
	if (n < V2_FIXED)
		return PREFACE_MORE;
	total = V2_FIXED + ((size_t)in[14] << 8 | in[15]);
	if (n < total)
		return PREFACE_MORE;
	*used = total;
	return parse_v2(p, in, total, why);
}

enum preface_verdict
preface_proxy_in(struct preface *p, const uint8_t *in, size_t n, size_t *used,
    struct errmsg *why)
{
	if (n == 0)
		return PREFACE_MORE;
	return in[0] == '\r' ? hear_v2(p, in, n, used, why) : hear_v1(p, in, n, used, why);
}
