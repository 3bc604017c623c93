#include <arpa/inet.h>
#include <string.h>

#include "tls/trust.h"
#include "tls/x509_priv.h"

/*
 * Whether a certificate names a host (RFC 6125, RFC 9525, in the strict reading).
 */

#define HOST_MAX 253

/* A host name without the dot at its end. */
static struct span
without_dot(const void *p, size_t n)
{
	const unsigned char *s = p;

	return (struct span){ s, n > 0 && s[n - 1] == '.' ? n - 1 : n };
}

static size_t
label_len(struct span s)
{
	const unsigned char *dot = s.n == 0 ? NULL : memchr(s.p, '.', s.n);

	return dot == NULL ? s.n : (size_t)(dot - s.p);
}

/* What host names are made of; the program's locale must not have a say in it. */
static bool
is_host_byte(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Labels with something in each.  Nothing else can match, least of all a NUL or another
 * "*". */
bool
host_is_sound(struct span s)
{
	size_t i, n;

	if (s.n > HOST_MAX)
		return false;
	for (;; s.p += n + 1, s.n -= n + 1) {
		n = label_len(s);
		for (i = 0; i < n; i++)
			if (!is_host_byte(s.p[i]))
				return false;
		if (n == 0 || n == s.n)
			return n > 0;
	}
}

/* The part of "*.example.com" behind the wildcard.  It must have two labels at least:
 * "*.com" stands for too many. */
static bool
wildcard(struct span pattern, struct span *rest)
{
	if (pattern.n < 3 || memcmp(pattern.p, "*.", 2) != 0)
		return false;
	*rest = (struct span){ pattern.p + 2, pattern.n - 2 };
	return host_is_sound(*rest) && label_len(*rest) < rest->n;
}

/* Whether a name of a certificate, perhaps with a wildcard, is that of the host. */
static bool
dns_matches(struct span pattern, struct span host)
{
	size_t n = label_len(host);
	struct span rest;

	pattern = without_dot(pattern.p, pattern.n);
	if (!wildcard(pattern, &rest))
		return span_equal_nocase(pattern, host); /* sound, then, as the host */
	return n < host.n &&
	    span_equal_nocase(rest, (struct span){ host.p + n + 1, host.n - n - 1 });
}

/* For certificates from before there were alternative names.  Several common names are
 * ambiguous: programs differ in which one they take. */
bool
x509_host_common_name(const struct x509 *c, struct span *cn)
{
	struct name_walk w = name_walk(c->subject);
	struct name_attr a;
	struct span rest;
	size_t n = 0;

	while (name_next(&w, &a)) {
		if (!SPAN_IS(a.oid, OID_COMMON_NAME))
			continue;
		n++;
		*cn = without_dot(a.value.body.p, a.value.body.n);
		if (a.value.tag != TAG_UTF8 && a.value.tag != TAG_PRINTABLE &&
		    a.value.tag != TAG_IA5 && a.value.tag != TAG_T61)
			return false;
	}
	return n == 1 && !c->has_san && (host_is_sound(*cn) || wildcard(*cn, &rest));
}

static bool
has_ip(const struct x509 *c, struct span ip)
{
	struct span rest = c->san;
	struct general_name name;

	while (general_name_next(&rest, &name))
		if (name.tag == NAME_IP && span_equal(name.value, ip))
			return true;
	return false;
}

static bool
has_host(const struct x509 *c, struct span host)
{
	struct span rest = c->san, cn;
	struct general_name name;

	while (general_name_next(&rest, &name))
		if (name.tag == NAME_DNS && dns_matches(name.value, host))
			return true;
	return x509_host_common_name(c, &cn) && dns_matches(cn, host);
}

/* The part in front of the "@" is the business of the host behind it. */
static bool
email_matches(struct span email, struct span wanted)
{
	const unsigned char *at = memrchr(wanted.p, '@', wanted.n);
	size_t n = (size_t)(at - wanted.p) + 1;

	return email.n == wanted.n && memcmp(email.p, wanted.p, n) == 0 &&
	    span_equal_nocase((struct span){ email.p + n, email.n - n },
		(struct span){ wanted.p + n, wanted.n - n });
}

/* Among the alternative names; else, where those have no email address, in the subject. */
static bool
has_email(const struct x509 *c, struct span wanted)
{
	struct span rest = c->san;
	struct general_name name;
	struct name_walk w = name_walk(c->subject);
	struct name_attr a;
	bool any = false;

	while (general_name_next(&rest, &name)) {
		if (name.tag == NAME_EMAIL && email_matches(name.value, wanted))
			return true;
		any = any || name.tag == NAME_EMAIL;
	}
	while (!any && name_next(&w, &a))
		if (SPAN_IS(a.oid, OID_EMAIL) && a.value.tag == TAG_IA5 &&
		    email_matches(a.value.body, wanted))
			return true;
	return false;
}

bool
x509_names_host(const struct x509 *c, const char *name)
{
	struct span host = without_dot(name, strlen(name));
	char text[HOST_MAX + 1];
	unsigned char ip[16];

	if (strchr(name, '@') != NULL)
		return has_email(c, (struct span){ host.p, strlen(name) });
	if (host.n > HOST_MAX)
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	if (inet_pton(AF_INET, text, ip) == 1)
		return has_ip(c, (struct span){ ip, 4 });
	if (inet_pton(AF_INET6, text, ip) == 1)
		return has_ip(c, (struct span){ ip, 16 });
	return host_is_sound(host) && has_host(c, host);
}

bool
trust_name_matches(const struct der *der, const char *name)
{
	struct x509 c;

	return x509_parse(&c, der->data, der->len) == NULL && x509_names_host(&c, name);
}
