#ifndef TLS_IDENTITY_H_
#define TLS_IDENTITY_H_

#include <stddef.h>

#include "tls/cert.h"

/*
 * The certificates with which a peer was let in, kept so that it can be judged again by the
 * rules of later.  A pointer a tunnel: however many tunnels a peer has, they share one
 * identity, since the same certificates exist once in the process.  Immutable; refcounted; any thread.
 */
struct identity;

/* More bytes of certificates than this are not kept: of a longer chain, those behind. */
#define IDENTITY_MOST ((size_t)32 * 1024)

/* The identity of a chain, the peer's own certificate first, with one more reference.  NULL: no
 * memory. */
struct identity *identity_get(const struct der *chain, size_t n);
struct identity *identity_ref(struct identity *);
void identity_put(struct identity *); /* NULL is fine */

/* Its certificates; they live as long as it does. */
const struct der *identity_chain(const struct identity *, size_t *n);

/* How many there are, for tests. */
size_t identities(void);

#endif
