#ifndef BASE_TIMER_H_
#define BASE_TIMER_H_

#include <stddef.h>
#include <stdint.h>

/*
 * Deadlines of one thread: a heap ordered by due time.  Times are milliseconds
 * of any monotonic clock, given by the caller.  Setting one that is set moves it.
 */
struct timer {
	uint64_t due;
	size_t slot; /* place in the heap from 1; 0: not set */
};

struct timers {
	struct timer **heap;
	size_t n, cap;
};

#define TIMER_NEVER UINT64_MAX

/* Makes room for n timers in all, so that timers_set() cannot fail for the n-th.
 * Returns 0 or -1 (memory). */
int timers_reserve(struct timers *, size_t);

/* Sets or moves a timer.  Room must have been reserved for it. */
void timers_set(struct timers *, struct timer *, uint64_t);

/* Takes a timer out; one that is not set is left alone. */
void timers_cancel(struct timers *, struct timer *);

/* When the earliest is due, or TIMER_NEVER. */
uint64_t timers_next(const struct timers *);

/* Takes out and returns a timer due at or before the given time, or NULL. */
struct timer *timers_pop(struct timers *, uint64_t);

/* Frees the heap; timers still set are forgotten. */
void timers_free(struct timers *);

#endif
