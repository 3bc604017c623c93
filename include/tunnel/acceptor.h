#ifndef TUNNEL_ACCEPTOR_H_
#define TUNNEL_ACCEPTOR_H_

#include <stdbool.h>

#include "tunnel/listening.h"
#include "tunnel/pool.h"

/*
 * The accepting part of an accept lane.  Every listener is in every lane's
 * epoll, exclusively, so one connection wakes one lane.  A slot is taken before a
 * connection is: without one the acceptor parks, and what comes waits in the kernel's backlog.
 */
struct acceptor;

/* Makes the lane's acceptor, listening there; before the lane runs.  Returns -1 with the
 * message filled. */
int acceptor_new(struct lane *, struct listening *, struct errmsg *);
void acceptor_free(struct acceptor *);

/* Stops listening; the lane's thread only. */
void acceptor_stop(struct acceptor *);

/*
 * How main moves the acceptor of a running lane to other listeners: it prepares, which can
 * fail (-1 with the message filled) and can be forgotten, then moves, which cannot. Moved with
 * nothing prepared, the acceptor listens nowhere.  Main is woken when it has moved, and
 * acceptor_moved() then says so.  A descriptor that the new set lacks may be
 * closed once all acceptors have moved: one that another lane still watches would live on
 * and swallow connections.
 */
int acceptor_prepare(struct acceptor *, struct listening *, struct errmsg *);
void acceptor_forget(struct acceptor *);
void acceptor_move(struct acceptor *);
bool acceptor_moved(const struct acceptor *);

/* Wakes an acceptor that waits for a slot; false if it does not.  Any thread. */
bool acceptor_unpark(struct acceptor *);

#endif
