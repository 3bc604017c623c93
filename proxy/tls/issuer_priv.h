#ifndef TLS_ISSUER_PRIV_H_
#define TLS_ISSUER_PRIV_H_

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/asn_public.h>

#include <stdint.h>

#include "base/errmsg.h"
#include "tls/keypair_priv.h"
#include "tls/x509_priv.h"

/* A CA that issues: its certificate, as DER and as what that says, and its key. */
struct issuer {
	DerBuffer *der;
	struct x509 cert; /* points into der */
	struct keypair key;
};

/*
 * Reads a CA of zeros from PEM text and judges whether it may issue now, and (for_ca) to
 * another CA.  The first certificate and the first key count; whether they belong
 * together shows when what the key signed is verified.  Returns 0, or -1 with a message
 * that speaks of "the CA's file".  Either way issuer_free() gives it back.
 */
int issuer_load(
    struct issuer *, const char *pem, size_t, bool for_ca, int64_t now, struct errmsg *);

/* May be called on zeros, and twice. */
void issuer_free(struct issuer *);

#endif
