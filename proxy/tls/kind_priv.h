#ifndef TLS_KIND_PRIV_H_
#define TLS_KIND_PRIV_H_

#include <stdbool.h>
#include <stdint.h>

#include "tls/hello.h"

/* The keys that certificates of ours may have. */
enum own_key { KIND_P256, KIND_P384, KIND_P521, KIND_ED25519, KIND_PSS, KIND_RSA };

/* Which peers can use a certificate by its key. */
struct own_kind {
	const char *name;    /* "ECDSA P-256" */
	bool rsa;            /* of the suites of TLS 1.2: those with RSA, or with ECDSA */
	uint16_t group;      /* that a client of TLS 1.2 must know, if it tells what it knows; 0: none */
	const uint16_t *schemes12, *schemes13; /* signature schemes, 0 behind the last */
};

const struct own_kind *own_kind(enum own_key);

/* Whether a client can use such a certificate in that version; what it offers of suites does not
 * count here. */
bool own_suits(const struct own_kind *, const struct hello *, bool tls13);

/* Whether one signature scheme is such a certificate's. */
bool own_signs(const struct own_kind *, uint16_t scheme, bool tls13);

#endif
