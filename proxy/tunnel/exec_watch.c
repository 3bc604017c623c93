/* What the helper tells of programs, and those that outlive their tunnels. */
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "net/helper.h"
#include "tunnel/exec.h"
#include "tunnel/exec_priv.h"

#define OF(type, member, p) ((type *)((char *)(p) - offsetof(type, member)))

void
exec_close(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

void
exec_free(struct exec *x)
{
	if (x->loop != NULL)
		loop_unwatch(x->loop, &x->watch);
	exec_close(&x->fd);
	exec_close(&x->data);
	free(x->name);
	free(x->service);
	free(x);
}

static void
say(const struct exec *x, const char *what)
{
	const struct log_speaker who = { .id = x->id, .service = x->service,
		.level = x->level };

	log_say(&who, LOG_INFO, "Service [%s] %s (PID=%d) %s", x->service, x->name,
	    (int)x->pid, what);
}

/* It runs; on a terminal that came with the news. */
static void
note_start(struct exec *x, const struct helper_news *news)
{
	x->started = true;
	x->pid = news->pid;
	if (news->pty != -1)
		x->data = news->pty;
	say(x, "started");
}

static void
note_end(struct exec *x, const struct helper_news *news)
{
	const char *why = news->event == HELPER_FAILED ? news->why.text :
	    "the helper process has died; restart sluss";
	char text[64];

	x->ended = true;
	if (news->event == HELPER_EXITED)
		say(x, helper_status_text(news->status, text, sizeof(text)));
	else if (x->tunnel != NULL && x->tunnel->opening != NULL)
		errmsg_set(&x->tunnel->opening->why, "%s: %s", x->name, why);
	loop_unwatch(x->loop, &x->watch);
	exec_close(&x->fd);
}

/* Of all that may run on for a while the first is due next. */
static void
set_timer(struct lane *lane)
{
	uint64_t due = TIMER_NEVER;

	for (const struct exec *x = lane->execs; x != NULL; x = x->next)
		if (x->due < due)
			due = x->due;
	if (due == TIMER_NEVER)
		loop_timer_cancel(lane->loop, &lane->exec_timer);
	else
		loop_timer_set(lane->loop, &lane->exec_timer, due);
}

static void
timer_due(struct loop_timer *t)
{
	struct lane *lane = OF(struct lane, exec_timer, t);

	for (struct exec *x = lane->execs; x != NULL; x = x->next)
		if (x->due <= loop_now(lane->loop)) {
			x->due = TIMER_NEVER;
			helper_hangup(x->fd, -1);
		}
	set_timer(lane);
}

static void
leave_lane(struct exec *x)
{
	*x->link = x->next;
	if (x->next != NULL)
		x->next->link = x->link;
	set_timer(x->lane);
	exec_free(x);
}

static void
helper_tells(struct watch *w, uint32_t events)
{
	struct exec *x = OF(struct exec, watch, w);
	struct helper_news news;

	(void)events;
	switch (helper_next(x->fd, &news)) {
	case HELPER_SILENT:
		return;
	case HELPER_STARTED:
		note_start(x, &news);
		break;
	default:
		note_end(x, &news);
	}
	if (x->tunnel != NULL)
		tunnel_wake(x->tunnel);
	else if (x->ended)
		leave_lane(x);
	else
		exec_close(&x->data);
}

int
exec_join(struct tunnel *t, struct lane *lane)
{
	struct exec *x = t->exec;

	if (x == NULL || x->fd == -1)
		return 0;
	x->watch.ready = helper_tells;
	x->loop = lane->loop;
	return loop_watch(x->loop, &x->watch, x->fd, EPOLLIN);
}

void
exec_leave(struct tunnel *t)
{
	struct exec *x = t->exec;

	if (x == NULL || x->loop == NULL)
		return;
	loop_unwatch(x->loop, &x->watch);
	x->loop = NULL;
}

/* The program's end of the tunnel is closed behind the hangup, so that it cannot take
 * what was cut off for an end. */
static void
hang_up(struct tunnel *t, struct exec *x)
{
	const struct endpoint *ep = exec_side(t);

	helper_hangup(x->fd, ep->ops != NULL ? ep->wire.rfd : -1);
}

/* How long it may run on, once it has been told the end of its input. */
static uint64_t
patience(const struct tunnel *t)
{
	const struct conf_service *c = t->service->conf;

	return 1000ULL * (c->timeout_close > 0 ? c->timeout_close : c->timeout_idle);
}

static void
join_lane(struct exec *x, struct lane *lane)
{
	x->lane = lane;
	x->link = &lane->execs;
	x->next = lane->execs;
	if (x->next != NULL)
		x->next->link = &x->next;
	lane->execs = x;
	lane->exec_timer.due = timer_due;
	set_timer(lane);
}

void
exec_part(struct tunnel *t)
{
	struct exec *x = t->exec;

	if (x == NULL)
		return;
	t->exec = NULL;
	x->tunnel = NULL;
	x->due = TIMER_NEVER;
	exec_close(&x->data);
	if (x->fd != -1 && !reason_is_proper(t->reason)) {
		if (exec_side(t)->orderly)
			x->due = loop_now(t->lane->loop) + patience(t);
		else
			hang_up(t, x);
	}
	if (x->watch.fd == -1)
		exec_free(x);
	else
		join_lane(x, t->lane);
}

void
exec_forget(struct lane *lane)
{
	struct exec *x;

	while ((x = lane->execs) != NULL) {
		lane->execs = x->next;
		exec_free(x);
	}
}
