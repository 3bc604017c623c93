#ifndef TLS_PSK_PRIV_H_
#define TLS_PSK_PRIV_H_

#include "context_priv.h"

/* Keys shared beforehand. */
struct psk {
	char *identity;
	unsigned char *key; /* zeroed when freed */
	size_t len;
};

struct psk_set {
	struct psk *items;
	size_t n;
	size_t own; /* of a client: which it shows */
};

/* Reads a file of lines "identity:key".  Own: the identity of a client; NULL: the first.  NULL with the
 * message filled. */
struct psk_set *psk_set_new(const struct tls_policy *, struct errmsg *);
void psk_set_free(struct psk_set *);

/* Whether a set has the same identity with the same key. */
bool psk_set_has(const struct psk_set *, const struct psk *);

/* Has a context, which has no certificate, use its set.  Returns 0 or -1. */
int psk_use(struct tls_context *, const struct tls_policy *, struct errmsg *);

#endif
