#ifndef TUNNEL_CROWD_H_
#define TUNNEL_CROWD_H_

#include "tunnel/pool.h"

/*
 * When every slot is taken, strangers that are silent must not keep the others out: tunnels
 * whose peers have not finished their handshake, so nobody knows who they are, lose their
 * place when they have had two seconds, the oldest first (REASON_CROWDED).  Programs
 * that we serve as a TLS client are no strangers.
 */

/* Somebody waits for a slot: those of this lane make room, and those of the others. */
void crowd_make_room(struct lane *);

/* What a lane needs for it; all zero at first. */
void crowd_init(struct lane *);

#endif
