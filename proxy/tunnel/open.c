/* The steps that open a tunnel, in an accept lane. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "conf/protocol.h"
#include "net/sock.h"
#include "net/stdio.h"
#include "tunnel/exec.h"
#include "tunnel/policy.h"
#include "tunnel/preface_step.h"
#include "tunnel/recheck.h"
#include "tunnel/trace.h"
#include "tunnel/tunnel.h"

/* How long a peer whose handshake failed gets to read our alert and leave. */
#define FAREWELL_SECONDS 2
#define FAREWELL_BYTES ((size_t)1024 * 1024)

/* The name that a connect line without a host means. */
static const char *const localhost_name[] = { "localhost" };

/* Whether the peer said where it wants to go (socks, connect). */
static bool
peer_chose(const struct tunnel *t)
{
	return !t->service->conf->client && t->opening->wanted.text != NULL &&
	    !t->opening->outcast;
}

/* The connect line being tried; NULL where the target comes from elsewhere. */
static const struct addr_spec *
target_of(const struct tunnel *t)
{
	const struct conf_service *c = t->service->conf;
	size_t first;

	if (t->opening->outcast)
		return &c->redirect.items[0];
	if (peer_chose(t))
		return &t->opening->wanted;
	if (c->connect.n == 0)
		return NULL;
	first = c->failover == FAILOVER_RR ? t->opening->turn % c->connect.n : 0;
	return &c->connect.items[(first + t->opening->tried) % c->connect.n];
}

static const char *
target_text(const struct tunnel *t)
{
	const struct addr_spec *target = target_of(t);

	return target != NULL ? target->text : "the client's destination";
}

/* With failover = rr a name's addresses take turns, too, each time its line comes first. */
static void
rotate(const struct tunnel *t, struct addr_list *list)
{
	const struct conf_service *c = t->service->conf;
	size_t shift;

	if (c->failover != FAILOVER_RR || list->n < 2 || c->connect.n == 0)
		return;
	for (shift = t->opening->turn / c->connect.n % list->n; shift > 0; shift--) {
		struct addr first = list->items[0];

		memmove(list->items, list->items + 1, (list->n - 1) * sizeof(first));
		list->items[list->n - 1] = first;
	}
}

static void
begin_dial(struct tunnel *t, struct addr_list *list)
{
	rotate(t, list);
	dial_start(&t->opening->dial, t->lane->loop, list, &t->opening->setup,
	    t->service->conf->timeout_connect * 1000, tunnel_wake, t);
}

/* What a peer may choose is no service of this machine, unless connect names it.  Returns
 * false when nothing is left. */
static bool
leave_out_own(struct tunnel *t, struct addr_list *list)
{
	struct opening *o = t->opening;
	size_t n = 0;

	if (!peer_chose(t) || preface_may_go(t->service->conf, o->wanted.text))
		return true;
	for (size_t i = 0; i < list->n; i++)
		if (!preface_is_local(&list->items[i]))
			list->items[n++] = list->items[i];
	list->n = n;
	o->forbidden = n == 0;
	if (o->forbidden)
		errmsg_set(&o->why, "%s is this machine itself, and no connect line names it",
		    o->wanted.text);
	return !o->forbidden;
}

/* Connect */

static enum verdict
connected(struct tunnel *t, const char *to)
{
	free(t->to);
	if ((t->to = strdup(to)) == NULL)
		return tunnel_fail(t, REASON_NOMEM);
	trace_connected(t, to);
	tunnel_limit(t, 0);
	return STEP_NEXT;
}

static enum verdict
connected_socket(struct tunnel *t, int fd, const struct addr *a)
{
	char text[ADDR_TEXT];

	endpoint_plain(&t->up, fd, fd);
	if (wire_join(&t->up.wire, t->lane->loop, tunnel_wake, t) == -1)
		return tunnel_fail(t, REASON_NOMEM);
	return connected(t, addr_text(a, text));
}

static enum verdict
connect_stdio(struct tunnel *t)
{
	struct opening *o = t->opening;
	int rfd, wfd;

	if (atomic_exchange(&t->lane->pool->stdio_taken, true))
		return tunnel_fail(t, REASON_STDIO_TAKEN);
	t->stdio = true;
	if (stdio_take(&rfd, &wfd, &o->why) == -1)
		return tunnel_fail(t, REASON_CONNECT);
	endpoint_plain(&t->up, rfd, wfd);
	if (wire_join(&t->up.wire, t->lane->loop, tunnel_wake, t) == -1)
		return tunnel_fail(t, REASON_NOMEM);
	pool_wake_main(t->lane->pool);
	return connected(t, "stdio");
}

/* The next connect line, or the end. */
static enum verdict
next_target(struct tunnel *t, enum reason why)
{
	struct opening *o = t->opening;

	if (!o->outcast && !peer_chose(t) && o->tried + 1 < t->service->conf->connect.n) {
		o->tried++;
		return STEP_GO;
	}
	return preface_refuse(t, why);
}

/* An answer came: the tunnel is found by its id, for it may have ended since. */
static void
answer_arrived(struct inbox_msg *m, void *owner)
{
	struct resolve_answer *a = (struct resolve_answer *)m;
	struct lane *lane = owner;
	struct opening **p, *o;
	struct tunnel *t;

	for (p = &lane->askers; *p != NULL && (*p)->tunnel->id != a->id;)
		p = &(*p)->next_asker;
	if ((o = *p) == NULL) {
		resolve_answer_free(a);
		return;
	}
	*p = o->next_asker;
	o->asking = false;
	t = o->tunnel;
	tunnel_limit(t, 0);
	if (a->found && leave_out_own(t, &a->list)) {
		begin_dial(t, &a->list);
	} else if (a->found) {
		t->reason = REASON_RESOLVE;
	} else {
		trace_not_resolved(t, target_text(t), a->why.text);
		errmsg_set(&o->why, "%s: %s", target_text(t), a->why.text);
		t->reason = REASON_RESOLVE;
	}
	resolve_answer_free(a);
	tunnel_wake(t);
}

static enum verdict
ask_resolver(struct tunnel *t)
{
	struct lane *lane = t->lane;
	struct opening *o = t->opening;

	if (resolver_ask(lane->pool->resolver, target_of(t), loop_inbox(lane->loop), t->id,
	    answer_arrived) == -1)
		return tunnel_fail(t, REASON_NOMEM);
	o->asking = true;
	o->next_asker = lane->askers;
	lane->askers = o;
	tunnel_limit(t, t->service->conf->timeout_busy);
	return STEP_WAIT;
}

/* With transparent = source the target sees the peer itself: its address is bound. */
static void
take_peers_address(struct opening *o)
{
	if (o->peer.u.sa.sa_family == AF_INET)
		o->peer.u.in.sin_port = 0;
	else if (o->peer.u.sa.sa_family == AF_INET6)
		o->peer.u.in6.sin6_port = 0;
	o->setup.sources = &o->peer;
	o->setup.nsources = 1;
	o->setup.foreign = true;
}

/* With transparent = destination the target is where the peer wanted to go. */
static enum verdict
connect_destination(struct tunnel *t)
{
	struct addr_list list = { .items = malloc(sizeof(*list.items)), .n = 1 };

	if (list.items == NULL)
		return tunnel_fail(t, REASON_NOMEM);
	if (t->down.wire.rfd == -1 || sock_destination(t->down.wire.rfd, list.items) == -1) {
		addr_list_free(&list);
		errmsg_set(&t->opening->why, "the client's destination: %s", errno == ELOOP ?
		    "this very port; a rule of the firewall must redirect to it (transparent = "
		    "destination)" : strerror(errno));
		return tunnel_fail(t, REASON_CONNECT);
	}
	begin_dial(t, &list);
	return STEP_GO;
}

static enum verdict
connect_begin(struct tunnel *t)
{
	const enum conf_transparent transparent = t->service->conf->transparent;
	struct opening *o = t->opening;
	struct addr_list list = { 0 };
	const struct addr_spec *target;

	if ((transparent & TRANSPARENT_SOURCE) != 0)
		take_peers_address(o);
	if ((transparent & TRANSPARENT_DESTINATION) != 0 && !o->outcast)
		return connect_destination(t);
	target = target_of(t);
	if (target->kind == ADDR_STDIO)
		return connect_stdio(t);
	if (target->kind == ADDR_ECHO) {
		endpoint_echo(&t->up);
		return connected(t, "echo:");
	}
	switch (addr_resolve(target, false, true, &list, &o->why)) {
	case 0:
		if (!leave_out_own(t, &list)) {
			addr_list_free(&list);
			return next_target(t, REASON_TARGET);
		}
		begin_dial(t, &list);
		return STEP_GO;
	case 1:
		return ask_resolver(t);
	default:
		return next_target(t, REASON_RESOLVE);
	}
}

/* In client mode nobody waits for a local program that left already. */
static bool
accepted_side_left(struct tunnel *t)
{
	return !endpoint_is_tls(&t->down) && t->down.wire.to_the_end && !t->stdio &&
	    t->down.wire.rsock && sock_peek(t->down.wire.rfd) == SOCK_ERROR;
}

static enum verdict
run_connect(struct tunnel *t)
{
	struct opening *o = t->opening;
	struct addr a;
	int fd, why;

	if (exec_is_target(t->service->conf) && !o->outcast)
		return exec_run(t);
	if (o->asking)
		return STEP_WAIT;
	if (t->reason == REASON_RESOLVE) {
		t->reason = REASON_NONE;
		return next_target(t, o->forbidden ? REASON_TARGET : REASON_RESOLVE);
	}
	if (accepted_side_left(t))
		return tunnel_fail(t, REASON_PLAIN_RESET);
	if (o->dial.loop == NULL)
		return connect_begin(t);
	if ((fd = dial_result(&o->dial, &a, &why)) != -1)
		return connected_socket(t, fd, &a);
	if (why == 0)
		return STEP_WAIT;
	dial_stop(&o->dial);
	trace_not_connected(t, target_text(t), why);
	errmsg_set(&o->why, "%s: %s", target_text(t), strerror(why));
	return next_target(t, REASON_CONNECT);
}

static enum verdict
late_connect(struct tunnel *t)
{
	if (t->exec != NULL)
		return exec_late(t);
	errmsg_set(&t->opening->why, "%s: no answer from the resolver", target_text(t));
	return preface_refuse(t, REASON_BUSY_TIMEOUT);
}

/* Handshake */

/* The server that we speak TLS with: behind a proxy it is not what we connect to. */
static const struct addr_spec *
server_of(struct tunnel *t)
{
	const struct conf_service *c = t->service->conf;
	struct opening *o = t->opening;

	if (!c->client || c->protocol != PROTOCOL_CONNECT)
		return target_of(t);
	if (o->wanted.text == NULL && addr_parse(c->protocol_host, &o->wanted, &o->why) == -1)
		return NULL;
	return &o->wanted;
}

/* The host that the server's certificate must name, as long as the tunnel lives. */
static int
keep_host(struct tunnel *t, const char *host)
{
	free(t->host);
	return (t->host = strdup(host)) != NULL ? 0 : -1;
}

/* The names that the server's certificate must carry one of: what the operator
 * said, else the host that we connect to. */
static struct tls_session *
make_session(struct tunnel *t)
{
	const struct service *s = t->service;
	const struct addr_spec *target = server_of(t);
	const char *host = target == NULL || target->kind != ADDR_TCP ? NULL :
	    target->host != NULL ? target->host : localhost_name[0];

	t->names = s->names;
	t->nnames = s->nnames;
	if (!s->conf->client)
		return tls_session_new(s->tls, NULL, t->names, t->nnames, &t->opening->why);
	if (t->nnames == 0 && host != NULL && policy_names_host(s->conf)) {
		if (keep_host(t, host) == -1)
			return NULL;
		t->names = (const char *const *)&t->host;
		t->nnames = 1;
	}
	return tls_session_new(s->tls, policy_sni(s->conf, host), t->names, t->nnames,
	    &t->opening->why);
}

static struct tls_session *
session_for(struct tunnel *t)
{
	struct tls_session *s = make_session(t);

	if (s != NULL)
		tls_session_revocation(s, t->service->crls);
	return s;
}

/* The plain endpoint over this socket becomes a TLS one. */
static enum verdict
begin_tls(struct tunnel *t, struct endpoint *ep)
{
	if ((ep->tls = session_for(t)) == NULL)
		return tunnel_fail(t, REASON_NOMEM);
	if (preface_tells(t->service->conf) && tls_session_keep(ep->tls) == -1)
		return tunnel_fail(t, REASON_NOMEM);
	endpoint_upgrade(ep);
	tunnel_limit(t, t->service->conf->timeout_busy);
	return STEP_GO;
}

static enum verdict
handshake_failed(struct tunnel *t, struct endpoint *ep, enum iores why)
{
	struct opening *o = t->opening;

	if (why == IO_EOF || why == IO_RESET) {
		errmsg_set(&o->why, "the peer %s during the handshake",
		    why == IO_EOF ? "closed the connection" : "reset the connection");
		ep->orderly = true;
		return tunnel_fail(t, tls_session_began(ep->tls) ? REASON_HANDSHAKE :
		    REASON_PROBE);
	}
	if (why == IO_NOMEM)
		return tunnel_fail(t, REASON_NOMEM);
	tls_session_failure(ep->tls, &o->why);
	tunnel_fail(t, tls_session_refused(ep->tls) ? REASON_UNAUTHORISED :
	    why == IO_ALERT ? REASON_REFUSED_BY_PEER : REASON_HANDSHAKE);
	/* The local program need not wait for the farewell. */
	if (ep != &t->down) {
		wire_leave(&t->down.wire, t->lane->loop);
		tunnel_abort_side(t, &t->down);
	}
	return tunnel_go(t, &tunnel_farewell);
}

/* A peer that may not pass goes elsewhere, if there is where. */
static enum verdict
handshake_done(struct tunnel *t, struct endpoint *ep)
{
	trace_negotiated(t);
	tunnel_limit(t, 0);
	t->opening->met = !tls_session_refused(ep->tls);
	if (t->opening->met)
		return STEP_NEXT;
	tls_session_failure(ep->tls, &t->opening->why);
	if (t->up.ops != NULL)
		return tunnel_fail(t, REASON_UNAUTHORISED);
	tunnel_log(t, LOG_NOTICE, "Redirecting connection");
	tunnel_log(t, LOG_INFO, "Service [%s] redirects %s to %s: %s", t->service->conf->name,
	    t->from, t->service->conf->redirect.items[0].text, t->opening->why.text);
	t->opening->outcast = t->opening->met = true;
	return STEP_NEXT;
}

static enum verdict
run_handshake(struct tunnel *t)
{
	struct endpoint *ep = tunnel_tls_side(t);
	enum iores r;
	bool gone;

	if (ep->tls == NULL)
		return begin_tls(t, ep);
	/* In front of a reset there may be an alert that says why. */
	gone = wire_flush(&ep->wire) == IO_RESET;
	r = endpoint_handshake(ep, &t->lane->stage);
	if (r == IO_WANT && gone)
		r = IO_RESET;
	if (r == IO_WANT)
		return STEP_WAIT;
	if (r != IO_OK)
		return handshake_failed(t, ep, r);
	return handshake_done(t, ep);
}

static enum verdict
late_handshake(struct tunnel *t)
{
	struct endpoint *ep = tunnel_tls_side(t);

	errmsg_set(&t->opening->why, "not finished within %u seconds; %s",
	    t->service->conf->timeout_busy,
	    tls_session_began(ep->tls) ? "the peer began it" : "the peer said nothing");
	return tunnel_fail(t, REASON_BUSY_TIMEOUT);
}

/* Hand-over */

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

/* Farewell */

static enum verdict
run_farewell(struct tunnel *t)
{
	struct endpoint *ep = tunnel_tls_side(t);
	enum iores r = IO_OK;
	size_t n;

	if (!ep->orderly) {
		ep->orderly = true;
		tunnel_limit(t, FAREWELL_SECONDS);
	}
	if (wire_finish(&ep->wire) == IO_RESET)
		return STEP_END;
	/* Closed with bytes unread, the socket would send a reset, which can overtake the
	 * alert.  A stranger that goes on and on gets no more than that. */
	while (r == IO_OK && t->opening->thrown_away < FAREWELL_BYTES) {
		r = wire_read(&ep->wire, t->lane->stage.cipher_in, BATCH_MAX, &n);
		t->opening->thrown_away += n;
	}
	return r == IO_WANT ? STEP_WAIT : STEP_END;
}

static enum verdict
late_farewell(struct tunnel *t)
{
	(void)t;
	return STEP_END;
}

static enum verdict
never_late(struct tunnel *t)
{
	return tunnel_fail(t, REASON_BUSY_TIMEOUT);
}

const struct step tunnel_farewell = { "in the TLS handshake", run_farewell, late_farewell };

static enum verdict
run_proxy_in(struct tunnel *t)
{
	return preface_run(t, PREFACE_PROXY_IN);
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
#define HANDSHAKE { "in the TLS handshake", run_handshake, late_handshake }
#define LATE { "negotiating inside TLS", run_late, preface_late }
#define CONNECT { "connecting", run_connect, late_connect }
#define HEADER { "sending a PROXY header", run_header, preface_late }
#define ANSWER { "answering the client", run_answer, preface_late }
#define START { "starting the program", exec_run, exec_late }
#define HAND_OVER { "handing over", run_hand_over, never_late }

/* The target is left alone until the peer is authorised. */
static const struct step open_server[] = {
	PROXY_IN, ADMIT, CLEAR, HANDSHAKE, LATE, CONNECT, HEADER, ANSWER, HAND_OVER,
};

/* These greet the client with their target's words. */
static const struct step open_greeter[] = {
	PROXY_IN, ADMIT, CONNECT, CLEAR, HANDSHAKE, HAND_OVER,
};

static const struct step open_client[] = {
	PROXY_IN, ADMIT, CONNECT, HEADER, CLEAR, HANDSHAKE, LATE, HAND_OVER,
};

/* Nobody is accepted: a program begins, once the peer is known; or first of all, where the talk
 * in clear is with it, too. */
static const struct step open_starter[] = {
	CONNECT, HEADER, CLEAR, HANDSHAKE, LATE, START, HAND_OVER,
};

static const struct step open_early_starter[] = {
	START, CONNECT, HEADER, CLEAR, HANDSHAKE, LATE, HAND_OVER,
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
