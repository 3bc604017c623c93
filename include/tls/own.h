#ifndef TLS_OWN_H_
#define TLS_OWN_H_

#include "tls/context.h"
#include "tls/crl.h"

/* How many certificates of ours a context shows. */
size_t tls_context_certs(const struct tls_context *);

/*
 * Judges one of them as the other end would, if it had the rules of this context and these CRLs (NULL:
 * none): its dates and its use by itself; and where CAs are trusted, whether they, the CRLs and
 * the deny rules would let it pass.  Others may have other rules, so nothing of that is an error.
 * Returns 0, or the level of syslog at which the message is to be told: a warning of what fails
 * wherever certificates are judged, a notice of what may be meant.
 */
int tls_own_judge(const struct tls_context *, size_t, struct crl_set *, int64_t now,
    struct errmsg *);

#endif
