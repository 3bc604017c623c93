#ifndef TLS_RULES_PRIV_H_
#define TLS_RULES_PRIV_H_

#include "tls/trust.h"
#include "tls/x509_priv.h"

/*
 * The rules for certificates whose origin is no longer in question.  Each function
 * returns TRUST_OK, or another verdict with the message filled.
 */

/* What a peer is to be, and when. */
struct occasion {
	bool peer_is_server;
	int64_t now;
	unsigned level; /* least key sizes: see cert_level() */
	struct crl_set *crls; /* who is revoked; NULL: nobody asks */
};

/* Judges the peer's own certificate by itself. */
enum trust_verdict rules_leaf(
    const struct x509 *, const struct occasion *, struct errmsg *);

/* Judges a link of a path, as far as needed before its signature can be checked: the
 * strength of the signature and of the issuer's key. */
enum trust_verdict rules_link(
    const struct x509 *, const struct x509 *issuer, struct errmsg *);

/* Judges what can be said of a certificate of the CA file before a peer comes: its
 * dates, the size of its key, and its extensions. */
enum trust_verdict rules_anchor(const struct x509 *, int64_t now, struct errmsg *);

/* Judges a path: the peer's certificate, the issuer of each before, and an anchor at
 * its end.  The peer's certificate and all links have been judged. */
enum trust_verdict rules_path(
    const struct x509 *const *path, size_t n, const struct occasion *, struct errmsg *);

#endif
