#ifndef TLS_CONTEXT_PRIV_H_
#define TLS_CONTEXT_PRIV_H_

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <stdatomic.h>

#include "own_priv.h"
#include "protocols_priv.h"
#include "ticket_keys_priv.h"
#include "tls/context.h"

/* What a peer is shown. */
struct tls_shown {
	WOLFSSL_CTX *ctx;            /* the library's, like all others but for the certificate */
	const struct own_kind *kind; /* NULL: no certificate */
	struct staple *staple;       /* NULL: none is wanted */
	char key_alg[CERT_ALG_TEXT]; /* of the certificate; "": there is none */
	char sig_alg[CERT_ALG_TEXT];
	char *file;                  /* of the certificate; NULL: there is none */
	struct der_list chain;       /* it, and what goes along with it */
};

/* The suites of TLS 1.2 that there are. */
#define SUITES12_MOST 6

struct tls_context {
	atomic_uint refs;
	struct tls_shown shown[OWN_MOST]; /* in the operator's order */
	size_t nshown; /* one at least, of a client exactly one */
	bool tls12, tls13;
	bool client_order;
	struct { uint16_t code; bool rsa; } suites12[SUITES12_MOST];
	size_t nsuites12;
	struct trust *trust;
	struct psk_set *psk; /* NULL: certificates */
	bool server;
	bool insecure;
	bool outcasts;
	enum tls_ask ask;
	struct protocols protocols;
	bool require_protocol; /* a peer that agrees to none is refused */
	int shares[2]; /* groups of which a client sends shares in its first hello; 0: none */
	unsigned char digest[TLS_DIGEST];
	unsigned char rules[TLS_DIGEST];  /* of those for peers alone: see tls_rules_digest() */
	unsigned char service[8];         /* a hash of its name */
	struct ticket_keys ticket_keys;
	int64_t resume_seconds;
};

/* Tells the library which suites and groups there are.  Returns 0 or -1. */
int tls_set_suites(WOLFSSL_CTX *, const struct tls_policy *, struct errmsg *);
int tls_set_groups(struct tls_context *, WOLFSSL_CTX *, const struct tls_policy *, struct errmsg *);

/* Fills in the context's list of the suites of TLS 1.2. */
void tls_list_suites12(struct tls_context *, const struct tls_policy *);

/* A hash of what decides who may pass: the same on every host with the same rules.  0 or -1. */
int tls_rules_digest(const struct tls_policy *, unsigned char[TLS_DIGEST], struct errmsg *);

/* The verify callback, in session.c: judges the peer of the session in userCtx. */
int tls_session_verify(int, WOLFSSL_X509_STORE_CTX *);

#endif
