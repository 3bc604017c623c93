#ifndef TLS_RECORDS_H_
#define TLS_RECORDS_H_

#include <stddef.h>

#include "tls/identity.h"

/*
 * Who was let in lately, by the fingerprint of the certificate: a ticket names a peer by that
 * alone, and one that is not known here begins from the start.  One for the whole process, of a
 * bounded size: who was not seen for the longest time goes first.  Any thread.
 */

/* Room for that many records at least. */
void records_room(size_t);

/* Keeps an identity, instead of an older one of the same certificate. */
void records_keep(const unsigned char fingerprint[CERT_FP_LEN], struct identity *);

/* The identity, with one more reference, or NULL. */
struct identity *records_find(const unsigned char fingerprint[CERT_FP_LEN]);

/* How many there are. */
size_t records(void);

/* Forgets them all, and the room. */
void records_forget(void);

#endif
