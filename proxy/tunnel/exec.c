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
#include "tunnel/trace.h"

/* How soon a busy helper is asked again, in milliseconds. */
#define BUSY_MS 20

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

struct endpoint *
exec_side(struct tunnel *t)
{
	return exec_is_source(t->service->conf) ? &t->down : &t->up;
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

/* Hands the request to the helper.  Returns 0 when it was taken, 1 when it must be
 * handed over again later, -1 with the message filled. */
static int
ask_helper(struct tunnel *t, struct exec *x)
{
	const struct conf_service *c = t->service->conf;
	struct helper *helper = t->lane->pool->helper;
	struct errmsg *why = &t->opening->why;
	struct exec_request request;
	int pair[2] = { -1, -1 };

	if (helper == NULL)
		return errmsg_set(why,
		    "%s: no helper process runs, "
		    "since there was no exec when sluss was started; restart it",
		    x->name);
	if (!c->pty && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return errmsg_set(why, "%s: cannot make a socket pair: %s", x->name,
		    strerror(errno));
	if (exec_request(&request, t) == -1)
		errno = ENOMEM;
	else
		x->fd = helper_spawn(helper, &request.program, pair[1]);
	if (x->fd != -1 && request.left_out != NULL)
		tunnel_log(t, LOG_INFO, "Service [%s] %s is not told %s: the names are more than "
		    "%d bytes", c->name, x->name, request.left_out, EXEC_LIST - 1);
	exec_request_free(&request);
	exec_close(&pair[1]);
	if (x->fd != -1) {
		x->data = pair[0];
		return 0;
	}
	exec_close(&pair[0]);
	if (errno == EAGAIN)
		return 1;
	return errmsg_set(why, "%s: %s", x->name, errno == EPIPE ?
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
		return exec_join(t, t->lane) == 0 ? STEP_WAIT
						  : tunnel_fail(t, REASON_NOMEM);
	default:
		return tunnel_fail(t, REASON_EXEC);
	}
}

/* The program is the plain side from here on. */
static enum verdict
take(struct tunnel *t)
{
	const struct conf_service *c = t->service->conf;
	struct endpoint *ep = exec_side(t);
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
	return x->ended ? tunnel_fail(t, REASON_EXEC) : STEP_WAIT;
}

enum verdict
exec_late(struct tunnel *t)
{
	errmsg_set(
	    &t->opening->why, "%s: no answer from the helper process", t->exec->name);
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

	ep = exec_side(t);
	if (t->exec == NULL || endpoint_is_tls(ep))
		return;
	to = ep == &t->up ? &t->fwd : &t->rev;
	from = ep == &t->up ? &t->rev : &t->fwd;
	if (from->state == PUMP_ENDED && (t->exec->ended || ep->wire.broken))
		to->state = PUMP_ENDED;
}
