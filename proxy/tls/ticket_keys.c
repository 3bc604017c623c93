/* The keys that session tickets are sealed with. */
#include <wolfssl/options.h>

#include <ctype.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/memory.h>

#include "ticket_keys_priv.h"

/* Those of the process: they come and go by themselves. */
static struct {
	pthread_mutex_t lock; /* a leaf */
	struct ticket_key now, before;
	bool have_now, have_before;
	int64_t born; /* of now */
} own = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* A hash of a label and a secret. */
static bool
hash(const char *label, const void *p, size_t n, unsigned char out[WC_SHA256_DIGEST_SIZE])
{
	wc_Sha256 h;
	bool good;

	if (wc_InitSha256(&h) != 0)
		return false;
	good = wc_Sha256Update(&h, (const byte *)label, (word32)strlen(label)) == 0 &&
	    wc_Sha256Update(&h, p, (word32)n) == 0 && wc_Sha256Final(&h, out) == 0;
	wc_Sha256Free(&h);
	return good;
}

static bool
name_key(struct ticket_key *k)
{
	unsigned char digest[WC_SHA256_DIGEST_SIZE];

	if (!hash("sluss ticket key name", k->secret, sizeof(k->secret), digest))
		return false;
	memcpy(k->name, digest, sizeof(k->name));
	return true;
}

static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	    c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Reads hexadecimal digits that fill the most bytes at most.  Returns how many, or -1. */
static int
unhex(const char *s, size_t len, unsigned char *out, size_t most)
{
	if (len % 2 != 0 || len / 2 > most)
		return -1;
	for (size_t i = 0; i < len; i += 2) {
		if (digit(s[i]) < 0 || digit(s[i + 1]) < 0)
			return -1;
		out[i / 2] = (unsigned char)(digit(s[i]) << 4 | digit(s[i + 1]));
	}
	return (int)(len / 2);
}

static bool
is_secret(int n)
{
	return n == 16 || n == 32;
}

/* stunnel's two secrets become one key of ours. */
static int
from_secrets(struct ticket_keys *k, const struct tls_resume *r, struct errmsg *e)
{
	unsigned char both[64] = { 0 };
	int a, b, rc = -1;

	if (r->key_secret == NULL || r->mac_secret == NULL)
		return errmsg_set(e, "ticketKeySecret and ticketMacSecret go together: give both");
	a = unhex(r->key_secret, strlen(r->key_secret), both, 32);
	b = unhex(r->mac_secret, strlen(r->mac_secret), both + 32, 32);
	if (!is_secret(a))
		errmsg_set(e, "ticketKeySecret: 32 or 64 hexadecimal digits are wanted");
	else if (!is_secret(b))
		errmsg_set(e, "ticketMacSecret: 32 or 64 hexadecimal digits are wanted");
	else if (!hash("sluss ticket key", both, sizeof(both), k->keys[0].secret) ||
	    !name_key(&k->keys[0]))
		errmsg_set(e, "wolfSSL cannot hash");
	else {
		k->n = 1;
		rc = 0;
	}
	wc_ForceZero(both, sizeof(both));
	return rc;
}

/* A line without blanks at its ends. */
static void
trim(const char **p, const char **end)
{
	while (*p < *end && isspace((unsigned char)**p))
		++*p;
	while (*end > *p && isspace((unsigned char)(*end)[-1]))
		--*end;
}

static int
add_line(struct ticket_keys *k, const char *p, const char *end, struct errmsg *e)
{
	struct ticket_key *key = &k->keys[k->n];

	trim(&p, &end);
	if (p == end || *p == '#')
		return 0;
	if (k->n == TICKET_KEYS_MOST)
		return errmsg_set(e, "three keys are the most: leave the oldest out");
	if (unhex(p, (size_t)(end - p), key->secret, TICKET_SECRET) != TICKET_SECRET)
		return errmsg_set(e, "a key is 64 hexadecimal digits; make one with: "
		    "openssl rand -hex 32");
	if (!name_key(key))
		return errmsg_set(e, "wolfSSL cannot hash");
	k->n++;
	return 0;
}

static int
from_text(struct ticket_keys *k, const char *text, size_t len, struct errmsg *e)
{
	const char *p = text, *end = text + len, *eol;

	for (unsigned line = 1; p < end; line++, p = eol + 1) {
		if ((eol = memchr(p, '\n', (size_t)(end - p))) == NULL)
			eol = end;
		if (add_line(k, p, eol, e) == -1)
			return errmsg_prefix(e, "line %u", line);
	}
	if (k->n == 0)
		return errmsg_set(e, "there is no key; make one with: openssl rand -hex 32");
	return 0;
}

static int
from_file(struct ticket_keys *k, const char *file, struct errmsg *e)
{
	char *text;
	size_t len;
	int rc;

	if (cert_read_file(file, &text, &len, e) == -1)
		return -1;
	if ((rc = from_text(k, text, len, e)) == -1)
		errmsg_prefix(e, "%s", file);
	cert_free_secret(text, len);
	return rc;
}

int
ticket_keys_read(struct ticket_keys *k, const struct tls_resume *r, struct errmsg *e)
{
	*k = (struct ticket_keys){ .n = 0 };
	if (r->key_file != NULL && (r->key_secret != NULL || r->mac_secret != NULL))
		return errmsg_set(e, "ticketKeyFile and ticketKeySecret are two ways to say one "
		    "thing: leave one of them out");
	if (r->key_file != NULL)
		return from_file(k, r->key_file, e);
	if (r->key_secret != NULL || r->mac_secret != NULL)
		return from_secrets(k, r, e);
	return 0;
}

/* Under the lock: brings the keys of the process up to date.  A clock that was set back makes
 * them new, too: nobody can tell how old they are. */
static bool
turn(int64_t now)
{
	int64_t age = now - own.born;

	if (own.have_now && age >= 0 && age < TICKET_KEY_LIFE)
		return true;
	own.have_before = own.have_now && age >= 0 && age < 2 * TICKET_KEY_LIFE;
	if (own.have_before)
		own.before = own.now;
	else
		wc_ForceZero(&own.before, sizeof(own.before));
	own.have_now = getentropy(own.now.secret, sizeof(own.now.secret)) == 0 &&
	    name_key(&own.now);
	own.born = now;
	return own.have_now;
}

bool
ticket_keys_now(const struct ticket_keys *k, int64_t now, struct ticket_key *out)
{
	bool have;

	if (k->n > 0) {
		*out = k->keys[0];
		return true;
	}
	pthread_mutex_lock(&own.lock);
	if ((have = turn(now)))
		*out = own.now;
	pthread_mutex_unlock(&own.lock);
	return have;
}

static bool
take(const struct ticket_key *k, const unsigned char *name, struct ticket_key *out)
{
	if (memcmp(k->name, name, TICKET_NAME) != 0)
		return false;
	*out = *k;
	return true;
}

bool
ticket_keys_find(const struct ticket_keys *k, const unsigned char *name, int64_t now,
    struct ticket_key *out)
{
	bool found;

	for (size_t i = 0; i < k->n; i++)
		if (take(&k->keys[i], name, out))
			return true;
	if (k->n > 0)
		return false;
	pthread_mutex_lock(&own.lock);
	found = turn(now) && (take(&own.now, name, out) ||
	    (own.have_before && take(&own.before, name, out)));
	pthread_mutex_unlock(&own.lock);
	return found;
}
