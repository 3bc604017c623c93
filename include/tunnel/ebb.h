#ifndef TUNNEL_EBB_H_
#define TUNNEL_EBB_H_

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What a flood of tunnels took goes back to the system when it is over: the allocator by
 * itself keeps nearly all of it.  All zero is the beginning.
 */
struct ebb {
	atomic_uint high; /* the most tunnels since it was looked at last */
	atomic_bool low;  /* far fewer are left */
	uint64_t due;     /* when to give back, of main's clock; 0: not */
};

/* There are so many tunnels now, one more than before.  Any thread. */
void ebb_rises(struct ebb *, unsigned live);

/* … one less than before.  Returns whether main is to be woken.  Any thread. */
bool ebb_falls(struct ebb *, unsigned live);

/* Gives back what is due, at the given time of the monotonic clock in milliseconds.  Returns in how
 * many milliseconds it wants to be called again, -1: when main was woken.  Main only. */
int ebb_turn(struct ebb *, unsigned live, uint64_t now);

#endif
