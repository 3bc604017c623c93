#ifndef SERVER_WATCHDOG_H_
#define SERVER_WATCHDOG_H_

#include <stdbool.h>
#include <stdint.h>

#include "tunnel/pool.h"

/*
 * The service manager's watchdog is fed while all goes well: every half of its time
 * each thread's loop is asked for a sign of life, and once all have given it, it gets
 * one.  All zero is the beginning.  Main only.
 */
struct watchdog {
	uint64_t next; /* when to ask again */
	bool asked;    /* not all have answered yet */
};

/* Asks and feeds as is due, at the given time of the monotonic clock in milliseconds.
 * Returns in how many milliseconds it wants to be called again, -1: when main was
 * woken. */
int watchdog_turn(struct watchdog *, struct pool *, uint64_t now);

#endif
