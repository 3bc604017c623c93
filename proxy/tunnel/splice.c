/* The steps of an open tunnel, in a worker lane. */
#include <assert.h>

#include "net/sock.h"
#include "tunnel/exec.h"
#include "tunnel/tunnel.h"

/* Reads a direction may do in one turn before others get theirs. */
#define ROUNDS 4

/* How long a peer may go on sending when both directions are over. */
#define LINGER_SECONDS 60

/* The other machine's acknowledgement makes no event: it is asked for so often. */
#define UNSENT_POLL_MS 20

static const struct step deliver, linger;

/* TIMEOUTclose; none means that only TIMEOUTidle ends what does not move. */
static unsigned
close_seconds(const struct tunnel *t)
{
	const struct conf_service *c = t->service->conf;

	return c->timeout_close > 0 ? c->timeout_close : c->timeout_idle;
}

/* Bytes that wait in the kernel move without an event.  As long as there are
 * fewer of them at each deadline, the other machine is slow, not silent. */
static bool
still_taking(struct tunnel *t)
{
	size_t left = t->down.ops->unsent(&t->down) + t->up.ops->unsent(&t->up);
	bool taking = left > 0 && left < t->unsent;

	t->unsent = left;
	return taking;
}

static void
limit_anew(struct tunnel *t, unsigned seconds)
{
	t->unsent = SIZE_MAX;
	tunnel_limit(t, seconds);
}

/* What became of the endpoint where a pump failed, as the log names it. */
static enum reason
reason_of(const struct tunnel *t, const struct pump *p)
{
	const struct endpoint *ep = p->at_dst ? p->dst : p->src;
	bool from_server = t->service->conf->client && ep == &t->up;

	switch (p->why) {
	case IO_TRUNCATED:
		return REASON_TRUNCATED;
	case IO_ALERT:
		/* In TLS 1.3 the server judges us after our handshake is done. */
		return from_server && t->rev.bytes == 0 ? REASON_REFUSED_BY_PEER : REASON_ALERT;
	case IO_PROTOCOL:
		return REASON_PROTOCOL;
	case IO_NOMEM:
		return REASON_NOMEM;
	default:
		return endpoint_is_tls(ep) ? REASON_TLS_RESET : REASON_PLAIN_RESET;
	}
}

/* An alert says why a reset came behind it, which a write may have met first. */
static void
heed_alert(struct tunnel *t, const struct pump *tail)
{
	if (tail->state == PUMP_FAILED && tail->why == IO_ALERT)
		t->reason = reason_of(t, tail);
}

/*
 * One side failed.  The other one is told after it has got what was received
 * for it: first what the failed side may still have for us to read, when only
 * writing to it failed, then all that is kept here and in the kernel.
 */
static enum verdict
side_failed(struct tunnel *t, const struct pump *p)
{
	struct endpoint *failed = p->at_dst ? p->dst : p->src;

	t->reason = reason_of(t, p);
	t->survivor = failed == &t->down ? &t->up : &t->down;
	t->tail = failed == &t->down ? &t->fwd : &t->rev;
	/* An alert of ours is on its way to the failed side. */
	if (p->why == IO_PROTOCOL)
		failed->orderly = true;
	heed_alert(t, t->tail);
	if (t->tail->state != PUMP_FLOWS)
		t->tail = NULL;
	limit_anew(t, close_seconds(t));
	return tunnel_go(t, &deliver);
}

/* Bytes went on: the time runs anew, and what waits is counted anew. */
static void
note_progress(struct tunnel *t)
{
	tunnel_touch(t);
	t->unsent = SIZE_MAX;
}

/* A truncation is a proper end where the operator wants it so; it is noted all the same,
 * but where nobody waits for the close_notify once ours is sent (TIMEOUTclose = 0). */
static bool
forgiven(struct tunnel *t, struct pump *p, const struct pump *other)
{
	const struct conf_service *c = t->service->conf;

	if (p->state != PUMP_FAILED || p->why != IO_TRUNCATED || c->abort == ABORT_STRICT)
		return false;
	if (c->timeout_close > 0 || other->state != PUMP_ENDED)
		t->truncated = true;
	pump_forgive(p);
	return true;
}

static bool
run_pumps(struct tunnel *t)
{
	uint64_t before = t->fwd.bytes + t->rev.bytes, moved;
	struct stage *st = &t->lane->stage;
	bool again;

	again = pump_run(&t->fwd, st, ROUNDS);
	again |= pump_run(&t->rev, st, ROUNDS);
	again |= forgiven(t, &t->fwd, &t->rev) || forgiven(t, &t->rev, &t->fwd);
	moved = t->fwd.bytes + t->rev.bytes - before;
	if (moved == 0)
		return again;
	note_progress(t);
	lane_moved(t->lane, t->active, moved);
	/* No event tells that an echo has bytes. */
	return again || endpoint_is_echo(&t->up);
}

static bool
is_half_closed(const struct tunnel *t)
{
	return t->fwd.state != PUMP_FLOWS || t->rev.state != PUMP_FLOWS || exec_has_ended(t);
}

/* The time limit changes when the first direction ends. */
static unsigned
splice_seconds(const struct tunnel *t)
{
	return is_half_closed(t) ? close_seconds(t) : t->service->conf->timeout_idle;
}

static enum verdict
run_splice(struct tunnel *t)
{
	bool again = run_pumps(t);

	exec_settle(t);

	if (t->fwd.state == PUMP_FAILED)
		return side_failed(t, &t->fwd);
	if (t->rev.state == PUMP_FAILED)
		return side_failed(t, &t->rev);
	if (t->fwd.state == PUMP_ENDED && t->rev.state == PUMP_ENDED) {
		t->reason = REASON_CLOSED;
		limit_anew(t, LINGER_SECONDS);
		return tunnel_go(t, &linger);
	}
	if (t->limit != (uint64_t)splice_seconds(t) * 1000)
		limit_anew(t, splice_seconds(t));
	if (again)
		tunnel_wake(t);
	return STEP_WAIT;
}

static enum verdict
late_splice(struct tunnel *t)
{
	if (still_taking(t)) {
		tunnel_limit(t, splice_seconds(t));
		return STEP_WAIT;
	}
	return tunnel_fail(t, is_half_closed(t) && t->service->conf->timeout_close > 0 ?
	    REASON_CLOSE_TIMEOUT : REASON_IDLE_TIMEOUT);
}

/* Reads what a side sends, for nobody; how many bytes in *total.  IO_OK: there is more. */
static enum iores
throw_away(struct tunnel *t, struct endpoint *ep, size_t *total)
{
	enum iores r = IO_OK;
	size_t n;

	*total = 0;
	for (int i = 0; i < ROUNDS && r == IO_OK; i++) {
		r = wire_read(&ep->wire, t->lane->stage.cipher_in, BATCH_MAX, &n);
		*total += n;
	}
	return r;
}

/*
 * Nobody takes what the survivor still says.  But one that answers before it reads on would
 * be stuck with its answer, and never get what is to be delivered.
 */
static void
hear_out(struct tunnel *t, struct endpoint *ep)
{
	size_t n;

	if (endpoint_is_echo(ep))
		ep->ops->read(ep, &t->lane->stage, BATCH_MAX, &n);
	/* Of a pair, as stdio is, the side that we read does not wait for the other. */
	else if (ep->wire.rfd == ep->wire.wfd && throw_away(t, ep, &n) == IO_OK)
		tunnel_wake(t);
}

/* Deliver, then abort or end the surviving side. */
static enum verdict
run_deliver(struct tunnel *t)
{
	struct stage *st = &t->lane->stage;
	struct endpoint *ep = t->survivor;
	enum iores r;

	hear_out(t, ep);
	if (t->tail != NULL) {
		uint64_t before = t->tail->bytes;
		bool again = pump_run(t->tail, st, ROUNDS);

		if (t->tail->bytes != before) {
			note_progress(t);
			/* No event tells that an echo has bytes. */
			again |= endpoint_is_echo(ep);
		}
		if (again)
			tunnel_wake(t);
		if (t->tail->state == PUMP_FLOWS || t->tail->state == PUMP_ENDING)
			return STEP_WAIT;
		heed_alert(t, t->tail);
		t->tail = NULL;
	}
	r = ep->ops->flush(ep);
	if (r == IO_OK && tunnel_ends_orderly(t, ep)) {
		ep->orderly = true;
		r = ep->ops->finish(ep, st);
	}
	if (r == IO_WANT)
		return STEP_WAIT;
	if (r != IO_OK || ep->ops->unsent(ep) == 0)
		return STEP_END;
	tunnel_poll(t, UNSENT_POLL_MS);
	return STEP_WAIT;
}

static enum verdict
late_deliver(struct tunnel *t)
{
	if (!still_taking(t))
		return STEP_END;
	tunnel_limit(t, close_seconds(t));
	tunnel_poll(t, UNSENT_POLL_MS);
	return STEP_WAIT;
}

/*
 * Both directions are done.  A TLS peer that still sends, behind its close_notify,
 * would be answered with a reset once we have closed, and that destroys our last
 * bytes on their way: as long as some are, or it sends, that is thrown away here.
 */
static bool
lingers(struct tunnel *t, struct endpoint *ep)
{
	enum iores r;
	size_t n;

	if (!endpoint_is_tls(ep))
		return false;
	r = throw_away(t, ep, &n);
	if (r != IO_OK && r != IO_WANT)
		return false;
	return n > 0 || ep->ops->unsent(ep) > 0;
}

static enum verdict
run_linger(struct tunnel *t)
{
	if (!lingers(t, &t->down) && !lingers(t, &t->up))
		return STEP_END;
	tunnel_poll(t, UNSENT_POLL_MS);
	return STEP_WAIT;
}

static const struct step deliver = { "delivering the rest", run_deliver, late_deliver };
static const struct step linger = { "closing", run_linger, late_deliver };

const struct step tunnel_spliced[] = {
	{ "open", run_splice, late_splice },
};
