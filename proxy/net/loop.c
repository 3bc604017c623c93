#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "net/loop.h"

#define EVENTS 256

struct loop {
	int epfd;
	uint64_t now;
	bool quit;
	void *owner;
	struct inbox inbox;
	struct watch inbox_watch;
	bool inbox_ready;
	struct timers timers;
	struct task *running; /* this turn's, not run yet */
	struct task *tasks;   /* the next turn's */
	struct task **last_task;
};

#define OF_TIMER(t) ((struct loop_timer *)((char *)(t) - offsetof(struct loop_timer, timer)))

static uint64_t
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void
inbox_is_ready(struct watch *w, uint32_t events)
{
	struct loop *l = (struct loop *)((char *)w - offsetof(struct loop, inbox_watch));

	(void)events;
	l->inbox_ready = true;
}

struct loop *
loop_new(size_t timers)
{
	struct loop *l;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		goto err0;
	l->last_task = &l->tasks;
	l->now = clock_ms();
	l->inbox_watch.ready = inbox_is_ready;
	if (timers_reserve(&l->timers, timers) == -1)
		goto err1;
	if ((l->epfd = epoll_create1(EPOLL_CLOEXEC)) == -1)
		goto err2;
	if (inbox_init(&l->inbox) == -1)
		goto err3;
	if (loop_watch(l, &l->inbox_watch, l->inbox.fd, EPOLLIN) == -1)
		goto err4;
	return l;

err4:
	inbox_destroy(&l->inbox);
err3:
	close(l->epfd);
err2:
	timers_free(&l->timers);
err1:
	free(l);
err0:
	return NULL;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	inbox_destroy(&l->inbox);
	close(l->epfd);
	timers_free(&l->timers);
	free(l);
}

/* How long epoll may wait, in milliseconds. */
static int
loop_patience(const struct loop *l)
{
	uint64_t due;

	if (l->tasks != NULL)
		return 0;
	due = timers_next(&l->timers);
	if (due == TIMER_NEVER)
		return -1;
	if (due <= l->now)
		return 0;
	return due - l->now > 60000 ? 60000 : (int)(due - l->now);
}

static void
loop_events(struct loop *l)
{
	struct epoll_event ev[EVENTS];
	struct watch *w;
	int n;

	n = epoll_wait(l->epfd, ev, EVENTS, loop_patience(l));
	assert(n >= 0 || errno == EINTR);
	l->now = clock_ms();
	for (int i = 0; i < n; i++) {
		w = ev[i].data.ptr;
		if (w->fd != -1)
			w->ready(w, ev[i].events);
	}
}

static void
loop_deliver(struct loop *l)
{
	struct inbox_msg *m, *next;

	if (!l->inbox_ready)
		return;
	l->inbox_ready = false;
	for (m = inbox_take(&l->inbox); m != NULL; m = next) {
		next = m->next;
		m->deliver(m, l->owner);
	}
}

/* Runs the tasks posted so far; what they post waits for the next turn. */
static void
loop_tasks(struct loop *l)
{
	struct task *t;

	l->running = l->tasks;
	l->tasks = NULL;
	l->last_task = &l->tasks;
	while ((t = l->running) != NULL) {
		l->running = t->next;
		t->posted = false;
		t->run(t);
	}
}

void
loop_run(struct loop *l, void *owner)
{
	struct timer *t;

	l->owner = owner;
	l->quit = false;
	while (!l->quit) {
		loop_events(l);
		while ((t = timers_pop(&l->timers, l->now)) != NULL)
			OF_TIMER(t)->due(OF_TIMER(t));
		loop_deliver(l);
		loop_tasks(l);
	}
}

void
loop_quit(struct loop *l)
{
	l->quit = true;
}

struct inbox *
loop_inbox(struct loop *l)
{
	return &l->inbox;
}

uint64_t
loop_now(const struct loop *l)
{
	return l->now;
}

int
loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) == -1)
		return -1;
	w->fd = fd;
	return 0;
}

void
loop_rewatch(struct loop *l, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };
	int rc = epoll_ctl(l->epfd, EPOLL_CTL_MOD, w->fd, &ev);

	assert(rc == 0);
}

void
loop_unwatch(struct loop *l, struct watch *w)
{
	if (w->fd == -1)
		return;
	epoll_ctl(l->epfd, EPOLL_CTL_DEL, w->fd, NULL);
	w->fd = -1;
}

void
loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t due)
{
	timers_set(&l->timers, &t->timer, due);
}

void
loop_timer_cancel(struct loop *l, struct loop_timer *t)
{
	timers_cancel(&l->timers, &t->timer);
}

void
loop_post(struct loop *l, struct task *t)
{
	if (t->posted)
		return;
	t->posted = true;
	t->next = NULL;
	*l->last_task = t;
	l->last_task = &t->next;
}

/* Takes a task out of a list; returns whether it was there. */
static bool
tasks_remove(struct task **list, struct task *t)
{
	for (; *list != NULL; list = &(*list)->next)
		if (*list == t) {
			*list = t->next;
			return true;
		}
	return false;
}

void
loop_unpost(struct loop *l, struct task *t)
{
	if (!t->posted)
		return;
	t->posted = false;
	if (tasks_remove(&l->running, t))
		return;
	tasks_remove(&l->tasks, t);
	for (l->last_task = &l->tasks; *l->last_task != NULL;)
		l->last_task = &(*l->last_task)->next;
}
