#ifndef TLS_SHOWN_PRIV_H_
#define TLS_SHOWN_PRIV_H_

#include "context_priv.h"
#include "tls/hello.h"

/* Of a server's certificates the one that a client is shown; NULL: it can use none.  Where it is not
 * the certificate that is in the way, it is the first, and the library says what is. */
const struct tls_shown *shown_choose(const struct tls_context *, const struct hello *);

/* Which certificates there are, and what the client takes instead. */
void shown_explain(const struct tls_context *, const struct hello *, struct errmsg *);

#endif
