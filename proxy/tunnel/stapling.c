#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "ocsp_priv.h"
#include "tls/cert.h"
#include "tls/staple.h"
#include "tunnel/stapling.h"

/* Whether one of the certificates is what the answer is about; the last that is not says why. */
static bool
offer(const struct service *s, const unsigned char *p, size_t n, struct errmsg *e)
{
	struct staple *staple;
	bool taken = false;

	errmsg_set(e, "there is no certificate to show it with");
	for (size_t i = 0; (staple = tls_context_staple(s->tls, i)) != NULL; i++)
		taken |= staple_offer(staple, p, n, time(NULL), e) == 0;
	return taken;
}

void
stapling_read(const struct service *s)
{
	const struct conf_strings *files = &s->conf->ocsp_staple;
	struct errmsg e;
	char *data;
	size_t n;

	for (size_t i = 0; i < files->n; i++) {
		if (cert_read_file(files->items[i], &data, &n, &e) == 0) {
			bool taken = offer(s, (unsigned char *)data, n, &e);

			free(data);
			if (taken)
				continue;
			errmsg_prefix(&e, "%s", files->items[i]);
		}
		log_line(LOG_WARNING, "main", "Service [%s] OCSPstaple: no answer is stapled from "
		    "this file: %s", s->conf->name, e.text);
	}
}

/*
 * In the desk's thread.
 */

/* After a failure it is tried again: first after so many seconds, then after twice as many … */
#define RETRY_LEAST 60
#define RETRY_MOST 3600
/* … and in any case after so many. */
#define RENEW_LEAST 30
#define RENEW_MOST 43200

/* A certificate that is asked for over and over. */
struct ocsp_keeper {
	struct inbox_msg msg;
	struct loop_timer timer;
	struct ocsp_keeper *next;
	struct ocsp_desk *desk;
	struct staple *staple;
	char *service;
	uint64_t id;
	unsigned seconds; /* for a responder */
	unsigned retry;   /* seconds; 0: the last one did not fail */
};

static void
keeper_free(struct ocsp_keeper *k)
{
	staple_unref(k->staple);
	free(k->service);
	free(k);
}

void
ocsp_keepers_free(struct ocsp_keepers *list)
{
	struct ocsp_keeper *k;

	while ((k = list->first) != NULL) {
		list->first = k->next;
		if (k->timer.timer.slot != 0)
			loop_timer_cancel(ocsp_desk_loop(k->desk), &k->timer);
		keeper_free(k);
	}
}

static struct ocsp_keeper *
find(struct ocsp_desk *d, uint64_t id)
{
	struct ocsp_keeper *k = ocsp_desk_keepers(d)->first;

	while (k != NULL && k->id != id)
		k = k->next;
	return k;
}

/* Half of its time before it is out of date. */
static unsigned
renew_in(struct staple *s)
{
	int64_t left = (staple_until(s) - time(NULL)) / 2;

	return left < RENEW_LEAST ? RENEW_LEAST : left > RENEW_MOST ? RENEW_MOST : (unsigned)left;
}

static void
set_timer(struct ocsp_keeper *k, unsigned seconds)
{
	struct loop *l = ocsp_desk_loop(k->desk);

	loop_timer_set(l, &k->timer, loop_now(l) + (uint64_t)seconds * 1000);
}

static void
failed(struct ocsp_keeper *k, const struct errmsg *why)
{
	if (k->retry == 0)
		log_line(LOG_WARNING, "main", "Service [%s] OCSPstapleFetch: no answer about the "
		    "certificate in %s; it is tried again: %s", k->service, staple_file(k->staple),
		    why->text);
	k->retry = k->retry == 0 ? RETRY_LEAST : k->retry < RETRY_MOST ? 2 * k->retry : RETRY_MOST;
	set_timer(k, k->retry);
}

static void
answered(struct inbox_msg *m, void *owner)
{
	struct ocsp_reply *r = (struct ocsp_reply *)m;
	struct ocsp_keeper *k = find(owner, r->id);
	struct errmsg e;
	char when[32];

	if (k == NULL) {
		ocsp_reply_free(r);
		return;
	}
	if (!r->told) {
		failed(k, &r->why);
	} else if (staple_offer(k->staple, r->der.data, r->der.len, time(NULL), &e) == -1) {
		failed(k, &e);
	} else {
		k->retry = 0;
		log_line(LOG_INFO, "main", "Service [%s] OCSPstapleFetch: an answer about the "
		    "certificate in %s is stapled until %s", k->service, staple_file(k->staple),
		    cert_time_text(staple_until(k->staple), when));
		set_timer(k, renew_in(k->staple));
	}
	ocsp_reply_free(r);
}

static void
ask(struct ocsp_keeper *k)
{
	const struct ocsp_terms terms = { .aia = true, .seconds = k->seconds };
	struct errmsg e;

	if (ocsp_desk_ask(k->desk, staple_question(k->staple), &terms, true,
	    loop_inbox(ocsp_desk_loop(k->desk)), k->id, answered, &e) == -1)
		failed(k, &e);
}

/* Nobody shows the certificate any more. */
static void
leave(struct ocsp_keeper *k)
{
	struct ocsp_keepers *list = ocsp_desk_keepers(k->desk);
	struct ocsp_keeper **p;

	for (p = &list->first; *p != k; p = &(*p)->next)
		;
	*p = k->next;
	list->n--;
	keeper_free(k);
}

static void
timer_due(struct loop_timer *timer)
{
	struct ocsp_keeper *k = (struct ocsp_keeper *)((char *)timer -
	    offsetof(struct ocsp_keeper, timer));

	if (staple_is_left(k->staple))
		leave(k);
	else
		ask(k);
}

/* The one that is kept already goes on. */
static bool
is_kept(const struct ocsp_keepers *list, const struct staple *s)
{
	const struct ocsp_keeper *k = list->first;

	while (k != NULL && k->staple != s)
		k = k->next;
	return k != NULL;
}

static void
arrived(struct inbox_msg *m, void *owner)
{
	struct ocsp_keeper *k = (struct ocsp_keeper *)m;
	struct ocsp_keepers *list = ocsp_desk_keepers(owner);

	if (list->n == OCSP_KEEPERS || is_kept(list, k->staple)) {
		keeper_free(k);
		return;
	}
	k->id = ++list->last_id;
	k->next = list->first;
	list->first = k;
	list->n++;
	if (staple_until(k->staple) > time(NULL))
		set_timer(k, renew_in(k->staple));
	else
		ask(k);
}

/*
 * For main.
 */

static struct ocsp_keeper *
keeper_new(struct ocsp_desk *d, const struct service *s, struct staple *staple)
{
	struct ocsp_keeper *k;

	if ((k = calloc(1, sizeof(*k))) == NULL)
		return NULL;
	if ((k->service = strdup(s->conf->name)) == NULL) {
		free(k);
		return NULL;
	}
	k->msg.deliver = arrived;
	k->timer.due = timer_due;
	k->desk = d;
	k->staple = staple_ref(staple);
	k->seconds = s->conf->timeout_ocsp;
	return k;
}

static int
begin(struct ocsp_desk *d, const struct service *s, struct staple *staple, struct errmsg *e)
{
	const struct ocsp_terms terms = { .aia = true };
	struct ocsp_keeper *k;

	if (staple_question(staple) == NULL)
		return errmsg_set(e, "the certificate of the CA that issued it is neither behind it nor "
		    "in CAfile");
	if (!ocsp_can_ask(staple_question(staple), &terms))
		return errmsg_set(e, "it names no responder (authorityInfoAccess)");
	if (ocsp_desk_begin(d, e) == -1)
		return -1;
	if ((k = keeper_new(d, s, staple)) == NULL)
		return errmsg_set(e, "out of memory");
	inbox_push(loop_inbox(ocsp_desk_loop(d)), &k->msg);
	return 0;
}

void
stapling_fetch(struct ocsp_desk *d, const struct service *s)
{
	struct staple *staple;
	struct errmsg e;

	for (size_t i = 0; s->conf->ocsp_staple_fetch &&
	    (staple = tls_context_staple(s->tls, i)) != NULL; i++)
		if (begin(d, s, staple, &e) == -1)
			log_line(LOG_WARNING, "main", "Service [%s] OCSPstapleFetch: nobody is asked "
			    "about the certificate in %s: %s", s->conf->name, staple_file(staple),
			    e.text);
}
