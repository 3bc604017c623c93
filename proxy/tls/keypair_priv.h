#ifndef TLS_KEYPAIR_PRIV_H_
#define TLS_KEYPAIR_PRIV_H_

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include "tls/keygen.h"
#include "tls/pubkey_priv.h"

/*
 * A private key with its public half, to sign with.  Begin with one of zeros; what
 * keypair_generate() or keypair_decode() filled, even when they failed, is given back
 * with keypair_free(), which may be called on zeros and twice.  Both, and
 * keypair_encode(), return a negative error of wolfSSL's.
 */
struct keypair {
	const struct keypair_kind *kind; /* NULL: there is none yet */
	int type;                        /* wolfSSL's number of the kind */
	union keypair_key {
		RsaKey rsa;
		ecc_key ecc;
		ed25519_key ed;
	} key;
};

/* Enough for keypair_encode(). */
#define KEYPAIR_DER_MAX 4096

/* Makes a new key.  Returns 0 or an error. */
int keypair_generate(struct keypair *, enum key_type, WC_RNG *);

/* Reads a key of a family, which is not FAMILY_RSA_PSS, from PKCS#8 or the family's own
 * older form.  Returns 0 or an error. */
int keypair_decode(struct keypair *, enum family, const unsigned char *, size_t);

/* Writes the private key as PKCS#8.  Returns its length or an error. */
int keypair_encode(struct keypair *, unsigned char *, size_t);

/* wolfSSL's number of the signature that the key makes, with a hash as strong as it. */
int keypair_signature(struct keypair *);

void keypair_free(struct keypair *);

#endif
