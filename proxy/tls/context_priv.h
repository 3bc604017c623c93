#ifndef TLS_CONTEXT_PRIV_H_
#define TLS_CONTEXT_PRIV_H_

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <stdatomic.h>

#include "tls/context.h"

struct tls_context {
	atomic_uint refs;
	WOLFSSL_CTX *ctx;
	struct trust *trust;
	bool server;
	bool insecure;
	enum tls_version max;
};

/* The verify callback, in session.c: judges the peer of the session in userCtx. */
int tls_session_verify(int, WOLFSSL_X509_STORE_CTX *);

#endif
