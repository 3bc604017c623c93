#include "tls/ocsp_priv.h"

/*
 * Reading the answer of a responder (RFC 6960 section 4.2.1).  It is taken whole or not at
 * all; who has signed it is judged elsewhere.
 */

#define OID_BASIC "\x2b\x06\x01\x05\x05\x07\x30\x01\x01"
#define OID_NONCE "\x2b\x06\x01\x05\x05\x07\x30\x01\x02"
#define TAG_ENUMERATED 0x0a

static int
unreadable(struct errmsg *e, const char *what)
{
	return errmsg_set(e, "%s cannot be read", what);
}

/* The responder's own words for that it has no answer. */
static const char *
trouble(unsigned status)
{
	static const char *const texts[] = { "successful", "malformedRequest", "internalError",
		"tryLater", "an unknown status", "sigRequired", "unauthorized" };

	return texts[status < sizeof(texts) / sizeof(texts[0]) ? status : 4];
}

static bool
take_general_time(struct span *in, int64_t *when)
{
	return asn1_ahead(in, TAG_GENERAL_TIME) && asn1_take_time(in, when);
}

/* Extensions, of which those that one must understand make the answer unusable; the nonce is kept. */
static int
read_extensions(struct span body, struct span *nonce, struct errmsg *e)
{
	struct span list, ext, oid, value;
	char text[64];
	bool critical;

	if (!asn1_take(&body, TAG_SEQUENCE, &list) || body.n != 0)
		return unreadable(e, "its extensions");
	while (list.n > 0) {
		critical = false;
		if (!asn1_take(&list, TAG_SEQUENCE, &ext) || !asn1_take(&ext, TAG_OID, &oid) ||
		    !asn1_take_flag(&ext, &critical) || !asn1_take(&ext, TAG_OCTETS, &value) ||
		    ext.n != 0)
			return unreadable(e, "its extensions");
		if (SPAN_IS(oid, OID_NONCE) && nonce != NULL) {
			if (nonce->p != NULL)
				return errmsg_set(e, "it has two nonces");
			*nonce = value;
		} else if (critical) {
			return errmsg_set(e, "it has the critical extension %s, which is not "
			    "understood", asn1_oid_text(oid, text, sizeof(text)));
		}
	}
	return 0;
}

/* Of the status, only revoked has a body. */
static bool
read_status(struct span *body, struct ocsp_answer *says)
{
	struct element status;
	struct span reason;

	says->revoked_at = 0;
	if (!asn1_next(body, &status))
		return false;
	switch (status.tag) {
	case TAG_CONTEXT(0):
		says->status = OCSP_GOOD;
		return status.body.n == 0;
	case TAG_CONTEXT_OF(1):
		says->status = OCSP_REVOKED;
		if (!take_general_time(&status.body, &says->revoked_at))
			return false;
		return status.body.n == 0 ||
		    (asn1_take(&status.body, TAG_CONTEXT_OF(0), &reason) && status.body.n == 0);
	case TAG_CONTEXT(2):
		says->status = OCSP_UNKNOWN;
		return status.body.n == 0;
	default:
		return false;
	}
}

static bool
read_next_update(struct span *body, int64_t *when)
{
	struct span inner;

	*when = INT64_MAX;
	if (!asn1_ahead(body, TAG_CONTEXT_OF(0)))
		return true;
	return asn1_take(body, TAG_CONTEXT_OF(0), &inner) && take_general_time(&inner, when) &&
	    inner.n == 0;
}

static bool
read_id(struct span body, struct ocsp_single *s)
{
	struct span alg, rest;

	if (!asn1_take(&body, TAG_SEQUENCE, &alg) || !asn1_take(&alg, TAG_OID, &s->hash_alg))
		return false;
	/* Parameters: NULL, or none. */
	if (alg.n > 0 && (!asn1_take(&alg, TAG_NULL, &rest) || rest.n != 0 || alg.n != 0))
		return false;
	return asn1_take(&body, TAG_OCTETS, &s->name_hash) &&
	    asn1_take(&body, TAG_OCTETS, &s->key_hash) &&
	    asn1_take(&body, TAG_INTEGER, &s->serial) && body.n == 0;
}

int
ocsp_next(struct span *singles, struct ocsp_single *s, struct errmsg *e)
{
	struct span body, id, extensions;

	if (singles->n == 0)
		return 0;
	if (!asn1_take(singles, TAG_SEQUENCE, &body) || !asn1_take(&body, TAG_SEQUENCE, &id) ||
	    !read_id(id, s))
		return unreadable(e, "which certificate it is about");
	if (!read_status(&body, &s->says))
		return unreadable(e, "the status of a certificate");
	if (!take_general_time(&body, &s->says.this_update) ||
	    !read_next_update(&body, &s->says.next_update) ||
	    s->says.next_update < s->says.this_update)
		return unreadable(e, "when it was made and will be renewed");
	if (body.n == 0)
		return 1;
	if (!asn1_take(&body, TAG_CONTEXT_OF(1), &extensions) || body.n != 0)
		return errmsg_set(e, "there is something unexpected behind a status");
	return read_extensions(extensions, NULL, e) == -1 ? -1 : 1;
}

static int
read_singles(struct ocsp_text *t, struct span *tbs, struct errmsg *e)
{
	struct ocsp_single s;
	struct span rest;
	int rc;

	if (!asn1_take(tbs, TAG_SEQUENCE, &t->singles))
		return unreadable(e, "what it says");
	for (rest = t->singles; (rc = ocsp_next(&rest, &s, e)) == 1;)
		;
	return rc;
}

static bool
read_responder(struct ocsp_text *t, struct span *tbs)
{
	struct span body;

	t->by_key = asn1_ahead(tbs, TAG_CONTEXT_OF(2));
	if (!asn1_take(tbs, t->by_key ? TAG_CONTEXT_OF(2) : TAG_CONTEXT_OF(1), &body))
		return false;
	return asn1_take(&body, t->by_key ? TAG_OCTETS : TAG_SEQUENCE, &t->responder) &&
	    body.n == 0;
}

static int
read_data(struct ocsp_text *t, struct span tbs, struct errmsg *e)
{
	struct span body;
	unsigned version = 0;
	int64_t produced;

	if (asn1_ahead(&tbs, TAG_CONTEXT_OF(0)) &&
	    (!asn1_take(&tbs, TAG_CONTEXT_OF(0), &body) ||
	    !asn1_take_number(&body, TAG_INTEGER, &version) || body.n != 0 || version != 0))
		return errmsg_set(e, "its version is not 1");
	if (!read_responder(t, &tbs))
		return unreadable(e, "whose answer it is");
	if (!take_general_time(&tbs, &produced))
		return unreadable(e, "when it was made");
	if (read_singles(t, &tbs, e) == -1)
		return -1;
	if (tbs.n == 0)
		return 0;
	if (!asn1_take(&tbs, TAG_CONTEXT_OF(1), &body) || tbs.n != 0)
		return errmsg_set(e, "there is something unexpected behind what it says");
	return read_extensions(body, &t->nonce, e);
}

static int
read_basic(struct ocsp_text *t, struct span all, struct errmsg *e)
{
	struct span body, certs;
	struct element tbs;

	if (!asn1_take(&all, TAG_SEQUENCE, &body) || all.n != 0 || !asn1_next(&body, &tbs) ||
	    tbs.tag != TAG_SEQUENCE || !asn1_take(&body, TAG_SEQUENCE, &t->sig_alg) ||
	    !asn1_take_octet_bits(&body, &t->sig))
		return errmsg_set(e, "it is no basic OCSP answer");
	if (body.n > 0 && (!asn1_take(&body, TAG_CONTEXT_OF(0), &certs) || body.n != 0 ||
	    !asn1_take(&certs, TAG_SEQUENCE, &t->certs) || certs.n != 0))
		return unreadable(e, "the certificates in it");
	t->tbs = tbs.whole;
	return read_data(t, tbs.body, e);
}

int
ocsp_parse(struct ocsp_text *t, const unsigned char *data, size_t len, struct errmsg *e)
{
	struct span all = { data, len }, body, status, bytes, inner, type, basic;

	*t = (struct ocsp_text){ .by_key = false };
	if (!asn1_take(&all, TAG_SEQUENCE, &body) || all.n != 0 ||
	    !asn1_take(&body, TAG_ENUMERATED, &status) || status.n != 1)
		return errmsg_set(e, "it is no OCSP answer");
	if (status.p[0] != 0)
		return errmsg_set(e, "the responder has none: it says \"%s\"",
		    trouble(status.p[0]));
	if (!asn1_take(&body, TAG_CONTEXT_OF(0), &bytes) || body.n != 0 ||
	    !asn1_take(&bytes, TAG_SEQUENCE, &inner) || bytes.n != 0 ||
	    !asn1_take(&inner, TAG_OID, &type) || !asn1_take(&inner, TAG_OCTETS, &basic) ||
	    inner.n != 0)
		return errmsg_set(e, "it is no OCSP answer");
	if (!SPAN_IS(type, OID_BASIC))
		return errmsg_set(e, "it is of a kind that is not understood");
	return read_basic(t, basic, e);
}
