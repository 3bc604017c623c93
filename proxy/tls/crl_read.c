#include "tls/crl_priv.h"

/*
 * Reading a CRL.  What it says is taken whole or not at all: a list that is read in
 * part lets somebody pass whom the whole one names.
 */

static int
unreadable(struct errmsg *e, const char *what)
{
	return errmsg_set(e, "%s cannot be read", what);
}

struct extension {
	struct span oid, value;
	bool critical;
};

static bool
take_extension(struct span *list, struct extension *x)
{
	struct span body;

	x->critical = false;
	return asn1_take(list, TAG_SEQUENCE, &body) && asn1_take(&body, TAG_OID, &x->oid) &&
	    asn1_take_flag(&body, &x->critical) && asn1_take(&body, TAG_OCTETS, &x->value) &&
	    body.n == 0;
}

#define OID_REASON "\x55\x1d\x15"
#define OID_CERT_ISSUER "\x55\x1d\x1d"
#define OID_CRL_NUMBER "\x55\x1d\x14"
#define OID_DELTA "\x55\x1d\x1b"
#define OID_DISTRIBUTION "\x55\x1d\x1c"
#define OID_AUTHORITY_KEY "\x55\x1d\x23"

/* A critical extension says: whoever does not know me must not use this list. */
static int
pass_over(const struct extension *x, const char *where, struct errmsg *e)
{
	char oid[64];

	if (!x->critical)
		return 0;
	return errmsg_set(e, "%s has the critical extension %s, which is not understood", where,
	    asn1_oid_text(x->oid, oid, sizeof(oid)));
}

/*
 * Entries.
 */

/* An INTEGER in its shortest form, which is also the one in which numbers are compared. */
static bool
is_shortest(struct span number)
{
	if (number.n == 0)
		return false;
	return number.n == 1 || (number.p[0] != 0x00 && number.p[0] != 0xff) ||
	    ((number.p[0] ^ number.p[1]) & 0x80) != 0;
}

#define REMOVE_FROM_CRL 8

static int
read_reason(struct crl_entry *entry, struct span value, struct errmsg *e)
{
	struct span body;

	if (!asn1_take(&value, 0x0a, &body) || value.n != 0 || body.n != 1 || body.p[0] > 10)
		return unreadable(e, "the reason of an entry");
	entry->removed = body.p[0] == REMOVE_FROM_CRL;
	return 0;
}

static int
read_entry_extensions(struct crl_entry *entry, struct span list, struct errmsg *e)
{
	struct extension x;

	while (list.n > 0) {
		if (!take_extension(&list, &x))
			return unreadable(e, "an extension of an entry");
		if (SPAN_IS(x.oid, OID_CERT_ISSUER))
			return errmsg_set(e, "it lists certificates of several CAs (indirect), "
			    "which is not supported: use the CA's own CRL");
		if (SPAN_IS(x.oid, OID_REASON) ? read_reason(entry, x.value, e) == -1
					       : pass_over(&x, "an entry", e) == -1)
			return -1;
	}
	return 0;
}

static int
read_entry(struct span *list, unsigned version, struct crl_entry *entry, struct errmsg *e)
{
	struct span body, extensions;
	int64_t when;

	entry->removed = false;
	if (!asn1_take(list, TAG_SEQUENCE, &body) ||
	    !asn1_take(&body, TAG_INTEGER, &entry->serial) || !asn1_take_time(&body, &when))
		return unreadable(e, "an entry");
	if (!is_shortest(entry->serial) || entry->serial.n > CRL_SERIAL_MOST)
		return unreadable(e, "the serial number of an entry");
	if (body.n == 0)
		return 0;
	if (version < 2 || !asn1_take(&body, TAG_SEQUENCE, &extensions) || body.n != 0 ||
	    extensions.n == 0)
		return unreadable(e, "an entry");
	return read_entry_extensions(entry, extensions, e);
}

static int
read_entries(struct crl_text *c, struct span *tbs, struct errmsg *e)
{
	struct crl_entry entry;
	struct span list;

	c->entries = (struct span){ tbs->p, 0 };
	if (!asn1_ahead(tbs, TAG_SEQUENCE))
		return 0;
	if (!asn1_take(tbs, TAG_SEQUENCE, &c->entries))
		return unreadable(e, "the list of entries");
	for (list = c->entries; list.n > 0;) {
		if (read_entry(&list, c->version, &entry, e) == -1)
			return -1;
		if (entry.removed)
			continue;
		c->n++;
		if (entry.serial.n > c->width)
			c->width = entry.serial.n;
	}
	return 0;
}

bool
crl_next(struct span *entries, struct crl_entry *entry)
{
	struct errmsg e;

	return entries->n > 0 && read_entry(entries, 2, entry, &e) == 0;
}

/*
 * The extensions of the whole.
 */

static int
read_number(struct crl_text *c, struct span value, struct errmsg *e)
{
	if (!asn1_take(&value, TAG_INTEGER, &c->number) || value.n != 0 ||
	    !is_shortest(c->number) || c->number.n > CRL_SERIAL_MOST ||
	    c->number.p[0] >= 0x80)
		return unreadable(e, "its crlNumber");
	return 0;
}

static int
read_authority_key(struct crl_text *c, struct span value, struct errmsg *e)
{
	struct span body;

	if (!asn1_take(&value, TAG_SEQUENCE, &body) || value.n != 0 ||
	    (asn1_ahead(&body, TAG_CONTEXT(0)) &&
		!asn1_take(&body, TAG_CONTEXT(0), &c->akid)))
		return unreadable(e, "its authorityKeyIdentifier");
	return 0;
}

/* Takes [n] BOOLEAN DEFAULT FALSE. */
static bool
take_flag(struct span *in, unsigned n, bool *flag)
{
	struct span body;

	*flag = false;
	if (!asn1_ahead(in, TAG_CONTEXT(n)))
		return true;
	if (!asn1_take(in, TAG_CONTEXT(n), &body) || body.n != 1)
		return false;
	*flag = body.p[0] != 0;
	return body.p[0] == 0 || body.p[0] == 0xff;
}

/* The name of the point where this part of the CA's list is published. */
static int
read_point(struct crl_text *c, struct span value, struct errmsg *e)
{
	if (!asn1_take(&value, TAG_CONTEXT_OF(0), &c->points) || value.n != 0)
		return errmsg_set(e, "its distributionPoint is a relative name, which is not "
		    "supported: use the CA's complete CRL");
	if (c->points.n == 0 || !general_names_are_sound(c->points))
		return unreadable(e, "its distributionPoint");
	return 0;
}

/* issuingDistributionPoint: of what the list is the whole. */
static int
read_distribution(struct crl_text *c, struct span value, struct errmsg *e)
{
	struct span body, part, point;
	bool parted, reasons, indirect, attributes;

	if (!asn1_take(&value, TAG_SEQUENCE, &body) || value.n != 0)
		return unreadable(e, "its issuingDistributionPoint");
	parted = asn1_take(&body, TAG_CONTEXT_OF(0), &point);
	if (!take_flag(&body, 1, &c->only_users) || !take_flag(&body, 2, &c->only_cas))
		return unreadable(e, "its issuingDistributionPoint");
	reasons = asn1_take(&body, TAG_CONTEXT(3), &part);
	if (!take_flag(&body, 4, &indirect) || !take_flag(&body, 5, &attributes) ||
	    body.n != 0 || (c->only_users && c->only_cas))
		return unreadable(e, "its issuingDistributionPoint");
	if (indirect)
		return errmsg_set(e, "it lists certificates of several CAs (indirectCRL), which "
		    "is not supported: use the CA's own CRL");
	if (reasons)
		return errmsg_set(e, "it lists some reasons only (onlySomeReasons): use the CRL "
		    "for all reasons");
	if (attributes)
		return errmsg_set(e, "it is about attribute certificates "
		    "(onlyContainsAttributeCerts), which TLS does not use");
	return parted ? read_point(c, point, e) : 0;
}

static int
refuse_delta(struct crl_text *c, struct span value, struct errmsg *e)
{
	(void)c;
	(void)value;
	return errmsg_set(e, "it is a delta (deltaCRLIndicator), which says what has changed "
	    "and not who is revoked: use the complete CRL");
}

static const struct known {
	struct span oid;
	int (*read)(struct crl_text *, struct span, struct errmsg *);
} known[] = {
/* clang-format off */
#define KNOWN(oid, read) { { (const unsigned char *)(oid), sizeof(oid) - 1 }, read }
	/* clang-format on */
	KNOWN(OID_CRL_NUMBER, read_number),
	KNOWN(OID_DELTA, refuse_delta),
	KNOWN(OID_DISTRIBUTION, read_distribution),
	KNOWN(OID_AUTHORITY_KEY, read_authority_key),
#undef KNOWN
};

#define NKNOWN (sizeof(known) / sizeof(known[0]))

static int
read_extension(struct crl_text *c, const struct extension *x, unsigned *seen, struct errmsg *e)
{
	size_t i;

	for (i = 0; i < NKNOWN && !span_equal(known[i].oid, x->oid); i++)
		;
	if (i == NKNOWN)
		return pass_over(x, "it", e);
	if (*seen & 1u << i)
		return errmsg_set(e, "it has the same extension twice");
	*seen |= 1u << i;
	return known[i].read(c, x->value, e);
}

static int
read_extensions(struct crl_text *c, struct span *tbs, struct errmsg *e)
{
	struct span body, list;
	struct extension x;
	unsigned seen = 0;

	if (tbs->n == 0)
		return 0;
	if (c->version < 2 || !asn1_take(tbs, TAG_CONTEXT_OF(0), &body) || tbs->n != 0)
		return errmsg_set(e, "there is something unexpected behind its entries");
	if (!asn1_take(&body, TAG_SEQUENCE, &list) || body.n != 0)
		return unreadable(e, "its extensions");
	while (list.n > 0) {
		if (!take_extension(&list, &x))
			return unreadable(e, "its extensions");
		if (read_extension(c, &x, &seen, e) == -1)
			return -1;
	}
	return 0;
}

/*
 * The whole.
 */

/* Absent, it is version 1, which has no extensions. */
static int
read_version(struct crl_text *c, struct span *tbs, struct errmsg *e)
{
	c->version = 1;
	if (!asn1_ahead(tbs, TAG_INTEGER))
		return 0;
	if (!asn1_take_number(tbs, TAG_INTEGER, &c->version) || c->version != 1)
		return errmsg_set(e, "its version is not 2");
	c->version = 2;
	return 0;
}

static int
read_dates(struct crl_text *c, struct span *tbs, struct errmsg *e)
{
	if (!asn1_take_time(tbs, &c->this_update))
		return unreadable(e, "its thisUpdate");
	if (!asn1_ahead(tbs, TAG_UTC_TIME) && !asn1_ahead(tbs, TAG_GENERAL_TIME))
		return errmsg_set(e, "it has no nextUpdate: nobody could tell when it is out of "
		    "date");
	if (!asn1_take_time(tbs, &c->next_update) || c->next_update < c->this_update)
		return unreadable(e, "its nextUpdate");
	return 0;
}

static int
read_tbs(struct crl_text *c, struct span tbs, struct errmsg *e)
{
	struct span inner;

	if (read_version(c, &tbs, e) == -1)
		return -1;
	if (!asn1_take(&tbs, TAG_SEQUENCE, &inner) || !span_equal(inner, c->sig_alg))
		return errmsg_set(e, "it names two signature algorithms");
	if (!asn1_take(&tbs, TAG_SEQUENCE, &c->issuer) || c->issuer.n == 0 ||
	    !name_is_sound(c->issuer))
		return unreadable(e, "its issuer");
	if (read_dates(c, &tbs, e) == -1 || read_entries(c, &tbs, e) == -1)
		return -1;
	return read_extensions(c, &tbs, e);
}

int
crl_parse(struct crl_text *c, const unsigned char *data, size_t len, struct errmsg *e)
{
	struct span all = { data, len }, body;
	struct element tbs;

	*c = (struct crl_text){ .der = all };
	if (!asn1_take(&all, TAG_SEQUENCE, &body))
		return errmsg_set(e, "it is not DER, or cut short");
	if (all.n != 0)
		return errmsg_set(e, "there are bytes behind its end");
	if (!asn1_next(&body, &tbs) || tbs.tag != TAG_SEQUENCE ||
	    !asn1_take(&body, TAG_SEQUENCE, &c->sig_alg) ||
	    !asn1_take_octet_bits(&body, &c->sig) || body.n != 0)
		return errmsg_set(e, "it is not a CRL");
	c->tbs = tbs.whole;
	return read_tbs(c, tbs.body, e);
}
