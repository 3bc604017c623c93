#include <wolfssl/options.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/hash.h>

#include "tls/crl_priv.h"
#include "tls/pubkey_priv.h"

/* All CRLs in memory; few, since each is of another CA or another day. */
static struct {
	pthread_mutex_t lock;
	struct crl *first;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
hash(struct span s, unsigned char *digest)
{
	if (wc_Sha256Hash(s.p, (word32)s.n, digest) != 0)
		assert(!"a hash of bytes in memory");
}

/* What tells keys apart: the SHA-256 of both parts of SubjectPublicKeyInfo. */
static void
hash_key(const struct x509 *c, unsigned char *digest)
{
	unsigned char parts[2 * CERT_FP_LEN];

	hash(c->key_alg, parts);
	hash(c->key, parts + CERT_FP_LEN);
	hash((struct span){ parts, sizeof(parts) }, digest);
}

void
crl_hash_name(struct span name, unsigned char digest[CERT_FP_LEN])
{
	hash(name, digest);
}

static void
crl_free(struct crl *c)
{
	pthread_mutex_destroy(&c->lock);
	serials_free(&c->serials);
	free(c->points.data);
	free(c->der.data);
	free(c);
}

static void
fill(struct crl *c, const struct crl_text *t)
{
	hash(t->issuer, c->issuer);
	c->has_akid = t->akid.p != NULL;
	if (c->has_akid)
		hash(t->akid, c->akid);
	c->has_number = t->number.p != NULL;
	if (c->has_number)
		memcpy(c->number + sizeof(c->number) - t->number.n, t->number.p, t->number.n);
	c->only_users = t->only_users;
	c->only_cas = t->only_cas;
	c->this_update = t->this_update;
	c->next_update = t->next_update;
}

static int
copy_points(struct crl *c, struct span points)
{
	if (points.p == NULL)
		return 0;
	if ((c->points.data = malloc(points.n)) == NULL)
		return -1;
	memcpy(c->points.data, points.p, points.n);
	c->points.len = points.n;
	return 0;
}

/* A CRL of text that was read; it takes over the bytes. */
static struct crl *
crl_new(const struct crl_text *t, struct der *der)
{
	struct crl *c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	if (serials_make(&c->serials, t) == -1 || copy_points(c, t->points) == -1) {
		crl_free(c);
		return NULL;
	}
	atomic_init(&c->proven, false);
	fill(c, t);
	hash(t->der, c->digest);
	c->der = *der;
	*der = (struct der){ NULL, 0 };
	return c;
}

/* The one with the digest, with one more reference, or NULL. */
static struct crl *
find(const unsigned char *digest)
{
	struct crl *c;

	for (c = all.first; c != NULL; c = c->next)
		if (memcmp(c->digest, digest, sizeof(c->digest)) == 0) {
			c->refs++;
			break;
		}
	return c;
}

/* Adds the new one, unless somebody else was faster. */
static struct crl *
enter(struct crl *c)
{
	struct crl *other;

	pthread_mutex_lock(&all.lock);
	if ((other = find(c->digest)) == NULL) {
		c->refs = 1;
		c->next = all.first;
		all.first = c;
	}
	pthread_mutex_unlock(&all.lock);
	if (other == NULL)
		return c;
	crl_free(c);
	return other;
}

static int
judge_signature(const struct crl_text *t, struct errmsg *e)
{
	const struct x509 as_cert = { .sig_alg = t->sig_alg };

	return sigalg_judge(&as_cert, e);
}

struct crl *
crl_get(struct der *der, struct errmsg *e)
{
	unsigned char digest[CERT_FP_LEN];
	struct crl_text t;
	struct crl *c;

	hash((struct span){ der->data, der->len }, digest);
	pthread_mutex_lock(&all.lock);
	c = find(digest);
	pthread_mutex_unlock(&all.lock);
	if (c != NULL)
		return c;
	if (crl_parse(&t, der->data, der->len, e) == -1 || judge_signature(&t, e) == -1)
		return NULL;
	if ((c = crl_new(&t, der)) == NULL) {
		errmsg_set(e, "out of memory");
		return NULL;
	}
	return enter(c);
}

void
crl_put(struct crl *c)
{
	struct crl **p;
	bool last;

	if (c == NULL)
		return;
	pthread_mutex_lock(&all.lock);
	if ((last = --c->refs == 0)) {
		for (p = &all.first; *p != c; p = &(*p)->next)
			;
		*p = c->next;
	}
	pthread_mutex_unlock(&all.lock);
	if (last)
		crl_free(c);
}

/* Checks the signature: the signed part of a CRL is signed as that of a certificate. */
static bool
check(const struct crl *c, const struct x509 *issuer)
{
	struct crl_text t;
	struct errmsg e;
	struct x509 as_cert;

	if (crl_parse(&t, c->der.data, c->der.len, &e) == -1)
		assert(!"a CRL that was read before");
	as_cert = (struct x509){ .tbs = t.tbs, .sig_alg = t.sig_alg, .sig = t.sig };
	return pubkey_judge(issuer, &e) == 0 && signed_by(&as_cert, issuer);
}

/* Notes the outcome.  A proven CRL needs its bytes no more. */
static void
prove(struct crl *c, const struct x509 *issuer, const unsigned char *key)
{
	if (!check(c, issuer)) {
		memcpy(c->refuted, key, sizeof(c->refuted));
		return;
	}
	memcpy(c->key, key, sizeof(c->key));
	free(c->der.data);
	c->der = (struct der){ NULL, 0 };
	atomic_store_explicit(&c->proven, true, memory_order_release);
}

bool
crl_proven_by(struct crl *c, const struct x509 *issuer)
{
	unsigned char key[CERT_FP_LEN];

	hash_key(issuer, key);
	if (!atomic_load_explicit(&c->proven, memory_order_acquire)) {
		pthread_mutex_lock(&c->lock);
		if (!atomic_load(&c->proven) && memcmp(c->refuted, key, sizeof(key)) != 0)
			prove(c, issuer, key);
		pthread_mutex_unlock(&c->lock);
	}
	return atomic_load_explicit(&c->proven, memory_order_acquire) &&
	    memcmp(c->key, key, sizeof(key)) == 0;
}

bool
crl_may_be_of(const struct crl *c, const struct x509 *issuer)
{
	unsigned char digest[CERT_FP_LEN];

	hash(issuer->subject, digest);
	if (memcmp(c->issuer, digest, sizeof(digest)) != 0)
		return false;
	if (!c->has_akid || issuer->skid.p == NULL)
		return true;
	hash(issuer->skid, digest);
	return memcmp(c->akid, digest, sizeof(digest)) == 0;
}

bool
crl_signing_allowed(const struct x509 *issuer)
{
	return !issuer->has_key_usage || (issuer->key_usage & KU_CRL_SIGN) != 0;
}

bool
crl_covers(const struct crl *c, const struct x509 *cert)
{
	if (cert->is_ca ? c->only_users : c->only_cas)
		return false;
	return c->points.data == NULL ||
	    crl_points_match((struct span){ c->points.data, c->points.len }, cert);
}

bool
crl_supersedes(const struct crl *a, const struct crl *b)
{
	int order = 0;

	if (a->only_users != b->only_users || a->only_cas != b->only_cas ||
	    a->points.len != b->points.len ||
	    (a->points.len > 0 && memcmp(a->points.data, b->points.data, a->points.len) != 0))
		return false;
	if (a->has_number && b->has_number)
		order = memcmp(a->number, b->number, sizeof(a->number));
	return order > 0 || (order == 0 && a->this_update > b->this_update);
}
