#ifndef UNIT_CHANGES_H_
#define UNIT_CHANGES_H_

#include "crls.h"

/*
 * Certificates that no tool would make: those of make_certs.sh, changed byte by byte, and where it
 * matters signed again.
 */

static inline void
change_put(const char *name, const struct der *der)
{
	certs_write_pem(name, "CERTIFICATE", der->data, der->len);
}

static inline unsigned char *
change_find(const struct der *der, const void *bytes, size_t n)
{
	unsigned char *at = memmem(der->data, der->len, bytes, n);

	assert(at != NULL);
	return at;
}

/* A certificate with the key of another one: all that names it, and its signature, stay. */
static inline void
make_clone(const char *name, const char *from, const char *forger)
{
	static const unsigned char head[] = { 0x03, 0x42, 0x00, 0x04 };
	struct der victim = certs_load(from), evil = certs_load(forger);

	memcpy(change_find(&victim, head, sizeof(head)),
	    change_find(&evil, head, sizeof(head)), 68);
	change_put(name, &victim);
	free(victim.data);
	free(evil.data);
}

/* A certificate with another byte at the end of its signature: the same claims. */
static inline void
make_broken(const char *from, const char *to)
{
	struct der der = certs_load(from);

	der.data[der.len - 1] ^= 1;
	change_put(to, &der);
	free(der.data);
}

/* The same names with a NUL inside. */
static inline void
make_nul(const char *name)
{
	struct der der = certs_load(name);
	unsigned char *at;

	while ((at = memmem(der.data, der.len, "XQZ", 3)) != NULL)
		memcpy(at, "\0.x", 3);
	change_put(name, &der);
	free(der.data);
}

static inline size_t
change_hex(const char *hex, unsigned char *bytes)
{
	size_t n;
	unsigned v;

	for (n = 0; sscanf(hex + 2 * n, "%2x", &v) == 1; n++)
		bytes[n] = (unsigned char)v;
	return n;
}

/* Signs a TBSCertificate, the bytes from at to end of the writer, by somebody's EC key. */
static inline void
change_sign(const char *name, const char *signer, const struct der *tbs)
{
	const struct crl_spec plain = { 0 };
	struct writer w = writer_new(tbs->len + 512);
	unsigned char sig[256];
	size_t end = w.at, len = crl_sign(signer, tbs, sig, sizeof(sig));
	struct der out;

	writer_bytes(&w, sig, len);
	writer_bytes(&w, "", 1);
	writer_wrap(&w, TAG_BITS, end);
	crl_write_algorithm(&w, &plain);
	writer_bytes(&w, tbs->data, tbs->len);
	writer_wrap(&w, TAG_SEQUENCE, end);
	out = (struct der){ w.buf + w.at, end - w.at };
	certs_put_raw(name, &out);
	free(w.buf);
}

/* The signed part of a certificate, inside of it. */
static inline struct der
change_tbs(const struct der *der, struct x509 *c)
{
	if (x509_parse(c, der->data, der->len) != NULL)
		abort();
	return (struct der){ der->data + (c->tbs.p - der->data), c->tbs.n };
}

/* Another certificate with bytes (in hexadecimal) replaced by as many, signed again by its issuer's
 * EC key. */
static inline void
make_changed(const char *name, const char *from, const char *signer, const char *hex,
    const char *to)
{
	struct der der = certs_load(from), tbs;
	unsigned char old[64], new[64];
	size_t n = change_hex(hex, old);
	struct x509 c;

	tbs = change_tbs(&der, &c);
	if (change_hex(to, new) != n)
		abort();
	memcpy(change_find(&tbs, old, n), new, n);
	change_sign(name, signer, &tbs);
	free(der.data);
}

/* The same with other dates, in seconds from the present. */
static inline void
make_dated(const char *name, const char *from, const char *signer, long begin, long end)
{
	const time_t now = time(NULL), dates[] = { now + begin, now + end };
	struct der der = certs_load(from), tbs;
	unsigned char *at;
	struct x509 c;
	char text[16];
	struct tm tm;

	tbs = change_tbs(&der, &c);
	at = change_find(&tbs, "\x30\x1e\x17\x0d", 4);
	for (size_t i = 0; i < 2; i++) {
		strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", gmtime_r(&dates[i], &tm));
		memcpy(at + 4 + 15 * i, text + 2, 13); /* UTCTime: without the century */
	}
	change_sign(name, signer, &tbs);
	free(der.data);
}

/* A certificate of version 1: without the version and the extensions of another, signed again. */
static inline void
make_v1(const char *from, const char *to, const char *signer)
{
	struct der der = certs_load(from), tbs;
	struct x509 c;
	struct writer w;
	const unsigned char *begin;
	size_t end;

	change_tbs(&der, &c);
	w = writer_new(c.tbs.n + 64);
	end = w.at;
	/* From the serial number to the key: in front of them stands [0] with the version. */
	begin = c.serial.p - 2;
	writer_bytes(&w, begin, (size_t)(c.spki.p + c.spki.n - begin));
	writer_wrap(&w, TAG_SEQUENCE, end);
	tbs = (struct der){ w.buf + w.at, end - w.at };
	change_sign(to, signer, &tbs);
	free(w.buf);
	free(der.data);
}

/* Another name inside, and the old signature. */
static inline void
make_altered(const char *name, const char *from)
{
	struct der der = certs_load(from);
	unsigned char *at = change_find(&der, "\x82\x10leaf", 6);

	memcpy(at + 2, "evil", 4);
	certs_put_raw(name, &der);
	free(der.data);
}

/* Cut by a byte, or with one more. */
static inline void
make_longer(const char *name, const char *from, int by)
{
	struct der der = certs_load(from);

	der.data = realloc(der.data, der.len + 1);
	assert(der.data != NULL);
	der.data[der.len] = 0;
	der.len = by > 0 ? der.len + 1 : der.len - 1;
	certs_put_raw(name, &der);
	free(der.data);
}

/* Another algorithm outside, where nothing is signed. */
static inline void
make_other_algorithm(const char *name, const char *from)
{
	static const unsigned char sha256[] = "\x2a\x86\x48\xce\x3d\x04\x03\x02";
	struct der der = certs_load(from);
	unsigned char *at = change_find(&der, sha256, 8), *next;

	while ((next = memmem(at + 1, (size_t)(der.data + der.len - at - 1), sha256, 8)) != NULL)
		at = next;
	at[7] = 3;
	certs_put_raw(name, &der);
	free(der.data);
}

#endif
