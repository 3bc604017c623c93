#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ocsp_step_priv.h"
#include "tunnel/recheck.h"
#include "tunnel/tunnel.h"

/* Tunnels a turn: each may cost a few signature checks. */
#define SLICE 8

#define OF(type, member, p) ((type *)((char *)(p) - offsetof(type, member)))

struct roster {
	atomic_uint refs;
	size_t n;
	struct service *services[];
};

struct roster *
roster_new(struct service *const *services, size_t n, struct errmsg *e)
{
	struct roster *r;

	if ((r = malloc(sizeof(*r) + n * sizeof(*services))) == NULL) {
		errmsg_set(e, "out of memory");
		return NULL;
	}
	atomic_init(&r->refs, 1);
	r->n = n;
	for (size_t i = 0; i < n; i++)
		r->services[i] = service_ref(services[i]);
	return r;
}

static struct roster *
roster_ref(struct roster *r)
{
	atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}

void
roster_unref(struct roster *r)
{
	if (r == NULL || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < r->n; i++)
		service_unref(r->services[i]);
	free(r);
}

/* The service of now in the place of an earlier one: that of the same name; among equals,
 * which names may be, the one of the same place. */
static const struct service *
successor(const struct roster *r, const struct service *s)
{
	const size_t place = (size_t)(s->conf - s->config->services);
	const struct service *found = NULL;

	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->services[i]->conf->name, s->conf->name) == 0 &&
		    (found == NULL || i == place))
			found = r->services[i];
	return found != NULL && found->conf->client == s->conf->client ? found : NULL;
}

static enum trust_verdict
judge(const struct tunnel *t, const struct service *now, struct errmsg *why)
{
	const struct tls_session *tls = tunnel_tls_side((struct tunnel *)t)->tls;
	bool named = now->nnames > 0;

	return tls_session_rejudge(tls, now->tls, now->crls, named ? now->names : t->names,
	    named ? now->nnames : t->nnames, time(NULL), why);
}

/* Ends the tunnel if its peer would be refused now.  Returns whether it did. */
static bool
recheck(struct tunnel *t, const struct roster *r)
{
	const struct service *now = successor(r, t->service);
	struct errmsg why;

	if (now == NULL || service_same_rules(t->service, now) || t->reason != REASON_NONE ||
	    tunnel_tls_side(t)->tls == NULL)
		return false;
	switch (judge(t, now, &why)) {
	case TRUST_OK:
	case TRUST_CRL_MISSING:
	case TRUST_CRL_EXPIRED:
		return false;
	case TRUST_REVOKED:
		tunnel_evict(t, REASON_REVOKED, why.text);
		return true;
	default:
		tunnel_evict(t, REASON_DENIED, why.text);
		return true;
	}
}

/* Ends the tunnel if a responder has said since that its peer is revoked. */
static void
heed_responders(struct tunnel *t, const struct roster *r)
{
	const struct service *now = successor(r, t->service);
	struct errmsg why;

	if (now != NULL && t->reason == REASON_NONE && tunnel_tls_side(t)->tls != NULL &&
	    ocsp_has_heard(t, now, &why))
		tunnel_evict(t, REASON_REVOKED, why.text);
}

static void
recheck_some(struct task *task)
{
	struct lane *lane = OF(struct lane, recheck.task, task);
	struct recheck *c = &lane->recheck;
	struct tunnel *t;

	for (int i = 0; i < SLICE && (t = c->next) != NULL; i++) {
		c->next = t->next;
		if (!recheck(t, c->roster))
			heed_responders(t, c->roster);
	}
	if (c->next != NULL)
		loop_post(lane->loop, task);
}

/* A pass that is under way begins anew, with the newer services. */
static void
roster_arrived(struct inbox_msg *m, void *owner)
{
	struct lane *lane = owner;
	struct recheck *c = &lane->recheck;

	(void)m;
	roster_unref(c->roster);
	c->roster = atomic_exchange(&c->coming, NULL);
	c->next = lane->tunnels;
	loop_post(lane->loop, &c->task);
}

void
recheck_init(struct lane *lane)
{
	lane->recheck.msg.deliver = roster_arrived;
	lane->recheck.task.run = recheck_some;
	atomic_init(&lane->recheck.coming, NULL);
}

void
recheck_free(struct lane *lane)
{
	roster_unref(lane->recheck.roster);
	roster_unref(atomic_load(&lane->recheck.coming));
}

/* The message is under way as long as a roster is coming. */
static void
send_to(struct lane *lane, struct roster *r)
{
	struct roster *before = atomic_exchange(&lane->recheck.coming, r);

	if (before == NULL)
		inbox_push(loop_inbox(lane->loop), &lane->recheck.msg);
	roster_unref(before);
}

void
recheck_tunnels(struct pool *p, struct roster *r)
{
	for (size_t i = 0; i < p->nwork; i++)
		send_to(&p->work[i], roster_ref(r));
	roster_unref(r);
}

void
recheck_arrived(struct tunnel *t)
{
	if (t->lane->recheck.roster != NULL)
		recheck(t, t->lane->recheck.roster);
}

void
recheck_forget(struct lane *lane, const struct tunnel *t)
{
	if (lane->recheck.next == t)
		lane->recheck.next = t->next;
}
