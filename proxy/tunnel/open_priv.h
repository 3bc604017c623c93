#ifndef TUNNEL_OPEN_PRIV_H_
#define TUNNEL_OPEN_PRIV_H_

#include "net/addr.h"
#include "tunnel/tunnel.h"

/* The steps that open a tunnel and are longer than a few lines: what each does, and what
 * it does when its time is over. */

/* Connecting to the target. */
enum verdict connect_run(struct tunnel *);
enum verdict connect_late(struct tunnel *);

/* The connect line being tried; NULL where the target comes from elsewhere. */
const struct addr_spec *connect_target(const struct tunnel *);

/* Reading the ClientHello, where something is chosen by it: the section, the application protocol. */
enum verdict hello_run(struct tunnel *);
enum verdict hello_late(struct tunnel *);

/* The peer turned out to be one that may not pass, its handshake done: it goes where such go, or
 * gets the farewell. */
enum verdict handshake_refused(struct tunnel *, struct endpoint *);

/* Asking responders whether the peer is revoked. */
enum verdict ocsp_run(struct tunnel *);
enum verdict ocsp_late(struct tunnel *);

/* The TLS handshake; who fails it gets tunnel_farewell. */
enum verdict handshake_run(struct tunnel *);
enum verdict handshake_late(struct tunnel *);

/* Whether a handshake with a server that failed may be tried again without the session that was
 * offered, and doing so: back to connecting. */
bool again_may(const struct tunnel *, const struct endpoint *);
enum verdict again_run(struct tunnel *, struct endpoint *, enum iores);

#endif
