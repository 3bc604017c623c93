#ifndef TUNNEL_DIAL_H_
#define TUNNEL_DIAL_H_

#include <stddef.h>
#include <stdint.h>

#include "net/addr.h"
#include "net/loop.h"
#include "net/sock.h"

/*
 * Connecting to one target's addresses: the next one is tried when one
 * fails, or 250 ms after the one before, so that a dead family costs little
 * (RFC 8305).  Each attempt has its own time limit; the first to connect wins.
 */
#define DIAL_AT_ONCE 4

struct dial;

struct dial_try {
	struct dial *dial;
	int fd; /* -1: none */
	uint64_t until;
	struct addr addr;
	struct watch watch;
};

struct dial {
	struct loop *loop;
	struct addr_list addrs; /* owned */
	const struct sock_setup *how;
	size_t next;            /* the first not tried yet */
	struct dial_try tries[DIAL_AT_ONCE];
	uint64_t next_at;       /* when the next may start though others run */
	uint64_t unix_until;    /* a unix socket whose backlog is full is asked until then */
	unsigned limit_ms;
	struct loop_timer timer;
	void (*wake)(void *);
	void *owner;
	int why;                /* errno of the last failure */
};

/* Takes over the addresses and starts; how must last as long.  dial_result() is to be asked at once, and
 * then whenever wake(owner) is called. */
void dial_start(struct dial *, struct loop *, struct addr_list *,
    const struct sock_setup *how, unsigned limit_ms, void (*wake)(void *), void *owner);

/* A descriptor: connected, now the caller's, and everything else is cleaned up.  -1: still
 * trying (*why 0) or nothing left to try (*why the errno of the last failure). */
int dial_result(struct dial *, struct addr *, int *why);

/* Gives up and cleans up; one never started (all zero) is left alone. */
void dial_stop(struct dial *);

#endif
