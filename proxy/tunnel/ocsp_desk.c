#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "ocsp_priv.h"

#define OF(type, member, p) ((type *)((char *)(p) - offsetof(type, member)))

/* A signature check needs most of it. */
#define STACK_BYTES ((size_t)512 * 1024)

/* Somebody who waits. */
struct client {
	struct client *next;
	struct inbox *inbox;
	struct ocsp_reply *reply; /* made when asked: answering cannot fail */
};

/* A question that is being asked, or waits to be. */
struct inquiry {
	struct inbox_msg msg;     /* on its way to the desk */
	struct inquiry *next;
	struct ocsp_desk *desk;
	struct ocsp_question *question;
	char *urls[OCSP_URLS + 1];
	size_t nurls, at;
	bool use_nonce, whole, running;
	unsigned flags, seconds;
	unsigned char nonce[OCSP_NONCE];
	struct client *clients;
	struct errmsg why;        /* of the last responder that failed */
	struct ocsp_fetch fetch;
};

struct ocsp_desk {
	struct resolver *resolver;
	pthread_mutex_t lock;     /* of the thread's beginning, and of the cache */
	struct ocsp_cache cache;
	struct loop *loop;        /* NULL: nobody has asked yet */
	pthread_t thread;
	atomic_uint waiting;      /* clients */
	/* Of the thread alone: */
	struct inquiry *inquiries, **last;
	struct ocsp_keepers keepers;
	uint64_t next_id;
};

static void ask_next(struct inquiry *);

void
ocsp_reply_free(struct ocsp_reply *r)
{
	if (r == NULL)
		return;
	free(r->der.data);
	free(r);
}

static void
inquiry_free(struct inquiry *q)
{
	ocsp_fetch_stop(&q->fetch);
	for (size_t i = 0; i < q->nurls; i++)
		free(q->urls[i]);
	ocsp_question_free(q->question);
	free(q);
}

/* Everybody who waits gets the same. */
static void
answer(struct inquiry *q, const struct ocsp_answer *a, const unsigned char *der, size_t n)
{
	struct client *c;

	while ((c = q->clients) != NULL) {
		struct ocsp_reply *r = c->reply;

		q->clients = c->next;
		r->told = a != NULL;
		if (a != NULL)
			r->answer = *a;
		else
			r->why = q->why;
		if (a != NULL && q->whole && (r->der.data = malloc(n)) != NULL) {
			memcpy(r->der.data, der, n);
			r->der.len = n;
		}
		atomic_fetch_sub(&q->desk->waiting, 1);
		inbox_push(c->inbox, &r->msg);
		free(c);
	}
}

static bool
asks_one(const struct inquiry *q, const char *url)
{
	return q->running && strcmp(q->urls[q->at], url) == 0;
}

/* Whether one more connection to its responder is allowed now. */
static bool
may_run(const struct ocsp_desk *d, const struct inquiry *q)
{
	size_t all = 0, one = 0;

	for (const struct inquiry *i = d->inquiries; i != NULL; i = i->next) {
		all += i->running;
		one += asks_one(i, q->urls[q->at]);
	}
	return all < OCSP_AT_ONCE && one < OCSP_AT_ONE;
}

/* Somebody has ended: who has waited for it begins, the first first. */
static void
run_waiting(struct ocsp_desk *d)
{
	struct inquiry *next;

	for (struct inquiry *q = d->inquiries; q != NULL; q = next) {
		next = q->next;
		if (!q->running && may_run(d, q)) {
			/* It may end at once, and others with it. */
			ask_next(q);
			next = d->inquiries;
		}
	}
}

static void
finish(struct inquiry *q, const struct ocsp_answer *a, const unsigned char *der, size_t n)
{
	struct ocsp_desk *d = q->desk;
	struct inquiry **p;

	if (a != NULL && !q->use_nonce)
		ocsp_desk_learn(d, q->question, q->flags, time(NULL), a);
	answer(q, a, der, n);
	for (p = &d->inquiries; *p != q; p = &(*p)->next)
		;
	*p = q->next;
	if (d->last == &q->next)
		d->last = p;
	inquiry_free(q);
}

/* Whether the answer settles the matter; else why it does not. */
static bool
settles(struct inquiry *q, const unsigned char *body, size_t n, struct ocsp_answer *a)
{
	if (ocsp_answer_read(q->question, body, n, q->use_nonce ? q->nonce : NULL, q->flags,
	    time(NULL), a, &q->why) == -1)
		return false;
	if (a->status == OCSP_UNKNOWN)
		errmsg_set(&q->why, "it does not know the certificate");
	return a->status != OCSP_UNKNOWN;
}

static void
fetched(struct ocsp_fetch *f, const unsigned char *body, size_t n, const struct errmsg *why)
{
	struct inquiry *q = OF(struct inquiry, fetch, f);
	struct ocsp_desk *d = q->desk;
	struct ocsp_answer a;

	q->running = false;
	if (why == NULL && settles(q, body, n, &a)) {
		finish(q, &a, body, n);
	} else {
		if (why != NULL)
			q->why = *why;
		errmsg_prefix(&q->why, "the responder %.200s", q->urls[q->at]);
		q->at++;
		if (q->at == q->nurls)
			finish(q, NULL, NULL, 0);
	}
	run_waiting(d);
}

static void
found(struct inbox_msg *m, void *owner)
{
	struct resolve_answer *a = (struct resolve_answer *)m;
	struct ocsp_desk *d = owner;

	for (struct inquiry *q = d->inquiries; q != NULL; q = q->next)
		if (q->running && q->fetch.id == a->id) {
			ocsp_fetch_found(&q->fetch, a);
			break;
		}
	resolve_answer_free(a);
}

/* Asks the responder whose turn it is, or the first behind it that can be asked. */
static void
ask_next(struct inquiry *q)
{
	unsigned char request[OCSP_REQUEST_MOST];
	struct ocsp_desk *d = q->desk;
	size_t n;

	for (; q->at < q->nurls; q->at++) {
		/* Cannot fail for so few bytes once the kernel's source has begun. */
		if (q->use_nonce && getrandom(q->nonce, sizeof(q->nonce), 0) !=
		    (ssize_t)sizeof(q->nonce)) {
			errmsg_set(&q->why, "no random numbers: %s", strerror(errno));
			break;
		}
		n = ocsp_request(q->question, q->use_nonce ? q->nonce : NULL, request);
		q->fetch.done = fetched;
		if (ocsp_fetch_start(&q->fetch, d->loop, d->resolver, q->urls[q->at], request, n,
		    q->seconds, ++d->next_id, found, &q->why) == 0) {
			q->running = true;
			return;
		}
		errmsg_prefix(&q->why, "the responder %.200s", q->urls[q->at]);
	}
	finish(q, NULL, NULL, 0);
}

/* Whether both would be told the same. */
static bool
are_equal(const struct inquiry *a, const struct inquiry *b)
{
	if (a->use_nonce || b->use_nonce || a->whole != b->whole || a->flags != b->flags ||
	    a->nurls != b->nurls || memcmp(ocsp_question_key(a->question),
	    ocsp_question_key(b->question), OCSP_KEY) != 0)
		return false;
	for (size_t i = 0; i < a->nurls; i++)
		if (strcmp(a->urls[i], b->urls[i]) != 0)
			return false;
	return true;
}

static void
arrived(struct inbox_msg *m, void *owner)
{
	struct inquiry *q = OF(struct inquiry, msg, m), *i;
	struct ocsp_desk *d = owner;

	for (i = d->inquiries; i != NULL; i = i->next)
		if (are_equal(i, q)) {
			q->clients->next = i->clients;
			i->clients = q->clients;
			inquiry_free(q);
			return;
		}
	*d->last = q;
	d->last = &q->next;
	run_waiting(d);
}

/*
 * The thread.
 */

static void *
desk_thread(void *arg)
{
	struct ocsp_desk *d = arg;

	loop_run(d->loop, d);
	return NULL;
}

struct ocsp_desk *
ocsp_desk_new(struct resolver *r)
{
	struct ocsp_desk *d;

	if ((d = calloc(1, sizeof(*d))) == NULL)
		return NULL;
	d->resolver = r;
	d->last = &d->inquiries;
	pthread_mutex_init(&d->lock, NULL);
	return d;
}

/* Signals are main's alone. */
static int
start_thread(struct ocsp_desk *d)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&d->thread, &attr, desk_thread, d);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (rc == 0)
		pthread_setname_np(d->thread, "sluss-ocsp");
	errno = rc;
	return rc == 0 ? 0 : -1;
}

int
ocsp_desk_begin(struct ocsp_desk *d, struct errmsg *e)
{
	int rc = 0;

	pthread_mutex_lock(&d->lock);
	if (d->loop == NULL) {
		/* A fetch has two timers. */
		d->loop = loop_new(2 * (size_t)OCSP_AT_ONCE + OCSP_KEEPERS + 16);
		if (d->loop == NULL || start_thread(d) == -1) {
			rc = errmsg_set(e, "no thread for asking responders: %s", strerror(errno));
			loop_free(d->loop);
			d->loop = NULL;
		}
	}
	pthread_mutex_unlock(&d->lock);
	return rc;
}

static void
quit(struct inbox_msg *m, void *owner)
{
	struct ocsp_desk *d = owner;

	(void)m;
	loop_quit(d->loop);
}

/* What came behind the end: a question is answered like those that were there before.  Returns
 * whether there was anything. */
static bool
sweep(struct ocsp_desk *d)
{
	struct inbox_msg *m = inbox_take(loop_inbox(d->loop)), *next;
	bool any = m != NULL || d->inquiries != NULL;

	for (; m != NULL; m = next) {
		next = m->next;
		if (m->deliver == arrived) {
			struct inquiry *q = OF(struct inquiry, msg, m);

			*d->last = q;
			d->last = &q->next;
		} else {
			m->deliver(m, d);
		}
	}
	while (d->inquiries != NULL) {
		errmsg_set(&d->inquiries->why, "stopping");
		finish(d->inquiries, NULL, NULL, 0);
	}
	return any;
}

void
ocsp_desk_stop(struct ocsp_desk *d)
{
	struct inbox_msg msg = { .deliver = quit };

	if (d == NULL || d->loop == NULL)
		return;
	inbox_push(loop_inbox(d->loop), &msg);
	pthread_join(d->thread, NULL);
	ocsp_keepers_free(&d->keepers);
	sweep(d);
}

void
ocsp_desk_free(struct ocsp_desk *d)
{
	if (d == NULL)
		return;
	do
		ocsp_keepers_free(&d->keepers);
	while (d->loop != NULL && sweep(d));
	ocsp_keepers_free(&d->keepers);
	loop_free(d->loop);
	ocsp_cache_free(&d->cache);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

struct ocsp_keepers *
ocsp_desk_keepers(struct ocsp_desk *d)
{
	return &d->keepers;
}

struct loop *
ocsp_desk_loop(struct ocsp_desk *d)
{
	return d->loop;
}

/*
 * For the other threads.
 */

bool
ocsp_desk_knows(struct ocsp_desk *d, const struct ocsp_question *q, unsigned flags, int64_t now,
    struct ocsp_answer *a)
{
	bool found;

	pthread_mutex_lock(&d->lock);
	found = ocsp_cache_find(&d->cache, ocsp_question_key(q), flags, now, a);
	pthread_mutex_unlock(&d->lock);
	return found;
}

void
ocsp_desk_learn(struct ocsp_desk *d, const struct ocsp_question *q, unsigned flags, int64_t now,
    const struct ocsp_answer *a)
{
	pthread_mutex_lock(&d->lock);
	ocsp_cache_keep(&d->cache, ocsp_question_key(q), flags, now, a);
	pthread_mutex_unlock(&d->lock);
}

bool
ocsp_can_ask(const struct ocsp_question *q, const struct ocsp_terms *terms)
{
	char text[OCSP_URL_MOST];

	return terms->url != NULL || (terms->aia && ocsp_question_url(q, 0, text) != NULL);
}

static int
add_url(struct inquiry *q, const char *url)
{
	if ((q->urls[q->nurls] = strdup(url)) == NULL)
		return -1;
	q->nurls++;
	return 0;
}

static struct inquiry *
inquiry_new(struct ocsp_desk *d, struct ocsp_question *question, const struct ocsp_terms *terms,
    bool whole)
{
	char text[OCSP_URL_MOST];
	struct inquiry *q;

	if ((q = calloc(1, sizeof(*q))) == NULL)
		return NULL;
	q->desk = d;
	q->question = ocsp_question_ref(question);
	q->use_nonce = terms->nonce;
	q->whole = whole;
	q->flags = terms->flags;
	q->seconds = terms->seconds;
	q->msg.deliver = arrived;
	if (terms->url != NULL && add_url(q, terms->url) == -1)
		goto err;
	for (size_t i = 0; terms->aia && i < OCSP_URLS &&
	    ocsp_question_url(question, i, text) != NULL; i++)
		if (add_url(q, text) == -1)
			goto err;
	return q;

err:
	inquiry_free(q);
	return NULL;
}

static struct client *
client_new(struct inbox *inbox, uint64_t id, void (*deliver)(struct inbox_msg *, void *))
{
	struct client *c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	if ((c->reply = calloc(1, sizeof(*c->reply))) == NULL) {
		free(c);
		return NULL;
	}
	c->inbox = inbox;
	c->reply->id = id;
	c->reply->msg.deliver = deliver;
	return c;
}

int
ocsp_desk_ask(struct ocsp_desk *d, struct ocsp_question *question, const struct ocsp_terms *terms,
    bool whole, struct inbox *inbox, uint64_t id, void (*deliver)(struct inbox_msg *, void *),
    struct errmsg *e)
{
	struct inquiry *q;

	if (ocsp_desk_begin(d, e) == -1)
		return -1;
	if (atomic_fetch_add(&d->waiting, 1) >= OCSP_WAITING) {
		errmsg_set(e, "%d questions wait for responders already", OCSP_WAITING);
		goto err0;
	}
	if ((q = inquiry_new(d, question, terms, whole)) == NULL) {
		errmsg_set(e, "out of memory");
		goto err0;
	}
	if ((q->clients = client_new(inbox, id, deliver)) == NULL) {
		errmsg_set(e, "out of memory");
		goto err1;
	}
	inbox_push(loop_inbox(d->loop), &q->msg);
	return 0;

err1:
	inquiry_free(q);
err0:
	atomic_fetch_sub(&d->waiting, 1);
	return -1;
}
