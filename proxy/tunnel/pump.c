#include "tunnel/pump.h"

/* All that the tunnels of the process keep for slow sides; past it they read little. */
#define STASH_BUDGET ((size_t)64 * 1024 * 1024)

#define BATCH_START ((size_t)64 * 1024)

void
pump_init(struct pump *p, struct endpoint *src, struct endpoint *dst)
{
	*p = (struct pump){ .src = src, .dst = dst, .batch = BATCH_START };
}

static bool
fail(struct pump *p, enum iores why, bool at_dst)
{
	p->state = PUMP_FAILED;
	p->why = why;
	p->at_dst = at_dst;
	return false;
}

/* The next read brings about what dst took of this one. */
static void
size_batch(struct pump *p, size_t n)
{
	size_t kept = p->dst->wire.stash.len;

	if (kept > 0)
		p->batch = kept < n ? n - kept : BATCH_MIN;
	else if (n >= p->batch)
		p->batch *= 2;
	if (p->batch > BATCH_MAX)
		p->batch = BATCH_MAX;
	if (p->batch < BATCH_MIN || buf_total() > STASH_BUDGET)
		p->batch = BATCH_MIN;
}

/* Tells dst the end of src. */
static bool
run_ending(struct pump *p, struct stage *st)
{
	enum iores r = p->dst->ops->flush(p->dst);
	bool arrived;

	if (r == IO_OK) {
		arrived = p->dst->ops->unsent(p->dst) == 0;
		r = p->dst->ops->finish(p->dst, st);
		/* Gone, but with everything: there is nobody left to tell the end. */
		if (r == IO_RESET && arrived)
			r = IO_OK;
	}
	if (r == IO_OK)
		p->state = PUMP_ENDED;
	else if (r != IO_WANT)
		return fail(p, r, true);
	return false;
}

bool
pump_run(struct pump *p, struct stage *st, unsigned rounds)
{
	enum iores r;
	size_t n;

	while (p->state == PUMP_FLOWS) {
		if ((r = p->dst->ops->flush(p->dst)) == IO_WANT)
			return false;
		if (r != IO_OK)
			return fail(p, r, true);
		if (rounds-- == 0)
			return true;
		r = p->src->ops->read(p->src, st, p->batch, &n);
		if (r == IO_WANT)
			return false;
		if (r == IO_EOF)
			p->state = PUMP_ENDING;
		else if (r != IO_OK)
			return fail(p, r, false);
		else if (n > 0) {
			p->bytes += n;
			if ((r = p->dst->ops->write(p->dst, st, st->plain, n)) != IO_OK)
				return fail(p, r, true);
			size_batch(p, n);
		}
	}
	return p->state == PUMP_ENDING ? run_ending(p, st) : false;
}

void
pump_forgive(struct pump *p)
{
	p->state = PUMP_ENDING;
}
