#include <string.h>

#include "tls/subtree_priv.h"

static struct span
after(struct span s, size_t n)
{
	return (struct span){ s.p + n, s.n - n };
}

static struct span
without_dot(struct span s)
{
	return (struct span){ s.p, s.n > 0 && s.p[s.n - 1] == '.' ? s.n - 1 : s.n };
}

static bool
starts_with(struct span s, char c)
{
	return s.n > 0 && s.p[0] == (unsigned char)c;
}

/* Whether the host is below the domain. */
static bool
is_below(struct span host, struct span domain)
{
	return host.n > domain.n + 1 && host.p[host.n - domain.n - 1] == '.' &&
	    span_equal_nocase(after(host, host.n - domain.n), domain);
}

/* "example.com" covers itself and what is below; ".example.com", which is not in the
 * standard but in use, only the latter. */
static enum match
match_dns(struct span name, struct span base, enum list list)
{
	bool wild;

	name = without_dot(name);
	base = without_dot(base);
	wild = name.n > 2 && name.p[0] == '*' && name.p[1] == '.';
	if (!host_is_sound(wild ? after(name, 2) : name))
		return IN_DOUBT;
	if (base.n == 0)
		return INSIDE;
	if (starts_with(base, '.'))
		base = after(base, 1);
	else if (span_equal_nocase(name, base))
		return INSIDE;
	/* A wildcard must not stand for a name that is excluded. */
	if (wild && list == EXCLUDED && is_below(base, after(name, 2)))
		return INSIDE;
	return is_below(name, base) ? INSIDE : OUTSIDE;
}

/* An address against an address and its mask. */
static enum match
match_ip(struct span name, struct span base)
{
	size_t i;

	if (base.n != 8 && base.n != 32)
		return IN_DOUBT;
	if (base.n != 2 * name.n)
		return OUTSIDE;
	for (i = 0; i < name.n; i++)
		if ((name.p[i] ^ base.p[i]) & base.p[name.n + i])
			return OUTSIDE;
	return INSIDE;
}

/* A host against "host" or ".domain". */
static enum match
match_host(struct span host, struct span base)
{
	host = without_dot(host);
	if (!host_is_sound(host))
		return IN_DOUBT;
	if (base.n == 0)
		return INSIDE;
	if (starts_with(base, '.'))
		return is_below(host, after(base, 1)) ? INSIDE : OUTSIDE;
	return span_equal_nocase(host, base) ? INSIDE : OUTSIDE;
}

/* A mailbox against "user@host", "host" or ".domain". */
static enum match
match_email(struct span name, struct span base, enum list list)
{
	const unsigned char *at = name.n == 0 ? NULL : memrchr(name.p, '@', name.n);
	const unsigned char *base_at = base.n == 0 ? NULL : memrchr(base.p, '@', base.n);
	size_t user;

	if (at == NULL)
		return IN_DOUBT;
	user = (size_t)(at - name.p);
	if (base_at == NULL)
		return match_host(after(name, user + 1), base);
	if (!span_equal_nocase(name, base))
		return OUTSIDE;
	/* The user's case matters by the letter, but few mail servers heed it. */
	return list == EXCLUDED || memcmp(name.p, base.p, user) == 0 ? INSIDE : OUTSIDE;
}

/* The host of a URI with an authority: scheme://user@host:port/path. */
static bool
host_of_uri(struct span uri, struct span *host)
{
	const unsigned char *p = uri.n == 0 ? NULL : memmem(uri.p, uri.n, "://", 3);
	const unsigned char *at, *colon;
	size_t n;

	if (p == NULL)
		return false;
	uri = after(uri, (size_t)(p - uri.p) + 3);
	for (n = 0; n < uri.n && memchr("/?#", uri.p[n], 3) == NULL; n++)
		;
	*host = (struct span){ uri.p, n };
	if (n > 0 && (at = memrchr(host->p, '@', n)) != NULL)
		*host = after(*host, (size_t)(at - host->p) + 1);
	if (host->n > 0 && (colon = memchr(host->p, ':', host->n)) != NULL)
		host->n = (size_t)(colon - host->p);
	return true;
}

/* Whether that is an IPv4 address, or could be taken for one. */
static bool
ends_in_digit(struct span host)
{
	return host.n > 0 && host.p[host.n - 1] >= '0' && host.p[host.n - 1] <= '9';
}

static enum match
match_uri(struct span name, struct span base)
{
	struct span host;

	if (!host_of_uri(name, &host) || ends_in_digit(host))
		return IN_DOUBT;
	return match_host(host, base);
}

/* Takes the next character of an attribute with case and blanks folded; -1 at its end. */
static int
next_folded(struct span *s)
{
	int c;

	if (s->n == 0)
		return -1;
	c = s->p[0];
	*s = after(*s, 1);
	if (c == ' ') {
		while (starts_with(*s, ' '))
			*s = after(*s, 1);
		return s->n == 0 ? -1 : ' ';
	}
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool
is_byte_string(unsigned tag)
{
	return tag == TAG_UTF8 || tag == TAG_PRINTABLE || tag == TAG_IA5 ||
	    tag == TAG_T61;
}

/* Whether two attributes are the same.  What cannot be compared by these simple means
 * counts as the same in a list of excluded names only. */
static bool
same_attr(const struct name_attr *a, const struct name_attr *b, enum list list)
{
	struct span x = a->value.body, y = b->value.body;
	int c, d;

	if (!span_equal(a->oid, b->oid) || a->joined != b->joined)
		return false;
	if (span_equal(a->value.whole, b->value.whole))
		return true;
	if (!is_byte_string(a->value.tag) || !is_byte_string(b->value.tag))
		return list == EXCLUDED;
	while (starts_with(x, ' '))
		x = after(x, 1);
	while (starts_with(y, ' '))
		y = after(y, 1);
	do {
		c = next_folded(&x);
		d = next_folded(&y);
		if (list == EXCLUDED && (c >= 0x80 || d >= 0x80))
			return true;
	} while (c == d && c >= 0);
	return c == d;
}

/* Whether the first relative names of one are all those of the other. */
static enum match
match_directory(struct span name, struct span base, enum list list)
{
	struct name_walk in_name = name_walk(name), in_base = name_walk(base);
	struct name_attr a, b;

	while (name_next(&in_base, &b))
		if (!name_next(&in_name, &a) || !same_attr(&a, &b, list))
			return OUTSIDE;
	if (in_base.broken)
		return IN_DOUBT;
	/* The last relative name must not go on. */
	return in_name.rdn.n == 0 || list == EXCLUDED ? INSIDE : OUTSIDE;
}

enum match
subtree_match(
    const struct general_name *name, const struct general_name *base, enum list list)
{
	if (name->tag != base->tag)
		return IN_DOUBT;
	switch (name->tag) {
	case NAME_DNS:
		return match_dns(name->value, base->value, list);
	case NAME_IP:
		return match_ip(name->value, base->value);
	case NAME_EMAIL:
		return match_email(name->value, base->value, list);
	case NAME_URI:
		return match_uri(name->value, base->value);
	case NAME_DIRECTORY:
		return match_directory(name->value, base->value, list);
	default:
		return IN_DOUBT;
	}
}
