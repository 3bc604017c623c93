#ifndef TLS_INSPECT_H_
#define TLS_INSPECT_H_

#include <stddef.h>
#include <stdint.h>

#include "tls/cert.h"
#include "tls/session.h"

/* What a handshake has shown, for people who look for what is wrong. */

/* The certificates that the peer presented and that passed, its own first; NULL and 0: none. */
const struct der *tls_session_chain(const struct tls_session *, size_t *n);

/* What the key of our own certificate is and what it was signed with, as cert_algorithms() has it; NULL: there
 * is none. */
const char *tls_session_key_alg(const struct tls_session *);
const char *tls_session_sig_alg(const struct tls_session *);

/* The number of the last fatal alert that the peer sent; -1: none. */
int tls_session_alert(const struct tls_session *);

/* Its name and number, "unknown_ca (48)"; the same buffer of the thread at the next call. */
const char *tls_alert_text(int);

/* What a peer ("it") means by it, and what to change, as a sentence without its end. */
const char *tls_alert_advice(int);

/* Whether a server sends it because of the certificate that the client has shown, or has not. */
bool tls_alert_blames_client(int);

/* "ECDSA P-256", "RSA 2048 bits", or what is wrong with the key, into a buffer. */
const char *cert_key_text(const struct der *, char *, size_t);

/* Whether, in the ciphertext of a handshake of TLS 1.2 that came from a server, it asks for a
 * certificate: -1 when not, else of how many CAs it wants one, and their names ("CN=a; CN=b",
 * cut where they do not fit) in the buffer. */
int tls_wanted_issuers(const uint8_t *, size_t, char *, size_t);

#endif
