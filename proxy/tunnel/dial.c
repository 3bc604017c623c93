#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "net/sock.h"
#include "tunnel/dial.h"

#define STAGGER_MS 250
#define UNIX_RETRY_MS 20

static void dial_advance(struct dial *);

static void
try_close(struct dial_try *t)
{
	if (t->fd == -1)
		return;
	loop_unwatch(t->dial->loop, &t->watch);
	close(t->fd);
	t->fd = -1;
}

static void
try_ready(struct watch *w, uint32_t events)
{
	struct dial_try *t = (struct dial_try *)((char *)w - offsetof(struct dial_try, watch));

	(void)events;
	/* Looked at in dial_result(), in the task phase. */
	t->dial->wake(t->dial->owner);
}

static struct dial_try *
free_try(struct dial *d)
{
	for (size_t i = 0; i < DIAL_AT_ONCE; i++)
		if (d->tries[i].fd == -1)
			return &d->tries[i];
	return NULL;
}

static bool
any_running(const struct dial *d)
{
	for (size_t i = 0; i < DIAL_AT_ONCE; i++)
		if (d->tries[i].fd != -1)
			return true;
	return false;
}

/* A unix socket with a full backlog cannot be waited for: ask again a little later. */
static bool
unix_is_full(struct dial *d, const struct addr *a)
{
	uint64_t now = loop_now(d->loop);

	if (errno != EAGAIN || a->u.sa.sa_family != AF_UNIX)
		return false;
	if (d->unix_until == 0)
		d->unix_until = now + d->limit_ms;
	if (now >= d->unix_until)
		return false;
	d->next--;
	d->next_at = now + UNIX_RETRY_MS;
	return true;
}

/* Starts the next address; when it fails at once, the one behind it may start now. */
static void
try_next(struct dial *d, struct dial_try *t)
{
	const struct addr *a = &d->addrs.items[d->next++];
	uint64_t now = loop_now(d->loop);
	bool pending;

	d->next_at = now + STAGGER_MS;
	if ((t->fd = sock_connect(a, d->how, &pending)) == -1) {
		if (unix_is_full(d, a))
			return;
		d->why = errno;
		d->next_at = now;
		return;
	}
	t->addr = *a;
	t->until = now + d->limit_ms;
	t->watch.ready = try_ready;
}

/* Only what did not come to an end at once, as on this machine, is watched.  One that does so
 * in between is told of all the same. */
static void
watch_tries(struct dial *d)
{
	for (size_t i = 0; i < DIAL_AT_ONCE; i++) {
		struct dial_try *t = &d->tries[i];

		if (t->fd == -1 || t->watch.fd != -1 ||
		    loop_watch(d->loop, &t->watch, t->fd, EPOLLOUT | EPOLLET) == 0)
			continue;
		d->why = errno;
		d->next_at = loop_now(d->loop);
		try_close(t);
	}
}

/* When something must be done without an event. */
static void
set_timer(struct dial *d)
{
	uint64_t due = TIMER_NEVER;

	if (d->next < d->addrs.n && free_try(d) != NULL)
		due = d->next_at;
	for (size_t i = 0; i < DIAL_AT_ONCE; i++)
		if (d->tries[i].fd != -1 && d->tries[i].until < due)
			due = d->tries[i].until;
	if (due == TIMER_NEVER)
		loop_timer_cancel(d->loop, &d->timer);
	else
		loop_timer_set(d->loop, &d->timer, due);
}

static void
timer_due(struct loop_timer *t)
{
	struct dial *d = (struct dial *)((char *)t - offsetof(struct dial, timer));

	d->wake(d->owner);
}

/* Drops attempts past their limit and starts what may start. */
static void
dial_advance(struct dial *d)
{
	uint64_t now = loop_now(d->loop);
	struct dial_try *t;

	for (size_t i = 0; i < DIAL_AT_ONCE; i++)
		if (d->tries[i].fd != -1 && d->tries[i].until <= now) {
			d->why = ETIMEDOUT;
			try_close(&d->tries[i]);
		}
	while (d->next < d->addrs.n && (t = free_try(d)) != NULL) {
		bool waiting = d->unix_until != 0 && now < d->next_at;

		if ((any_running(d) && now < d->next_at) || waiting)
			break;
		try_next(d, t);
	}
	set_timer(d);
}

void
dial_start(struct dial *d, struct loop *l, struct addr_list *addrs,
    const struct sock_setup *how, unsigned limit_ms, void (*wake)(void *), void *owner)
{
	*d = (struct dial){ .loop = l, .addrs = *addrs, .how = how,
		.limit_ms = limit_ms };
	*addrs = (struct addr_list){ 0 };
	d->wake = wake;
	d->owner = owner;
	d->timer.due = timer_due;
	d->why = EHOSTUNREACH;
	for (size_t i = 0; i < DIAL_AT_ONCE; i++) {
		d->tries[i].fd = d->tries[i].watch.fd = -1;
		d->tries[i].dial = d;
	}
	dial_advance(d);
}

/* Whether an attempt came to an end: its descriptor, with *why 0 when connected. */
static bool
try_ended(const struct dial_try *t, int *why)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	*why = 0;
	if (getpeername(t->fd, (struct sockaddr *)&ss, &len) == 0)
		return true;
	/* No error yet is not connected yet. */
	return (*why = sock_outcome(t->fd)) != 0;
}

int
dial_result(struct dial *d, struct addr *addr, int *why)
{
	int fd, outcome;

	*why = 0;
	for (size_t i = 0; i < DIAL_AT_ONCE; i++) {
		struct dial_try *t = &d->tries[i];

		if (t->fd == -1 || !try_ended(t, &outcome))
			continue;
		if (outcome != 0) {
			d->why = outcome;
			try_close(t);
			d->next_at = loop_now(d->loop);
			continue;
		}
		fd = t->fd;
		*addr = t->addr;
		loop_unwatch(d->loop, &t->watch);
		t->fd = -1;
		dial_stop(d);
		return fd;
	}
	dial_advance(d);
	watch_tries(d);
	if (!any_running(d) && d->next >= d->addrs.n)
		*why = d->why;
	return -1;
}

void
dial_stop(struct dial *d)
{
	if (d->loop == NULL)
		return;
	for (size_t i = 0; i < DIAL_AT_ONCE; i++)
		try_close(&d->tries[i]);
	loop_timer_cancel(d->loop, &d->timer);
	addr_list_free(&d->addrs);
	d->loop = NULL;
}
