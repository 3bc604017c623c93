#ifndef TLS_SESSION_PRIV_H_
#define TLS_SESSION_PRIV_H_

#include "context_priv.h"

#include "tls/identity.h"
#include "tls/session.h"

/* Enough of what a peer says first to guess what it speaks. */
#define FIRST_BYTES 8

struct tls_session {
	WOLFSSL *ssl;
	struct tls_context *context;
	struct tls_io *io; /* during a call */
	struct cert_info *peer;
	struct identity *identity; /* with which it was let in */
	const char *const *names;
	size_t nnames;
	struct crl_set *crls; /* likewise during the handshake */
	struct errmsg *why; /* why the peer was refused, once it was */
	enum trust_verdict verdict;
	bool judged;
	int alert; /* fatal, of our own choice, behind which nothing is sent; 0: none */
	bool keep;              /* see tls_session_keep() */
	unsigned char *peer_der;
	size_t peer_der_len;
	bool done; /* handshake over and peer authorised */
	int error; /* the library's, of the call that failed */
	uint8_t first[FIRST_BYTES]; /* what the peer said first */
	size_t nfirst;
	size_t fed; /* ciphertext of the handshake so far */
};

#endif
