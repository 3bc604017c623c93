#include "tunnel/crowd.h"
#include "tunnel/tunnel.h"

/* How long a stranger may take when its place is wanted; how many lose theirs at once;
 * and when to look whether more are wanted, or to ask the other lanes again. */
#define PATIENCE_MS 2000
#define DROPS 32
#define AGAIN_MS 50

#define OF(type, member, p) ((type *)((char *)(p) - offsetof(type, member)))

static bool
is_stranger(const struct tunnel *t)
{
	return t->opening != NULL && !t->opening->met && !t->service->conf->client &&
	    !t->stdio && t->reason == REASON_NONE;
}

/* In the task phase, as at a deadline. */
static void
drop(struct tunnel *t)
{
	t->reason = REASON_CROWDED;
	t->expired = true;
	tunnel_wake(t);
}

/* Returns when to come back, or 0: there are no strangers. */
static uint64_t
drop_some(struct lane *lane)
{
	uint64_t now = loop_now(lane->loop);
	int drops = 0;

	for (struct tunnel *t = lane->tunnels; t != NULL && drops < DROPS; t = t->next) {
		if (!is_stranger(t))
			continue;
		if (now < t->started + PATIENCE_MS)
			return t->started + PATIENCE_MS;
		drop(t);
		drops++;
	}
	return drops > 0 ? now + AGAIN_MS : 0;
}

static void
look(struct lane *lane)
{
	uint64_t at = pool_has_slot(lane->pool) ? 0 : drop_some(lane);

	if (at != 0)
		loop_timer_set(lane->loop, &lane->crowd.timer, at);
}

static void
look_again(struct loop_timer *timer)
{
	look(OF(struct lane, crowd.timer, timer));
}

static void
asked(struct inbox_msg *m, void *owner)
{
	struct lane *lane = owner;

	(void)m;
	atomic_store(&lane->crowd.asked, false);
	look(lane);
}

/* One that was asked and has not heard it yet will look anyway. */
static void
ask(struct lane *lane)
{
	if (!atomic_exchange(&lane->crowd.asked, true))
		inbox_push(loop_inbox(lane->loop), &lane->crowd.msg);
}

void
crowd_make_room(struct lane *lane)
{
	uint64_t now = loop_now(lane->loop);
	struct pool *p = lane->pool;

	look(lane);
	/* Now and then: full and busy is no reason to keep everybody awake. */
	if (now < lane->crowd.ask_at)
		return;
	lane->crowd.ask_at = now + AGAIN_MS;
	for (size_t i = 0; i < p->naccept; i++)
		if (&p->accept[i] != lane)
			ask(&p->accept[i]);
}

void
crowd_init(struct lane *lane)
{
	lane->crowd.timer.due = look_again;
	lane->crowd.msg.deliver = asked;
}
