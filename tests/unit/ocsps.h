#ifndef UNIT_OCSPS_H_
#define UNIT_OCSPS_H_

#include "crls.h"
#include "tls/ocsp.h"

/* A maker of OCSP answers by the CAs of make_certs.sh, wrong ones included. */
struct ocsp_spec {
	const char *signer; /* whose key signs it, and whose name it bears */
	const char *certs;  /* that come with it, parted by blanks */
	const char *about;  /* "good:leaf revoked:other …" */
	int from, to;       /* hours from the present; to 0: no nextUpdate */
	const char *odd;    /* what is special about it */
};

static inline bool
ocsp_is(const struct ocsp_spec *s, const char *word)
{
	return s->odd != NULL && strstr(s->odd, word) != NULL;
}

static inline void
ocsp_write_hash(struct writer *w, const struct ocsp_spec *s, struct span a, bool wrap)
{
	unsigned char whole[512] = { 0 }, digest[WC_MAX_DIGEST_SIZE];
	enum wc_HashType type = ocsp_is(s, "sha256") ? WC_HASH_TYPE_SHA256 : WC_HASH_TYPE_SHA;
	struct writer text = writer_new(1024);
	size_t end = text.at;

	writer_bytes(&text, a.p, a.n);
	if (wrap)
		writer_wrap(&text, TAG_SEQUENCE, end);
	assert(end - text.at <= sizeof(whole));
	if (wc_Hash(type, text.buf + text.at, (word32)(end - text.at), digest,
	    (word32)wc_HashGetDigestSize(type)) != 0)
		abort();
	writer_tlv(w, TAG_OCTETS, digest, (size_t)wc_HashGetDigestSize(type));
	free(text.buf);
}

static inline void
ocsp_write_id(struct writer *w, const struct ocsp_spec *s, const char *name)
{
	struct der der = certs_load(name);
	struct der ca = certs_load(ocsp_is(s, "other-issuer") ? "root_b" : "root");
	struct x509 c, issuer;
	size_t mark = w->at;

	if (x509_parse(&c, der.data, der.len) != NULL ||
	    x509_parse(&issuer, ca.data, ca.len) != NULL)
		abort();
	writer_tlv(w, TAG_INTEGER, c.serial.p, c.serial.n);
	ocsp_write_hash(w, s, issuer.key, false);
	ocsp_write_hash(w, s, issuer.subject, true);
	if (ocsp_is(s, "sha256"))
		writer_bytes(w, "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01", 13);
	else if (ocsp_is(s, "md5"))
		writer_bytes(w, "\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00", 14);
	else
		writer_bytes(w, "\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00", 11);
	writer_wrap(w, TAG_SEQUENCE, mark);
	free(der.data);
	free(ca.data);
}

static inline void
ocsp_write_status(struct writer *w, const struct ocsp_spec *s, const char *status)
{
	size_t mark = w->at;

	if (strcmp(status, "good") == 0) {
		writer_tlv(w, TAG_CONTEXT(0), "x", ocsp_is(s, "good-body") ? 1 : 0);
	} else if (strcmp(status, "unknown") == 0) {
		writer_tlv(w, TAG_CONTEXT(2), "", 0);
	} else if (strcmp(status, "revoked") == 0) {
		if (ocsp_is(s, "reason"))
			writer_bytes(w, "\xa0\x03\x0a\x01\x01", 5);
		writer_time(w, time(NULL) - 7200);
		writer_wrap(w, TAG_CONTEXT_OF(1), mark);
	} else {
		writer_tlv(w, TAG_CONTEXT(3), "", 0);
	}
}

static inline void
ocsp_write_single(struct writer *w, const struct ocsp_spec *s, char *text)
{
	char *name = strchr(text, ':');
	size_t mark = w->at, inner;

	*name++ = '\0';
	if (ocsp_is(s, "single-critical")) {
		WRITER_EXTENSION(w, "\x2a\x03\x04", true, "\x05\x00");
		writer_wrap(w, TAG_SEQUENCE, mark);
		writer_wrap(w, TAG_CONTEXT_OF(1), mark);
	}
	if (ocsp_is(s, "behind"))
		writer_tlv(w, TAG_NULL, "", 0);
	if (s->to != 0) {
		inner = w->at;
		writer_time(w, time(NULL) + (time_t)s->to * 3600);
		writer_wrap(w, TAG_CONTEXT_OF(0), inner);
	}
	if (ocsp_is(s, "utc"))
		writer_tlv(w, TAG_UTC_TIME, "250101000000Z", 13);
	else
		writer_time(w, time(NULL) + (time_t)s->from * 3600);
	ocsp_write_status(w, s, text);
	ocsp_write_id(w, s, name);
	writer_wrap(w, TAG_SEQUENCE, mark);
}

static inline void
ocsp_write_nonce(struct writer *w, const struct ocsp_spec *s)
{
	unsigned char nonce[OCSP_NONCE + 2] = { TAG_OCTETS, OCSP_NONCE };
	static const char oid[] = "\x2b\x06\x01\x05\x05\x07\x30\x01\x02";

	memset(nonce + 2, ocsp_is(s, "nonce-other") ? 'b' : 'a', OCSP_NONCE);
	if (ocsp_is(s, "nonce-bare"))
		writer_extension(w, oid, 9, false, nonce + 2, OCSP_NONCE);
	else
		writer_extension(w, oid, 9, false, nonce, sizeof(nonce));
}

static inline void
ocsp_write_extensions(struct writer *w, const struct ocsp_spec *s)
{
	size_t mark = w->at;

	if (ocsp_is(s, "nonce"))
		ocsp_write_nonce(w, s);
	if (ocsp_is(s, "nonce-twice"))
		ocsp_write_nonce(w, s);
	if (ocsp_is(s, "critical"))
		WRITER_EXTENSION(w, "\x2a\x03\x04", true, "\x05\x00");
	if (ocsp_is(s, "harmless"))
		WRITER_EXTENSION(w, "\x2a\x03\x04", false, "\x05\x00");
	if (w->at == mark)
		return;
	writer_wrap(w, TAG_SEQUENCE, mark);
	writer_wrap(w, TAG_CONTEXT_OF(1), mark);
}

static inline void
ocsp_write_responder(struct writer *w, const struct ocsp_spec *s)
{
	struct der der = certs_load(ocsp_is(s, "named-leaf") ? "leaf" : s->signer);
	unsigned char digest[WC_SHA_DIGEST_SIZE];
	size_t mark = w->at;
	struct x509 c;

	if (x509_parse(&c, der.data, der.len) != NULL ||
	    wc_Hash(WC_HASH_TYPE_SHA, c.key.p, (word32)c.key.n, digest, sizeof(digest)) != 0)
		abort();
	if (ocsp_is(s, "by-key"))
		writer_tlv(w, TAG_OCTETS, digest, sizeof(digest));
	else
		writer_tlv(w, TAG_SEQUENCE, c.subject.p, c.subject.n);
	writer_wrap(w, ocsp_is(s, "by-key") ? TAG_CONTEXT_OF(2) : TAG_CONTEXT_OF(1), mark);
	free(der.data);
}

/* ResponseData. */
static inline void
ocsp_write_data(struct writer *w, const struct ocsp_spec *s)
{
	char buf[256], *word, *save;
	size_t end = w->at, singles;

	if (ocsp_is(s, "trailing"))
		writer_tlv(w, TAG_NULL, "", 0);
	ocsp_write_extensions(w, s);
	singles = w->at;
	snprintf(buf, sizeof(buf), "%s", s->about);
	for (word = strtok_r(buf, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save))
		ocsp_write_single(w, s, word);
	writer_wrap(w, TAG_SEQUENCE, singles);
	writer_time(w, time(NULL));
	ocsp_write_responder(w, s);
	if (ocsp_is(s, "v2"))
		writer_bytes(w, "\xa0\x03\x02\x01\x01", 5);
	writer_wrap(w, TAG_SEQUENCE, end);
}

static inline void
ocsp_write_certs(struct writer *w, const struct ocsp_spec *s)
{
	char buf[256], *word, *save;
	size_t mark = w->at;

	snprintf(buf, sizeof(buf), "%s", s->certs != NULL ? s->certs : "");
	for (word = strtok_r(buf, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
		struct der der = certs_load(word);

		writer_bytes(w, der.data, der.len);
		free(der.data);
	}
	if (w->at == mark)
		return;
	writer_wrap(w, TAG_SEQUENCE, mark);
	writer_wrap(w, TAG_CONTEXT_OF(0), mark);
}

static inline struct der
ocsp_make(const struct ocsp_spec *s)
{
	const struct crl_spec alg = { .odd = ocsp_is(s, "sha1") ? "sha1" : NULL };
	struct writer tbs = writer_new(8192), w = writer_new(16384);
	size_t end = w.at, inner = w.at, mark, len;
	unsigned char sig[256];
	struct der part, all;

	ocsp_write_data(&tbs, s);
	part = (struct der){ tbs.buf + tbs.at, tbs.cap - tbs.at };
	len = crl_sign(ocsp_is(s, "key-of-other") ? "root_b" : s->signer, &part, sig, sizeof(sig));
	ocsp_write_certs(&w, s);
	mark = w.at;
	writer_bytes(&w, sig, len);
	writer_bytes(&w, "", 1);
	writer_wrap(&w, TAG_BITS, mark);
	crl_write_algorithm(&w, &alg);
	writer_bytes(&w, part.data, part.len);
	writer_wrap(&w, TAG_SEQUENCE, inner);
	writer_wrap(&w, TAG_OCTETS, inner);
	writer_tlv(&w, TAG_OID, ocsp_is(s, "kind") ? "\x2b\x06\x01\x05\x05\x07\x30\x01\x09" :
	    "\x2b\x06\x01\x05\x05\x07\x30\x01\x01", 9);
	writer_wrap(&w, TAG_SEQUENCE, inner);
	writer_wrap(&w, TAG_CONTEXT_OF(0), inner);
	writer_tlv(&w, 0x0a, ocsp_is(s, "later") ? "\x03" : "", 1);
	writer_wrap(&w, TAG_SEQUENCE, end);
	all.len = end - w.at;
	if ((all.data = malloc(all.len)) == NULL)
		abort();
	memcpy(all.data, w.buf + w.at, all.len);
	free(w.buf);
	free(tbs.buf);
	return all;
}

#endif
