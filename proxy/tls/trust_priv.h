#ifndef TLS_TRUST_PRIV_H_
#define TLS_TRUST_PRIV_H_

#include "tls/path_priv.h"
#include "tls/trust.h"

struct trust {
	unsigned char (*peers)[CERT_FP_LEN];
	size_t npeers;
	struct anchor *anchors;
	size_t nanchors;
	bool chain;     /* a certificate of a CA file is no way in by itself */
	bool pinned;    /* exact certificates were asked for, be there any or not */
	unsigned level; /* least key sizes: see tls/level_priv.h */
};

/* Whether the certificate is one of the anchors, byte for byte. */
bool trust_has_anchor(const struct trust *, const struct x509 *);

#endif
