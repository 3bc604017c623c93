#ifndef TLS_CONTEXT_H_
#define TLS_CONTEXT_H_

#include <stdbool.h>

#include "base/errmsg.h"
#include "tls/trust.h"

/*
 * What the sessions of one service share: our certificate and key, the protocol's
 * settings, and whom to trust.  Immutable once made; any thread; refcounted.
 */
struct tls_context;

enum tls_version { TLS_1_2, TLS_1_3 };

struct tls_policy {
	bool server;         /* we are the TLS server */
	const char *service; /* for warnings in the log */
	const char *cert;    /* PEM file: our certificate, then its chain; NULL: none (client) */
	const char *key;     /* PEM file of the key; NULL: in cert */
	enum tls_version min, max;
	bool insecure;       /* whoever comes may pass */
	struct trust *trust; /* taken over by a context that is made */
};

/*
 * Makes a context, reading the files now.  An own certificate that is weak, malformed or
 * does not match the key is an error; an expired one, and a key file that others may read, are warnings in the log.
 * Returns NULL with the message filled; the trust is then still the caller's.
 */
struct tls_context *tls_context_new(const struct tls_policy *, struct errmsg *);
struct tls_context *tls_context_ref(struct tls_context *);
void tls_context_unref(struct tls_context *);

#endif
