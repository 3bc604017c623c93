#ifndef TLS_RESUME_PRIV_H_
#define TLS_RESUME_PRIV_H_

#include "session_priv.h"

/* Sessions of a client: from the pool into a handshake, and back. */

/* Prepares a context of the library's, a client's, for it.  Returns 0 or -1. */
int resume_set_up(WOLFSSL_CTX *, const struct tls_policy *, struct errmsg *);

/* Has the session told of tickets. */
void resume_watch(struct tls_session *);

/* Whether a ticket waits to be taken up, before anything else is read. */
bool resume_waits(const struct tls_session *);

/* Takes it up: into the pool, if there is one, and out of the library's memory.  Returns false when
 * there was none. */
bool resume_take_up(struct tls_session *);

/* The handshake is done, and the server judged, or the session of before resumed. */
void resume_done(struct tls_session *);

#endif
