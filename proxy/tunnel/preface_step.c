/* The steps that hold a talk: between the talk, which knows only bytes, and the endpoints. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "net/prefix.h"
#include "net/sock.h"
#include "preface_facts_priv.h"
#include "tunnel/preface_step.h"
#include "tunnel/trace.h"

/* Reads in one turn that may bring nothing. */
#define ROUNDS 4

static struct endpoint *
side_of(struct tunnel *t, enum preface_side side)
{
	return side == PREFACE_DOWN ? &t->down : &t->up;
}

static const char *
who(const struct tunnel *t, enum preface_side side)
{
	if (side == PREFACE_DOWN)
		return "the client";
	return t->service->conf->client ? "the server" : "the target";
}

/* What a failed read or write of a side came to. */
static enum verdict
side_left(struct tunnel *t, enum preface_side side, enum iores r)
{
	struct opening *o = t->opening;

	if (r == IO_NOMEM)
		return tunnel_fail(t, REASON_NOMEM);
	if (r == IO_ALERT || r == IO_PROTOCOL) {
		tls_session_failure(side_of(t, side)->tls, &o->why);
		return tunnel_fail(t, r == IO_ALERT ? REASON_ALERT : REASON_PROTOCOL);
	}
	errmsg_set(&o->why, "%s %s the connection", who(t, side),
	    r == IO_RESET ? "reset" : "closed");
	side_of(t, side)->orderly = true;
	/* Somebody who only tried the port has nothing to be told about. */
	return tunnel_fail(t, side == PREFACE_DOWN && !o->heard_client ? REASON_PROBE :
	    REASON_PREFACE);
}

/* Hands on what the talk said. */
static enum iores
say(struct tunnel *t, enum preface_side side)
{
	struct buf *out = &t->opening->preface.out[side];
	struct endpoint *ep = side_of(t, side);
	enum iores r;

	if (out->len == 0)
		return IO_OK;
	/* A reset would destroy what it has not read yet. */
	ep->orderly = true;
	r = ep->ops->write(ep, &t->lane->stage, buf_head(out), out->len);
	/* There may have been a password in it. */
	explicit_bzero(out->data, out->cap);
	buf_free(out);
	return r;
}

static enum verdict
say_all(struct tunnel *t)
{
	enum iores r;

	for (int side = PREFACE_DOWN; side <= PREFACE_UP; side++)
		if ((r = say(t, (enum preface_side)side)) != IO_OK)
			return side_left(t, (enum preface_side)side, r);
	return STEP_NEXT;
}

/* Nothing is said to a side that does not take what was said before. */
static enum verdict
flush_all(struct tunnel *t)
{
	enum iores r;

	for (int side = PREFACE_DOWN; side <= PREFACE_UP; side++) {
		struct endpoint *ep = side_of(t, (enum preface_side)side);

		if (ep->ops == NULL)
			continue;
		if ((r = ep->ops->flush(ep)) == IO_WANT)
			return STEP_WAIT;
		/* A last word may still be there to be read. */
		if (r == IO_RESET && (enum preface_side)side != t->opening->preface.from)
			return side_left(t, (enum preface_side)side, r);
	}
	return STEP_NEXT;
}

/* While we wait for the connected side, nobody waits for a client that has left: one that was
 * reset, or that ended before it could begin TLS. */
static enum iores
client_left(const struct tunnel *t)
{
	const struct wire *w = &t->down.wire;
	enum sock_state state;

	if (endpoint_is_tls(&t->down) || t->stdio || !w->rsock || !w->to_the_end)
		return IO_WANT;
	state = sock_peek(w->rfd);
	if (state == SOCK_ERROR)
		return IO_RESET;
	return state == SOCK_END && !t->service->conf->client ? IO_EOF : IO_WANT;
}

/* Reads more of the side that is wanted. */
static enum verdict
hear(struct tunnel *t, enum preface_side side)
{
	struct endpoint *ep = side_of(t, side);
	struct opening *o = t->opening;
	enum iores r = IO_OK;
	size_t n = 0;

	for (int i = 0; i < ROUNDS && r == IO_OK && n == 0; i++)
		r = ep->ops->read(ep, &t->lane->stage, BATCH_MIN, &n);
	/* Nothing but control records: others get their turn. */
	if (r == IO_OK && n == 0) {
		tunnel_wake(t);
		return STEP_WAIT;
	}
	if (r == IO_WANT && side == PREFACE_UP && (r = client_left(t)) != IO_WANT)
		side = PREFACE_DOWN;
	if (r == IO_WANT)
		return STEP_WAIT;
	if (r != IO_OK)
		return side_left(t, side, r);
	if (side == PREFACE_DOWN)
		o->heard_client = true;
	if (buf_append(&o->heard[side], t->lane->stage.plain, n) == -1)
		return tunnel_fail(t, REASON_NOMEM);
	return STEP_NEXT;
}

/* What was read too much belongs to what follows, but where it can only be an attack. */
static enum verdict
give_back(struct tunnel *t, enum preface_stage stage)
{
	struct opening *o = t->opening;

	for (int i = PREFACE_DOWN; i <= PREFACE_UP; i++) {
		struct endpoint *ep = side_of(t, (enum preface_side)i);
		struct buf *heard = &o->heard[i];

		if (heard->len == 0)
			continue;
		if (ep == tunnel_tls_side(t) && preface_drops(t->service->conf, stage)) {
			tunnel_log(t, LOG_NOTICE, "Service [%s] %zu bytes that %s sent in clear "
			    "behind the request for TLS are dropped", t->service->conf->name,
			    heard->len, who(t, (enum preface_side)i));
		} else if (endpoint_unread(ep, buf_head(heard), heard->len) == -1) {
			return tunnel_fail(t, REASON_NOMEM);
		}
		buf_free(heard);
	}
	return STEP_NEXT;
}

/* From here on the tunnel comes from where the proxy says that it does. */
static enum verdict
take_source(struct tunnel *t)
{
	struct opening *o = t->opening;
	char text[ADDR_TEXT], *from;

	if (o->preface.has_source) {
		if ((from = strdup(addr_text(&o->preface.source, text))) == NULL)
			return tunnel_fail(t, REASON_NOMEM);
		free(t->from);
		t->from = from;
		o->peer = o->preface.source;
	}
	return STEP_NEXT;
}

/* Whether the proxy may say where a connection comes from.  Who may reach a unix socket is
 * what the permissions of its file say. */
static bool
is_believed(struct tunnel *t)
{
	const struct conf_prefixes *from = &t->service->conf->proxy_from;
	const struct addr *peer = &t->opening->peer;

	if (peer->u.sa.sa_family == AF_UNIX)
		return true;
	for (size_t i = 0; i < from->n; i++)
		if (prefix_has(&from->items[i], peer))
			return true;
	errmsg_set(&t->opening->why, "%s is not in proxyFrom", t->from);
	return false;
}

/* The last words to a side, and a proper end behind them, so that they can be read. */
static void
say_last(struct tunnel *t, enum preface_side side)
{
	struct endpoint *ep = side_of(t, side);

	if (say(t, side) == IO_OK)
		ep->ops->finish(ep, &t->lane->stage);
}

enum verdict
preface_refuse(struct tunnel *t, enum reason why)
{
	preface_fn *fn = preface_at(t->service->conf, PREFACE_ANSWER);
	struct preface *p = &t->opening->preface;
	struct errmsg other;
	size_t used = 0;

	if (fn != NULL && !t->opening->outcast) {
		p->failure = why == REASON_TARGET ? PREFACE_FORBIDDEN : PREFACE_UNREACHABLE;
		if (fn(p, NULL, 0, &used, &other) == PREFACE_DONE)
			say_last(t, PREFACE_DOWN);
	}
	return tunnel_fail(t, why);
}

/* Where the peer wants to go is taken over. */
static enum verdict
take_target(struct tunnel *t)
{
	struct opening *o = t->opening;

	if (o->preface.target[0] == '\0' || o->wanted.text != NULL)
		return STEP_NEXT;
	if (addr_parse(o->preface.target, &o->wanted, &o->why) == -1)
		return preface_refuse(t, REASON_TARGET);
	assert(o->wanted.kind == ADDR_TCP && o->wanted.host != NULL);
	return STEP_NEXT;
}

static enum verdict
talk_over(struct tunnel *t, enum preface_stage stage)
{
	enum verdict v = say_all(t);

	if (v == STEP_NEXT)
		t->down.orderly = t->up.orderly = false;
	if (v == STEP_NEXT)
		v = give_back(t, stage);
	if (v == STEP_NEXT && stage == PREFACE_PROXY_IN)
		v = take_source(t);
	if (v == STEP_NEXT)
		v = take_target(t);
	t->opening->talking = false;
	tunnel_limit(t, 0);
	return v;
}

static enum verdict
talk_failed(struct tunnel *t, enum preface_stage stage)
{
	struct opening *o = t->opening;

	/* Whoever is told why must be able to read it. */
	for (int side = PREFACE_DOWN; side <= PREFACE_UP; side++)
		if (o->preface.out[side].len > 0)
			say_last(t, (enum preface_side)side);
	return tunnel_fail(t, stage == PREFACE_PROXY_IN ? REASON_PROXY : REASON_PREFACE);
}

static enum verdict
talk(struct tunnel *t, enum preface_stage stage, preface_fn *fn)
{
	struct opening *o = t->opening;
	struct preface *p = &o->preface;
	enum preface_side from;
	enum preface_verdict said;
	struct buf *heard;
	enum verdict v;
	size_t used;

	for (;;) {
		if ((v = flush_all(t)) != STEP_NEXT)
			return v;
		from = p->from;
		heard = &o->heard[from];
		used = 0;
		said = fn(p, heard->len > 0 ? buf_head(heard) : NULL, heard->len, &used, &o->why);
		buf_consume(heard, used);
		if (said == PREFACE_DONE)
			return talk_over(t, stage);
		if (said == PREFACE_FAILED)
			return talk_failed(t, stage);
		if ((v = say_all(t)) != STEP_NEXT)
			return v;
		if (p->from != from || (used > 0 && heard->len > 0))
			continue;
		if (heard->len > PREFACE_MAX) {
			errmsg_set(&o->why, "%s says too much", who(t, from));
			return talk_failed(t, stage);
		}
		if ((v = hear(t, from)) != STEP_NEXT)
			return v;
	}
}

enum verdict
preface_run(struct tunnel *t, enum preface_stage stage)
{
	preface_fn *fn = preface_at(t->service->conf, stage);
	struct opening *o = t->opening;
	struct facts facts;
	enum verdict v;

	if (fn == NULL)
		return STEP_NEXT;
	if (!o->talking) {
		if (stage == PREFACE_PROXY_IN && !is_believed(t))
			return tunnel_fail(t, REASON_PROXY);
		o->talking = true;
		preface_begin(&o->preface, t->service->conf);
		tunnel_limit(t, t->service->conf->timeout_busy);
	}
	if (stage == PREFACE_HEADER && (v = facts_find(t, &facts)) != STEP_NEXT)
		return v;
	o->preface.facts = &facts.told;
	v = talk(t, stage, fn);
	if (stage == PREFACE_HEADER && v == STEP_NEXT)
		facts_told(t, &facts);
	/* A tunnel is freed by its driver, after this. */
	o->preface.facts = NULL;
	return v;
}

enum verdict
preface_late(struct tunnel *t)
{
	errmsg_set(&t->opening->why, "not finished within %u seconds; %s owes an answer",
	    t->service->conf->timeout_busy, who(t, t->opening->preface.from));
	return tunnel_fail(t, REASON_BUSY_TIMEOUT);
}
