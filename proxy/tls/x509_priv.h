#ifndef TLS_X509_PRIV_H_
#define TLS_X509_PRIV_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/asn1_priv.h"

/*
 * What a certificate says, read strictly and without judging it.  We read it ourselves
 * because wolfSSL's DecodedCert drops what the rules need (names and constraints of
 * forms it does not know, which unknown extension was critical) and refuses weak keys
 * before one could say that they are weak.
 */
struct x509 {
	struct span der;    /* all of it; the spans below point into it */
	struct span tbs;    /* the part that is signed */
	struct span serial; /* an INTEGER's bytes */
	struct span issuer; /* Names, without tag and length */
	struct span subject;
	struct span key_alg; /* AlgorithmIdentifier, without tag and length */
	struct span spki;    /* SubjectPublicKeyInfo, with tag and length */
	struct span key;     /* the bits of the subject's public key */
	struct span sig_alg; /* like key_alg; the same inside and outside */
	struct span sig;
	int64_t not_before; /* seconds since the epoch */
	int64_t not_after;
	unsigned version; /* 1, 2 or 3 */

	bool is_ca; /* basicConstraints */
	bool has_pathlen;
	unsigned pathlen;
	bool has_key_usage;
	unsigned key_usage; /* KU_… */
	struct span eku;    /* OBJECT IDENTIFIERs; p is NULL where there is none */
	struct span skid;   /* key identifiers; likewise */
	struct span akid;
	bool has_san;
	struct span san;       /* GeneralNames */
	struct span permitted; /* GeneralSubtrees; p is NULL where there is none */
	struct span excluded;
	struct span cdp;       /* cRLDistributionPoints as they are; see crl_points.c */
	struct span aia;       /* authorityInfoAccess as it is; see ocsp.c */
	struct span unknown; /* the first critical extension that we do not know */
};

/* Bits of key_usage: the first bit of the BIT STRING is the highest. */
#define KU_DIGITAL_SIGNATURE 0x80u
#define KU_KEY_CERT_SIGN 0x04u
#define KU_CRL_SIGN 0x02u

/* Reads a certificate, of which the bytes must outlive the struct.  Returns NULL, or
 * what is wrong with it, in words that can follow "the certificate is malformed: ". */
const char *x509_parse(struct x509 *, const unsigned char *, size_t);

/* The SHA-256 of all of it, into CERT_FP_LEN bytes. */
void x509_fingerprint(const struct x509 *, unsigned char *);

/* The same of its public key (SubjectPublicKeyInfo). */
void x509_key_fingerprint(const struct x509 *, unsigned char *);

/* Whether both are the same, byte for byte. */
bool x509_same(const struct x509 *, const struct x509 *);

/* Whether its subject is its issuer. */
bool x509_self_issued(const struct x509 *);

/* Walks through the attributes of a Name. */
struct name_walk {
	struct span rdns; /* what follows */
	struct span rdn;  /* what is left of the present one */
	bool broken;      /* ended because the Name is malformed */
};

struct name_attr {
	struct span oid;
	struct element value;
	bool joined; /* belongs to the same relative name as the attribute before */
};

struct name_walk name_walk(struct span name);
bool name_next(struct name_walk *, struct name_attr *);
bool name_is_sound(struct span name);

#define OID_COMMON_NAME "\x55\x04\x03"
#define OID_EMAIL "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"

/* The tags of GeneralNames that are understood: see x509_names_text() and name.c. */
#define NAME_EMAIL TAG_CONTEXT(1)
#define NAME_DNS TAG_CONTEXT(2)
#define NAME_DIRECTORY TAG_CONTEXT_OF(4)
#define NAME_URI TAG_CONTEXT(6)
#define NAME_IP TAG_CONTEXT(7)

/* One GeneralName.  Of a directory name, the value is the Name without tag and length. */
struct general_name {
	unsigned tag;
	struct span value;
};

/* Reads one.  Returns false when it is malformed. */
bool general_name_read(const struct element *, struct general_name *);

/* Takes the next one off a list that x509_parse() has found well-formed. */
bool general_name_next(struct span *, struct general_name *);
bool general_names_are_sound(struct span);

/* For people: "CN=a, O=b" in the order of the certificate, and "DNS:a, IP:192.0.2.1".
 * Control characters, what is not UTF-8 and what could pass for another name are
 * escaped; what does not fit the buffer ends with "...".  All return the buffer. */
const char *x509_name_text(struct span name, char *, size_t);
const char *x509_names_text(const struct x509 *, char *, size_t);
const char *general_name_text(const struct general_name *, char *, size_t);

/* Whether it is UTF-8 of which every character shows. */
bool text_is_plain(struct span);

/* Enough for a name inside a message. */
#define NAME_TEXT 160

/* Whether this is a host name: labels of letters, digits, '-' and '_'. */
bool host_is_sound(struct span);

/* Whether the certificate names the host: see trust_name_matches(). */
bool x509_names_host(const struct x509 *, const char *);

/* The common name that names a host for want of alternative names.  Returns false when
 * there is none, or it cannot be a host's. */
bool x509_host_common_name(const struct x509 *, struct span *);

#endif
