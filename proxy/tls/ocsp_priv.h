#ifndef TLS_OCSP_PRIV_H_
#define TLS_OCSP_PRIV_H_

#include "tls/ocsp.h"
#include "tls/asn1_priv.h"

/* As ocsp_question_new(). */
struct ocsp_question *ocsp_question_of(struct span cert, struct span issuer, struct errmsg *);

/* A basic answer as it is written; the spans point into its bytes. */
struct ocsp_text {
	struct span tbs;         /* the part that is signed */
	struct span sig_alg, sig;
	struct span certs;       /* Certificates; n 0: none */
	struct span responder;   /* by name: a Name without tag and length; by key: its SHA-1 */
	bool by_key;
	struct span singles;     /* SingleResponses */
	struct span nonce;       /* p is NULL: none */
};

/* What is said about one certificate. */
struct ocsp_single {
	struct span hash_alg, name_hash, key_hash, serial;
	struct ocsp_answer says;
};

/* Reads an OCSPResponse whole.  Returns 0, or -1 with a message. */
int ocsp_parse(struct ocsp_text *, const unsigned char *, size_t, struct errmsg *);

/* Takes the next one off the list.  Returns 1, 0 behind the last, or -1 with the message filled. */
int ocsp_next(struct span *singles, struct ocsp_single *, struct errmsg *);

#endif
