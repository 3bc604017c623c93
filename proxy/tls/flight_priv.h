#ifndef TLS_FLIGHT_PRIV_H_
#define TLS_FLIGHT_PRIV_H_

#include "tls/asn1_priv.h"

/* What comes in clear of a handshake (RFC 5246, 4 and 7.4): its vectors and its messages. */

/* Takes n bytes off the front.  Returns false when there are fewer. */
bool flight_cut(struct span *, size_t n, struct span *part);

/* Takes a number of so many bytes, and then as many bytes as it says. */
bool flight_vector(struct span *, size_t width, struct span *body);

/* What stands in the handshake records at the front, until another kind comes, without their headers; of
 * the last one what there is.  The buffer is as big as the wire.  Returns the length. */
size_t flight_messages(struct span wire, uint8_t *);

#endif
