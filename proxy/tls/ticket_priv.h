#ifndef TLS_TICKET_PRIV_H_
#define TLS_TICKET_PRIV_H_

#include "session_priv.h"

/* What stands in a ticket behind the library's own part, under the same seal. */
#define TICKET_OURS 56

/* The callback of the library's that seals and opens tickets; the last argument is the
 * context. */
int ticket_seal_or_open(WOLFSSL *, unsigned char *name, unsigned char *iv,
    unsigned char *mac, int seal, unsigned char *ticket, int len, int *out_len, void *);

/* Whether the service would let in now whoever is known by these certificates (NULL: by none). */
bool ticket_admits(struct tls_session *, const struct identity *, int64_t now);

/* After a handshake that resumed: the peer becomes the one that the grant is about.  Returns 0, or
 * -1 where nothing was granted, or there is no memory. */
int ticket_adopt(struct tls_session *);

/* Makes a server's context resume: first its keys, then each context of the library's.  Returns 0 or
 * -1. */
int ticket_use(WOLFSSL_CTX *, const struct tls_policy *, struct errmsg *);
int ticket_set_up(struct tls_context *, const struct tls_policy *, struct errmsg *);

#endif
