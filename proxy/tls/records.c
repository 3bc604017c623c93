#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tls/records.h"

struct record {
	struct record *next;          /* in its bucket */
	struct record *newer, *older; /* by the time of the last use */
	unsigned char fingerprint[CERT_FP_LEN];
	struct identity *identity;
};

#define BUCKETS 4096

static struct {
	pthread_mutex_t lock; /* but for the identities' lock, a leaf */
	struct record *buckets[BUCKETS];
	struct record *newest, *oldest;
	size_t n, room;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct record **
bucket_of(const unsigned char *fp)
{
	return &all.buckets[(fp[0] << 8 | fp[1]) % BUCKETS];
}

static void
unlink_use(struct record *r)
{
	*(r->newer != NULL ? &r->newer->older : &all.newest) = r->older;
	*(r->older != NULL ? &r->older->newer : &all.oldest) = r->newer;
}

static void
link_newest(struct record *r)
{
	r->newer = NULL;
	r->older = all.newest;
	*(all.newest != NULL ? &all.newest->newer : &all.oldest) = r;
	all.newest = r;
}

static struct record *
find(const unsigned char *fp)
{
	struct record *r = *bucket_of(fp);

	while (r != NULL && memcmp(r->fingerprint, fp, CERT_FP_LEN) != 0)
		r = r->next;
	if (r != NULL) {
		unlink_use(r);
		link_newest(r);
	}
	return r;
}

static void
drop_oldest(void)
{
	struct record *r = all.oldest, **p;

	for (p = bucket_of(r->fingerprint); *p != r; p = &(*p)->next)
		;
	*p = r->next;
	unlink_use(r);
	identity_put(r->identity);
	free(r);
	all.n--;
}

/* Without memory the peer is not known, which costs it a handshake. */
static void
add(const unsigned char *fp, struct identity *id)
{
	struct record *r;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return;
	memcpy(r->fingerprint, fp, CERT_FP_LEN);
	r->identity = identity_ref(id);
	r->next = *bucket_of(fp);
	*bucket_of(fp) = r;
	link_newest(r);
	all.n++;
	while (all.n > all.room)
		drop_oldest();
}

void
records_room(size_t room)
{
	pthread_mutex_lock(&all.lock);
	if (room > all.room)
		all.room = room;
	pthread_mutex_unlock(&all.lock);
}

void
records_keep(const unsigned char fp[CERT_FP_LEN], struct identity *id)
{
	struct record *r;

	pthread_mutex_lock(&all.lock);
	if ((r = find(fp)) == NULL)
		add(fp, id);
	else if (r->identity != id) {
		identity_put(r->identity);
		r->identity = identity_ref(id);
	}
	pthread_mutex_unlock(&all.lock);
}

struct identity *
records_find(const unsigned char fp[CERT_FP_LEN])
{
	struct identity *id = NULL;
	struct record *r;

	pthread_mutex_lock(&all.lock);
	if ((r = find(fp)) != NULL)
		id = identity_ref(r->identity);
	pthread_mutex_unlock(&all.lock);
	return id;
}

size_t
records(void)
{
	size_t n;

	pthread_mutex_lock(&all.lock);
	n = all.n;
	pthread_mutex_unlock(&all.lock);
	return n;
}

void
records_forget(void)
{
	pthread_mutex_lock(&all.lock);
	while (all.oldest != NULL)
		drop_oldest();
	all.room = 0;
	pthread_mutex_unlock(&all.lock);
}
