#ifndef TUNNEL_STARTER_H_
#define TUNNEL_STARTER_H_

#include <stddef.h>

#include "base/errmsg.h"
#include "tunnel/pool.h"
#include "tunnel/service.h"

/*
 * Who begins the tunnels that nobody is accepted for: those of exec and connect.  Each
 * such service has one at a time; when it has ended and retry is on, the next begins
 * after a while.
 * A starter lives in the first accept lane.  Main's table of them only sends messages
 * there.
 */
struct starter;

struct starters {
	struct starter **items;
	size_t n;
};

/*
 * Makes the table fit the services: new ones begin, those that are in it already (by
 * their names) go on with the new settings from their next tunnel on, and one whose
 * tunnel is over for good begins anew; the others begin no more.  Prepared first, so
 * that it cannot fail when it is to hold; a preparation that is given up is freed.
 * Before the lanes run, or while they do; main only.
 */
struct starters_change;

/* NULL with the message filled. */
struct starters_change *starters_prepare(struct starters *, struct pool *,
    struct service *const *, size_t, struct errmsg *);
void starters_commit(struct starters *, struct starters_change *);
void starters_abandon(struct starters_change *);

/* Frees all; the lanes run no more. */
void starters_free(struct starters *);

/* A starter's tunnel is over; any lane. */
void starter_tunnel_ended(struct starter *);

#endif
