#ifndef TLS_PUBKEY_PRIV_H_
#define TLS_PUBKEY_PRIV_H_

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/hash.h>

#include "base/errmsg.h"
#include "tls/x509_priv.h"

/*
 * Which keys and signatures are strong enough, and whether a signature is right.
 * What is not listed in pubkey.c is not accepted, whatever the library can do.
 */

enum family { FAMILY_RSA, FAMILY_RSA_PSS, FAMILY_EC, FAMILY_ED25519 };

/* A public key of an accepted kind. */
struct pubkey {
	enum family family;
	int curve;           /* the library's number, of EC */
	struct span point;   /* EC and Ed25519 */
	struct span modulus; /* RSA, likewise the next */
	struct span exponent;
};

/* A kind of signature that is accepted. */
struct sigalg {
	enum family family;
	enum wc_HashType hash; /* not of Ed25519 */
	int mgf, salt;         /* RSA-PSS: the library's mask function, bytes */
};

#define RSA_BITS_LEAST 2048
/* More than this the library cannot verify, and a stranger could make us work. */
#define RSA_BITS_MOST 4096

/* Reads the certificate's key and judges its kind and size.  Returns 0, or -1 with a
 * message such as "its RSA key has 1024 bits; ...". */
int pubkey_read(const struct x509 *, struct pubkey *, struct errmsg *);

/* The bits of a number, as sizes of RSA keys are given. */
size_t pubkey_bits(struct span);

/* Judges the size of a key that pubkey_judge() has accepted by a level as cert_level()
 * has it; the same way. */
int level_judge(const struct x509 *, unsigned level, struct errmsg *);

/* Reads and judges the algorithm that the certificate is signed with; the same way. */
int sigalg_read(const struct x509 *, struct sigalg *, struct errmsg *);

/* The same when only the judgement matters. */
int pubkey_judge(const struct x509 *, struct errmsg *);
int sigalg_judge(const struct x509 *, struct errmsg *);

/* The library chooses its implementation of each hash at the first use and without a
 * lock: to be called before threads judge. */
void hashes_warm_up(void);

/* Whether the key of the issuer made the certificate's signature.  Both must have been
 * judged before.  One that was right lately is not calculated again. */
bool signed_by(const struct x509 *, const struct x509 *issuer);

#endif
