/* The TLS handshake of a tunnel, in an accept lane, and the farewell of those who fail it. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "conf/protocol.h"
#include "open_priv.h"
#include "tunnel/policy.h"
#include "tunnel/preface_step.h"
#include "tunnel/trace.h"

/* How long a peer whose handshake failed gets to read our alert and leave. */
#define FAREWELL_SECONDS 2
#define FAREWELL_BYTES ((size_t)1024 * 1024)

/* The name that a connect line without a host means. */
static const char *const localhost_name[] = { "localhost" };

/* The server that we speak TLS with: behind a proxy it is not what we connect to. */
static const struct addr_spec *
server_of(struct tunnel *t)
{
	const struct conf_service *c = t->service->conf;
	struct opening *o = t->opening;

	if (!c->client || c->protocol != PROTOCOL_CONNECT)
		return connect_target(t);
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

/* A hello that was read may say more than the name; one that makes no sense is for the session. */
static struct tls_session *
accept_session(struct tunnel *t)
{
	const struct service *s = t->service;
	struct opening *o = t->opening;
	struct hello h;

	if (o->hello.msg == NULL || !hello_parse(&o->hello, &h))
		return tls_session_new(s->tls, NULL, t->names, t->nnames, &o->why);
	return tls_session_answer(s->tls, &h, t->names, t->nnames, &o->why);
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
		return accept_session(t);
	if (t->nnames == 0 && host != NULL && policy_names_host(s->conf)) {
		if (keep_host(t, host) == -1)
			return NULL;
		t->names = (const char *const *)&t->host;
		t->nnames = 1;
	}
	return tls_session_new(s->tls, policy_sni(s->conf, host), t->names, t->nnames,
	    &t->opening->why);
}

/* A session of before is one with the same machine, reached for the same server. */
static void
resume_session(struct tunnel *t, struct tls_session *s)
{
	const struct addr_spec *server = server_of(t);
	const char *const where[] = { t->to, server != NULL ? server->text : NULL,
		policy_sni(t->service->conf, server != NULL ? server->host : NULL) };

	if (t->to != NULL)
		tls_session_resume(s, t->service->sessions, where, sizeof(where) / sizeof(*where));
}

static struct tls_session *
session_for(struct tunnel *t)
{
	struct tls_session *s = make_session(t);

	if (s == NULL)
		return NULL;
	tls_session_revocation(s, t->service->crls);
	if (t->service->sessions != NULL && !t->opening->again)
		resume_session(t, s);
	return s;
}

/* What is handed on to others must be kept until then. */
static int
keep_identity(const struct tunnel *t, struct tls_session *s)
{
	const struct conf_service *c = t->service->conf;
	bool tells = preface_tells(c);

	if (tells && tls_session_keep(s) == -1)
		return -1;
	return tells || c->exec != NULL ? tls_session_bind(s) : 0;
}

/* The plain endpoint over this socket becomes a TLS one. */
static enum verdict
begin_tls(struct tunnel *t, struct endpoint *ep)
{
	ep->tls = session_for(t);
	hello_free(&t->opening->hello);
	if (ep->tls == NULL)
		return tunnel_fail(t, REASON_NOMEM);
	if (keep_identity(t, ep->tls) == -1)
		return tunnel_fail(t, REASON_NOMEM);
	endpoint_upgrade(ep);
	/* A hello that was waited for is part of the handshake and its time. */
	if (!t->opening->heard_hello)
		tunnel_limit(t, t->service->conf->timeout_busy);
	return STEP_GO;
}

static enum verdict
say_farewell(struct tunnel *t, struct endpoint *ep)
{
	/* The local program need not wait for it. */
	if (ep != &t->down) {
		wire_leave(&t->down.wire, t->lane->loop);
		tunnel_abort_side(t, &t->down);
	}
	return tunnel_go(t, &tunnel_farewell);
}

static enum verdict
handshake_failed(struct tunnel *t, struct endpoint *ep, enum iores why)
{
	struct opening *o = t->opening;

	if (why == IO_EOF || why == IO_RESET)
		tls_session_forsake(ep->tls);
	if (why != IO_NOMEM && again_may(t, ep))
		return again_run(t, ep, why);
	if (why == IO_EOF || why == IO_RESET) {
		errmsg_set(&o->why, "the peer %s during the handshake; phase: %s",
		    why == IO_EOF ? "closed the connection" : "reset the connection",
		    tls_session_phase(ep->tls));
		ep->orderly = true;
		/* A server is no stranger who tries a port: it was to speak TLS. */
		return tunnel_fail(t, tls_session_began(ep->tls) || t->service->conf->client ?
		    REASON_HANDSHAKE : REASON_PROBE);
	}
	if (why == IO_NOMEM)
		return tunnel_fail(t, REASON_NOMEM);
	tls_session_failure(ep->tls, &o->why);
	tunnel_fail(t, tls_session_refused(ep->tls) ? REASON_UNAUTHORISED :
	    why == IO_ALERT ? REASON_REFUSED_BY_PEER : REASON_HANDSHAKE);
	return say_farewell(t, ep);
}

/* The rules that only report, of which the operator wants to know what they would do. */
static void
tell_reported(struct tunnel *t, struct endpoint *ep)
{
	struct errmsg why;

	if (tls_session_reported(ep->tls, &why) == NULL)
		return;
	tunnel_log(t, LOG_NOTICE, "Service [%s] would refuse %s (%llu so far): %s",
	    t->service->conf->name, t->from, service_count_reported(t->service), why.text);
}

/* A peer that may not pass goes elsewhere, if there is where. */
static enum verdict
handshake_done(struct tunnel *t, struct endpoint *ep)
{
	trace_negotiated(t);
	tunnel_limit(t, 0);
	t->opening->met = !tls_session_refused(ep->tls);
	tell_reported(t, ep);
	return t->opening->met ? STEP_NEXT : handshake_refused(t, ep);
}

enum verdict
handshake_refused(struct tunnel *t, struct endpoint *ep)
{
	tls_session_failure(ep->tls, &t->opening->why);
	if (t->up.ops != NULL || t->service->conf->redirect.n == 0) {
		tunnel_fail(t, REASON_UNAUTHORISED);
		return say_farewell(t, ep);
	}
	tunnel_log(t, LOG_NOTICE, "Redirecting connection");
	tunnel_log(t, LOG_INFO, "Service [%s] redirects %s to %s: %s", t->service->conf->name,
	    t->from, t->service->conf->redirect.items[0].text, t->opening->why.text);
	t->opening->outcast = t->opening->met = true;
	return STEP_NEXT;
}

enum verdict
handshake_run(struct tunnel *t)
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

enum verdict
handshake_late(struct tunnel *t)
{
	struct endpoint *ep = tunnel_tls_side(t);

	tls_session_forsake(ep->tls);
	errmsg_set(&t->opening->why, "not finished within %u seconds; %s; phase: %s",
	    t->service->conf->timeout_busy,
	    tls_session_began(ep->tls) ? "the peer began it" : "the peer said nothing",
	    tls_session_phase(ep->tls));
	return tunnel_fail(t, REASON_BUSY_TIMEOUT);
}

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

const struct step tunnel_farewell = { "in the TLS handshake", run_farewell, late_farewell };
