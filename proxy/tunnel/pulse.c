#include "tunnel/pulse.h"

static void
pulse_arrived(struct inbox_msg *m, void *owner)
{
	struct lane *lane = owner;

	(void)m;
	atomic_store(&lane->pulse_asked, false);
	pool_wake_main(lane->pool);
}

static void
ask(struct lane *lane)
{
	if (!lane->started || atomic_load(&lane->pulse_asked))
		return;
	atomic_store(&lane->pulse_asked, true);
	lane->pulse.deliver = pulse_arrived;
	inbox_push(loop_inbox(lane->loop), &lane->pulse);
}

static bool
felt(const struct lane *lane)
{
	return !atomic_load(&lane->pulse_asked);
}

void
pulse_ask(struct pool *p)
{
	for (size_t i = 0; i < p->naccept; i++)
		ask(&p->accept[i]);
	for (size_t i = 0; i < p->nwork; i++)
		ask(&p->work[i]);
}

bool
pulse_felt(const struct pool *p)
{
	for (size_t i = 0; i < p->naccept; i++)
		if (!felt(&p->accept[i]))
			return false;
	for (size_t i = 0; i < p->nwork; i++)
		if (!felt(&p->work[i]))
			return false;
	return true;
}
