#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "net/prefix.h"
#include "tunnel/source.h"

#define BUCKETS 4096

/* A token is a handshake; the rate is tokens a second, so thousandths come a millisecond. */
#define TOKEN 1000u

/* Either with tunnels, or in the list of the idle. */
struct source {
	struct sources *table;
	struct source *next;           /* in its bucket */
	struct source *older, *newer;  /* among the idle */
	struct addr_prefix prefix;
	unsigned tunnels;
	uint64_t tokens;               /* thousandths, as of filled */
	uint64_t filled;
	uint64_t period;               /* when the lines' period began */
	unsigned lines;                /* logged in it */
	unsigned unsaid;               /* not logged */
	char section[];
};

struct sources {
	pthread_mutex_t lock;
	uint64_t seed;                 /* so that no stranger knows the buckets */
	struct source *buckets[BUCKETS];
	struct source *oldest, *newest; /* of the idle */
	size_t idle;
	size_t telling;                /* sources with something unsaid */
};

/* FNV-1a; the seed makes it ours. */
static uint64_t
hash_on(uint64_t h, const void *p, size_t n)
{
	const unsigned char *bytes = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ bytes[i]) * 0x100000001b3u;
	return h;
}

static struct source **
bucket_of(struct sources *t, const char *section, const struct addr_prefix *p)
{
	uint64_t h = hash_on(t->seed, p->bytes, sizeof(p->bytes));

	h = hash_on(h, section, strlen(section));
	return &t->buckets[(h ^ h >> 32) % BUCKETS];
}

static bool
is(const struct source *s, const char *section, const struct addr_prefix *p)
{
	return s->prefix.bits == p->bits &&
	    memcmp(s->prefix.bytes, p->bytes, sizeof(p->bytes)) == 0 &&
	    strcmp(s->section, section) == 0;
}

static void
idle_add(struct source *s)
{
	struct sources *t = s->table;

	s->newer = NULL;
	s->older = t->newest;
	if (t->newest != NULL)
		t->newest->newer = s;
	else
		t->oldest = s;
	t->newest = s;
	t->idle++;
}

static void
idle_remove(struct source *s)
{
	struct sources *t = s->table;

	if (s->newer != NULL)
		s->newer->older = s->older;
	else
		t->newest = s->older;
	if (s->older != NULL)
		s->older->newer = s->newer;
	else
		t->oldest = s->newer;
	t->idle--;
}

/* What was not logged becomes one line. */
static void
tell(struct source *s)
{
	char text[PREFIX_TEXT];

	if (s->unsaid == 0)
		return;
	prefix_text(&s->prefix, text);
	if (s->prefix.bits == 128)
		*strchr(text, '/') = '\0';
	log_line(LOG_NOTICE, "main", "Service [%s] %u more connections from %s failed or were "
	    "refused within %d seconds", s->section, s->unsaid, text, SOURCE_PERIOD_MS / 1000);
	s->unsaid = 0;
	s->table->telling--;
}

static void
forget(struct source *s)
{
	struct source **p;

	tell(s);
	for (p = bucket_of(s->table, s->section, &s->prefix); *p != s; p = &(*p)->next)
		;
	*p = s->next;
	idle_remove(s);
	free(s);
}

/* A new one is idle, until it has a tunnel. */
static struct source *
source_new(struct sources *t, const struct conf_service *c, const struct addr_prefix *p,
    uint64_t now)
{
	struct source **bucket = bucket_of(t, c->name, p), *s;
	size_t n = strlen(c->name) + 1;

	if ((s = calloc(1, sizeof(*s) + n)) == NULL)
		return NULL;
	memcpy(s->section, c->name, n);
	s->table = t;
	s->prefix = *p;
	s->tokens = (uint64_t)c->handshake_rate * TOKEN;
	s->filled = s->period = now;
	s->next = *bucket;
	*bucket = s;
	idle_add(s);
	if (t->idle > SOURCES_IDLE)
		forget(t->oldest);
	return s;
}

static struct source *
find(struct sources *t, const struct conf_service *c, const struct addr_prefix *p, uint64_t now)
{
	struct source *s;

	for (s = *bucket_of(t, c->name, p); s != NULL; s = s->next)
		if (is(s, c->name, p)) {
			/* It was there last. */
			if (s->tunnels == 0) {
				idle_remove(s);
				idle_add(s);
			}
			return s;
		}
	return source_new(t, c, p, now);
}

/* Whether it may begin a handshake now; the bucket holds what a second brings. */
static bool
take_token(struct source *s, unsigned rate, uint64_t now)
{
	uint64_t most = (uint64_t)rate * TOKEN, gone = now > s->filled ? now - s->filled : 0;

	/* Each millisecond brings rate thousandths; a second fills it. */
	s->tokens = gone >= 1000 || s->tokens + gone * rate > most ? most :
	    s->tokens + gone * rate;
	s->filled += gone;
	if (s->tokens < TOKEN)
		return false;
	s->tokens -= TOKEN;
	return true;
}

static bool
is_in(const struct conf_prefixes *list, const struct addr *a)
{
	for (size_t i = 0; i < list->n; i++)
		if (prefix_has(&list->items[i], a))
			return true;
	return false;
}

bool
source_is_denied(const struct conf_service *c, const struct addr *a)
{
	return is_in(&c->deny_from, a) || (c->allow_from.n > 0 && !is_in(&c->allow_from, a));
}

static enum admission
judge(struct source *s, const struct conf_service *c, const struct addr *a, uint64_t now)
{
	if (source_is_denied(c, a))
		return SOURCE_DENIED;
	if (s == NULL)
		return SOURCE_ADMITTED;
	if (c->max_per_source > 0 && s->tunnels >= c->max_per_source)
		return SOURCE_CROWDED;
	if (c->handshake_rate > 0 && !take_token(s, c->handshake_rate, now))
		return SOURCE_HASTY;
	return SOURCE_ADMITTED;
}

static bool
may_log(struct source *s, uint64_t now)
{
	/* Lanes' clocks may be a turn apart. */
	if (now > s->period && now - s->period >= SOURCE_PERIOD_MS) {
		tell(s);
		s->period = now;
		s->lines = 0;
	}
	if (s->lines < SOURCE_LINES) {
		s->lines++;
		return true;
	}
	if (s->unsaid++ == 0)
		s->table->telling++;
	return false;
}

enum admission
source_admit(struct sources *t, const struct conf_service *c, const struct addr *a,
    uint64_t now, struct source **result, bool *say)
{
	struct addr_prefix p;
	struct source *s;
	enum admission v;

	*result = NULL;
	*say = true;
	if (!prefix_of(a, c->per_source_v4, c->per_source_v6, &p))
		return SOURCE_ADMITTED;
	pthread_mutex_lock(&t->lock);
	s = find(t, c, &p, now);
	v = judge(s, c, a, now);
	if (v == SOURCE_ADMITTED && s != NULL) {
		if (s->tunnels++ == 0)
			idle_remove(s);
		*result = s;
	} else if (s != NULL) {
		*say = may_log(s, now);
	}
	pthread_mutex_unlock(&t->lock);
	return v;
}

void
source_leave(struct source *s)
{
	struct sources *t;

	if (s == NULL)
		return;
	t = s->table;
	pthread_mutex_lock(&t->lock);
	assert(s->tunnels > 0);
	if (--s->tunnels == 0) {
		idle_add(s);
		if (t->idle > SOURCES_IDLE)
			forget(t->oldest);
	}
	pthread_mutex_unlock(&t->lock);
}

bool
source_may_log(struct source *s, uint64_t now)
{
	bool may;

	if (s == NULL)
		return true;
	pthread_mutex_lock(&s->table->lock);
	may = may_log(s, now);
	pthread_mutex_unlock(&s->table->lock);
	return may;
}

bool
source_is_noisy(struct source *s, uint64_t now)
{
	bool noisy;

	if (s == NULL)
		return false;
	pthread_mutex_lock(&s->table->lock);
	noisy = s->unsaid > 0 && now < s->period + SOURCE_PERIOD_MS;
	pthread_mutex_unlock(&s->table->lock);
	return noisy;
}

uint64_t
sources_tell(struct sources *t, uint64_t now)
{
	uint64_t next = 0, due;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < BUCKETS && t->telling > 0; i++)
		for (struct source *s = t->buckets[i]; s != NULL; s = s->next) {
			if (s->unsaid == 0)
				continue;
			due = s->period + SOURCE_PERIOD_MS;
			if (due <= now)
				tell(s);
			else if (next == 0 || due < next)
				next = due;
		}
	pthread_mutex_unlock(&t->lock);
	return next;
}

const char *
admission_text(enum admission v)
{
	static const char *const texts[] = {
		[SOURCE_ADMITTED] = "admitted",
		[SOURCE_DENIED] = "denied by denyFrom or allowFrom",
		[SOURCE_CROWDED] = "maxPerSource is reached",
		[SOURCE_HASTY] = "more than handshakeRate",
	};

	return texts[v];
}

struct sources *
sources_new(void)
{
	struct sources *t;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		return NULL;
	pthread_mutex_init(&t->lock, NULL);
	if (getrandom(&t->seed, sizeof(t->seed), 0) != sizeof(t->seed))
		t->seed = 0xcbf29ce484222325u;
	return t;
}

void
sources_free(struct sources *t)
{
	if (t == NULL)
		return;
	while (t->oldest != NULL)
		forget(t->oldest);
	pthread_mutex_destroy(&t->lock);
	free(t);
}
