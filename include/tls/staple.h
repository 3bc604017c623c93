#ifndef TLS_STAPLE_H_
#define TLS_STAPLE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "tls/context.h"
#include "tls/ocsp.h"

/*
 * What a responder said about a certificate of our own (OCSP), shown together with it to clients
 * that ask (status_request), which need not ask the responder then.  What is not in date, or not
 * about the certificate, or does not say that it is good, is never shown: the handshake goes on without.
 *
 * Refcounted; any thread.
 */
struct staple;

/* A longer answer is of no use: clients read a handshake's message only so far. */
#define STAPLE_MOST ((size_t)16 * 1024)

struct staple *staple_ref(struct staple *);
void staple_unref(struct staple *); /* NULL is fine */

/* Whether nobody else has a reference: no context shows it any more. */
bool staple_is_left(const struct staple *);

/* The file of the certificate, for the log. */
const char *staple_file(const struct staple *);

/* What is to be asked; NULL: the certificate of the CA that issued it is not known here. */
struct ocsp_question *staple_question(const struct staple *);

/* Takes an answer, unless the one that there is was made later.  Returns 0, or -1 with the message filled,
 * and then shows what it showed before. */
int staple_offer(struct staple *, const unsigned char *, size_t, int64_t now, struct errmsg *);

/* Until when there is one to show, in seconds since the epoch; 0: there is none. */
int64_t staple_until(struct staple *);

/* The i-th of a context, one for each certificate that a server shows, where the policy says
 * staple; NULL behind the last. */
struct staple *tls_context_staple(const struct tls_context *, size_t i);

#endif
