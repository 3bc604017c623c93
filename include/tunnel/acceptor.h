#ifndef TUNNEL_ACCEPTOR_H_
#define TUNNEL_ACCEPTOR_H_

#include <stdbool.h>
#include <stddef.h>

#include "tunnel/pool.h"
#include "tunnel/service.h"

/* A listening socket, shared by all acceptors. */
struct listener {
	int fd;
	struct service *service;
};

/*
 * The accepting part of an accept lane.  Every listener is in every lane's
 * epoll, exclusively, so one connection wakes one lane.  A slot is taken before a
 * connection is: without one the acceptor parks, and what comes waits in the kernel's backlog.
 */
struct acceptor;

/* Makes the lane's acceptor, listening; before the lane runs.  The listeners must outlive it.
 * Returns -1 with the message filled. */
int acceptor_new(struct lane *, struct listener *, size_t, struct errmsg *);
void acceptor_free(struct acceptor *);

/* Stops listening for good; the lane's thread only. */
void acceptor_pause(struct acceptor *);

/* Asks the acceptor of a running lane to stop listening; main is woken when it has, and
 * acceptor_paused() then says so.  The listeners may be closed once all are. */
void acceptor_ask_pause(struct acceptor *);
bool acceptor_paused(const struct acceptor *);

/* Wakes an acceptor that waits for a slot; false if it does not.  Any thread. */
bool acceptor_unpark(struct acceptor *);

#endif
