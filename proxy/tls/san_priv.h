#ifndef TLS_SAN_PRIV_H_
#define TLS_SAN_PRIV_H_

#include <stddef.h>

#include "base/errmsg.h"
#include "tls/keygen.h"

/*
 * Judges the alternative names of a request and writes them as DER: GeneralNames, which
 * are the DNS names, the addresses, the URIs and the email addresses, each in the order
 * given.  Returns the length, 0 when the request has no such names (a certificate must
 * then go without the extension), or -1 with a message that quotes the bad name and says
 * what to write instead.  The size must be less than 64 KiB.
 */
int san_write(
    const struct keygen_request *, unsigned char *der, size_t size, struct errmsg *);

#endif
