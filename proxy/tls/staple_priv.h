#ifndef TLS_STAPLE_PRIV_H_
#define TLS_STAPLE_PRIV_H_

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "tls/staple.h"

/* A staple that shows nothing yet, for a chain with the certificate in front; its issuer is looked for
 * in it, then among the trusted.  NULL: no memory. */
struct staple *staple_new(const char *service, const char *file, const struct der_list *chain,
    const struct trust *);

/* Has a context show it.  0 or -1. */
int staple_use(struct staple *, WOLFSSL_CTX *);

#endif
