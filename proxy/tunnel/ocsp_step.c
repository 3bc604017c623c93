/* The step between the handshake and the target: whether the peer's certificate is revoked. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "ocsp_step_priv.h"
#include "open_priv.h"
#include "tunnel/trace.h"

/* For the questions that are left when the time for all of them ends with an answer. */
#define MOMENT_SECONDS 1

static struct ocsp_terms
terms_of(const struct service *s)
{
	return (struct ocsp_terms){
		.url = s->conf->ocsp_url,
		.aia = s->conf->ocsp_aia,
		.nonce = s->conf->ocsp_nonce,
		.flags = s->ocsp_flags,
		.seconds = s->conf->timeout_ocsp,
	};
}

void
ocsp_talk_free(struct ocsp_talk *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < k->n; i++)
		ocsp_question_free(k->questions[i]);
	ocsp_reply_free(k->reply);
	free(k);
}

static bool
asks(const struct service *s)
{
	return s->conf->ocsp_url != NULL || s->conf->ocsp_aia;
}

static int
begin(struct tunnel *t, struct errmsg *why)
{
	struct ocsp_talk *k;
	int n;

	if ((k = calloc(1, sizeof(*k))) == NULL)
		return errmsg_set(why, "out of memory");
	n = tls_session_questions(tunnel_tls_side(t)->tls, k->questions, why);
	if (n == -1) {
		free(k);
		return -1;
	}
	k->n = (size_t)n;
	t->opening->ocsp = k;
	return 0;
}

/* The peer may not pass; where there is somewhere else for such, it goes there. */
static enum verdict
refuse(struct tunnel *t, enum trust_verdict v, const struct errmsg *why)
{
	struct endpoint *ep = tunnel_tls_side(t);
	bool redirected = t->service->conf->redirect.n > 0 && t->up.ops == NULL;

	t->opening->met = redirected;
	/* What comes next has a time of its own. */
	tunnel_limit(t, 0);
	if (endpoint_refuse(ep, &t->lane->stage, v, why, !redirected) == IO_NOMEM)
		return tunnel_fail(t, REASON_NOMEM);
	return handshake_refused(t, ep);
}

/* Nobody could say: that is as bad as revoked, or no obstacle, as the operator has it. */
static enum verdict
not_told(struct tunnel *t, const struct errmsg *why)
{
	const char *about = ocsp_question_about(t->opening->ocsp->questions[t->opening->ocsp->at]);
	struct errmsg text;

	errmsg_set(&text, "\"%s\": %.700s", about, why->text);
	if (t->service->conf->ocsp_require) {
		tunnel_trace(t, LOG_ERR, "OCSP: Rejected (OCSPrequire = yes)");
		return refuse(t, TRUST_STATUS_UNKNOWN, &text);
	}
	tunnel_trace(t, LOG_NOTICE, "OCSP: Accepted (OCSPrequire = no)");
	tunnel_log(t, LOG_NOTICE, "Service [%s] lets %s pass, since OCSPrequire = no, %llu so far: "
	    "it is not known whether it is revoked: %s", t->service->conf->name, t->from,
	    service_count_unasked(t->service), text.text);
	t->opening->ocsp->at++;
	return STEP_GO;
}

static void
describe_revoked(const struct ocsp_question *q, const struct ocsp_answer *a, struct errmsg *e)
{
	char when[32], made[32];

	errmsg_set(e, "\"%s\" was revoked at %s, as its responder (OCSP) said at %s",
	    ocsp_question_about(q), cert_time_text(a->revoked_at, when),
	    cert_time_text(a->this_update, made));
}

static enum verdict
told(struct tunnel *t, const struct ocsp_answer *a)
{
	struct ocsp_talk *k = t->opening->ocsp;
	struct errmsg why;

	if (a->status == OCSP_GOOD) {
		tunnel_trace(t, LOG_NOTICE, "OCSP: Accepted (good)");
		k->at++;
		return STEP_GO;
	}
	tunnel_trace(t, LOG_ERR, "OCSP: Rejected (revoked)");
	describe_revoked(k->questions[k->at], a, &why);
	return refuse(t, TRUST_REVOKED, &why);
}

/* A reply came: the tunnel is found by its id, for it may have ended since. */
static void
reply_arrived(struct inbox_msg *m, void *owner)
{
	struct ocsp_reply *r = (struct ocsp_reply *)m;
	struct lane *lane = owner;
	struct opening **p, *o;

	for (p = &lane->askers; *p != NULL && (*p)->tunnel->id != r->id;)
		p = &(*p)->next_asker;
	/* Who has waited too long does not wait any more, but perhaps for a name. */
	if ((o = *p) == NULL || o->ocsp == NULL || !o->ocsp->waiting) {
		ocsp_reply_free(r);
		return;
	}
	*p = o->next_asker;
	o->asking = o->ocsp->waiting = false;
	o->ocsp->reply = r;
	tunnel_wake(o->tunnel);
}

static enum verdict
ask(struct tunnel *t, struct ocsp_question *q, const struct ocsp_terms *terms)
{
	struct opening *o = t->opening;
	struct lane *lane = t->lane;
	struct errmsg why;

	if (ocsp_desk_ask(lane->pool->ocsp, q, terms, false, loop_inbox(lane->loop), t->id,
	    reply_arrived, &why) == -1)
		return not_told(t, &why);
	o->asking = o->ocsp->waiting = true;
	o->next_asker = lane->askers;
	lane->askers = o;
	if (!o->ocsp->limited)
		tunnel_limit(t, t->service->conf->timeout_busy);
	o->ocsp->limited = true;
	return STEP_WAIT;
}

static enum verdict
ask_about(struct tunnel *t, struct ocsp_question *q)
{
	struct ocsp_terms terms = terms_of(t->service);
	struct ocsp_talk *k = t->opening->ocsp;
	struct ocsp_answer a;

	/* The responder that the operator named is asked about the peer alone. */
	if (k->at > 0)
		terms.url = NULL;
	if (!ocsp_can_ask(q, &terms)) {
		tunnel_log(t, LOG_DEBUG, "OCSP: \"%s\" names no responder", ocsp_question_about(q));
		k->at++;
		return STEP_GO;
	}
	if (!terms.nonce && ocsp_desk_knows(t->lane->pool->ocsp, q, terms.flags, time(NULL), &a))
		return told(t, &a);
	return ask(t, q, &terms);
}

static enum verdict
heard(struct tunnel *t, struct ocsp_reply *r)
{
	enum verdict v = r->told ? told(t, &r->answer) : not_told(t, &r->why);

	ocsp_reply_free(r);
	return v;
}

enum verdict
ocsp_run(struct tunnel *t)
{
	struct opening *o = t->opening;
	struct ocsp_reply *r;
	struct errmsg why;

	if (o->outcast || !asks(t->service))
		return STEP_NEXT;
	if (o->asking)
		return STEP_WAIT;
	if (o->ocsp == NULL && begin(t, &why) == -1)
		return refuse(t, TRUST_STATUS_UNKNOWN, &why);
	if ((r = o->ocsp->reply) != NULL) {
		o->ocsp->reply = NULL;
		return heard(t, r);
	}
	if (o->ocsp->at < o->ocsp->n && !o->ocsp->over)
		return ask_about(t, o->ocsp->questions[o->ocsp->at]);
	tunnel_limit(t, 0);
	return STEP_NEXT;
}

enum verdict
ocsp_late(struct tunnel *t)
{
	struct opening *o = t->opening, **p;
	struct errmsg why;

	/* An answer came in the same turn: it counts, and what is left has a moment more. */
	if (o->ocsp->reply != NULL) {
		tunnel_limit(t, MOMENT_SECONDS);
		return STEP_WAIT;
	}
	if (o->asking) {
		for (p = &t->lane->askers; *p != o; p = &(*p)->next_asker)
			;
		*p = o->next_asker;
		o->asking = o->ocsp->waiting = false;
	}
	/* The time was for all questions; a reply that still comes finds nobody waiting. */
	o->ocsp->over = true;
	errmsg_set(&why, "no responder has answered within %u seconds (TIMEOUTbusy)",
	    t->service->conf->timeout_busy);
	return not_told(t, &why);
}

bool
ocsp_has_heard(const struct tunnel *t, const struct service *now, struct errmsg *why)
{
	struct ocsp_question *questions[TLS_QUESTIONS];
	struct ocsp_answer a;
	bool revoked = false;
	int n;

	/* With a nonce nothing is kept that could be looked at. */
	if (!asks(now) || now->conf->ocsp_nonce)
		return false;
	n = tls_session_questions(tunnel_tls_side((struct tunnel *)t)->tls, questions, why);
	for (int i = 0; i < n; i++) {
		if (!revoked && ocsp_desk_knows(t->lane->pool->ocsp, questions[i], now->ocsp_flags,
		    time(NULL), &a) && a.status == OCSP_REVOKED) {
			describe_revoked(questions[i], &a, why);
			revoked = true;
		}
		ocsp_question_free(questions[i]);
	}
	return revoked;
}
