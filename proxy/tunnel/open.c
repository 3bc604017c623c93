/* The rows of steps that open a tunnel, and the hand-over. */
#include <stdlib.h>
#include <string.h>

#include "conf/protocol.h"
#include "open_priv.h"
#include "tunnel/exec.h"
#include "tunnel/preface_step.h"
#include "tunnel/recheck.h"
#include "tunnel/trace.h"

static void
worker_takes(struct inbox_msg *m, void *owner)
{
	struct tunnel *t = (struct tunnel *)((char *)m - offsetof(struct tunnel, msg));
	struct lane *lane = owner;

	if (tunnel_adopt(t, lane) == -1) {
		/* Nobody owns it yet: give it a lane to end in. */
		tunnel_enlist(t, lane);
		t->reason = REASON_NOMEM;
		tunnel_cut(t);
		return;
	}
	wire_await(&t->down.wire);
	wire_await(&t->up.wire);
	tunnel_mind_expiry(t);
	recheck_arrived(t);
}

static enum verdict
run_hand_over(struct tunnel *t)
{
	struct lane *from = t->lane, *to = pool_place(from->pool, loop_now(from->loop));

	tunnel_opened(t);
	pump_init(&t->fwd, &t->down, &t->up);
	pump_init(&t->rev, &t->up, &t->down);
	t->step = tunnel_spliced;
	t->msg.deliver = worker_takes;
	tunnel_release(t);
	inbox_push(loop_inbox(to->loop), &t->msg);
	return STEP_GONE;
}

static enum verdict
never_late(struct tunnel *t)
{
	return tunnel_fail(t, REASON_BUSY_TIMEOUT);
}

static enum verdict
run_proxy_in(struct tunnel *t)
{
	return preface_run(t, PREFACE_PROXY_IN);
}

/* A unix socket of the proxy's machine is guarded by its file, but not on this machine: no list
 * of addresses has it. */
static bool
is_off_list(const struct tunnel *t)
{
	const struct opening *o = t->opening;

	return o->preface.has_source && o->peer.u.sa.sa_family == AF_UNIX &&
	    t->service->conf->allow_from.n > 0;
}

/* What stood behind a PROXY header is judged as if it had come by itself. */
static enum verdict
run_admit(struct tunnel *t)
{
	struct opening *o = t->opening;
	enum admission v;
	bool say;

	if (!t->service->conf->proxy_in || o->peer.len == 0)
		return STEP_NEXT;
	if (is_off_list(t)) {
		errmsg_set(&o->why, "%s", admission_text(SOURCE_DENIED));
		return tunnel_fail(t, REASON_SOURCE);
	}
	v = source_admit(t->lane->pool->sources, t->service->conf, &o->peer,
	    loop_now(t->lane->loop), &t->source, &say);
	if (v == SOURCE_ADMITTED) {
		trace_accepted(t);
		return STEP_NEXT;
	}
	if (!say)
		report_later(t->lane);
	t->unsaid = !say;
	errmsg_set(&o->why, "%s", admission_text(v));
	return tunnel_fail(t, REASON_SOURCE);
}

static enum verdict
run_clear(struct tunnel *t)
{
	return preface_run(t, PREFACE_CLEAR);
}

/* An outcast has nothing to say about where it goes. */
static enum verdict
run_late(struct tunnel *t)
{
	return t->opening->outcast ? STEP_NEXT : preface_run(t, PREFACE_LATE);
}

static enum verdict
run_header(struct tunnel *t)
{
	return preface_run(t, PREFACE_HEADER);
}

static enum verdict
run_answer(struct tunnel *t)
{
	return t->opening->outcast ? STEP_NEXT : preface_run(t, PREFACE_ANSWER);
}

#define PROXY_IN { "waiting for a PROXY header", run_proxy_in, preface_late }
#define ADMIT { "judging its source", run_admit, never_late }
#define CLEAR { "negotiating in clear", run_clear, preface_late }
#define HELLO { "waiting for the ClientHello", hello_run, hello_late }
#define HANDSHAKE { "in the TLS handshake", handshake_run, handshake_late }
#define OCSP { "asking whether the peer is revoked", ocsp_run, ocsp_late }
#define LATE { "negotiating inside TLS", run_late, preface_late }
#define CONNECT { "connecting", connect_run, connect_late }
#define HEADER { "sending a PROXY header", run_header, preface_late }
#define ANSWER { "answering the client", run_answer, preface_late }
#define START { "starting the program", exec_run, exec_late }
#define HAND_OVER { "handing over", run_hand_over, never_late }

/* The target is left alone until the peer is authorised. */
static const struct step open_server[] = {
	PROXY_IN, ADMIT, CLEAR, HELLO, HANDSHAKE, OCSP, LATE, CONNECT, HEADER, ANSWER, HAND_OVER,
};

/* These greet the client with their target's words. */
static const struct step open_greeter[] = {
	PROXY_IN, ADMIT, CONNECT, CLEAR, HELLO, HANDSHAKE, OCSP, HAND_OVER,
};

static const struct step open_client[] = {
	PROXY_IN, ADMIT, CONNECT, HEADER, CLEAR, HANDSHAKE, OCSP, LATE, HAND_OVER,
};

/* Nobody is accepted: a program begins, once the peer is known; or first of all, where the talk
 * in clear is with it, too. */
static const struct step open_starter[] = {
	CONNECT, HEADER, CLEAR, HANDSHAKE, OCSP, LATE, START, HAND_OVER,
};

static const struct step open_early_starter[] = {
	START, CONNECT, HEADER, CLEAR, HANDSHAKE, OCSP, LATE, HAND_OVER,
};

const struct step *
tunnel_open(const struct service *s)
{
	if (exec_is_source(s->conf))
		return s->conf->protocol == PROTOCOL_NONE ? open_starter : open_early_starter;
	if (s->conf->client)
		return open_client;
	return protocol_greets(s->conf) ? open_greeter : open_server;
}
