#ifndef TLS_PROTOCOLS_PRIV_H_
#define TLS_PROTOCOLS_PRIV_H_

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <stddef.h>

#include "base/errmsg.h"
#include "tls/hello.h"

/* The application protocols of a context (ALPN, RFC 7301), in our order; all zero: none, and nothing
 * is said about them. */
struct protocols {
	char *text;         /* all of them with commas between */
	const char **names;
	size_t n;
};

/* A copy of names, which have no commas in them.  0, or -1 (memory). */
int protocols_copy(struct protocols *, const char *const *names, size_t n);
void protocols_free(struct protocols *);

/* The first of ours that the client offers; NULL: none. */
const char *protocols_choose(const struct protocols *, const struct hello *);

/* Has a session, before its handshake, offer all, or as a server agree to the one that
 * was chosen (NULL: to any).  0, or -1 (memory). */
int protocols_use(const struct protocols *, const char *chosen, WOLFSSL *);

/* What a session whose handshake is done has agreed on; NULL: nothing. */
const char *protocols_agreed(const struct protocols *, WOLFSSL *);

/* Why nothing can be agreed on with that client. */
void protocols_explain(const struct protocols *, const struct hello *, struct errmsg *);

#endif
