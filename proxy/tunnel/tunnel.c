#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ocsp_step_priv.h"
#include "tunnel/exec.h"
#include "tunnel/list.h"
#include "tunnel/recheck.h"
#include "tunnel/starter.h"
#include "tunnel/trace.h"
#include "tunnel/tunnel.h"

#define OF(type, member, p) ((type *)((char *)(p) - offsetof(type, member)))

static void tunnel_end(struct tunnel *);

struct endpoint *
tunnel_tls_side(struct tunnel *t)
{
	return t->service->conf->client ? &t->up : &t->down;
}

struct endpoint *
tunnel_plain_side(struct tunnel *t)
{
	return t->service->conf->client ? &t->down : &t->up;
}

/* The connected side joins the loop at the first wait behind its birth: often there is none
 * before it goes over to another lane. */
static enum verdict
join_to_wait(struct tunnel *t)
{
	struct wire *w = &t->up.wire;

	if (t->up.ops == NULL || w->loop != NULL ||
	    wire_join(w, t->lane->loop, tunnel_wake, t) == 0)
		return STEP_WAIT;
	return tunnel_fail(t, REASON_NOMEM);
}

/* The driver: runs steps until one waits or the tunnel is over. */
static void
tunnel_run(struct task *task)
{
	struct tunnel *t = OF(struct tunnel, task, task);
	enum verdict v;

	do {
		v = STEP_WAIT;
		if (t->outlived) {
			v = tunnel_fail(t, REASON_EXPIRED);
		} else if (t->expired) {
			t->expired = false;
			v = t->step->late(t);
		}
		/* What happened in the same turn is not announced again. */
		if (v == STEP_WAIT)
			v = t->step->run(t);
		if (v == STEP_NEXT)
			t->step++;
	} while (v == STEP_NEXT || v == STEP_GO);
	if (v == STEP_WAIT)
		v = join_to_wait(t);
	if (v == STEP_END)
		tunnel_end(t);
}

void
tunnel_wake(void *arg)
{
	struct tunnel *t = arg;

	loop_post(t->lane->loop, &t->task);
}

static void
set_timer(struct tunnel *t)
{
	uint64_t due = TIMER_NEVER;

	if (t->limit != 0)
		due = t->active + t->limit;
	if (t->poll_at != 0 && t->poll_at < due)
		due = t->poll_at;
	if (t->outlives_at != 0 && t->outlives_at < due)
		due = t->outlives_at;
	if (due != TIMER_NEVER)
		loop_timer_set(t->lane->loop, &t->timer, due);
}

/* Certificates are judged by the wall clock, which may jump: it is read again that often. */
#define EXPIRY_MS 300000

/* Notes that the peer's certificate has expired, or when to look again. */
static void
look_at_expiry(struct tunnel *t)
{
	int64_t left = tls_session_expires(tunnel_tls_side(t)->tls) - time(NULL);

	if (left < 0) {
		t->outlives_at = 0;
		t->outlived = true;
		tunnel_wake(t);
		return;
	}
	t->outlives_at = loop_now(t->lane->loop) +
	    (left < EXPIRY_MS / 1000 ? (uint64_t)(left + 1) * 1000 : EXPIRY_MS);
}

static void
tunnel_timer_due(struct loop_timer *timer)
{
	struct tunnel *t = OF(struct tunnel, timer, timer);
	uint64_t now = loop_now(t->lane->loop);

	if (t->poll_at != 0 && t->poll_at <= now) {
		t->poll_at = 0;
		tunnel_wake(t);
	}
	if (t->limit != 0 && t->active + t->limit <= now) {
		t->limit = 0;
		t->expired = true;
		tunnel_wake(t);
	}
	if (t->outlives_at != 0 && t->outlives_at <= now)
		look_at_expiry(t);
	/* Activity only moved the stamp; the timer catches up here. */
	set_timer(t);
}

void
tunnel_touch(struct tunnel *t)
{
	t->active = loop_now(t->lane->loop);
}

/* Lazily: a timer that is due earlier finds out when it fires. */
static void
timer_by(struct tunnel *t, uint64_t due)
{
	if (t->timer.timer.slot == 0 || t->timer.timer.due > due)
		loop_timer_set(t->lane->loop, &t->timer, due);
}

void
tunnel_limit(struct tunnel *t, unsigned seconds)
{
	tunnel_touch(t);
	t->limit = (uint64_t)seconds * 1000;
	if (seconds != 0)
		timer_by(t, t->active + t->limit);
}

void
tunnel_mind_expiry(struct tunnel *t)
{
	const struct endpoint *ep = tunnel_tls_side(t);

	if (ep->tls == NULL || t->service->conf->expired_peers == EXPIRED_KEEP ||
	    tls_session_expires(ep->tls) == INT64_MAX)
		return;
	look_at_expiry(t);
	if (t->outlives_at != 0)
		timer_by(t, t->outlives_at);
}

void
tunnel_poll(struct tunnel *t, unsigned ms)
{
	t->poll_at = loop_now(t->lane->loop) + ms;
	timer_by(t, t->poll_at);
}

enum verdict
tunnel_go(struct tunnel *t, const struct step *step)
{
	t->step = step;
	return STEP_GO;
}

enum verdict
tunnel_fail(struct tunnel *t, enum reason why)
{
	if (t->reason == REASON_NONE)
		t->reason = why;
	return STEP_END;
}

static struct opening *
opening_new(struct tunnel *t, struct service *s, const struct addr *peer)
{
	struct opening *o;

	if ((o = calloc(1, sizeof(*o))) == NULL)
		return NULL;
	o->tunnel = t;
	o->turn = atomic_fetch_add_explicit(&s->turns, 1, memory_order_relaxed);
	o->setup = s->setup;
	if (peer != NULL)
		o->peer = *peer;
	return o;
}

struct tunnel *
tunnel_new(struct lane *lane, struct service *s, int rfd, int wfd, const struct addr *peer)
{
	char text[ADDR_TEXT];
	struct tunnel *t;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		goto err0;
	if ((t->opening = opening_new(t, s, peer)) == NULL)
		goto err1;
	if ((t->from = strdup(peer != NULL ? addr_text(peer, text) :
	    rfd == -1 ? s->conf->exec : "stdio")) == NULL)
		goto err1;
	t->task.run = tunnel_run;
	t->timer.due = tunnel_timer_due;
	t->service = service_ref(s);
	t->id = atomic_fetch_add(&lane->pool->next_id, 1);
	t->step = tunnel_open(s);
	if (peer != NULL)
		endpoint_socket(&t->down, rfd);
	else
		endpoint_plain(&t->down, rfd, wfd);
	if (tunnel_adopt(t, lane) == -1) {
		service_unref(s);
		goto err1;
	}
	t->started = loop_now(lane->loop);
	trace_name(t);
	return t;

err1:
	free(t->opening);
	free(t->from);
	free(t);
err0:
	close(rfd);
	if (wfd != rfd)
		close(wfd);
	pool_free_slot(lane->pool);
	return NULL;
}

int
tunnel_adopt(struct tunnel *t, struct lane *lane)
{
	struct loop *l = lane->loop;

	if (t->down.ops != NULL && wire_join(&t->down.wire, l, tunnel_wake, t) == -1)
		return -1;
	if (t->up.ops != NULL && wire_join(&t->up.wire, l, tunnel_wake, t) == -1) {
		wire_leave(&t->down.wire, l);
		return -1;
	}
	if (exec_join(t, lane) == -1) {
		wire_leave(&t->down.wire, l);
		wire_leave(&t->up.wire, l);
		return -1;
	}
	tunnel_enlist(t, lane);
	loop_post(l, &t->task);
	return 0;
}

void
tunnel_enlist(struct tunnel *t, struct lane *lane)
{
	t->lane = lane;
	t->next = NULL;
	t->link = lane->last;
	*lane->last = t;
	lane->last = &t->next;
}

void
tunnel_release(struct tunnel *t)
{
	struct loop *l = t->lane->loop;

	if (t->down.ops != NULL)
		wire_leave(&t->down.wire, l);
	if (t->up.ops != NULL)
		wire_leave(&t->up.wire, l);
	exec_leave(t);
	loop_timer_cancel(l, &t->timer);
	loop_unpost(l, &t->task);
	list_forget(t->lane, t);
	recheck_forget(t->lane, t);
	*t->link = t->next;
	if (t->next != NULL)
		t->next->link = t->link;
	else
		t->lane->last = t->link;
	t->next = NULL;
	t->link = NULL;
	t->lane = NULL;
	t->limit = t->poll_at = t->outlives_at = 0;
}

static void
opening_free(struct lane *lane, struct opening *o)
{
	struct opening **p;

	if (o == NULL)
		return;
	if (o->asking) {
		for (p = &lane->askers; *p != o; p = &(*p)->next_asker)
			;
		*p = o->next_asker;
	}
	dial_stop(&o->dial);
	if (o->wanted.text != NULL)
		addr_spec_free(&o->wanted);
	preface_free(&o->preface);
	ocsp_talk_free(o->ocsp);
	hello_free(&o->hello);
	buf_free(&o->heard[PREFACE_DOWN]);
	buf_free(&o->heard[PREFACE_UP]);
	free(o);
}

void
tunnel_opened(struct tunnel *t)
{
	struct endpoint *ep = tunnel_tls_side(t);

	if (ep->tls != NULL)
		tls_session_forget(ep->tls);
	opening_free(t->lane, t->opening);
	t->opening = NULL;
}

/* Errors of TLS are the business of reset where the plain side is concerned; in our profile
 * only when it says no, for there abort says the rest. */
static bool
is_for_reset(const struct tunnel *t, const struct endpoint *ep)
{
	const struct conf_service *c = t->service->conf;

	if (c->profile == PROFILE_STRICT && c->reset)
		return false;
	switch (t->reason) {
	case REASON_ALERT:
	case REASON_PROTOCOL:
	case REASON_REFUSED_BY_PEER:
	case REASON_HANDSHAKE:
	case REASON_UNAUTHORISED:
		return !endpoint_is_tls(ep);
	default:
		return false;
	}
}

bool
tunnel_ends_orderly(const struct tunnel *t, const struct endpoint *ep)
{
	const struct conf_service *c = t->service->conf;

	return is_for_reset(t, ep) ? !c->reset : c->abort == ABORT_COMPAT;
}

void
tunnel_abort_side(const struct tunnel *t, struct endpoint *ep)
{
	if (ep->orderly || (!t->service->conf->reset && tunnel_ends_orderly(t, ep)))
		endpoint_close(ep);
	else
		endpoint_reset(ep);
}

/* A failed tunnel tells both sides so, but for a side that is to be spared. */
static void
end_side(const struct tunnel *t, struct endpoint *ep)
{
	if (reason_is_proper(t->reason))
		endpoint_close(ep);
	else
		tunnel_abort_side(t, ep);
}

static void
end_stdio(const struct tunnel *t, struct pool *pool)
{
	atomic_store(&pool->stdio_end,
	    reason_is_proper(t->reason) ? STDIO_CLEAN : STDIO_ERROR);
	pool_wake_main(pool);
}

static void
tunnel_end(struct tunnel *t)
{
	struct lane *lane = t->lane;
	bool stdio = t->stdio;

	assert(t->reason != REASON_NONE);
	tunnel_report(t);
	opening_free(lane, t->opening);
	exec_part(t);
	tunnel_release(t);
	end_side(t, &t->down);
	end_side(t, &t->up);
	if (t->reason == REASON_CUT)
		atomic_fetch_add(&lane->pool->cut, 1);
	else
		atomic_fetch_add(&lane->pool->ended, 1);
	if (stdio)
		end_stdio(t, lane->pool);
	if (t->starter != NULL)
		starter_tunnel_ended(t->starter);
	source_leave(t->source);
	service_unref(t->service);
	free(t->from);
	free(t->to);
	free(t->host);
	free(t);
	if (lane->acceptor == NULL)
		atomic_fetch_sub_explicit(&lane->count, 1, memory_order_relaxed);
	pool_free_slot(lane->pool);
}

void
tunnel_cut(struct tunnel *t)
{
	tunnel_fail(t, REASON_CUT);
	tunnel_end(t);
}

void
tunnel_evict(struct tunnel *t, enum reason reason, const char *why)
{
	t->why = why;
	tunnel_fail(t, reason);
	tunnel_end(t);
}
