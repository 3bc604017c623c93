#ifndef TLS_OWN_PRIV_H_
#define TLS_OWN_PRIV_H_

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <stddef.h>

#include "kind_priv.h"
#include "tls/cert.h"
#include "tls/context.h"
#include "tls/pubkey_priv.h"

/* One for each type of key, as OpenSSL has it: ECDSA, Ed25519, RSA. */
#define OWN_MOST 3

/* A certificate of ours with those of the CAs between and its key, as read from files. */
struct own {
	const char *file;    /* of the certificate */
	const char *key_file;
	enum family family;  /* the type of the key, RSA for all kinds of it */
	const struct own_kind *kind;
	struct der_list chain;
	struct der key;
	int loose;           /* others may read the key's file */
};

struct own_list {
	struct own items[OWN_MOST]; /* in the order of the policy */
	size_t n;
};

/*
 * Reads the certificates and keys of a policy and finds which belong together.  Of two with the
 * same type of key the last holds; of that, and of files that others may read, a warning tells.
 * Returns 0, or -1 with the message filled.
 */
int own_read(struct own_list *, const struct tls_policy *, struct errmsg *);
void own_free(struct own_list *);

/* Has a context show one of them.  Returns 0 or -1. */
int own_use(WOLFSSL_CTX *, const struct own *, struct errmsg *);

#endif
