#include "tls/x509_priv.h"

/*
 * Reading a certificate (RFC 5280 section 4.1); its extensions are in the second half.
 * Each function returns NULL or what is wrong.
 */

static const char *
read_version(struct x509 *c, struct span *tbs)
{
	struct span body;

	c->version = 1;
	if (!asn1_ahead(tbs, TAG_CONTEXT_OF(0)))
		return NULL;
	if (!asn1_take(tbs, TAG_CONTEXT_OF(0), &body) ||
	    !asn1_take_number(&body, TAG_INTEGER, &c->version) || body.n != 0 ||
	    c->version > 2)
		return "its version is not 1, 2 or 3";
	c->version++;
	return NULL;
}

static const char *
read_validity(struct x509 *c, struct span *tbs)
{
	struct span body;

	if (!asn1_take(tbs, TAG_SEQUENCE, &body) ||
	    !asn1_take_time(&body, &c->not_before) ||
	    !asn1_take_time(&body, &c->not_after) || body.n != 0)
		return "its dates cannot be read";
	return NULL;
}

static const char *
read_key(struct x509 *c, struct span *tbs)
{
	struct element e;
	struct span body;

	if (!asn1_next(tbs, &e) || e.tag != TAG_SEQUENCE)
		return "its public key cannot be read";
	c->spki = e.whole;
	body = e.body;
	if (!asn1_take(&body, TAG_SEQUENCE, &c->key_alg) ||
	    !asn1_take_octet_bits(&body, &c->key) || body.n != 0)
		return "its public key cannot be read";
	return NULL;
}

/*
 * Extensions.  A reader gets the value of its extension and returns false for one that
 * it cannot read.
 */

static bool
read_key_usage(struct x509 *c, struct span value)
{
	struct span bits;

	c->has_key_usage = true;
	if (!asn1_take(&value, TAG_BITS, &bits) || bits.n < 1 || bits.p[0] > 7)
		return false;
	c->key_usage = bits.n > 1 ? bits.p[1] : 0;
	return value.n == 0;
}

static bool
read_basic_constraints(struct x509 *c, struct span value)
{
	struct span body;

	if (!asn1_take(&value, TAG_SEQUENCE, &body) || value.n != 0 ||
	    !asn1_take_flag(&body, &c->is_ca))
		return false;
	c->has_pathlen = body.n > 0;
	return !c->has_pathlen ||
	    (asn1_take_number(&body, TAG_INTEGER, &c->pathlen) && body.n == 0);
}

static bool
read_ext_key_usage(struct x509 *c, struct span value)
{
	struct span list, oid;

	if (!asn1_take(&value, TAG_SEQUENCE, &c->eku) || value.n != 0)
		return false;
	for (list = c->eku; list.n > 0;)
		if (!asn1_take(&list, TAG_OID, &oid))
			return false;
	return true;
}

static bool
read_subject_key_id(struct x509 *c, struct span value)
{
	return asn1_take(&value, TAG_OCTETS, &c->skid) && value.n == 0;
}

static bool
read_authority_key_id(struct x509 *c, struct span value)
{
	struct span body;

	if (!asn1_take(&value, TAG_SEQUENCE, &body) || value.n != 0)
		return false;
	return !asn1_ahead(&body, TAG_CONTEXT(0)) ||
	    asn1_take(&body, TAG_CONTEXT(0), &c->akid);
}

static bool
read_alt_names(struct x509 *c, struct span value)
{
	c->has_san = true;
	return asn1_take(&value, TAG_SEQUENCE, &c->san) && value.n == 0 &&
	    general_names_are_sound(c->san);
}

/* The subtrees themselves are read where they are applied. */
static bool
read_name_constraints(struct x509 *c, struct span value)
{
	struct span body;

	if (!asn1_take(&value, TAG_SEQUENCE, &body) || value.n != 0)
		return false;
	if (asn1_ahead(&body, TAG_CONTEXT_OF(0)) &&
	    !asn1_take(&body, TAG_CONTEXT_OF(0), &c->permitted))
		return false;
	if (asn1_ahead(&body, TAG_CONTEXT_OF(1)) &&
	    !asn1_take(&body, TAG_CONTEXT_OF(1), &c->excluded))
		return false;
	return body.n == 0;
}

/* Read where a CRL asks: one that makes no sense names no list, which is no fault by itself. */
static bool
keep_distribution_points(struct x509 *c, struct span value)
{
	c->cdp = value;
	return true;
}

/* Likewise: where responders are. */
static bool
keep_authority_info(struct x509 *c, struct span value)
{
	c->aia = value;
	return true;
}

/*
 * The extensions that may be critical.  Those without a reader are understood by what
 * they are: policies only narrow a set that nobody asks for (policyConstraints, which
 * can demand that one is left, is therefore not here), and where revocation lists are
 * found is nothing that a certificate is judged by.
 */
static const struct known {
	struct span oid;
	bool (*read)(struct x509 *, struct span);
	const char *wrong;
} known[] = {
/* clang-format off */
#define KNOWN(oid, read, name)                                                 \
	{ { (const unsigned char *)(oid), sizeof(oid) - 1 }, read,             \
	    "its " name " cannot be read" }
	/* clang-format on */
	KNOWN("\x55\x1d\x0e", read_subject_key_id, "subjectKeyIdentifier"),
	KNOWN("\x55\x1d\x0f", read_key_usage, "keyUsage"),
	KNOWN("\x55\x1d\x11", read_alt_names, "subjectAltName"),
	KNOWN("\x55\x1d\x13", read_basic_constraints, "basicConstraints"),
	KNOWN("\x55\x1d\x1e", read_name_constraints, "nameConstraints"),
	KNOWN("\x55\x1d\x23", read_authority_key_id, "authorityKeyIdentifier"),
	KNOWN("\x55\x1d\x25", read_ext_key_usage, "extendedKeyUsage"),
	KNOWN("\x55\x1d\x1f", keep_distribution_points, "cRLDistributionPoints"),
	KNOWN("\x2b\x06\x01\x05\x05\x07\x01\x01", keep_authority_info, "authorityInfoAccess"),
	KNOWN("\x55\x1d\x20", NULL, "certificatePolicies"),
	KNOWN("\x55\x1d\x21", NULL, "policyMappings"),
	KNOWN("\x55\x1d\x36", NULL, "inhibitAnyPolicy"),
#undef KNOWN
};

#define NKNOWN (sizeof(known) / sizeof(known[0]))

static size_t
find_known(struct span oid)
{
	size_t i;

	for (i = 0; i < NKNOWN; i++)
		if (span_equal(known[i].oid, oid))
			break;
	return i;
}

/* Reads one extension.  A known one must not come twice: another program may have heeded
 * the other one. */
static const char *
read_extension(struct x509 *c, struct span ext, unsigned *seen)
{
	struct span oid, value;
	bool critical = false;
	size_t i;

	if (!asn1_take(&ext, TAG_OID, &oid) || !asn1_take_flag(&ext, &critical) ||
	    !asn1_take(&ext, TAG_OCTETS, &value) || ext.n != 0)
		return "its extensions cannot be read";
	i = find_known(oid);
	if (i == NKNOWN) {
		if (critical && c->unknown.p == NULL)
			c->unknown = oid;
		return NULL;
	}
	if (*seen & 1u << i)
		return "it has the same extension twice";
	*seen |= 1u << i;
	return known[i].read == NULL || known[i].read(c, value) ? NULL : known[i].wrong;
}

static const char *
read_extensions(struct x509 *c, struct span *tbs)
{
	struct span body, list, ext;
	const char *wrong;
	unsigned seen = 0;

	if (tbs->n == 0)
		return NULL;
	if (c->version != 3 || !asn1_take(tbs, TAG_CONTEXT_OF(3), &body) || tbs->n != 0)
		return "there is something unexpected behind its key";
	if (!asn1_take(&body, TAG_SEQUENCE, &list) || body.n != 0)
		return "its extensions cannot be read";
	while (list.n > 0) {
		if (!asn1_take(&list, TAG_SEQUENCE, &ext))
			return "its extensions cannot be read";
		if ((wrong = read_extension(c, ext, &seen)) != NULL)
			return wrong;
	}
	return NULL;
}

/* issuerUniqueID and subjectUniqueID: of no use, but allowed from version 2 on. */
static void
skip_unique_ids(struct x509 *c, struct span *tbs)
{
	struct span id;

	if (c->version >= 2 && asn1_ahead(tbs, TAG_CONTEXT(1)))
		asn1_take(tbs, TAG_CONTEXT(1), &id);
	if (c->version >= 2 && asn1_ahead(tbs, TAG_CONTEXT(2)))
		asn1_take(tbs, TAG_CONTEXT(2), &id);
}

static const char *
read_tbs(struct x509 *c, struct span tbs)
{
	struct span inner;
	const char *wrong;

	if ((wrong = read_version(c, &tbs)) != NULL)
		return wrong;
	if (!asn1_take(&tbs, TAG_INTEGER, &c->serial) || c->serial.n == 0)
		return "its serial number cannot be read";
	if (!asn1_take(&tbs, TAG_SEQUENCE, &inner) || !span_equal(inner, c->sig_alg))
		return "it names two signature algorithms";
	if (!asn1_take(&tbs, TAG_SEQUENCE, &c->issuer) || !name_is_sound(c->issuer))
		return "its issuer cannot be read";
	if ((wrong = read_validity(c, &tbs)) != NULL)
		return wrong;
	if (!asn1_take(&tbs, TAG_SEQUENCE, &c->subject) || !name_is_sound(c->subject))
		return "its subject cannot be read";
	if ((wrong = read_key(c, &tbs)) != NULL)
		return wrong;
	skip_unique_ids(c, &tbs);
	return read_extensions(c, &tbs);
}

const char *
x509_parse(struct x509 *c, const unsigned char *data, size_t len)
{
	struct span all = { data, len }, body;
	struct element tbs;

	*c = (struct x509){ .der = all };
	if (!asn1_take(&all, TAG_SEQUENCE, &body))
		return "it is not DER, or cut short";
	if (all.n != 0)
		return "there are bytes behind its end";
	if (!asn1_next(&body, &tbs) || tbs.tag != TAG_SEQUENCE ||
	    !asn1_take(&body, TAG_SEQUENCE, &c->sig_alg) ||
	    !asn1_take_octet_bits(&body, &c->sig) || body.n != 0)
		return "it is not a certificate";
	c->tbs = tbs.whole;
	return read_tbs(c, tbs.body);
}

bool
x509_same(const struct x509 *a, const struct x509 *b)
{
	return span_equal(a->der, b->der);
}

bool
x509_self_issued(const struct x509 *c)
{
	return span_equal(c->issuer, c->subject);
}
