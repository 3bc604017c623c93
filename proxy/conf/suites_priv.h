#ifndef CONF_SUITES_PRIV_H_
#define CONF_SUITES_PRIV_H_

#include <stdbool.h>
#include <stddef.h>

/*
 * The cipher suites up to TLS 1.2, by what they are made of.  A suite is a key exchange and a
 * cipher; not every pair has a number at IANA, but the others do no harm: none of them is there.
 */

/* Key exchange. */
#define KX_RSA 0x01u
#define KX_DHE 0x02u
#define KX_ECDHE 0x04u
#define KX_PSK 0x08u
#define KX_RSA_PSK 0x10u
#define KX_DHE_PSK 0x20u
#define KX_ECDHE_PSK 0x40u
#define KX_SRP 0x80u
#define KX_FIXED 0x100u /* in the certificate: long gone */
#define KX_ANY_PSK (KX_PSK | KX_RSA_PSK | KX_DHE_PSK | KX_ECDHE_PSK)

/* Authentication. */
#define AU_RSA 0x01u
#define AU_ECDSA 0x02u
#define AU_NONE 0x04u
#define AU_PSK 0x08u
#define AU_DSS 0x10u
#define AU_SRP 0x20u
#define AU_FIXED 0x40u

/* Encryption. */
#define ENC_AES128 0x01u /* with CBC */
#define ENC_AES256 0x02u
#define ENC_AES128GCM 0x04u
#define ENC_AES256GCM 0x08u
#define ENC_AES128CCM 0x10u
#define ENC_AES256CCM 0x20u
#define ENC_AES128CCM8 0x40u
#define ENC_AES256CCM8 0x80u
#define ENC_CHACHA20 0x100u
#define ENC_CAMELLIA128 0x200u
#define ENC_CAMELLIA256 0x400u
#define ENC_ARIA128 0x800u
#define ENC_ARIA256 0x1000u
#define ENC_3DES 0x2000u
#define ENC_RC4 0x4000u
#define ENC_SEED 0x8000u
#define ENC_IDEA 0x10000u
#define ENC_DES 0x20000u
#define ENC_RC2 0x40000u
#define ENC_NONE 0x80000u

#define MAC_MD5 0x01u
#define MAC_SHA1 0x02u
#define MAC_SHA256 0x04u
#define MAC_SHA384 0x08u
#define MAC_AEAD 0x10u

#define STRENGTH_HIGH 0x01u
#define STRENGTH_MEDIUM 0x02u
#define STRENGTH_LOW 0x04u
#define STRENGTH_EXPORT 0x08u

/* The version that brought it. */
#define SINCE_SSL3 0x01u
#define SINCE_TLS10 0x02u
#define SINCE_TLS12 0x04u

/* What a word asks for: of each kind one of the bits, or whatever where there are none. */
struct suite_mask {
	unsigned kx, au, enc, mac, strength, since;
};

/* One suite: all single bits. */
struct suite {
	struct suite_mask is;
	unsigned bits;
	bool there; /* the TLS layer has it */
};

#define SUITES_MAX 640

/* All of them, in the order of preference of OpenSSL's list "ALL". */
size_t suites_all(struct suite *);

/* The name that IANA gives the i-th, into a buffer; returns it. */
const char *suites_iana(size_t i, char *, size_t);

/* The suite of an OpenSSL or IANA name of n bytes, or -1. */
int suites_find(const char *, size_t n);

/* What a word of OpenSSL's means.  broad becomes true when it stands for so many suites that
 * nobody expects each of them.  False: the word is unknown. */
bool suites_word(const char *, size_t n, struct suite_mask *, bool *broad);

#endif
