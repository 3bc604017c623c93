#include <wolfssl/options.h>

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include <wolfssl/wolfcrypt/hash.h>

#include "tls/seen_priv.h"

/* 32 KiB: a thousand peers and the CAs between. */
#define SETS 256
#define WAYS 4

/* A list of revoked certificates may have megabytes, and is checked once. */
#define LENGTH_MOST ((size_t)64 * 1024)

static struct {
	pthread_mutex_t lock; /* a leaf */
	struct {
		unsigned char key[WAYS][SEEN_KEY]; /* zeros: free */
		unsigned next; /* the one that goes first */
	} sets[SETS];
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* With its length, so that no two lists of spans are the same bytes. */
static void
add_span(wc_Sha256 *h, struct span s)
{
	const unsigned char len[4] = { (unsigned char)(s.n >> 24), (unsigned char)(s.n >> 16),
		(unsigned char)(s.n >> 8), (unsigned char)s.n };

	if (wc_Sha256Update(h, len, sizeof(len)) != 0 ||
	    (s.n > 0 && wc_Sha256Update(h, s.p, (word32)s.n) != 0))
		assert(!"a hash of bytes in memory");
}

bool
seen_key(const struct x509 *c, const struct x509 *issuer, unsigned char key[SEEN_KEY])
{
	const struct span all_of_it[] = { c->tbs, c->sig_alg, c->sig, issuer->key_alg,
		issuer->key };
	wc_Sha256 h;

	if (c->tbs.n > LENGTH_MOST)
		return false;
	if (wc_InitSha256(&h) != 0)
		return false;
	for (size_t i = 0; i < sizeof(all_of_it) / sizeof(all_of_it[0]); i++)
		add_span(&h, all_of_it[i]);
	if (wc_Sha256Final(&h, key) != 0)
		assert(!"a hash of bytes in memory");
	wc_Sha256Free(&h);
	return true;
}

bool
seen(const unsigned char key[SEEN_KEY])
{
	bool found = false;

	pthread_mutex_lock(&all.lock);
	for (size_t i = 0; i < WAYS; i++)
		found |= memcmp(all.sets[key[0] % SETS].key[i], key, SEEN_KEY) == 0;
	pthread_mutex_unlock(&all.lock);
	return found;
}

void
seen_add(const unsigned char key[SEEN_KEY])
{
	unsigned *next = &all.sets[key[0] % SETS].next;

	pthread_mutex_lock(&all.lock);
	memcpy(all.sets[key[0] % SETS].key[*next], key, SEEN_KEY);
	*next = (*next + 1) % WAYS;
	pthread_mutex_unlock(&all.lock);
}
