#include <wolfssl/options.h>

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/hash.h>

#include "tls/identity.h"

struct identity {
	struct identity *next; /* in its bucket; like refs under the lock */
	unsigned refs;
	unsigned char digest[CERT_FP_LEN];
	size_t n;
	struct der certs[]; /* their bytes stand behind the last */
};

#define BUCKETS 1024

static struct {
	pthread_mutex_t lock;
	struct identity *buckets[BUCKETS];
	size_t n;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct identity **
bucket_of(const unsigned char *digest)
{
	return &all.buckets[(digest[0] << 8 | digest[1]) % BUCKETS];
}

/* How many of the chain are kept. */
static size_t
bounded(const struct der *chain, size_t n, size_t *bytes)
{
	size_t i;

	for (*bytes = 0, i = 0; i < n; i++) {
		if (i > 0 && *bytes + chain[i].len > IDENTITY_MOST)
			break;
		*bytes += chain[i].len;
	}
	return i;
}

static struct identity *
make(const struct der *chain, size_t n)
{
	struct identity *id;
	unsigned char *at;
	size_t bytes;

	n = bounded(chain, n, &bytes);
	if ((id = calloc(1, sizeof(*id) + n * sizeof(*id->certs) + bytes)) == NULL)
		return NULL;
	at = (unsigned char *)&id->certs[n];
	for (id->n = 0; id->n < n; id->n++) {
		id->certs[id->n] = (struct der){ at, chain[id->n].len };
		memcpy(at, chain[id->n].data, chain[id->n].len);
		at += chain[id->n].len;
	}
	/* DER tells its own length: no two lists are the same bytes. */
	if (wc_Sha256Hash((unsigned char *)&id->certs[n], (word32)bytes, id->digest) != 0)
		assert(!"a hash of bytes in memory");
	return id;
}

/* Enters it, or finds the one that is there. */
static struct identity *
enter(struct identity *id)
{
	struct identity **bucket = bucket_of(id->digest), *there;

	for (there = *bucket; there != NULL; there = there->next)
		if (memcmp(there->digest, id->digest, sizeof(id->digest)) == 0)
			break;
	if (there == NULL) {
		there = id;
		id->next = *bucket;
		*bucket = id;
		all.n++;
	}
	there->refs++;
	return there;
}

struct identity *
identity_get(const struct der *chain, size_t n)
{
	struct identity *id, *there;

	assert(n > 0);
	if ((id = make(chain, n)) == NULL)
		return NULL;
	pthread_mutex_lock(&all.lock);
	there = enter(id);
	pthread_mutex_unlock(&all.lock);
	if (there != id)
		free(id);
	return there;
}

struct identity *
identity_ref(struct identity *id)
{
	pthread_mutex_lock(&all.lock);
	id->refs++;
	pthread_mutex_unlock(&all.lock);
	return id;
}

void
identity_put(struct identity *id)
{
	struct identity **p;
	bool last;

	if (id == NULL)
		return;
	pthread_mutex_lock(&all.lock);
	if ((last = --id->refs == 0)) {
		for (p = bucket_of(id->digest); *p != id; p = &(*p)->next)
			;
		*p = id->next;
		all.n--;
	}
	pthread_mutex_unlock(&all.lock);
	if (last)
		free(id);
}

const struct der *
identity_chain(const struct identity *id, size_t *n)
{
	*n = id->n;
	return id->certs;
}

size_t
identities(void)
{
	size_t n;

	pthread_mutex_lock(&all.lock);
	n = all.n;
	pthread_mutex_unlock(&all.lock);
	return n;
}
