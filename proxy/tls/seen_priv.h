#ifndef TLS_SEEN_PRIV_H_
#define TLS_SEEN_PRIV_H_

#include <stdbool.h>

#include "tls/x509_priv.h"

/*
 * Signatures that were found right lately.  That a key made a signature under given bytes stays so for
 * ever, whatever is configured, revoked or expired: only this is remembered, by the SHA-256 of
 * all that goes into the question.  Whether it helps a peer is asked each time.  One for the whole
 * process, of a fixed size.  Any thread.
 */

#define SEEN_KEY 32

/* What a question is known by; false: one that is not to be remembered, as it is so long. */
bool seen_key(const struct x509 *, const struct x509 *issuer, unsigned char[SEEN_KEY]);

bool seen(const unsigned char[SEEN_KEY]);
void seen_add(const unsigned char[SEEN_KEY]);

#endif
