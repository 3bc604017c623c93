#ifndef TLS_CONSTRAINTS_PRIV_H_
#define TLS_CONSTRAINTS_PRIV_H_

#include "base/errmsg.h"
#include "tls/x509_priv.h"

/*
 * Judges whether the name constraints of a CA (RFC 5280 section 4.2.1.10) allow the
 * names of a certificate somewhere below it.  leaf: the certificate is the peer's own,
 * so that its common name may serve as a host name.  Returns 0, or -1 with a message
 * that follows the certificate's subject: "names DNS:a, which ...".
 */
int constraints_judge(
    const struct x509 *ca, const struct x509 *below, bool leaf, struct errmsg *);

#endif
