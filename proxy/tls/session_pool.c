#include "session_pool_priv.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	struct entry *next;          /* in its bucket; the younger stands in front */
	struct entry *newer, *older; /* by age */
	unsigned char key[UPSTREAM_KEY];
	struct kept_session kept;
};

#define BUCKETS 256

struct session_pool {
	atomic_uint refs;
	size_t most;
	int64_t seconds;
	pthread_mutex_t lock; /* but for the identities' lock, a leaf */
	struct entry *buckets[BUCKETS];
	struct entry *newest, *oldest;
	size_t n;
	bool closed;
};

void
kept_session_free(struct kept_session *k)
{
	if (k->session != NULL)
		wolfSSL_SESSION_free(k->session); /* zeroes the secret */
	identity_put(k->identity);
	*k = (struct kept_session){ .session = NULL };
}

struct session_pool *
session_pool_new(size_t most, int64_t seconds)
{
	struct session_pool *p;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	if (pthread_mutex_init(&p->lock, NULL) != 0) {
		free(p);
		return NULL;
	}
	p->most = most;
	p->seconds = seconds;
	atomic_init(&p->refs, 1);
	return p;
}

struct session_pool *
session_pool_ref(struct session_pool *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

static struct entry **
bucket_of(struct session_pool *p, const unsigned char *key)
{
	return &p->buckets[key[0] % BUCKETS];
}

/* Takes the entry at *at out of both lists. */
static struct entry *
cut(struct session_pool *p, struct entry **at)
{
	struct entry *e = *at;

	*at = e->next;
	*(e->newer != NULL ? &e->newer->older : &p->newest) = e->older;
	*(e->older != NULL ? &e->older->newer : &p->oldest) = e->newer;
	p->n--;
	return e;
}

static void
drop(struct session_pool *p, struct entry **at)
{
	struct entry *e = cut(p, at);

	kept_session_free(&e->kept);
	free(e);
}

static void
drop_oldest(struct session_pool *p)
{
	struct entry **at = bucket_of(p, p->oldest->key);

	while (*at != p->oldest)
		at = &(*at)->next;
	drop(p, at);
}

static bool
is_of(const struct entry *e, const unsigned char *key)
{
	return memcmp(e->key, key, UPSTREAM_KEY) == 0;
}

/* Too old, or of a time to come: then nobody can tell how old it is. */
static bool
is_over(const struct session_pool *p, const struct entry *e, int64_t now)
{
	return now < e->kept.since || now - e->kept.since >= p->seconds;
}

/* What nobody asks for is given back here. */
static void
sweep(struct session_pool *p, int64_t now)
{
	while (p->n > 0 && (p->n > p->most || is_over(p, p->oldest, now)))
		drop_oldest(p);
}

/* Of one upstream: all, or those beyond the first so many, or those that are not for once. */
static void
thin(struct session_pool *p, const unsigned char *key, size_t most, bool once)
{
	struct entry **at = bucket_of(p, key);
	size_t n = 0;

	while (*at != NULL) {
		if (is_of(*at, key) && (++n > most || (!once && !(*at)->kept.once)))
			drop(p, at);
		else
			at = &(*at)->next;
	}
}

static void
enter(struct session_pool *p, struct entry *e)
{
	struct entry **bucket = bucket_of(p, e->key);

	e->next = *bucket;
	*bucket = e;
	e->older = p->newest;
	*(p->newest != NULL ? &p->newest->newer : &p->oldest) = e;
	p->newest = e;
	p->n++;
}

void
session_pool_put(struct session_pool *p, const unsigned char key[UPSTREAM_KEY],
    const struct kept_session *k, int64_t now)
{
	struct kept_session mine = *k;
	struct entry *e = calloc(1, sizeof(*e));

	pthread_mutex_lock(&p->lock);
	if (e != NULL && !p->closed) {
		memcpy(e->key, key, UPSTREAM_KEY);
		e->kept = mine;
		thin(p, key, SESSIONS_OF_ONE - 1, mine.once);
		enter(p, e);
		sweep(p, now);
		e = NULL;
		mine = (struct kept_session){ .session = NULL };
	}
	pthread_mutex_unlock(&p->lock);
	kept_session_free(&mine);
	free(e);
}

/* Under the lock: one that is for once leaves, of another there is a copy.  Without memory there
 * is none. */
static void
take(struct session_pool *p, struct entry **at, struct kept_session *out)
{
	struct entry *e = *at;

	*out = e->kept;
	if (e->kept.once) {
		free(cut(p, at));
		return;
	}
	out->session = wolfSSL_SESSION_dup(e->kept.session);
	out->identity = identity_ref(e->kept.identity);
}

bool
session_pool_take(struct session_pool *p, const unsigned char key[UPSTREAM_KEY], int64_t now,
    struct kept_session *out)
{
	struct entry **at;

	*out = (struct kept_session){ .session = NULL };
	pthread_mutex_lock(&p->lock);
	sweep(p, now);
	at = bucket_of(p, key);
	while (*at != NULL && !is_of(*at, key))
		at = &(*at)->next;
	if (*at != NULL && is_over(p, *at, now))
		thin(p, key, 0, true);
	else if (*at != NULL)
		take(p, at, out);
	pthread_mutex_unlock(&p->lock);
	if (out->session != NULL)
		return true;
	kept_session_free(out);
	return false;
}

void
session_pool_forget(struct session_pool *p, const unsigned char key[UPSTREAM_KEY])
{
	pthread_mutex_lock(&p->lock);
	thin(p, key, 0, true);
	pthread_mutex_unlock(&p->lock);
}

void
session_pool_close(struct session_pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->closed = true;
	while (p->oldest != NULL)
		drop_oldest(p);
	pthread_mutex_unlock(&p->lock);
}

void
session_pool_unref(struct session_pool *p)
{
	if (p == NULL || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	while (p->oldest != NULL)
		drop_oldest(p);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

size_t
session_pool_count(struct session_pool *p)
{
	size_t n;

	pthread_mutex_lock(&p->lock);
	n = p->n;
	pthread_mutex_unlock(&p->lock);
	return n;
}
