#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "net/resolve.h"

/* Somebody who waits for a look-up. */
struct asker {
	struct asker *next;
	struct inbox *inbox;
	uint64_t id;
	void (*deliver)(struct inbox_msg *, void *);
	struct resolve_answer *answer; /* made when asked: answering cannot fail */
};

struct lookup {
	struct lookup *next;
	bool taken; /* a thread works on it */
	struct addr_spec spec;
	struct asker *askers;
};

struct resolver {
	pthread_mutex_t lock;
	pthread_cond_t asked;
	bool stopping;
	struct lookup *lookups;
	unsigned threads;
};

void
resolve_answer_free(struct resolve_answer *a)
{
	if (a == NULL)
		return;
	addr_list_free(&a->list);
	free(a);
}

static void
lookup_free(struct lookup *k)
{
	struct asker *a;

	while ((a = k->askers) != NULL) {
		k->askers = a->next;
		resolve_answer_free(a->answer);
		free(a);
	}
	addr_spec_free(&k->spec);
	free(k);
}

static struct addr_list
list_copy(const struct addr_list *from)
{
	struct addr_list to = { 0 };

	to.items = malloc(from->n * sizeof(*to.items));
	if (to.items == NULL)
		return to;
	memcpy(to.items, from->items, from->n * sizeof(*to.items));
	to.n = from->n;
	return to;
}

/* Tells every asker and frees the look-up, which is in no list any more. */
static void
lookup_answer(struct lookup *k, bool found, const struct addr_list *list,
    const struct errmsg *why)
{
	struct asker *a;
	struct resolve_answer *r;

	while ((a = k->askers) != NULL) {
		k->askers = a->next;
		r = a->answer;
		r->why = *why;
		if (found)
			r->list = list_copy(list);
		r->found = r->list.n > 0;
		if (found && !r->found)
			errmsg_set(&r->why, "out of memory");
		inbox_push(a->inbox, &r->msg);
		free(a);
	}
	lookup_free(k);
}

static void
list_remove(struct lookup **list, struct lookup *k)
{
	while (*list != k)
		list = &(*list)->next;
	*list = k->next;
}

static struct lookup *
next_untaken(struct lookup *k)
{
	while (k != NULL && k->taken)
		k = k->next;
	return k;
}

static void *
resolver_thread(void *arg)
{
	struct resolver *r = arg;
	struct lookup *k = NULL;
	struct addr_list list;
	struct errmsg why;
	bool found;

	pthread_mutex_lock(&r->lock);
	for (;;) {
		while (!r->stopping && (k = next_untaken(r->lookups)) == NULL)
			pthread_cond_wait(&r->asked, &r->lock);
		if (r->stopping)
			break;
		k->taken = true;
		pthread_mutex_unlock(&r->lock);
		list = (struct addr_list){ 0 };
		why.text[0] = '\0';
		found = addr_resolve(&k->spec, false, false, &list, &why) == 0;
		pthread_mutex_lock(&r->lock);
		/* Still listed even when stopping: the stop leaves taken ones to us. */
		list_remove(&r->lookups, k);
		if (r->stopping)
			lookup_free(k);
		else
			lookup_answer(k, found, &list, &why);
		addr_list_free(&list);
	}
	/* The last one out frees it. */
	if (--r->threads == 0) {
		pthread_mutex_unlock(&r->lock);
		pthread_mutex_destroy(&r->lock);
		free(r);
		return NULL;
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

struct resolver *
resolver_start(unsigned n)
{
	struct resolver *r;
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int rc = 0;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return NULL;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->asked, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_mutex_lock(&r->lock);
	for (; r->threads < n; r->threads++)
		if ((rc = pthread_create(&thread, &attr, resolver_thread, r)) != 0)
			break;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (r->threads == 0) {
		pthread_mutex_unlock(&r->lock);
		free(r);
		errno = rc;
		return NULL;
	}
	pthread_mutex_unlock(&r->lock);
	return r;
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* With the lock held: the look-up of this name in flight, or a new one. */
static struct lookup *
lookup_of(struct resolver *r, const struct addr_spec *spec)
{
	struct lookup *k, **last = &r->lookups;
	struct errmsg e;

	for (; (k = *last) != NULL; last = &k->next)
		if (same_text(k->spec.host, spec->host) &&
		    same_text(k->spec.port, spec->port))
			return k;
	if ((k = calloc(1, sizeof(*k))) == NULL)
		return NULL;
	if (addr_parse(spec->text, &k->spec, &e) == -1) {
		free(k);
		return NULL;
	}
	*last = k; /* the oldest is looked up first */
	pthread_cond_signal(&r->asked);
	return k;
}

int
resolver_ask(struct resolver *r, const struct addr_spec *spec, struct inbox *inbox,
    uint64_t id, void (*deliver)(struct inbox_msg *, void *))
{
	struct asker *a;
	struct lookup *k;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		goto err0;
	if ((a->answer = calloc(1, sizeof(*a->answer))) == NULL)
		goto err1;
	a->inbox = inbox;
	a->answer->id = id;
	a->answer->msg.deliver = deliver;
	pthread_mutex_lock(&r->lock);
	if ((k = lookup_of(r, spec)) == NULL)
		goto err2;
	a->next = k->askers;
	k->askers = a;
	pthread_mutex_unlock(&r->lock);
	return 0;

err2:
	pthread_mutex_unlock(&r->lock);
	free(a->answer);
err1:
	free(a);
err0:
	return -1;
}

void
resolver_stop(struct resolver *r)
{
	struct lookup **p, *k;

	if (r == NULL)
		return;
	pthread_mutex_lock(&r->lock);
	r->stopping = true;
	for (p = &r->lookups; (k = *p) != NULL;) {
		if (k->taken) {
			p = &k->next;
			continue;
		}
		*p = k->next;
		lookup_free(k);
	}
	pthread_cond_broadcast(&r->asked);
	pthread_mutex_unlock(&r->lock);
}
