#ifndef TLS_TRUST_PRIV_H_
#define TLS_TRUST_PRIV_H_

#include "tls/path_priv.h"
#include "tls/rule_priv.h"
#include "tls/trust.h"

struct trust {
	unsigned char (*peers)[CERT_FP_LEN];
	size_t npeers;
	struct anchor *anchors;
	size_t nanchors;
	bool chain;     /* a certificate of a CA file is no way in by itself */
	bool pinned;    /* exact certificates were asked for, be there any or not */
	struct rule **rules;
	size_t nrules;
	bool by_rules;  /* the allow rules, exact ones, say by themselves who may pass */
	unsigned depth; /* how many CAs a path may have */
	unsigned level; /* least key sizes: see tls/level_priv.h */
};

/* Whether the certificate is one of the anchors, byte for byte. */
bool trust_has_anchor(const struct trust *, const struct x509 *);

/* What the rules say of a certificate that is good otherwise.  *by: the rule that decided, or NULL.
 * Filled: why not; or, with TRUST_OK, what the rules that only report would have said against it. */
enum trust_verdict authorise(const struct trust *, const struct applicant *,
    const struct rule **by, struct errmsg *);

#endif
