#ifndef TLS_LOCKED_PRIV_H_
#define TLS_LOCKED_PRIV_H_

#include <stdbool.h>

#include "tls/cert.h"

/* Keys under a passphrase. */

/* The name of the cipher, in what is under a passphrase, that this wolfSSL does not have; NULL: none
 * that we know. */
const char *locked_cipher(const unsigned char *, size_t);

/* Opens an EncryptedPrivateKeyInfo (RFC 5958): the key takes its place, and its length is less.
 * Returns 0, or -1 or CERT_LOCKED with the message filled, which names no file. */
int locked_open(struct der *, const struct der *pass, const char *file, struct errmsg *);

/* Whether a file is a PKCS#12 one (RFC 7292). */
bool pkcs12_is(const char *data, size_t);

/* What is in it: our certificate, those of the CAs up from it, and its key (PKCS#8, to be freed with
 * cert_free_secret()).  No passphrase is an empty one.  Returns as cert_load_own(). */
int pkcs12_read(const char *file, const char *data, size_t, const struct der *pass,
    struct der_list *, struct der *key, struct errmsg *);

#endif
