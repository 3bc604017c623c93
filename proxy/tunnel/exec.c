#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "net/helper.h"
#include "tunnel/exec.h"
#include "tunnel/exec_priv.h"

/* How soon a busy helper is asked again, in milliseconds. */
#define BUSY_MS 20

struct exec {
	struct exec *next, **link;  /* in the lane, once the tunnel is over */
	struct loop *loop;
	struct watch watch;
	struct tunnel *tunnel;      /* NULL: over */
	int fd;                     /* where the helper tells of the program; -1: not any more */
	int data;                   /* our end of its stdin and stdout, until it runs; or -1 */
	pid_t pid;
	bool started, ended;
	struct errmsg why;          /* it was not started */
	char *name;                 /* of the program, for the log */
	char *service;
	char id[sizeof(((struct tunnel *)NULL)->name)];
	int level;                  /* of the service's own log lines */
};

bool
exec_is_target(const struct conf_service *c)
{
	return c->exec != NULL && c->connect.n == 0;
}

bool
exec_is_source(const struct conf_service *c)
{
	return c->exec != NULL && c->connect.n > 0;
}

/* The end of the tunnel that is the program's. */
static struct endpoint *
program_side(struct tunnel *t)
{
	return exec_is_source(t->service->conf) ? &t->down : &t->up;
}

static void
close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

static void
exec_free(struct exec *x)
{
	if (x->loop != NULL)
		loop_unwatch(x->loop, &x->watch);
	close_fd(&x->fd);
	close_fd(&x->data);
	free(x->name);
	free(x->service);
	free(x);
}

static struct exec *
exec_new(struct tunnel *t)
{
	const struct conf_service *c = t->service->conf;
	struct exec *x;

	if ((x = calloc(1, sizeof(*x))) == NULL)
		return NULL;
	x->tunnel = t;
	x->fd = x->data = x->watch.fd = -1;
	memcpy(x->id, t->name, sizeof(x->id));
	x->level = c->debug;
	x->name = strdup(c->exec);
	x->service = strdup(c->name);
	if (x->name != NULL && x->service != NULL)
		return x;
	exec_free(x);
	return NULL;
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
	char text[64];

	x->ended = true;
	if (news->event == HELPER_EXITED)
		say(x, helper_status_text(news->status, text, sizeof(text)));
	else if (news->event == HELPER_FAILED)
		errmsg_set(&x->why, "%s: %s", x->name, news->why.text);
	else
		errmsg_set(&x->why, "%s: the helper process has died; restart sluss", x->name);
	loop_unwatch(x->loop, &x->watch);
	close_fd(&x->fd);
}

static void
helper_tells(struct watch *w, uint32_t events)
{
	struct exec *x = (struct exec *)((char *)w - offsetof(struct exec, watch));
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
	if (x->tunnel != NULL) {
		tunnel_wake(x->tunnel);
	} else if (x->ended) {
		*x->link = x->next;
		if (x->next != NULL)
			x->next->link = x->link;
		exec_free(x);
	}
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

static enum verdict
not_started(struct tunnel *t)
{
	t->opening->why = t->exec->why;
	return tunnel_fail(t, REASON_EXEC);
}

/* Hands the request to the helper.  Returns 0 when it was taken, 1 when it must be
 * handed over again later, -1 with the message filled. */
static int
ask_helper(struct tunnel *t, struct exec *x)
{
	const struct conf_service *c = t->service->conf;
	struct helper *helper = t->lane->pool->helper;
	struct exec_request request;
	int pair[2] = { -1, -1 };

	if (helper == NULL)
		return errmsg_set(&x->why, "%s: no helper process runs, "
		    "since there was no exec when sluss was started; restart it", x->name);
	if (!c->pty && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return errmsg_set(&x->why, "%s: cannot make a socket pair: %s", x->name,
		    strerror(errno));
	if (exec_request(&request, t) == -1)
		errno = ENOMEM;
	else
		x->fd = helper_spawn(helper, &request.program, pair[1]);
	exec_request_free(&request);
	close_fd(&pair[1]);
	if (x->fd != -1) {
		x->data = pair[0];
		return 0;
	}
	close_fd(&pair[0]);
	if (errno == EAGAIN)
		return 1;
	return errmsg_set(&x->why, "%s: %s", x->name, errno == EPIPE ?
	    "the helper process has died; restart sluss" : strerror(errno));
}

static enum verdict
begin(struct tunnel *t)
{
	if (t->exec == NULL) {
		if ((t->exec = exec_new(t)) == NULL)
			return tunnel_fail(t, REASON_NOMEM);
		tunnel_limit(t, t->service->conf->timeout_busy);
	}
	switch (ask_helper(t, t->exec)) {
	case 1:
		tunnel_poll(t, BUSY_MS);
		return STEP_WAIT;
	case 0:
		return exec_join(t, t->lane) == 0 ? STEP_WAIT : tunnel_fail(t, REASON_NOMEM);
	default:
		return not_started(t);
	}
}

/* The program is the plain side from here on. */
static enum verdict
take(struct tunnel *t)
{
	const struct conf_service *c = t->service->conf;
	struct endpoint *ep = program_side(t);
	char **name = exec_is_source(c) ? &t->from : &t->to;
	char *text;

	if ((text = strdup(c->exec)) == NULL)
		return tunnel_fail(t, REASON_NOMEM);
	free(*name);
	*name = text;
	if (ep->ops != NULL) {
		wire_leave(&ep->wire, t->lane->loop);
		endpoint_close(ep);
	}
	/* In client mode, behind accept, it speaks TLS. */
	if (ep == tunnel_tls_side(t))
		endpoint_plain(ep, t->exec->data, t->exec->data);
	else
		endpoint_program(ep, t->exec->data, c->pty);
	t->exec->data = -1;
	if (wire_join(&ep->wire, t->lane->loop, tunnel_wake, t) == -1)
		return tunnel_fail(t, REASON_NOMEM);
	tunnel_limit(t, 0);
	return STEP_NEXT;
}

enum verdict
exec_run(struct tunnel *t)
{
	const struct exec *x = t->exec;

	if (x == NULL || (x->fd == -1 && !x->ended))
		return begin(t);
	if (x->started)
		return take(t);
	return x->ended ? not_started(t) : STEP_WAIT;
}

enum verdict
exec_late(struct tunnel *t)
{
	errmsg_set(&t->opening->why, "%s: no answer from the helper process", t->exec->name);
	return tunnel_fail(t, REASON_BUSY_TIMEOUT);
}

bool
exec_has_ended(const struct tunnel *t)
{
	return t->exec != NULL && t->exec->ended;
}

void
exec_settle(struct tunnel *t)
{
	struct endpoint *ep;
	struct pump *to, *from;

	ep = program_side(t);
	if (t->exec == NULL || endpoint_is_tls(ep))
		return;
	to = ep == &t->up ? &t->fwd : &t->rev;
	from = ep == &t->up ? &t->rev : &t->fwd;
	if (from->state == PUMP_ENDED && (t->exec->ended || ep->wire.broken))
		to->state = PUMP_ENDED;
}

void
exec_part(struct tunnel *t)
{
	struct lane *lane = t->lane;
	struct exec *x = t->exec;

	if (x == NULL)
		return;
	t->exec = NULL;
	x->tunnel = NULL;
	if (x->fd != -1 && !reason_is_proper(t->reason))
		helper_hangup(x->fd);
	if (x->watch.fd == -1) {
		exec_free(x);
		return;
	}
	close_fd(&x->data);
	x->link = &lane->execs;
	x->next = lane->execs;
	if (x->next != NULL)
		x->next->link = &x->next;
	lane->execs = x;
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
