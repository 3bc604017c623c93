#include "staple_priv.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <wolfssl/wolfcrypt/types.h>

#include "base/log.h"
#include "context_priv.h"
#include "ocsp_priv.h"
#include "trust_priv.h"

struct staple {
	atomic_uint refs;
	char *service, *file;
	struct ocsp_question *question;
	pthread_mutex_t lock;
	struct der der;    /* of the lock, like the rest; len 0: none */
	int64_t made, until;
	bool told;         /* the log knows that it is out of date */
};

static bool
issued_by(const struct x509 *c, const struct x509 *issuer)
{
	struct errmsg e;

	return issuer->is_ca && span_equal(c->issuer, issuer->subject) &&
	    sigalg_judge(c, &e) == 0 && pubkey_judge(issuer, &e) == 0 && signed_by(c, issuer);
}

static struct ocsp_question *
find_question(const struct der_list *chain, const struct trust *t)
{
	const struct der *leaf = &chain->items[0];
	struct x509 c, issuer;
	struct errmsg e;

	if (x509_parse(&c, leaf->data, leaf->len) != NULL || x509_self_issued(&c))
		return NULL;
	for (size_t i = 1; i < chain->n; i++)
		if (x509_parse(&issuer, chain->items[i].data, chain->items[i].len) == NULL &&
		    issued_by(&c, &issuer))
			return ocsp_question_of(c.der, issuer.der, &e);
	for (size_t i = 0; t != NULL && i < t->nanchors; i++)
		if (issued_by(&c, &t->anchors[i].cert))
			return ocsp_question_of(c.der, t->anchors[i].cert.der, &e);
	return NULL;
}

struct staple *
staple_new(const char *service, const char *file, const struct der_list *chain,
    const struct trust *t)
{
	struct staple *s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	atomic_init(&s->refs, 1);
	pthread_mutex_init(&s->lock, NULL);
	s->question = find_question(chain, t);
	if ((s->service = strdup(service)) == NULL || (s->file = strdup(file)) == NULL) {
		staple_unref(s);
		return NULL;
	}
	return s;
}

struct staple *
staple_ref(struct staple *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void
staple_unref(struct staple *s)
{
	if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	ocsp_question_free(s->question);
	pthread_mutex_destroy(&s->lock);
	free(s->der.data);
	free(s->service);
	free(s->file);
	free(s);
}

bool
staple_is_left(const struct staple *s)
{
	return atomic_load_explicit(&s->refs, memory_order_relaxed) == 1;
}

const char *
staple_file(const struct staple *s)
{
	return s->file;
}

struct ocsp_question *
staple_question(const struct staple *s)
{
	return s->question;
}

static int
judge(const struct staple *s, const unsigned char *p, size_t n, int64_t now,
    struct ocsp_answer *a, struct errmsg *e)
{
	if (s->question == NULL)
		return errmsg_set(e, "the certificate of the CA that issued the one in %s is neither "
		    "behind it nor in CAfile", s->file);
	if (n > STAPLE_MOST)
		return errmsg_set(e, "it is larger than %zu bytes", STAPLE_MOST);
	if (ocsp_answer_read(s->question, p, n, NULL, 0, now, a, e) == -1)
		return -1;
	if (a->status == OCSP_REVOKED)
		return errmsg_set(e, "it says that the certificate in %s IS REVOKED", s->file);
	if (a->status == OCSP_UNKNOWN)
		return errmsg_set(e, "it says that the certificate in %s is not known", s->file);
	return 0;
}

int
staple_offer(struct staple *s, const unsigned char *p, size_t n, int64_t now, struct errmsg *e)
{
	struct ocsp_answer a;
	unsigned char *copy;

	if (judge(s, p, n, now, &a, e) == -1)
		return -1;
	if ((copy = malloc(n)) == NULL)
		return errmsg_set(e, "out of memory");
	memcpy(copy, p, n);
	pthread_mutex_lock(&s->lock);
	if (s->der.len == 0 || a.this_update >= s->made) {
		unsigned char *old = s->der.data;

		s->der = (struct der){ copy, n };
		s->made = a.this_update;
		s->until = a.next_update != INT64_MAX ? a.next_update :
		    a.this_update + OCSP_AGE;
		s->told = false;
		copy = old;
	}
	pthread_mutex_unlock(&s->lock);
	free(copy);
	return 0;
}

int64_t
staple_until(struct staple *s)
{
	int64_t until;

	pthread_mutex_lock(&s->lock);
	until = s->der.len > 0 ? s->until : 0;
	pthread_mutex_unlock(&s->lock);
	return until;
}

/* A copy for one session, which the library frees. */
static unsigned char *
copy_for(struct staple *s, int64_t now, size_t *n, bool *outdated)
{
	unsigned char *copy = NULL;

	pthread_mutex_lock(&s->lock);
	*outdated = s->der.len > 0 && now > s->until && !s->told;
	if (*outdated)
		s->told = true;
	if (s->der.len > 0 && now <= s->until && (copy = XMALLOC(s->der.len, NULL, DYNAMIC_TYPE_OCSP)) != NULL) {
		memcpy(copy, s->der.data, s->der.len);
		*n = s->der.len;
	}
	pthread_mutex_unlock(&s->lock);
	return copy;
}

/* The library asks what to show to a client that has asked. */
static int
show(WOLFSSL *ssl, void *arg)
{
	struct staple *s = arg;
	unsigned char *copy;
	bool outdated;
	size_t n = 0;

	copy = copy_for(s, time(NULL), &n, &outdated);
	if (outdated)
		log_line(LOG_WARNING, "main", "Service [%s] the answer of a responder (OCSP) about the "
		    "certificate in %s is out of date: none is stapled until there is a newer one",
		    s->service, s->file);
	if (copy == NULL)
		return WOLFSSL_OCSP_STATUS_CB_NOACK;
	if (wolfSSL_set_tlsext_status_ocsp_resp(ssl, copy, (int)n) != WOLFSSL_SUCCESS) {
		XFREE(copy, NULL, DYNAMIC_TYPE_OCSP);
		return WOLFSSL_OCSP_STATUS_CB_NOACK;
	}
	return WOLFSSL_OCSP_STATUS_CB_OK;
}

int
staple_use(struct staple *s, WOLFSSL_CTX *ctx)
{
	return wolfSSL_CTX_set_tlsext_status_cb(ctx, show) == WOLFSSL_SUCCESS &&
	    wolfSSL_CTX_set_tlsext_status_arg(ctx, s) == WOLFSSL_SUCCESS ? 0 : -1;
}

struct staple *
tls_context_staple(const struct tls_context *c, size_t i)
{
	return i < c->nshown ? c->shown[i].staple : NULL;
}
