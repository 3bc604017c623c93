#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hash.h>

#include "tls/ocsp_priv.h"
#include "tls/pubkey_priv.h"

/* A longer serial number has no CA that keeps the rules (20 bytes). */
#define SERIAL_MOST 64

/* Certificates in an answer that are looked at. */
#define SIGNERS 8

#define OID_OCSP_SIGNING "\x2b\x06\x01\x05\x05\x07\x03\x09"
#define OID_OCSP "\x2b\x06\x01\x05\x05\x07\x30\x01"

struct ocsp_question {
	atomic_uint refs;
	struct der cert_der, issuer_der;
	struct x509 cert, issuer; /* point into them */
	unsigned char key[OCSP_KEY];
	char about[NAME_TEXT];
};

/* The tag and length in front of a body, into at most 6 bytes. */
static size_t
put_header(unsigned char *out, unsigned tag, size_t len)
{
	size_t n = 0;

	out[n++] = (unsigned char)tag;
	if (len >= 0x10000)
		return 0;
	if (len >= 0x100) {
		out[n++] = 0x82;
		out[n++] = (unsigned char)(len >> 8);
	} else if (len >= 0x80) {
		out[n++] = 0x81;
	}
	out[n++] = (unsigned char)(len & 0xff);
	return n;
}

/* The hash of a Name, which is kept without its tag and length. */
static bool
hash_name(enum wc_HashType type, struct span name, unsigned char *digest)
{
	unsigned char header[6];
	size_t n = put_header(header, TAG_SEQUENCE, name.n);
	wc_HashAlg hash;
	bool done;

	if (wc_HashInit(&hash, type) != 0)
		return false;
	done = wc_HashUpdate(&hash, type, header, (word32)n) == 0 &&
	    wc_HashUpdate(&hash, type, name.p, (word32)name.n) == 0 &&
	    wc_HashFinal(&hash, type, digest) == 0;
	wc_HashFree(&hash, type);
	return done;
}

static bool
hash_span(enum wc_HashType type, struct span s, unsigned char *digest)
{
	return wc_Hash(type, s.p, (word32)s.n, digest,
	    (word32)wc_HashGetDigestSize(type)) == 0;
}

static int
copy(struct der *to, struct span from)
{
	if ((to->data = malloc(from.n)) == NULL)
		return -1;
	memcpy(to->data, from.p, from.n);
	to->len = from.n;
	return 0;
}

static bool
make_key(struct ocsp_question *q)
{
	unsigned char parts[2 * WC_SHA256_DIGEST_SIZE + SERIAL_MOST];

	if (!hash_name(WC_HASH_TYPE_SHA256, q->issuer.subject, parts) ||
	    !hash_span(WC_HASH_TYPE_SHA256, q->issuer.spki, parts + WC_SHA256_DIGEST_SIZE))
		return false;
	memcpy(parts + (size_t)2 * WC_SHA256_DIGEST_SIZE, q->cert.serial.p, q->cert.serial.n);
	return wc_Hash(WC_HASH_TYPE_SHA256, parts,
	    (word32)(2 * WC_SHA256_DIGEST_SIZE + q->cert.serial.n), q->key, OCSP_KEY) == 0;
}

struct ocsp_question *
ocsp_question_new(const struct der *cert, const struct der *issuer, struct errmsg *e)
{
	return ocsp_question_of((struct span){ cert->data, cert->len },
	    (struct span){ issuer->data, issuer->len }, e);
}

struct ocsp_question *
ocsp_question_of(struct span cert, struct span issuer, struct errmsg *e)
{
	struct ocsp_question *q;

	if ((q = calloc(1, sizeof(*q))) == NULL || copy(&q->cert_der, cert) == -1 ||
	    copy(&q->issuer_der, issuer) == -1) {
		errmsg_set(e, "out of memory");
		goto err;
	}
	atomic_init(&q->refs, 1);
	if (x509_parse(&q->cert, q->cert_der.data, q->cert_der.len) != NULL ||
	    x509_parse(&q->issuer, q->issuer_der.data, q->issuer_der.len) != NULL ||
	    !span_equal(q->cert.issuer, q->issuer.subject) ||
	    q->cert.serial.n > SERIAL_MOST || !make_key(q)) {
		errmsg_set(e, "nobody can be asked about such a certificate");
		goto err;
	}
	x509_name_text(q->cert.subject, q->about, sizeof(q->about));
	return q;

err:
	ocsp_question_free(q);
	return NULL;
}

struct ocsp_question *
ocsp_question_ref(struct ocsp_question *q)
{
	atomic_fetch_add_explicit(&q->refs, 1, memory_order_relaxed);
	return q;
}

void
ocsp_question_free(struct ocsp_question *q)
{
	if (q == NULL || atomic_fetch_sub_explicit(&q->refs, 1, memory_order_acq_rel) > 1)
		return;
	free(q->cert_der.data);
	free(q->issuer_der.data);
	free(q);
}

const unsigned char *
ocsp_question_key(const struct ocsp_question *q)
{
	return q->key;
}

const char *
ocsp_question_about(const struct ocsp_question *q)
{
	return q->about;
}

const char *
ocsp_question_url(const struct ocsp_question *q, size_t i, char *text)
{
	struct span value = q->cert.aia, list, entry, oid, uri;

	if (value.p == NULL || !asn1_take(&value, TAG_SEQUENCE, &list) || value.n != 0)
		return NULL;
	while (asn1_take(&list, TAG_SEQUENCE, &entry)) {
		if (!asn1_take(&entry, TAG_OID, &oid) || !SPAN_IS(oid, OID_OCSP) ||
		    !asn1_take(&entry, NAME_URI, &uri) || uri.n >= OCSP_URL_MOST)
			continue;
		if (i-- > 0)
			continue;
		memcpy(text, uri.p, uri.n);
		text[uri.n] = '\0';
		for (size_t k = 0; k < uri.n; k++)
			if (uri.p[k] <= ' ' || uri.p[k] >= 0x7f)
				text[k] = '\0';
		return text;
	}
	return NULL;
}

/*
 * The request (RFC 6960 section 4.1.1): one certificate, named with SHA-1, which is what all
 * responders know; there it names things and proves nothing.
 */

/* A request is made from its end, so that lengths are known when they are written. */
struct backwards {
	unsigned char *first; /* what is written begins here */
	unsigned char *end;
};

static void
put(struct backwards *b, const void *p, size_t n)
{
	b->first -= n;
	memcpy(b->first, p, n);
}

/* Puts a header in front of what was written since a mark. */
static void
wrap(struct backwards *b, unsigned tag, const unsigned char *mark)
{
	unsigned char header[6];

	put(b, header, put_header(header, tag, (size_t)(mark - b->first)));
}

static void
put_wrapped(struct backwards *b, unsigned tag, const void *p, size_t n)
{
	const unsigned char *mark = b->first;

	put(b, p, n);
	wrap(b, tag, mark);
}

static void
put_nonce(struct backwards *b, const unsigned char *nonce)
{
	static const unsigned char oid[] = { 0x06, 0x09, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07,
		0x30, 0x01, 0x02 };
	const unsigned char *mark = b->first;

	put_wrapped(b, TAG_OCTETS, nonce, OCSP_NONCE);
	wrap(b, TAG_OCTETS, mark);
	put(b, oid, sizeof(oid));
	wrap(b, TAG_SEQUENCE, mark);
	wrap(b, TAG_SEQUENCE, mark);
	wrap(b, TAG_CONTEXT_OF(2), mark);
}

size_t
ocsp_request(const struct ocsp_question *q, const unsigned char *nonce, unsigned char *out)
{
	static const unsigned char sha1[] = { 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02,
		0x1a, 0x05, 0x00 };
	unsigned char digest[WC_SHA_DIGEST_SIZE];
	unsigned char *const end = out + OCSP_REQUEST_MOST;
	struct backwards b = { end, end };
	const unsigned char *mark;
	size_t n;

	if (nonce != NULL)
		put_nonce(&b, nonce);
	mark = b.first;
	put_wrapped(&b, TAG_INTEGER, q->cert.serial.p, q->cert.serial.n);
	hash_span(WC_HASH_TYPE_SHA, q->issuer.key, digest);
	put_wrapped(&b, TAG_OCTETS, digest, sizeof(digest));
	hash_name(WC_HASH_TYPE_SHA, q->issuer.subject, digest);
	put_wrapped(&b, TAG_OCTETS, digest, sizeof(digest));
	put(&b, sha1, sizeof(sha1));
	wrap(&b, TAG_SEQUENCE, mark); /* CertID */
	wrap(&b, TAG_SEQUENCE, mark); /* Request */
	wrap(&b, TAG_SEQUENCE, mark); /* the list of them */
	wrap(&b, TAG_SEQUENCE, end);  /* TBSRequest */
	wrap(&b, TAG_SEQUENCE, end);
	n = (size_t)(end - b.first);
	memmove(out, b.first, n);
	return n;
}

/*
 * The answer.
 */

static const struct {
	struct span oid;
	enum wc_HashType type;
} hashes[] = {
/* clang-format off */
#define HASH(oid, type) { { (const unsigned char *)(oid), sizeof(oid) - 1 }, type }
	/* clang-format on */
	HASH("\x2b\x0e\x03\x02\x1a", WC_HASH_TYPE_SHA),
	HASH("\x60\x86\x48\x01\x65\x03\x04\x02\x01", WC_HASH_TYPE_SHA256),
	HASH("\x60\x86\x48\x01\x65\x03\x04\x02\x02", WC_HASH_TYPE_SHA384),
	HASH("\x60\x86\x48\x01\x65\x03\x04\x02\x03", WC_HASH_TYPE_SHA512),
#undef HASH
};

/* Whether it is about the certificate. */
static bool
is_about(const struct ocsp_question *q, const struct ocsp_single *s)
{
	unsigned char digest[WC_MAX_DIGEST_SIZE];
	size_t i, n;

	for (i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
		if (span_equal(hashes[i].oid, s->hash_alg))
			break;
	if (i == sizeof(hashes) / sizeof(hashes[0]) || !span_equal(s->serial, q->cert.serial))
		return false;
	n = (size_t)wc_HashGetDigestSize(hashes[i].type);
	return hash_name(hashes[i].type, q->issuer.subject, digest) &&
	    span_equal(s->name_hash, (struct span){ digest, n }) &&
	    hash_span(hashes[i].type, q->issuer.key, digest) &&
	    span_equal(s->key_hash, (struct span){ digest, n });
}

/* Whether the answer says that it is this one's. */
static bool
is_named(const struct ocsp_text *t, const struct x509 *signer)
{
	unsigned char digest[WC_SHA_DIGEST_SIZE];

	if (!t->by_key)
		return span_equal(t->responder, signer->subject);
	return hash_span(WC_HASH_TYPE_SHA, signer->key, digest) &&
	    span_equal(t->responder, (struct span){ digest, sizeof(digest) });
}

static bool
has_signed(const struct ocsp_text *t, const struct x509 *signer)
{
	struct x509 as_cert = { .tbs = t->tbs, .sig_alg = t->sig_alg, .sig = t->sig };
	struct errmsg e;

	return pubkey_judge(signer, &e) == 0 && signed_by(&as_cert, signer);
}

/* Whether the CA has made this certificate for answers in its name. */
static bool
is_delegate(const struct ocsp_question *q, const struct x509 *c, int64_t now, struct errmsg *e)
{
	struct span list = c->eku, oid;
	bool meant = false;
	struct errmsg weak;

	while (list.n > 0 && asn1_take(&list, TAG_OID, &oid))
		meant = meant || SPAN_IS(oid, OID_OCSP_SIGNING);
	if (!meant) {
		errmsg_set(e, "its signer's certificate is not made for that (no OCSPSigning)");
		return false;
	}
	if ((c->has_key_usage && (c->key_usage & KU_DIGITAL_SIGNATURE) == 0) ||
	    c->unknown.p != NULL || now < c->not_before || now > c->not_after) {
		errmsg_set(e, "its signer's certificate is out of date, or not made for that");
		return false;
	}
	if (span_equal(c->issuer, q->issuer.subject) && sigalg_judge(c, &weak) == 0 &&
	    pubkey_judge(&q->issuer, &weak) == 0 && signed_by(c, &q->issuer))
		return true;
	errmsg_set(e, "its signer's certificate was not issued by the CA of the certificate "
	    "that was asked about");
	return false;
}

/* Looks for who has signed it. */
static bool
is_authentic(const struct ocsp_question *q, const struct ocsp_text *t, unsigned flags,
    int64_t now, struct errmsg *e)
{
	struct x509 as_cert = { .tbs = t->tbs, .sig_alg = t->sig_alg, .sig = t->sig }, c;
	struct span rest = t->certs;
	struct element cert;

	if (sigalg_judge(&as_cert, e) == -1)
		return false;
	if (is_named(t, &q->issuer) && has_signed(t, &q->issuer))
		return true;
	errmsg_set(e, "it was not signed by the CA of the certificate that was asked about%s",
	    (flags & OCSP_NO_DELEGATES) != 0 ? " itself" : "");
	if ((flags & OCSP_NO_DELEGATES) != 0)
		return false;
	for (int i = 0; i < SIGNERS && asn1_next(&rest, &cert); i++)
		if (x509_parse(&c, cert.whole.p, cert.whole.n) == NULL && is_named(t, &c) &&
		    has_signed(t, &c))
			return is_delegate(q, &c, now, e);
	return false;
}

/* A nonce is an OCTET STRING inside; some have left that out. */
static bool
nonce_is(struct span value, const unsigned char *nonce)
{
	struct span inner, whole = value;

	if (asn1_take(&value, TAG_OCTETS, &inner) && value.n == 0)
		whole = inner;
	return span_equal(whole, (struct span){ nonce, OCSP_NONCE });
}

static int
judge_nonce(const struct ocsp_text *t, const unsigned char *nonce, struct errmsg *e)
{
	if (nonce == NULL)
		return 0;
	if (t->nonce.p == NULL)
		return errmsg_set(e, "it lacks the nonce of the question (OCSPnonce): it could be "
		    "an old one");
	return nonce_is(t->nonce, nonce) ? 0 :
	    errmsg_set(e, "its nonce is not that of the question");
}

static int
judge_dates(const struct ocsp_answer *a, int64_t now, struct errmsg *e)
{
	char then[32], text[32];

	if (a->this_update > now + OCSP_SKEW)
		return errmsg_set(e, "it is valid from %s; it is %s now",
		    cert_time_text(a->this_update, then), cert_time_text(now, text));
	if (a->next_update != INT64_MAX && a->next_update < now - OCSP_SKEW)
		return errmsg_set(e, "it was to be renewed by %s; it is %s now",
		    cert_time_text(a->next_update, then), cert_time_text(now, text));
	if (a->next_update == INT64_MAX && a->this_update < now - OCSP_AGE)
		return errmsg_set(e, "it is of %s, and says that newer ones are always to be had; "
		    "it is %s now", cert_time_text(a->this_update, then),
		    cert_time_text(now, text));
	return 0;
}

/* Of several words about the certificate, that it is revoked counts, then the first. */
static int
find(const struct ocsp_question *q, const struct ocsp_text *t, struct ocsp_answer *a,
    struct errmsg *e)
{
	struct span rest = t->singles;
	struct ocsp_single s;
	bool found = false;

	while (ocsp_next(&rest, &s, e) == 1) {
		if (!is_about(q, &s) || (found && s.says.status != OCSP_REVOKED))
			continue;
		if (found && a->status == OCSP_REVOKED)
			continue;
		*a = s.says;
		found = true;
	}
	return found ? 0 : errmsg_set(e, "it is not about the certificate that was asked about");
}

int
ocsp_answer_read(const struct ocsp_question *q, const unsigned char *der, size_t len,
    const unsigned char *nonce, unsigned flags, int64_t now, struct ocsp_answer *a,
    struct errmsg *e)
{
	struct ocsp_text t;

	if (len > OCSP_ANSWER_MOST)
		return errmsg_set(e, "it is larger than %zu bytes", OCSP_ANSWER_MOST);
	if (ocsp_parse(&t, der, len, e) == -1 || judge_nonce(&t, nonce, e) == -1 ||
	    find(q, &t, a, e) == -1 || judge_dates(a, now, e) == -1)
		return -1;
	return is_authentic(q, &t, flags, now, e) ? 0 : -1;
}
