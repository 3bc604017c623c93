#ifndef TLS_PASSPHRASE_PRIV_H_
#define TLS_PASSPHRASE_PRIV_H_

#include "tls/cert.h"
#include "tls/passphrase.h"

/* cert_load_own(), which opens what is encrypted with a passphrase, or, without one (NULL), with what
 * was typed before, or is typed now.  Returns 0 or -1. */
int passphrase_load(const char *cert, const char *key, const struct der *pass, struct der_list *,
    struct der *, int *loose, struct errmsg *);

#endif
