#ifndef TLS_PASSPHRASE_PRIV_H_
#define TLS_PASSPHRASE_PRIV_H_

#include "tls/context.h"
#include "tls/passphrase.h"

/* cert_load_own() for a policy: what is encrypted is opened with what keyPass names, or with what was typed
 * before, or is typed now.  Warns where others may read what is secret.  Returns 0 or -1. */
int own_load(const struct tls_policy *, struct der_list *chain, struct der *key, struct errmsg *);

#endif
