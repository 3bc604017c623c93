#ifndef TUNNEL_STAPLING_H_
#define TUNNEL_STAPLING_H_

#include "base/errmsg.h"
#include "tunnel/ocsp.h"
#include "tunnel/service.h"

/*
 * Where what is shown about our own certificates (tls/staple.h) comes from: files that the operator
 * renews, and the responders that the certificates name, asked in the background.  Neither can
 * hold up or break a handshake, and neither is an error: what is wrong is a warning in the log.
 */

/* Reads the files of OCSPstaple for the certificates of a service. */
void stapling_read(const struct service *);

/* Has the desk ask for each certificate of a service that wants it (OCSPstapleFetch), now and before
 * what it has is out of date, as long as the certificate is shown by anybody.  Those that it
 * asks for already it goes on with. */
void stapling_fetch(struct ocsp_desk *, const struct service *);

#endif
