#ifndef TUNNEL_RECHECK_H_
#define TUNNEL_RECHECK_H_

#include "base/errmsg.h"
#include "tunnel/pool.h"
#include "tunnel/service.h"

/*
 * Open tunnels are judged again when who may pass has changed: those whose peers the
 * services of now would refuse end, "revoked" or "denied"; all others do not notice.  A tunnel
 * belongs to the service with the name of its own; where there is none any more, it is let be.
 * At each reload it is also looked whether a responder (OCSP) has said meanwhile that a peer is revoked.
 * That a CRL is missing or out of date keeps newcomers out, and ends no tunnel: it says nothing about the peer.
 *
 * Each worker lane goes through its tunnels a few at a time between its other work, and looks
 * at those that come to it later with a service of before.
 */
struct roster;

/* The services of now, one reference each.  NULL with the message filled. */
struct roster *roster_new(struct service *const *, size_t, struct errmsg *);
void roster_unref(struct roster *); /* NULL is fine */

/* Has every worker lane judge its tunnels; takes over the reference.  Main only. */
void recheck_tunnels(struct pool *, struct roster *);

/* What a lane needs for it. */
void recheck_init(struct lane *);
void recheck_free(struct lane *);

/* The open tunnel has come to its lane, which it may leave again at once, freed; or leaves it. */
void recheck_arrived(struct tunnel *);
void recheck_forget(struct lane *, const struct tunnel *);

#endif
