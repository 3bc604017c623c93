#ifndef TLS_OCSP_H_
#define TLS_OCSP_H_

#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "tls/cert.h"

/*
 * Whether a certificate is revoked, asked of a responder (OCSP, RFC 6960): the question,
 * and the answer read strictly by a reader of our own.  No connection is made here.
 *
 * An answer counts that the CA itself signed, whose key verified the certificate, or a responder
 * whose certificate that CA has issued for this very use (OCSPSigning) and which came
 * with the answer.  Whether that responder is revoked is not asked.
 */
struct ocsp_question;

enum ocsp_status { OCSP_GOOD, OCSP_REVOKED, OCSP_UNKNOWN };

/* What a responder said about the certificate of a question. */
struct ocsp_answer {
	enum ocsp_status status;
	int64_t this_update; /* seconds since the epoch */
	int64_t next_update; /* INT64_MAX: none was said: there is always newer information */
	int64_t revoked_at;
};

/* Bits: only the CA itself may sign; certificates in the answer are not looked at, which is the
 * same by another name. */
#define OCSP_NO_DELEGATES 1u

#define OCSP_KEY 32
#define OCSP_NONCE 32
#define OCSP_REQUEST_MOST 512
#define OCSP_ANSWER_MOST ((size_t)64 * 1024)
#define OCSP_URLS 4
#define OCSP_URL_MOST 512

/* How far clocks may differ, and how old an answer may be that names no next one; seconds. */
#define OCSP_SKEW 60
#define OCSP_AGE 3600

/* A question about a certificate, which the other one's key has verified; both are copied.  NULL with
 * the message filled. */
struct ocsp_question *ocsp_question_new(const struct der *cert, const struct der *issuer,
    struct errmsg *);
struct ocsp_question *ocsp_question_ref(struct ocsp_question *);
void ocsp_question_free(struct ocsp_question *); /* gives a reference back; NULL is fine */

/* A SHA-256 of the issuer's name and key and of the serial number: equal for equal questions. */
const unsigned char *ocsp_question_key(const struct ocsp_question *);

/* The certificate's subject, for the log. */
const char *ocsp_question_about(const struct ocsp_question *);

/* The i-th responder that the certificate names (authorityInfoAccess), into a buffer of
 * OCSP_URL_MOST bytes; NULL behind the last.  Control characters end it. */
const char *ocsp_question_url(const struct ocsp_question *, size_t i, char *);

/* Writes the request, with a nonce of OCSP_NONCE bytes unless that is NULL, into a buffer of
 * OCSP_REQUEST_MOST bytes.  Returns its length. */
size_t ocsp_request(const struct ocsp_question *, const unsigned char *nonce, unsigned char *);

/* Reads and judges an answer.  With a nonce, the answer must have the same.  Returns 0, or -1 with
 * a message that can follow "the answer of URL: ".  Pure; any thread. */
int ocsp_answer_read(const struct ocsp_question *, const unsigned char *der, size_t len,
    const unsigned char *nonce, unsigned flags, int64_t now, struct ocsp_answer *,
    struct errmsg *);

#endif
