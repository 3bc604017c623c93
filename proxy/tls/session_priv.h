#ifndef TLS_SESSION_PRIV_H_
#define TLS_SESSION_PRIV_H_

#include "context_priv.h"

#include "tls/identity.h"
#include "session_pool_priv.h"
#include "tls/session.h"

/* Enough of what a peer says first to guess what it speaks. */
#define FIRST_BYTES 8

/* The types of records that we look at (RFC 8446, 5.1). */
#define RECORD_ALERT 21
#define RECORD_HANDSHAKE 22

/* What a ticket has proven, before the handshake is done; of a client: what is offered, and how old
 * what follows from the handshake is. */
struct ticket_grant {
	bool asked;             /* a ticket was looked at: the one with this salt */
	unsigned char salt[16];
	bool given;             /* it is good */
	struct identity *identity; /* whose it is; NULL: of one without a certificate */
	struct errmsg *report;  /* why rules that only report would refuse that one; NULL: not */
	unsigned char times;    /* that it was resumed before */
	int64_t since;          /* when that one was let in */
};

struct tls_session {
	WOLFSSL *ssl;
	struct tls_context *context;
	const struct tls_shown *shown; /* which of its certificates */
	struct tls_io *io; /* during a call */
	struct cert_info *peer;
	const struct psk *psk; /* of the context's set: whose key was used, once the handshake is done */
	struct identity *identity; /* with which it was let in */
	const char *const *names;
	size_t nnames;
	struct crl_set *crls; /* likewise during the handshake */
	struct errmsg *why; /* why the peer was refused, once it was */
	enum trust_verdict verdict;
	bool judged;
	int alert; /* fatal, of our own choice, behind which nothing is sent; 0: none */
	int hopeless; /* the alert for a handshake that cannot come to anything, for the reason why; 0 */
	const char *protocol; /* of the context's; NULL: none */
	bool resumed;
	struct ticket_grant grant;
	struct session_pool *pool; /* of a client that resumes, or NULL */
	unsigned char upstream[UPSTREAM_KEY]; /* … the sessions of whom there are its */
	bool ticket;            /* one came that was not taken up yet */
	bool keep;              /* see tls_session_keep() */
	struct binding *binding; /* NULL: none is wanted, or not any more */
	struct der peer_der;
	bool begun;
	bool done; /* handshake over and peer authorised */
	int error; /* the library's, of the call that failed */
	uint8_t first[FIRST_BYTES]; /* what the peer said first */
	size_t nfirst;
	bool spoke; /* we have sent a handshake message */
	size_t fed; /* ciphertext of the handshake so far */
};

/* A session that shows one of the context's certificates, and has not said yet which names it asks for or
 * offers.  NULL with the message filled. */
struct tls_session *session_make(struct tls_context *, const struct tls_shown *,
    const char *const *names, size_t nnames, struct errmsg *);

/* Once the handshake is done: finds the application protocol.  False: there is none and must be one. */
bool session_agree(struct tls_session *);

/* Judges a chain, or none, by the rules of the session.  Returns TRUST_OK, or fills the message
 * where there was a chain. */
enum trust_verdict session_verdict(const struct tls_session *, const struct der *chain,
    size_t n, int64_t now, struct errmsg *);

/* Keeps a copy of the peer's certificate, if that is asked for. */
void session_keep_der(struct tls_session *, const struct der *);

#endif
