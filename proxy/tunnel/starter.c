#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "tunnel/exec.h"
#include "tunnel/starter.h"
#include "tunnel/trace.h"

/* How soon to look again for a free slot, in milliseconds. */
#define SLOT_MS 1000

#define OF(type, member, p) ((type *)((char *)(p) - offsetof(type, member)))

/* But for the name, which is main's, all is the lane's. */
struct starter {
	char *name;
	struct lane *lane;
	struct service *service;
	struct inbox_msg ended;
	struct starter *next;     /* of those that wait, in the lane */
	uint64_t due;             /* … until then */
	bool waits, runs, retired;
	bool again;               /* not the first tunnel */
};

/* What main says to a starter. */
struct order {
	struct inbox_msg msg;
	struct starter *starter;
	struct service *service;  /* NULL: begin no more */
	bool fresh;               /* the starter has been told nothing yet */
};

static void
starter_free(struct starter *s)
{
	if (s == NULL)
		return;
	service_unref(s->service);
	free(s->name);
	free(s);
}

/* In the lane */

static void begin(struct starter *);

/* Of all that wait the first is due next. */
static void
set_timer(struct lane *lane)
{
	uint64_t due = TIMER_NEVER;

	for (const struct starter *s = lane->starters; s != NULL; s = s->next)
		if (s->due < due)
			due = s->due;
	if (due == TIMER_NEVER)
		loop_timer_cancel(lane->loop, &lane->starter_timer);
	else
		loop_timer_set(lane->loop, &lane->starter_timer, due);
}

static void
stop_waiting(struct starter *s)
{
	struct starter **p;

	if (!s->waits)
		return;
	s->waits = false;
	for (p = &s->lane->starters; *p != s; p = &(*p)->next)
		;
	*p = s->next;
	set_timer(s->lane);
}

static void
timer_due(struct loop_timer *t)
{
	struct lane *lane = OF(struct lane, starter_timer, t);
	struct starter *s, *next, *ready = NULL;

	for (s = lane->starters; s != NULL; s = next) {
		next = s->next;
		if (s->due > loop_now(lane->loop))
			continue;
		stop_waiting(s);
		s->next = ready;
		ready = s;
	}
	for (s = ready; s != NULL; s = next) {
		next = s->next;
		begin(s);
	}
	set_timer(lane);
}

static void
wait(struct starter *s, unsigned ms)
{
	s->due = loop_now(s->lane->loop) + ms;
	s->waits = true;
	s->next = s->lane->starters;
	s->lane->starters = s;
	s->lane->starter_timer.due = timer_due;
	set_timer(s->lane);
}

static void
begin(struct starter *s)
{
	struct pool *pool = s->lane->pool;
	struct tunnel *t;

	if (atomic_load(&pool->closing))
		return;
	if (!pool_take_slot(pool)) {
		wait(s, SLOT_MS);
		return;
	}
	if ((t = tunnel_new(s->lane, s->service, -1, -1, NULL)) == NULL) {
		log_line(LOG_ERR, "main", "out of memory for a tunnel of service [%s]",
		    s->name);
		wait(s, SLOT_MS);
		return;
	}
	t->starter = s;
	s->runs = true;
	tunnel_log(t, s->again ? LOG_INFO : LOG_NOTICE,
	    "Service [%s] Starting exec+connect", s->name);
	s->again = true;
}

static void
ended_arrived(struct inbox_msg *m, void *owner)
{
	struct starter *s = OF(struct starter, ended, m);
	const struct conf_service *c = s->service->conf;

	(void)owner;
	s->runs = false;
	if (s->retired)
		starter_free(s);
	else if (c->retry && !atomic_load(&s->lane->pool->closing))
		wait(s, c->retry_ms);
}

void
starter_tunnel_ended(struct starter *s)
{
	inbox_push(loop_inbox(s->lane->loop), &s->ended);
}

static void
retire(struct starter *s)
{
	stop_waiting(s);
	s->retired = true;
	if (!s->runs)
		starter_free(s);
}

static void
order_arrived(struct inbox_msg *m, void *owner)
{
	struct order *o = OF(struct order, msg, m);
	struct starter *s = o->starter;

	(void)owner;
	if (o->service == NULL) {
		retire(s);
	} else {
		service_unref(s->service);
		s->service = o->service;
		if (!s->runs && !s->waits)
			begin(s);
	}
	free(o);
}

/* In main */

struct starters_change {
	struct starters next;
	struct order **orders;
	size_t norders;
};

static struct starter *
find(const struct starters *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->items[i] != NULL && strcmp(l->items[i]->name, name) == 0)
			return l->items[i];
	return NULL;
}

static struct starter *
starter_new(struct pool *pool, const char *name)
{
	struct starter *s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	if ((s->name = strdup(name)) == NULL) {
		free(s);
		return NULL;
	}
	s->lane = &pool->accept[0];
	s->ended.deliver = ended_arrived;
	return s;
}

static int
add_order(
    struct starters_change *c, struct starter *s, struct service *service, bool fresh)
{
	struct order *o;

	if ((o = calloc(1, sizeof(*o))) == NULL)
		return -1;
	o->msg.deliver = order_arrived;
	o->starter = s;
	o->service = service != NULL ? service_ref(service) : NULL;
	o->fresh = fresh;
	c->orders[c->norders++] = o;
	return 0;
}

/* The starter of a service: the one that it has, or a new one.  Sections of one name have
 * one each. */
static int
add_starter(struct starters_change *c, const struct starters *now, struct pool *pool,
    struct service *service)
{
	struct starter *s = find(now, service->conf->name);
	bool fresh = s == NULL || find(&c->next, service->conf->name) != NULL;

	if (fresh && (s = starter_new(pool, service->conf->name)) == NULL)
		return -1;
	if (add_order(c, s, service, fresh) == -1) {
		if (fresh)
			starter_free(s);
		return -1;
	}
	c->next.items[c->next.n++] = s;
	return 0;
}

static bool
has(const struct starters *l, const struct starter *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->items[i] == s)
			return true;
	return false;
}

struct starters_change *
starters_prepare(struct starters *now, struct pool *pool, struct service *const *services,
    size_t n, struct errmsg *e)
{
	struct starters_change *c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		goto err0;
	c->next.items = calloc(n + 1, sizeof(*c->next.items));
	c->orders = calloc(n + now->n + 1, sizeof(*c->orders));
	if (c->next.items == NULL || c->orders == NULL)
		goto err1;
	for (size_t i = 0; i < n; i++)
		if (exec_is_source(services[i]->conf) &&
		    add_starter(c, now, pool, services[i]) == -1)
			goto err1;
	for (size_t i = 0; i < now->n; i++)
		if (!has(&c->next, now->items[i]) &&
		    add_order(c, now->items[i], NULL, false) == -1)
			goto err1;
	return c;

err1:
	starters_abandon(c);
err0:
	errmsg_set(e, "out of memory");
	return NULL;
}

void
starters_commit(struct starters *now, struct starters_change *c)
{
	for (size_t i = 0; i < c->norders; i++)
		inbox_push(
		    loop_inbox(c->orders[i]->starter->lane->loop), &c->orders[i]->msg);
	free(now->items);
	*now = c->next;
	free(c->orders);
	free(c);
}

void
starters_abandon(struct starters_change *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->norders; i++) {
		struct order *o = c->orders[i];

		service_unref(o->service);
		if (o->fresh)
			starter_free(o->starter);
		free(o);
	}
	free(c->next.items);
	free(c->orders);
	free(c);
}

void
starters_free(struct starters *l)
{
	for (size_t i = 0; i < l->n; i++)
		starter_free(l->items[i]);
	free(l->items);
	*l = (struct starters){ 0 };
}
