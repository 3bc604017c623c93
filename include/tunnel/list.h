#ifndef TUNNEL_LIST_H_
#define TUNNEL_LIST_H_

#include "tunnel/pool.h"

/*
 * Has every lane log its tunnels, a line each: id, service, addresses, state, bytes,
 * duration.  Lanes do it a few at a time between their other work; one that is at it already
 * goes on.  Tunnels that come meanwhile may be missing.  Main only, while the lanes run.
 */
void list_tunnels(struct pool *);

/* What a lane needs for it; all zero at first. */
void list_init(struct lane *);

/* The tunnel leaves its lane. */
void list_forget(struct lane *, const struct tunnel *);

#endif
