#ifndef TLS_ALTNAMES_H_
#define TLS_ALTNAMES_H_

#include "tls/cert.h"

/*
 * The alternative names of a certificate, to be handed to those who take them for what they are: in
 * full, or not at all.  Of DNS names, URIs and email addresses those count that are printable ASCII
 * without blanks, as the standards have them: no NUL ends one early, and no list is torn by one.
 */

/* Their numbers in GeneralName (RFC 5280, 4.2.1.6). */
enum altname { ALTNAME_EMAIL = 1, ALTNAME_DNS = 2, ALTNAME_URI = 6, ALTNAME_IP = 7 };

/*
 * All of them, in the order of the certificate: the kind in one byte, the length in two (the higher one
 * first), then the name, of an address its 4 or 16 bytes.  Returns the length, which is beyond size
 * when they do not fit; 0: there are none, or the certificate is malformed.
 */
size_t altnames_list(const struct der *, uint8_t *, size_t size);

/* Those of one kind, as text with a blank between.  Returns the length without its NUL; from size on, they
 * do not fit. */
size_t altnames_text(const struct der *, enum altname, char *, size_t size);

/* The common name in UTF-8, which points into the certificate; NULL where there is none, or several, or it has
 * characters that do not show (a NUL among them) or is none of the types that UTF-8 is. */
const unsigned char *cert_common_name(const struct der *, size_t *n);

#endif
