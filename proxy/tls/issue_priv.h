#ifndef TLS_ISSUE_PRIV_H_
#define TLS_ISSUE_PRIV_H_

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/random.h>

#include <stdbool.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "tls/issuer_priv.h"
#include "tls/keypair_priv.h"

/* A certificate that is to be issued.  The pointers stay the caller's. */
struct issue {
	Cert cert;           /* initialised, with the subject and its other names */
	struct keypair *key; /* the subject's */
	struct issuer *ca;   /* NULL: the key signs for itself */
	bool make_ca;
	int64_t not_before; /* seconds since the epoch */
	int64_t not_after;
	WC_RNG *rng;
};

/* Enough for every certificate. */
#define ISSUE_DER_MAX (8192 + CTC_MAX_ALT_SIZE)

/*
 * Fills in the rest of the certificate, signs it and writes it as DER; then judges it as
 * a peer would, which is the only proof that the CA's key belongs to the CA's
 * certificate and that the CA permits the names.  Returns 0 with what it says (pointing
 * into the DER), or -1.
 */
int issue_cert(
    struct issue *, unsigned char *der, size_t size, struct x509 *says, struct errmsg *);

#endif
