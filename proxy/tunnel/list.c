#include "base/log.h"
#include "tunnel/list.h"
#include "tunnel/trace.h"

/* So many tunnels, then a pause: the log takes no more at once than its queue holds. */
#define SLICE 32
#define PAUSE_MS 8

/* The answer to a question: written whatever the level. */
#define LEVEL LOG_EMERG

#define OF(type, member, p) ((type *)((char *)(p) - offsetof(type, member)))

static const char *
state_of(const struct tunnel *t)
{
	if (t->step == tunnel_spliced &&
	    (t->fwd.state != PUMP_FLOWS || t->rev.state != PUMP_FLOWS))
		return "half closed";
	return t->step->name;
}

static void
list_one(const struct tunnel *t, uint64_t now)
{
	bool client = t->service->conf->client;
	uint64_t ms = now - t->started;

	tunnel_log(t, LEVEL, "Service [%s] %s -> %s: %s; %llu bytes to TLS, %llu bytes from TLS; "
	    "%llu.%03llu s", t->service->conf->name, t->from,
	    t->to != NULL ? t->to : "(not connected)", state_of(t),
	    (unsigned long long)(client ? t->fwd.bytes : t->rev.bytes),
	    (unsigned long long)(client ? t->rev.bytes : t->fwd.bytes),
	    (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000));
}

static void
list_some(struct lane *lane)
{
	struct list *l = &lane->list;
	uint64_t now = loop_now(lane->loop);

	for (int i = 0; i < SLICE && l->next != NULL; i++, l->next = l->next->next)
		list_one(l->next, now);
	if (l->next != NULL)
		loop_timer_set(lane->loop, &l->timer, now + PAUSE_MS);
	else
		atomic_store(&l->busy, false);
}

static void
pause_over(struct loop_timer *timer)
{
	list_some(OF(struct lane, list.timer, timer));
}

static void
list_arrived(struct inbox_msg *m, void *owner)
{
	struct lane *lane = owner;

	(void)m;
	lane->list.next = lane->tunnels;
	list_some(lane);
}

void
list_init(struct lane *lane)
{
	lane->list.msg.deliver = list_arrived;
	lane->list.timer.due = pause_over;
}

void
list_forget(struct lane *lane, const struct tunnel *t)
{
	if (lane->list.next == t)
		lane->list.next = t->next;
}

static void
ask(struct lane *lane)
{
	if (!atomic_exchange(&lane->list.busy, true))
		inbox_push(loop_inbox(lane->loop), &lane->list.msg);
}

void
list_tunnels(struct pool *p)
{
	log_line(LEVEL, "main", "%u tunnels", atomic_load(&p->live));
	for (size_t i = 0; i < p->naccept; i++)
		ask(&p->accept[i]);
	for (size_t i = 0; i < p->nwork; i++)
		ask(&p->work[i]);
}
