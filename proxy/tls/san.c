#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "tls/asn1_priv.h"
#include "tls/san_priv.h"
#include "tls/x509_priv.h"

#define DNS_NAME_MAX 253
#define DNS_LABEL_MAX 63
/* The longest tag and length that we write: 0x30 0x82 and two bytes. */
#define HEADER_MAX 4

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* What may stand in a certificate.  Each check returns 0, or -1 with the message. */

/* An address as the bytes of a GeneralName.  Returns their number, 0 for no address. */
static size_t
parse_ip(const char *s, unsigned char *ip)
{
	if (inet_pton(AF_INET, s, ip) == 1)
		return 4;
	return inet_pton(AF_INET6, s, ip) == 1 ? 16 : 0;
}

static int
check_ip(const char *s, struct errmsg *why)
{
	unsigned char ip[16];

	if (parse_ip(s, ip) > 0)
		return 0;
	return errmsg_set(why,
	    "\"%.100s\" is not an IP address: write one such as 192.0.2.1 or "
	    "2001:db8::1, without port, brackets or prefix length; a host name goes with "
	    "--dns",
	    s);
}

/* Whether an address was meant: only those have a last label of digits. */
static bool
is_address_like(const char *s)
{
	const char *dot = strrchr(s, '.'), *last = dot == NULL ? s : dot + 1;
	unsigned char ip[16];

	return inet_pton(AF_INET6, s, ip) == 1 ||
	    (*last != '\0' && last[strspn(last, "0123456789")] == '\0');
}

static bool
is_label(const char *s, size_t n)
{
	return n > 0 && n <= DNS_LABEL_MAX && strspn(s, ALNUM "-") == n && s[0] != '-' &&
	    s[n - 1] != '-';
}

static int
check_labels(const char *name, const char *label, struct errmsg *why)
{
	for (;;) {
		size_t n = strcspn(label, ".");

		if (!is_label(label, n))
			return errmsg_set(why,
			    "\"%.100s\" is not a DNS name, because of the label "
			    "\"%.*s\": write labels of 1 to %d letters, digits and inner "
			    "hyphens, joined by single dots; \"*\" only as the whole "
			    "first label; names in other scripts as xn--...",
			    name, n > 64 ? 64 : (int)n, label, DNS_LABEL_MAX);
		if (label[n] == '\0')
			return 0;
		label += n + 1;
	}
}

static int
check_dns(const char *name, struct errmsg *why)
{
	bool wildcard = strncmp(name, "*.", 2) == 0;
	const char *host = wildcard ? name + 2 : name;

	if (is_address_like(name))
		return errmsg_set(why,
		    "\"%.100s\" is an IP address, not a DNS name: give it with --ip",
		    name);
	if (strlen(name) > DNS_NAME_MAX)
		return errmsg_set(why,
		    "the DNS name \"%.60s...\" is longer than %d bytes: shorten it", name,
		    DNS_NAME_MAX);
	if (wildcard && strchr(host, '.') == NULL)
		return errmsg_set(why,
		    "the DNS name \"%.100s\" would match too much: put two labels or "
		    "more behind \"*.\"",
		    name);
	return check_labels(name, host, why);
}

/* Printable ASCII without blanks: what IA5String may hold in email and URI. */
static bool
is_graphic(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

static int
check_email(const char *s, struct errmsg *why)
{
	const char *at = strchr(s, '@');

	if (at != NULL && at != s && at[1] != '\0' && strchr(at + 1, '@') == NULL &&
	    is_graphic(s))
		return 0;
	return errmsg_set(why,
	    "\"%.100s\" is not an email address: write user@host.domain, without blanks",
	    s);
}

static int
check_uri(const char *s, struct errmsg *why)
{
	size_t n = strspn(s, ALNUM "+-.");

	if (isalpha((unsigned char)s[0]) && s[n] == ':' && s[n + 1] != '\0' &&
	    is_graphic(s))
		return 0;
	return errmsg_set(why,
	    "\"%.100s\" is not a URI: begin with the scheme, as in "
	    "spiffe://example.org/db, and write blanks as %%20",
	    s);
}

/* Writing: asn1.c only reads. */

/* GeneralNames that grow inside a buffer; their own header comes last. */
struct names {
	unsigned char *der;
	size_t size;
	size_t used;
};

/* Writes a tag and the length behind it.  Returns how many bytes they took. */
static size_t
put_header(unsigned char *out, unsigned tag, size_t len)
{
	size_t n = 0;

	assert(len <= 0xffff);
	out[n++] = (unsigned char)tag;
	if (len > 0xff) {
		out[n++] = 0x82;
		out[n++] = (unsigned char)(len >> 8);
	} else if (len >= 0x80) {
		out[n++] = 0x81;
	}
	out[n++] = (unsigned char)len;
	return n;
}

static int
add(struct names *names, unsigned tag, struct span value, struct errmsg *why)
{
	if (value.n > names->size || names->used + value.n + 2 * HEADER_MAX > names->size)
		return errmsg_set(why,
		    "these are too many names for one certificate (%zu bytes hold them "
		    "all): make several",
		    names->size);
	names->used += put_header(names->der + names->used, tag, value.n);
	memcpy(names->der + names->used, value.p, value.n);
	names->used += value.n;
	return 0;
}

/* Puts the header in front of what was added.  Returns the length of it all. */
static int
finish(struct names *names)
{
	unsigned char header[HEADER_MAX];
	size_t n;

	if (names->used == 0)
		return 0;
	n = put_header(header, TAG_SEQUENCE, names->used);
	memmove(names->der + n, names->der, names->used);
	memcpy(names->der, header, n);
	return (int)(names->used + n);
}

/* The names of one kind as they were written. */
struct kind {
	unsigned tag;
	int (*check)(const char *, struct errmsg *);
	const char *const *items;
	size_t n;
};

/* What stands in the certificate for a name: its text, or the bytes of an address. */
static struct span
value_of(unsigned tag, const char *item, unsigned char *ip)
{
	if (tag == NAME_IP)
		return (struct span){ ip, parse_ip(item, ip) };
	return (struct span){ (const unsigned char *)item, strlen(item) };
}

static int
add_kind(struct names *names, const struct kind *kind, struct errmsg *why)
{
	unsigned char ip[16];
	size_t i;

	for (i = 0; i < kind->n; i++)
		if (kind->check(kind->items[i], why) == -1 ||
		    add(names, kind->tag, value_of(kind->tag, kind->items[i], ip), why) ==
			-1)
			return -1;
	return 0;
}

int
san_write(
    const struct keygen_request *r, unsigned char *der, size_t size, struct errmsg *why)
{
	const struct kind kinds[] = {
		{ NAME_DNS, check_dns, r->dns, r->ndns },
		{ NAME_IP, check_ip, r->ip, r->nip },
		{ NAME_URI, check_uri, r->uri, r->nuri },
		{ NAME_EMAIL, check_email, r->email, r->nemail },
	};
	struct names names = { .der = der, .size = size };
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (add_kind(&names, &kinds[i], why) == -1)
			return -1;
	return finish(&names);
}
