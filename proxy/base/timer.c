#include <assert.h>
#include <stdlib.h>

#include "base/timer.h"

/* heap[1] is the earliest; the children of i are 2i and 2i+1. */

static void
place(struct timers *ts, size_t i, struct timer *t)
{
	ts->heap[i] = t;
	t->slot = i;
}

static void
sift_up(struct timers *ts, size_t i, struct timer *t)
{
	while (i > 1 && ts->heap[i / 2]->due > t->due) {
		place(ts, i, ts->heap[i / 2]);
		i /= 2;
	}
	place(ts, i, t);
}

static void
sift_down(struct timers *ts, size_t i, struct timer *t)
{
	size_t child;

	while ((child = 2 * i) <= ts->n) {
		if (child < ts->n && ts->heap[child + 1]->due < ts->heap[child]->due)
			child++;
		if (t->due <= ts->heap[child]->due)
			break;
		place(ts, i, ts->heap[child]);
		i = child;
	}
	place(ts, i, t);
}

int
timers_reserve(struct timers *ts, size_t n)
{
	struct timer **p;
	size_t cap;

	if (n + 1 <= ts->cap)
		return 0;
	cap = ts->cap ? 2 * ts->cap : 64;
	if (cap < n + 1)
		cap = n + 1;
	p = realloc(ts->heap, cap * sizeof(*p));
	if (p == NULL)
		return -1;
	ts->heap = p;
	ts->cap = cap;
	return 0;
}

void
timers_set(struct timers *ts, struct timer *t, uint64_t due)
{
	if (t->slot != 0)
		timers_cancel(ts, t);
	assert(ts->n + 1 < ts->cap);
	t->due = due;
	sift_up(ts, ++ts->n, t);
}

void
timers_cancel(struct timers *ts, struct timer *t)
{
	struct timer *last;
	size_t i = t->slot;

	if (i == 0)
		return;
	assert(i <= ts->n && ts->heap[i] == t);
	last = ts->heap[ts->n--];
	t->slot = 0;
	if (last == t)
		return;
	if (i > 1 && ts->heap[i / 2]->due > last->due)
		sift_up(ts, i, last);
	else
		sift_down(ts, i, last);
}

uint64_t
timers_next(const struct timers *ts)
{
	return ts->n == 0 ? TIMER_NEVER : ts->heap[1]->due;
}

struct timer *
timers_pop(struct timers *ts, uint64_t now)
{
	struct timer *t;

	if (timers_next(ts) > now || ts->n == 0)
		return NULL;
	t = ts->heap[1];
	timers_cancel(ts, t);
	return t;
}

void
timers_free(struct timers *ts)
{
	free(ts->heap);
	*ts = (struct timers){ 0 };
}
