#include <stdlib.h>
#include <string.h>

#include "ocsp_priv.h"

/* Keys are hashes: any bytes of them choose the set. */
static struct ocsp_kept *
set_of(struct ocsp_cache *c, const unsigned char *key)
{
	return c->sets[(size_t)(key[0] | key[1] << 8) % OCSP_SETS];
}

static bool
is_it(const struct ocsp_kept *k, const unsigned char *key, unsigned flags)
{
	return k->until != 0 && k->flags == flags && memcmp(k->key, key, OCSP_KEY) == 0;
}

bool
ocsp_cache_find(struct ocsp_cache *c, const unsigned char *key, unsigned flags, int64_t now,
    struct ocsp_answer *a)
{
	struct ocsp_kept *set;

	if (c->sets == NULL)
		return false;
	set = set_of(c, key);
	for (size_t i = 0; i < OCSP_WAYS; i++) {
		/* A clock that was set back makes what was learned no better. */
		if (!is_it(&set[i], key, flags) || now > set[i].until ||
		    now + OCSP_KEPT + OCSP_SKEW < set[i].until)
			continue;
		set[i].used = ++c->turn;
		*a = set[i].answer;
		return true;
	}
	return false;
}

/* The place of the same one, a free one, or that of the one not used for the longest time. */
static struct ocsp_kept *
place_for(struct ocsp_kept *set, const unsigned char *key, unsigned flags)
{
	struct ocsp_kept *best = &set[0];

	for (size_t i = 0; i < OCSP_WAYS; i++)
		if (is_it(&set[i], key, flags))
			return &set[i];
	for (size_t i = 0; i < OCSP_WAYS; i++) {
		if (set[i].until == 0)
			return &set[i];
		if (set[i].used < best->used)
			best = &set[i];
	}
	return best;
}

void
ocsp_cache_keep(struct ocsp_cache *c, const unsigned char *key, unsigned flags, int64_t now,
    const struct ocsp_answer *a)
{
	struct ocsp_kept *k;
	int64_t until = a->next_update < now + OCSP_KEPT ? a->next_update : now + OCSP_KEPT;

	if (a->status == OCSP_UNKNOWN || a->next_update == INT64_MAX || until <= now)
		return;
	if (c->sets == NULL && (c->sets = calloc(OCSP_SETS, sizeof(*c->sets))) == NULL)
		return;
	k = place_for(set_of(c, key), key, flags);
	memcpy(k->key, key, OCSP_KEY);
	k->flags = flags;
	k->until = until;
	k->used = ++c->turn;
	k->answer = *a;
}

void
ocsp_cache_free(struct ocsp_cache *c)
{
	free(c->sets);
	c->sets = NULL;
}
