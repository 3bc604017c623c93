#ifndef TLS_SESSION_POOL_PRIV_H_
#define TLS_SESSION_POOL_PRIV_H_

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <stdbool.h>

#include "tls/identity.h"
#include "tls/session_pool.h"

/* The digest of what names an upstream. */
#define UPSTREAM_KEY 32

struct kept_session {
	WOLFSSL_SESSION *session;  /* nobody else has it */
	struct identity *identity; /* of the server that was verified: a reference */
	int64_t since;             /* when it was */
	bool once;                 /* of TLS 1.3: not to be used twice; else one a upstream is kept */
};

/* Takes over both pointers, in any case. */
void session_pool_put(struct session_pool *, const unsigned char key[UPSTREAM_KEY],
    const struct kept_session *, int64_t now);

/* Gives the youngest of an upstream, which the caller frees with kept_session_free(); what may be
 * used again stays, too.  Returns false when there is none. */
bool session_pool_take(struct session_pool *, const unsigned char key[UPSTREAM_KEY],
    int64_t now, struct kept_session *);

/* Forgets those of an upstream. */
void session_pool_forget(struct session_pool *, const unsigned char key[UPSTREAM_KEY]);

void kept_session_free(struct kept_session *);

#endif
