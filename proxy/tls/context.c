#include "psk_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/hash.h>

#include "accel_priv.h"
#include "base/log.h"
#include "resume_priv.h"
#include "staple_priv.h"
#include "ticket_priv.h"
#include "tls/cert.h"

#if (defined(WOLFSSL_TRUST_PEER_CERT) || defined(OPENSSL_COMPATIBLE_DEFAULTS)) && \
    !defined(SLUSS_UNSAFE_WOLFSSL)
#error "this wolfSSL can be made to trust forged certificates; see ./configure --help"
#endif

static WOLFSSL_METHOD *
method_of(const struct tls_policy *p)
{
	if (p->min == TLS_1_3)
		return p->server ? wolfTLSv1_3_server_method() : wolfTLSv1_3_client_method();
	if (p->max == TLS_1_2)
		return p->server ? wolfTLSv1_2_server_method() : wolfTLSv1_2_client_method();
	return p->server ? wolfSSLv23_server_method() : wolfSSLv23_client_method();
}

static int
set_protocol(struct tls_context *c, WOLFSSL_CTX *ctx, const struct tls_policy *p,
    struct errmsg *e)
{
	if (p->min == TLS_1_2 && p->max == TLS_1_3 &&
	    wolfSSL_CTX_SetMinVersion(ctx, WOLFSSL_TLSV1_2) != WOLFSSL_SUCCESS)
		return errmsg_set(e, "wolfSSL refuses the protocol versions");
	if (p->psk_secrets == NULL && tls_set_suites(ctx, p, e) == -1)
		return -1;
	return tls_set_groups(c, ctx, p, e);
}

/* A session cache is shared by all contexts of the process and would let a peer of
 * one service into another; the library's tickets carry no identity.  Both are off; tickets of ours
 * are to be asked for. */
static int
set_resumption(WOLFSSL_CTX *ctx, const struct tls_policy *p, struct errmsg *e)
{
	wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF);
	if (!p->server)
		return p->resume.on ? resume_set_up(ctx, p, e) : 0;
	if (p->resume.on)
		return ticket_use(ctx, p, e);
	/* Without it, a ticket of another server that is longer than the library's own is
	 * passed over; with it, it is an error. */
	wolfSSL_CTX_set_TicketEncCb(ctx, NULL);
	if (p->max == TLS_1_3 && wolfSSL_CTX_no_ticket_TLSv13(ctx) != 0)
		return errmsg_set(e, "wolfSSL cannot turn tickets off");
	if (p->min == TLS_1_2 && wolfSSL_CTX_NoTicketTLSv12(ctx) != WOLFSSL_SUCCESS)
		return errmsg_set(e, "wolfSSL cannot turn tickets off");
	return 0;
}

/* Without a certificate asked for there is nothing to judge. */
static int
verify_flags(const struct tls_policy *p)
{
	if (p->server && p->ask == TLS_ASK_NOT)
		return WOLFSSL_VERIFY_NONE;
	if (p->server && (p->ask == TLS_ASK_OPTIONAL || p->outcasts))
		return WOLFSSL_VERIFY_PEER;
	return WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

static int
add_staple(struct tls_shown *shown, const struct tls_policy *p, const struct own *own,
    struct errmsg *e)
{
	shown->staple = staple_new(p->service, own->file, &own->chain, p->trust);
	if (shown->staple == NULL || staple_use(shown->staple, shown->ctx) == -1)
		return errmsg_set(e, "cannot staple: out of memory");
	return 0;
}

/* One more context of the library's, with a certificate or without. */
static int
add_shown(struct tls_context *c, const struct tls_policy *p, struct own *own,
    struct errmsg *e)
{
	struct tls_shown *shown = &c->shown[c->nshown];
	WOLFSSL_CTX *ctx;

	if ((ctx = wolfSSL_CTX_new(method_of(p))) == NULL)
		return errmsg_set(e, "wolfSSL cannot make a context");
	c->nshown++;
	shown->ctx = ctx;
	if (own != NULL) {
		shown->kind = own->kind;
		cert_algorithms(&own->chain.items[0], shown->key_alg, shown->sig_alg);
	}
	if (set_protocol(c, ctx, p, e) == -1 || set_resumption(ctx, p, e) == -1 ||
	    (own != NULL && own_use(ctx, own, e) == -1))
		return -1;
	if (own != NULL && p->staple && add_staple(shown, p, own, e) == -1)
		return -1;
	if (own != NULL) {
		if ((shown->file = strdup(own->file)) == NULL)
			return errmsg_set(e, "out of memory");
		shown->chain = own->chain;
		own->chain = (struct der_list){ NULL, 0 };
	}
#ifdef SLUSS_UNSAFE_WOLFSSL
	wolfSSL_CTX_Unload_trust_peers(ctx);
#endif
	wolfSSL_CTX_set_verify(ctx, verify_flags(p), tls_session_verify);
	accel_join(ctx);
	return 0;
}

/* What the server asks for comes when the library has its certificate already. */
static void
warn_client(const struct tls_policy *p, const struct own_list *own)
{
	if (own->n > 1)
		log_line(LOG_WARNING, "main", "Service [%s] as a client it shows the first "
		    "certificate only, that in %s: it cannot choose by what the server takes",
		    p->service, own->items[0].file);
}

static int
add_all_shown(struct tls_context *c, const struct tls_policy *p, struct errmsg *e)
{
	struct own_list own;
	int rc = 0;

	if (p->ncerts == 0)
		return add_shown(c, p, NULL, e);
	if (own_read(&own, p, e) == -1)
		return -1;
	if (!p->server)
		warn_client(p, &own);
	for (size_t i = 0; i < own.n && rc == 0 && (p->server || i == 0); i++)
		rc = add_shown(c, p, &own.items[i], e);
	own_free(&own);
	return rc;
}

static void
free_shown(struct tls_context *c)
{
	for (size_t i = 0; i < c->nshown; i++) {
		wolfSSL_CTX_free(c->shown[i].ctx);
		staple_unref(c->shown[i].staple);
		free(c->shown[i].file);
		der_list_free(&c->shown[i].chain);
	}
}

/* What tickets name the service by. */
static int
name_service(struct tls_context *c, const char *name, struct errmsg *e)
{
	unsigned char digest[WC_SHA256_DIGEST_SIZE];

	if (wc_Sha256Hash((const byte *)name, (word32)strlen(name), digest) != 0)
		return errmsg_set(e, "wolfSSL cannot hash");
	memcpy(c->service, digest, sizeof(c->service));
	return 0;
}

/* A context of inputs that have the digest. */
static struct tls_context *
make(const struct tls_policy *p, const unsigned char *digest, struct errmsg *e)
{
	struct tls_context *c;

	assert(p->min <= p->max);
	/* Nobody can be judged who is not asked. */
	assert(!p->server || p->ask != TLS_ASK_NOT || p->psk_secrets != NULL ||
	    (p->insecure && !p->outcasts));
	if ((c = calloc(1, sizeof(*c))) == NULL) {
		errmsg_set(e, "out of memory");
		goto err0;
	}
	c->server = p->server;
	c->insecure = p->insecure;
	c->outcasts = p->server && p->outcasts;
	c->ask = p->ask;
	c->require_protocol = p->require_protocol;
	c->tls12 = p->min == TLS_1_2;
	c->tls13 = p->max == TLS_1_3;
	c->client_order = p->client_order;
	tls_list_suites12(c, p);
	memcpy(c->digest, digest, TLS_DIGEST);
	if (protocols_copy(&c->protocols, p->protocols, p->nprotocols) == -1) {
		errmsg_set(e, "out of memory");
		goto err1;
	}
	if (tls_rules_digest(p, c->rules, e) == -1 || name_service(c, p->service, e) == -1)
		goto err1;
	if (p->server && p->resume.on && ticket_set_up(c, p, e) == -1)
		goto err1;
	if (add_all_shown(c, p, e) == -1)
		goto err2;
	if (p->psk_secrets != NULL && psk_use(c, p, e) == -1)
		goto err2;
	c->trust = p->trust;
	atomic_init(&c->refs, 1);
	return c;

err2:
	psk_set_free(c->psk);
	free_shown(c);
err1:
	protocols_free(&c->protocols);
	cert_free_secret(c, sizeof(*c));
err0:
	return NULL;
}

struct tls_context *
tls_context_new(const struct tls_policy *p, struct errmsg *e)
{
	return tls_context_renew(p, NULL, e);
}

struct tls_context *
tls_context_renew(const struct tls_policy *p, struct tls_context *old, struct errmsg *e)
{
	unsigned char digest[TLS_DIGEST];

	if (tls_policy_digest(p, digest, e) == -1)
		return NULL;
	if (old == NULL || memcmp(old->digest, digest, TLS_DIGEST) != 0)
		return make(p, digest, e);
	trust_free(p->trust);
	return tls_context_ref(old);
}

struct tls_context *
tls_context_ref(struct tls_context *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void
tls_context_unref(struct tls_context *c)
{
	if (c == NULL || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	free_shown(c);
	psk_set_free(c->psk);
	trust_free(c->trust);
	protocols_free(&c->protocols);
	cert_free_secret(c, sizeof(*c));
}
