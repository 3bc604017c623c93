#ifndef TLS_BINDING_PRIV_H_
#define TLS_BINDING_PRIV_H_

#include "session_priv.h"

/* Enough for any honest ServerHello of TLS 1.2. */
#define BINDING_HEARD 1024

struct binding {
	unsigned char value[TLS_BINDING];
	const char *missing; /* why there is none; NULL: there is */
	size_t nheard;
	uint8_t heard[BINDING_HEARD]; /* what the server, be it we, said first */
};

/* Takes in ciphertext that went from the server to the client; with NULL does nothing. */
void binding_hear(struct binding *, const void *, size_t);

/* The handshake is done: makes the value, and frees what the library kept for that. */
void binding_make(struct tls_session *);

#endif
