#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "tunnel/trace.h"

#define OF(type, member, p) ((type *)((char *)(p) - offsetof(type, member)))

/* Whether the TLS session got as far as knowing what was negotiated. */
static bool
is_open(const struct tunnel *t)
{
	return t->opening == NULL;
}

static const struct endpoint *
tls_of(const struct tunnel *t)
{
	const struct endpoint *ep = t->service->conf->client ? &t->up : &t->down;

	return ep->tls != NULL ? ep : NULL;
}

/* "; TLSv1.3 TLS_AES_128_GCM_SHA256 X25519MLKEM768; peer …" */
static void
describe_tls(const struct tunnel *t, char *text, size_t cap)
{
	const struct endpoint *ep = tls_of(t);
	const struct cert_info *peer;
	const char *protocol;
	char fp[CERT_FP_TEXT];
	int n;

	*text = '\0';
	if (ep == NULL || !is_open(t))
		return;
	protocol = tls_session_protocol(ep->tls);
	n = snprintf(text, cap, "; %s %s %s%s%s%.64s; peer ", tls_session_version(ep->tls),
	    tls_session_suite(ep->tls), tls_session_group(ep->tls),
	    tls_session_resumed(ep->tls) ? " resumed" : "", protocol != NULL ? " ALPN " : "",
	    protocol != NULL ? protocol : "");
	if (n < 0 || (size_t)n >= cap)
		return;
	if (tls_session_shared(ep->tls) != NULL)
		snprintf(text + n, cap - (size_t)n, "with the key of \"%s\"",
		    tls_session_shared(ep->tls));
	else if ((peer = tls_session_peer(ep->tls)) == NULL)
		snprintf(text + n, cap - (size_t)n, "without certificate");
	else
		snprintf(text + n, cap - (size_t)n, "\"%.160s\"%s%.160s SHA-256 %s%s", peer->subject,
		    *peer->names ? " " : "", peer->names,
		    cert_fingerprint_text(peer->fingerprint, fp),
		    tls_session_verified(ep->tls) ? "" : " (not verified)");
}

static const char *
describe_expiry(const struct tls_session *tls, struct errmsg *e)
{
	char when[32];

	errmsg_set(e, "the peer's certificate was valid until %s",
	    cert_time_text(tls_session_expires(tls), when));
	return e->text;
}

/* Why it failed: what opening it met, or what the TLS session did. */
static const char *
describe_failure(const struct tunnel *t, struct errmsg *e)
{
	const struct endpoint *ep = tls_of(t);

	/* What its step would have said is another story. */
	if (t->reason == REASON_CROWDED)
		return "";
	if (t->opening != NULL)
		return t->opening->why.text;
	if (t->why != NULL)
		return t->why;
	if (ep != NULL && t->reason == REASON_EXPIRED)
		return describe_expiry(ep->tls, e);
	if (ep != NULL && (t->reason == REASON_ALERT || t->reason == REASON_PROTOCOL ||
	    t->reason == REASON_REFUSED_BY_PEER))
		return tls_session_failure(ep->tls, e);
	return "";
}

/* The bytes by side, seen from us. */
static void
describe_bytes(const struct tunnel *t, char *text, size_t cap)
{
	bool client = t->service->conf->client;
	const struct pump *to_tls = client ? &t->fwd : &t->rev;
	const struct pump *from_tls = client ? &t->rev : &t->fwd;

	*text = '\0';
	if (is_open(t))
		snprintf(text, cap, "; %llu bytes to TLS, %llu bytes from TLS",
		    (unsigned long long)to_tls->bytes, (unsigned long long)from_tls->bytes);
}

/* The failures that a stranger can cause as often as it likes. */
static bool
is_strangers_failure(const struct tunnel *t)
{
	return !is_open(t) && !t->opening->met && !t->service->conf->client &&
	    (t->reason == REASON_HANDSHAKE || t->reason == REASON_UNAUTHORISED ||
	    t->reason == REASON_REFUSED_BY_PEER || t->reason == REASON_BUSY_TIMEOUT ||
	    t->reason == REASON_PREFACE || t->reason == REASON_PROXY ||
	    t->reason == REASON_CROWDED);
}

static void
telling_due(struct loop_timer *timer)
{
	struct lane *lane = OF(struct lane, telling, timer);
	uint64_t next = sources_tell(lane->pool->sources, loop_now(lane->loop));

	if (next != 0)
		loop_timer_set(lane->loop, timer, next);
}

void
report_init(struct lane *lane)
{
	lane->telling.due = telling_due;
}

void
report_later(struct lane *lane)
{
	if (lane->telling.timer.slot == 0)
		loop_timer_set(lane->loop, &lane->telling,
		    loop_now(lane->loop) + SOURCE_PERIOD_MS);
}

/* Whether its end is logged: where it was judged already, or now.  Who debugs wants all. */
static bool
is_said(const struct tunnel *t)
{
	if (t->unsaid)
		return false;
	if (!is_strangers_failure(t) || tunnel_log_wants(t, LOG_DEBUG) ||
	    source_may_log(t->source, loop_now(t->lane->loop)))
		return true;
	report_later(t->lane);
	return false;
}

/* A tunnel that ended because of who the peer is is news. */
static int
level_of(enum reason r)
{
	switch (r) {
	case REASON_PROBE:
		return LOG_DEBUG;
	/* A program that is not there is the operator's to mend. */
	case REASON_EXEC:
		return LOG_ERR;
	case REASON_REVOKED:
	case REASON_DENIED:
	case REASON_EXPIRED:
		return LOG_NOTICE;
	default:
		return LOG_INFO;
	}
}

void
tunnel_report(const struct tunnel *t)
{
	int level = level_of(t->reason);
	char tls[512], bytes[96];
	struct errmsg e;
	const char *why = describe_failure(t, &e);
	uint64_t ms = loop_now(t->lane->loop) - t->started;

	if (!is_said(t))
		return;
	trace_ended(t, why);
	if (!tunnel_log_wants(t, level))
		return;
	describe_tls(t, tls, sizeof(tls));
	describe_bytes(t, bytes, sizeof(bytes));
	tunnel_log(t, level,
	    "Service [%s] %s -> %s: %s%s%s%s%s%s%s%s; %llu.%03llu s", t->service->conf->name,
	    t->from, t->to != NULL ? t->to : "(not connected)", reason_text(t->reason),
	    is_open(t) ? "" : " while ", is_open(t) ? "" : t->step->name,
	    *why ? ": " : "", why,
	    t->truncated && t->reason == REASON_CLOSED ? " (the TLS peer truncated)" : "", tls,
	    bytes, (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000));
}
