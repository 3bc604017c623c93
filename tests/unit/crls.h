#ifndef UNIT_CRLS_H_
#define UNIT_CRLS_H_

#include <wolfssl/options.h>

#include <assert.h>
#include <time.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/signature.h>

#include "certs.h"
#include "tls/x509_priv.h"

/*
 * A maker of CRLs by the CAs of make_certs.sh, wrong ones included: DER is written from
 * the end to the front, so that every length is known when it is written.
 */
struct writer {
	unsigned char *buf;
	size_t cap, at; /* what is written stands from at on */
};

static inline struct writer
writer_new(size_t cap)
{
	struct writer w = { malloc(cap), cap, cap };

	assert(w.buf != NULL);
	return w;
}

static inline void
writer_bytes(struct writer *w, const void *p, size_t n)
{
	assert(w->at >= n);
	w->at -= n;
	memcpy(w->buf + w->at, p, n);
}

/* Puts tag and length in front of what was written since the mark (an earlier at). */
static inline void
writer_wrap(struct writer *w, unsigned char tag, size_t mark)
{
	size_t n = mark - w->at;
	unsigned char head[6] = { tag };
	size_t len = 2;

	if (n < 0x80) {
		head[1] = (unsigned char)n;
	} else {
		len = n > 0xffffff ? 6 : n > 0xffff ? 5 : n > 0xff ? 4 : 3;
		head[1] = (unsigned char)(0x80 | (len - 2));
		for (size_t i = 2; i < len; i++)
			head[i] = (unsigned char)(n >> 8 * (len - 1 - i));
	}
	writer_bytes(w, head, len);
}

static inline void
writer_tlv(struct writer *w, unsigned char tag, const void *p, size_t n)
{
	size_t mark = w->at;

	writer_bytes(w, p, n);
	writer_wrap(w, tag, mark);
}

/* An extension of an object identifier and its value, each as DER without outer tag. */
static inline void
writer_extension(struct writer *w, const char *oid, size_t oid_len, bool critical,
    const void *value, size_t n)
{
	size_t mark = w->at;

	writer_tlv(w, TAG_OCTETS, value, n);
	if (critical)
		writer_tlv(w, TAG_BOOLEAN, "\xff", 1);
	writer_tlv(w, TAG_OID, oid, oid_len);
	writer_wrap(w, TAG_SEQUENCE, mark);
}

#define WRITER_EXTENSION(w, oid, critical, value) \
	writer_extension(w, oid, sizeof(oid) - 1, critical, value, sizeof(value) - 1)

static inline void
writer_time(struct writer *w, time_t when)
{
	char text[32];
	struct tm tm;
	size_t n;

	gmtime_r(&when, &tm);
	n = strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm);
	writer_tlv(w, TAG_GENERAL_TIME, text, n);
}

/* What a CRL is to be. */
struct crl_spec {
	const char *name;    /* of the file: NAME.crl, and NAME.der */
	const char *issuer;  /* whose name it bears */
	const char *key;     /* whose key signs it; NULL: the issuer's */
	int number;          /* 0: none */
	int from, to;        /* days from the present; to 0: no nextUpdate */
	const char *revoked; /* names of certificates, parted by blanks; "!": freed again */
	const char *odd;     /* what is special about it, words of crl_odds */
};

static inline bool
crl_is(const struct crl_spec *s, const char *word)
{
	return s->odd != NULL && strstr(s->odd, word) != NULL;
}

static inline void
crl_write_extensions(struct writer *w, const struct crl_spec *s)
{
	static const char number[] = "\x55\x1d\x14";
	size_t mark = w->at;
	unsigned char n[4] = { TAG_INTEGER, 2, (unsigned char)(s->number >> 8),
		(unsigned char)s->number };

	if (s->number != 0 && s->number < 0x80)
		writer_extension(w, number, 3, false,
		    (unsigned char[]){ TAG_INTEGER, 1, n[3] }, 3);
	else if (s->number != 0)
		writer_extension(w, number, 3, false, n, sizeof(n));
	if (crl_is(s, "critical"))
		WRITER_EXTENSION(w, "\x2a\x03\x04", true, "\x05\x00");
	if (crl_is(s, "harmless"))
		WRITER_EXTENSION(w, "\x2a\x03\x04", false, "\x05\x00");
	if (crl_is(s, "delta"))
		WRITER_EXTENSION(w, "\x55\x1d\x1b", true, "\x02\x01\x01");
	if (crl_is(s, "users"))
		WRITER_EXTENSION(w, "\x55\x1d\x1c", true, "\x30\x03\x81\x01\xff");
	if (crl_is(s, "cas"))
		WRITER_EXTENSION(w, "\x55\x1d\x1c", true, "\x30\x03\x82\x01\xff");
	if (crl_is(s, "reasons"))
		WRITER_EXTENSION(w, "\x55\x1d\x1c", true, "\x30\x04\x83\x02\x01\x40");
	if (crl_is(s, "indirect"))
		WRITER_EXTENSION(w, "\x55\x1d\x1c", true, "\x30\x03\x84\x01\xff");
	if (crl_is(s, "attributes"))
		WRITER_EXTENSION(w, "\x55\x1d\x1c", true, "\x30\x03\x85\x01\xff");
	if (crl_is(s, "point-a"))
		WRITER_EXTENSION(w, "\x55\x1d\x1c", true,
		    "\x30\x0e\xa0\x0c\xa0\x0a\x86\x08http://a");
	if (crl_is(s, "relative"))
		WRITER_EXTENSION(w, "\x55\x1d\x1c", true,
		    "\x30\x0f\xa0\x0d\xa1\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02"
		    "ab");
	if (crl_is(s, "twice"))
		WRITER_EXTENSION(w, "\x55\x1d\x14", false, "\x02\x01\x01");
	if (w->at == mark)
		return;
	writer_wrap(w, TAG_SEQUENCE, mark);
	writer_wrap(w, TAG_CONTEXT_OF(0), mark);
}

/* An entry; reason 0: none. */
static inline void
crl_write_entry(struct writer *w, const struct crl_spec *s, const void *serial, size_t len,
    unsigned char reason)
{
	const unsigned char value[] = { 0x0a, 1, reason };
	size_t mark = w->at;

	if (reason != 0)
		writer_extension(w, "\x55\x1d\x15", 3, false, value, sizeof(value));
	if (s != NULL && crl_is(s, "strange-entry"))
		WRITER_EXTENSION(w, "\x2a\x03\x05", true, "\x05\x00");
	if (s != NULL && crl_is(s, "other-issuer"))
		WRITER_EXTENSION(w, "\x55\x1d\x1d", true, "\x30\x00");
	if (w->at != mark)
		writer_wrap(w, TAG_SEQUENCE, mark);
	writer_tlv(w, TAG_UTC_TIME, "200101000000Z", 13);
	writer_tlv(w, TAG_INTEGER, serial, len);
	writer_wrap(w, TAG_SEQUENCE, mark);
}

static inline void
crl_write_revoked(struct writer *w, const struct crl_spec *s)
{
	char buf[256], *word, *save;
	struct x509 c;

	snprintf(buf, sizeof(buf), "%s", s->revoked != NULL ? s->revoked : "");
	for (word = strtok_r(buf, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save)) {
		bool removed = *word == '!';
		struct der der = certs_load(word + removed);

		if (x509_parse(&c, der.data, der.len) != NULL)
			abort();
		crl_write_entry(w, s, c.serial.p, c.serial.n,
		    removed ? 8 : crl_is(s, "held") ? 6 : 0);
		free(der.data);
	}
}

/* ecdsa-with-SHA256, or with SHA1. */
static inline void
crl_write_algorithm(struct writer *w, const struct crl_spec *s)
{
	size_t mark = w->at;

	if (crl_is(s, "sha1"))
		writer_tlv(w, TAG_OID, "\x2a\x86\x48\xce\x3d\x04\x01", 7);
	else
		writer_tlv(w, TAG_OID, "\x2a\x86\x48\xce\x3d\x04\x03\x02", 8);
	writer_wrap(w, TAG_SEQUENCE, mark);
}

static inline void
crl_write_issuer(struct writer *w, const struct crl_spec *s)
{
	struct der der = certs_load(s->issuer);
	struct x509 c;

	if (x509_parse(&c, der.data, der.len) != NULL)
		abort();
	writer_tlv(w, TAG_SEQUENCE, c.subject.p, c.subject.n);
	free(der.data);
}

/* The signed part behind the entries that the writer has, which it wraps. */
static inline struct der
crl_write_tbs(struct writer *w, const struct crl_spec *s, size_t entries, size_t end)
{
	const time_t now = time(NULL);
	struct der tbs;

	if (w->at != entries)
		writer_wrap(w, TAG_SEQUENCE, entries);
	if (s->to != 0)
		writer_time(w, now + (time_t)s->to * 86400);
	writer_time(w, now + (time_t)s->from * 86400);
	crl_write_issuer(w, s);
	crl_write_algorithm(w, s);
	if (!crl_is(s, "v1"))
		writer_tlv(w, TAG_INTEGER, crl_is(s, "v3") ? "\x02" : "\x01", 1);
	writer_wrap(w, TAG_SEQUENCE, end);
	tbs = (struct der){ w->buf + w->at, end - w->at };
	return tbs;
}

static inline size_t
crl_sign(const char *name, const struct der *tbs, unsigned char *sig, size_t cap)
{
	struct der der;
	struct errmsg e;
	ecc_key key;
	WC_RNG rng;
	word32 at = 0, len = (word32)cap;
	int loose;

	if (cert_load_key(certs_path(name, ".key"), &der, &loose, &e) == -1 ||
	    wc_InitRng(&rng) != 0 || wc_ecc_init(&key) != 0 ||
	    wc_EccPrivateKeyDecode(der.data, &at, &key, (word32)der.len) != 0 ||
	    wc_SignatureGenerate(WC_HASH_TYPE_SHA256, WC_SIGNATURE_TYPE_ECC, tbs->data,
		(word32)tbs->len, sig, &len, &key, sizeof(key), &rng) != 0)
		abort();
	wc_ecc_free(&key);
	wc_FreeRng(&rng);
	cert_free_secret(der.data, der.len);
	return len;
}

/* Signs what stands at the end of the writer, and makes a CRL of it. */
static inline struct der
crl_finish(struct writer *w, const struct crl_spec *s, const struct der *tbs)
{
	const char *key = s->key != NULL ? s->key : s->issuer;
	unsigned char sig[256];
	size_t len = crl_sign(key, tbs, sig, sizeof(sig)), n;
	struct writer out = writer_new(tbs->len + 512);
	struct der crl;

	if (crl_is(s, "broken"))
		sig[len - 1] ^= 1;
	n = out.at;
	writer_bytes(&out, sig, len);
	writer_bytes(&out, "", 1);
	writer_wrap(&out, TAG_BITS, n);
	crl_write_algorithm(&out, s);
	writer_bytes(&out, tbs->data, tbs->len);
	writer_wrap(&out, TAG_SEQUENCE, n);
	free(w->buf);
	crl.len = n - out.at;
	crl.data = malloc(crl.len);
	assert(crl.data != NULL);
	memcpy(crl.data, out.buf + out.at, crl.len);
	free(out.buf);
	return crl;
}

/* Writes NAME.crl in PEM and NAME.der. */
static inline void
crl_put_files(const char *name, const struct der *crl)
{
	certs_write(certs_path(name, ".der"), crl->data, crl->len);
	certs_write_pem(name, "X509 CRL", crl->data, crl->len);
	rename(certs_path(name, ".pem"), certs_path(name, ".crl"));
}

static inline struct der
crl_make(const struct crl_spec *s)
{
	struct writer w = writer_new(8192);
	size_t end = w.at, entries;
	struct der tbs;

	crl_write_extensions(&w, s);
	entries = w.at;
	crl_write_revoked(&w, s);
	tbs = crl_write_tbs(&w, s, entries, end);
	return crl_finish(&w, s, &tbs);
}

static inline void
crl_make_file(const struct crl_spec *s)
{
	struct der crl = crl_make(s);

	crl_put_files(s->name, &crl);
	free(crl.data);
}

#endif
