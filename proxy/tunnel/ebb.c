#include <malloc.h>

#include "tunnel/ebb.h"

/* Fewer tunnels are not worth it: they leave some MiB at most. */
#define FALL 256

/* The flood may go on falling that long: once is enough. */
#define CALM_MS 2000

void
ebb_rises(struct ebb *b, unsigned live)
{
	unsigned high = atomic_load_explicit(&b->high, memory_order_relaxed);

	while (live > high && !atomic_compare_exchange_weak_explicit(&b->high, &high, live,
	    memory_order_relaxed, memory_order_relaxed))
		;
}

bool
ebb_falls(struct ebb *b, unsigned live)
{
	unsigned high = atomic_load_explicit(&b->high, memory_order_relaxed);

	if (high < FALL || live > high / 2 ||
	    atomic_load_explicit(&b->low, memory_order_relaxed))
		return false;
	return !atomic_exchange(&b->low, true);
}

int
ebb_turn(struct ebb *b, unsigned live, uint64_t now)
{
	if (!atomic_load(&b->low))
		return -1;
	if (b->due == 0)
		b->due = now + CALM_MS;
	if (now < b->due)
		return (int)(b->due - now);
	b->due = 0;
	atomic_store_explicit(&b->high, live, memory_order_relaxed);
	atomic_store(&b->low, false);
	malloc_trim(0);
	return -1;
}
