#include <string.h>

#include "tls/rule.h"
#include "tls/rule_priv.h"

static bool
has_star(const char *pattern)
{
	return strchr(pattern, '*') != NULL;
}

/* Printable: what else a name holds is there to deceive. */
static bool
is_visible(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.n > 0;
}

static bool
is_text(unsigned tag, struct span s)
{
	return (tag == TAG_UTF8 || tag == TAG_PRINTABLE || tag == TAG_IA5 || tag == TAG_T61) &&
	    (s.n == 0 || memchr(s.p, 0, s.n) == NULL);
}

/* Attributes of the subject.  Of several CNs programs differ in which one they take. */
static bool
subject_matches(const struct x509 *c, struct span oid, const char *pattern, bool only)
{
	struct name_walk w = name_walk(c->subject);
	struct name_attr a;
	bool found = false;
	size_t n = 0;

	while (name_next(&w, &a)) {
		if (!span_equal(a.oid, oid))
			continue;
		n++;
		found = found || (is_text(a.value.tag, a.value.body) &&
		    glob_matches(pattern, a.value.body, '.', false));
	}
	return found && (n == 1 || !only);
}

static bool
dns_matches(const struct x509 *c, const char *pattern)
{
	struct span rest = c->san, cn, bare;
	struct general_name name;

	if (!has_star(pattern))
		return x509_names_host(c, pattern);
	while (general_name_next(&rest, &name)) {
		bare = name.value;
		/* A wildcard stands for itself. */
		if (bare.n > 2 && memcmp(bare.p, "*.", 2) == 0)
			bare = (struct span){ bare.p + 2, bare.n - 2 };
		if (name.tag == NAME_DNS && host_is_sound(bare) &&
		    glob_matches(pattern, name.value, '.', true))
			return true;
	}
	return x509_host_common_name(c, &cn) && glob_matches(pattern, cn, '.', true);
}

/* The part behind the "@" is a host's. */
static bool
address_matches(const char *pattern, struct span email)
{
	const unsigned char *at = email.n == 0 ? NULL : memrchr(email.p, '@', email.n);
	const char *host = strchr(pattern, '@') + 1;
	char local[RULE_TEXT];
	size_t n;

	if (at == NULL || !is_visible(email))
		return false;
	n = (size_t)(at - email.p);
	memcpy(local, pattern, (size_t)(host - 1 - pattern));
	local[host - 1 - pattern] = '\0';
	return glob_matches(local, (struct span){ email.p, n }, '@', false) &&
	    glob_matches(host, (struct span){ at + 1, email.n - n - 1 }, '.', true);
}

static bool
email_matches(const struct x509 *c, const char *pattern)
{
	struct span rest = c->san;
	struct general_name name;

	if (!has_star(pattern))
		return x509_names_host(c, pattern);
	while (general_name_next(&rest, &name))
		if (name.tag == NAME_EMAIL && address_matches(pattern, name.value))
			return true;
	return false;
}

static bool
is_spiffe(struct span uri)
{
	return uri.n >= 7 &&
	    span_equal_nocase((struct span){ uri.p, 7 },
		(struct span){ (const unsigned char *)"spiffe:", 7 });
}

/* strict: a SPIFFE ID must be one, and the only URI. */
static bool
uri_matches(const struct x509 *c, const char *pattern, bool strict)
{
	struct span rest = c->san;
	struct general_name name;
	bool found = false, bad = false, spiffe = false;
	size_t n = 0;

	while (general_name_next(&rest, &name)) {
		if (name.tag != NAME_URI)
			continue;
		n++;
		spiffe = spiffe || is_spiffe(name.value);
		bad = bad || (is_spiffe(name.value) && !uri_is_spiffe_id(name.value));
		found = found || (is_visible(name.value) &&
		    glob_matches(pattern, name.value, '/', false));
	}
	return found && !(strict && (bad || (spiffe && n > 1)));
}

static bool
in_prefix(const unsigned char *ip, const struct rule_term *t)
{
	unsigned whole = t->bits / 8, rest = t->bits % 8;

	return memcmp(ip, t->bytes, whole) == 0 &&
	    (rest == 0 || ((ip[whole] ^ t->bytes[whole]) & (0xff00u >> rest) & 0xff) == 0);
}

/* An address that IPv6 has for one of IPv4 is none of IPv4's. */
static bool
ip_matches(const struct x509 *c, const struct rule_term *t)
{
	unsigned char mapped[16] = { [10] = 0xff, [11] = 0xff };
	bool v4 = t->bits >= 96 && memcmp(t->bytes, mapped, 12) == 0;
	struct span rest = c->san;
	struct general_name name;

	while (general_name_next(&rest, &name)) {
		if (name.tag != NAME_IP || name.value.n != (v4 ? 4 : 16))
			continue;
		if (v4)
			memcpy(mapped + 12, name.value.p, 4);
		if (in_prefix(v4 ? mapped : name.value.p, t))
			return true;
	}
	return false;
}

static bool
serial_matches(const struct x509 *c, const struct rule_term *t)
{
	struct span s = c->serial;

	for (; s.n > 0 && *s.p == 0; s.p++)
		s.n--;
	return span_equal(s, (struct span){ t->bytes, t->n });
}

static bool
key_matches(const struct x509 *c, const struct rule_term *t)
{
	unsigned char hash[CERT_FP_LEN];

	if (c == NULL)
		return false;
	x509_key_fingerprint(c, hash);
	return memcmp(hash, t->bytes, sizeof(hash)) == 0;
}

static bool
cert_matches(const struct x509 *c, const struct rule_term *t)
{
	unsigned char hash[CERT_FP_LEN];

	x509_fingerprint(c, hash);
	return memcmp(hash, t->bytes, sizeof(hash)) == 0;
}

static const struct span oid_cn = { (const unsigned char *)OID_COMMON_NAME, 3 };
static const struct span oid_ou = { (const unsigned char *)"\x55\x04\x0b", 3 };

static bool
term_matches(const struct rule_term *t, const struct applicant *a, bool deny)
{
	switch (t->key) {
	case RULE_CN:
		return subject_matches(a->leaf, oid_cn, t->text, !deny);
	case RULE_OU:
		return subject_matches(a->leaf, oid_ou, t->text, false);
	case RULE_DNS:
		return dns_matches(a->leaf, t->text);
	case RULE_URI:
		return uri_matches(a->leaf, t->text, !deny);
	case RULE_IP:
		return ip_matches(a->leaf, t);
	case RULE_EMAIL:
		return email_matches(a->leaf, t->text);
	case RULE_CERT:
		return cert_matches(a->leaf, t);
	case RULE_SPKI:
		return key_matches(a->leaf, t);
	case RULE_SERIAL:
		return serial_matches(a->leaf, t);
	case RULE_ISSUER:
		return key_matches(a->issuer, t);
	}
	return deny;
}

bool
rule_matches(const struct rule *r, const struct applicant *a)
{
	for (size_t i = 0; i < r->n; i++)
		if (!term_matches(&r->terms[i], a, r->deny))
			return false;
	return r->n > 0;
}

bool
trust_rule_matches(const struct rule *r, const struct der *cert, const struct der *issuer)
{
	struct x509 leaf, above;
	struct applicant a = { &leaf, NULL };

	if (x509_parse(&leaf, cert->data, cert->len) != NULL)
		return false;
	if (issuer != NULL && x509_parse(&above, issuer->data, issuer->len) == NULL)
		a.issuer = &above;
	return rule_matches(r, &a);
}
