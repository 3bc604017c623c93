#include "passphrase_priv.h"
#include "psk_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/hash.h>

#include "accel_priv.h"
#include "base/log.h"
#include "resume_priv.h"
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
set_protocol(struct tls_context *c, const struct tls_policy *p, struct errmsg *e)
{
	if (p->min == TLS_1_2 && p->max == TLS_1_3 &&
	    wolfSSL_CTX_SetMinVersion(c->ctx, WOLFSSL_TLSV1_2) != WOLFSSL_SUCCESS)
		return errmsg_set(e, "wolfSSL refuses the protocol versions");
	if (p->psk_secrets == NULL && tls_set_suites(c->ctx, p, e) == -1)
		return -1;
	return tls_set_groups(c, p, e);
}

/* A session cache is shared by all contexts of the process and would let a peer of
 * one service into another; the library's tickets carry no identity.  Both are off; tickets of ours
 * are to be asked for. */
static int
set_resumption(struct tls_context *c, const struct tls_policy *p, struct errmsg *e)
{
	WOLFSSL_CTX *ctx = c->ctx;

	wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF);
	if (!p->server)
		return p->resume.on ? resume_set_up(c, p, e) : 0;
	if (p->resume.on)
		return ticket_set_up(c, p, e);
	/* Without it, a ticket of another server that is longer than the library's own is
	 * passed over; with it, it is an error. */
	wolfSSL_CTX_set_TicketEncCb(ctx, NULL);
	if (p->max == TLS_1_3 && wolfSSL_CTX_no_ticket_TLSv13(ctx) != 0)
		return errmsg_set(e, "wolfSSL cannot turn tickets off");
	if (p->min == TLS_1_2 && wolfSSL_CTX_NoTicketTLSv12(ctx) != WOLFSSL_SUCCESS)
		return errmsg_set(e, "wolfSSL cannot turn tickets off");
	return 0;
}

/* Warns of an own certificate whose dates are off: the other side will refuse. */
static int
warn_dates(const struct der *leaf, const struct tls_policy *p, struct errmsg *e)
{
	struct cert_info *info;
	char when[32];
	time_t now = time(NULL);

	if ((info = cert_info_new(leaf, e)) == NULL)
		return -1;
	if (now > info->not_after)
		log_line(LOG_WARNING, "main", "Service [%s] OUR OWN CERTIFICATE HAS EXPIRED: "
		    "%s (%s) ended at %s; peers will refuse it, make a new one", p->service,
		    p->cert, info->subject, cert_time_text(info->not_after, when));
	if (now < info->not_before)
		log_line(LOG_WARNING, "main", "Service [%s] our own certificate is not valid "
		    "yet: %s (%s) begins at %s", p->service, p->cert, info->subject,
		    cert_time_text(info->not_before, when));
	cert_info_free(info);
	return 0;
}

/* The certificates back to back, as the library wants a DER chain. */
static int
use_chain(WOLFSSL_CTX *ctx, const struct der_list *chain)
{
	unsigned char *all;
	size_t len = 0;
	int rc;

	for (size_t i = 0; i < chain->n; i++)
		len += chain->items[i].len;
	if ((all = malloc(len)) == NULL)
		return -1;
	len = 0;
	for (size_t i = 0; i < chain->n; i++) {
		memcpy(all + len, chain->items[i].data, chain->items[i].len);
		len += chain->items[i].len;
	}
	rc = wolfSSL_CTX_use_certificate_chain_buffer_format(ctx, all, (long)len,
	    WOLFSSL_FILETYPE_ASN1);
	free(all);
	return rc == WOLFSSL_SUCCESS ? 0 : -1;
}

static int
use_cert(struct tls_context *c, const struct tls_policy *p, const struct der_list *chain,
    struct errmsg *e)
{
	if (cert_strong(&chain->items[0], e) == -1 ||
	    cert_level(&chain->items[0], p->level, e) == -1 ||
	    warn_dates(&chain->items[0], p, e) == -1)
		return errmsg_prefix(e, "%s", p->cert);
	cert_algorithms(&chain->items[0], c->key_alg, c->sig_alg);
	if (use_chain(c->ctx, chain) == -1)
		return errmsg_set(e, "%s: wolfSSL does not accept this certificate chain", p->cert);
	return 0;
}

static int
use_key(WOLFSSL_CTX *ctx, const struct tls_policy *p, const struct der *key, struct errmsg *e)
{
	const char *file = p->key != NULL ? p->key : p->cert;

	if (wolfSSL_CTX_use_PrivateKey_buffer(ctx, key->data, (long)key->len,
	    WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS)
		return errmsg_set(e, "%s: wolfSSL does not accept this private key "
		    "(ECDSA P-256 or larger, Ed25519 or RSA from 2048 bits is wanted)", file);
	if (wolfSSL_CTX_check_private_key(ctx) != WOLFSSL_SUCCESS)
		return errmsg_set(e, "the private key in %s does not belong to the certificate "
		    "in %s; name the matching pair with --key and --cert", file, p->cert);
	return 0;
}

static int
load_own(struct tls_context *c, const struct tls_policy *p, struct errmsg *e)
{
	struct der_list chain;
	struct der key;
	int rc;

	if (own_load(p, &chain, &key, e) == -1)
		return -1;
	if ((rc = use_cert(c, p, &chain, e)) == 0)
		rc = use_key(c->ctx, p, &key, e);
	cert_free_secret(key.data, key.len);
	der_list_free(&chain);
	return rc;
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
set_identity(struct tls_context *c, const struct tls_policy *p, struct errmsg *e)
{
	if (p->cert != NULL && load_own(c, p, e) == -1)
		return -1;
#ifdef SLUSS_UNSAFE_WOLFSSL
	wolfSSL_CTX_Unload_trust_peers(c->ctx);
#endif
	wolfSSL_CTX_set_verify(c->ctx, verify_flags(p), tls_session_verify);
	return 0;
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
	memcpy(c->digest, digest, TLS_DIGEST);
	if (protocols_copy(&c->protocols, p->protocols, p->nprotocols) == -1) {
		errmsg_set(e, "out of memory");
		goto err1;
	}
	if (tls_rules_digest(p, c->rules, e) == -1 || name_service(c, p->service, e) == -1)
		goto err1;
	if ((c->ctx = wolfSSL_CTX_new(method_of(p))) == NULL) {
		errmsg_set(e, "wolfSSL cannot make a context");
		goto err1;
	}
	if (set_protocol(c, p, e) == -1 || set_resumption(c, p, e) == -1 ||
	    set_identity(c, p, e) == -1 ||
	    (p->psk_secrets != NULL && psk_use(c, p, e) == -1))
		goto err2;
	accel_join(c->ctx);
	c->trust = p->trust;
	atomic_init(&c->refs, 1);
	return c;

err2:
	psk_set_free(c->psk);
	wolfSSL_CTX_free(c->ctx);
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
	wolfSSL_CTX_free(c->ctx);
	psk_set_free(c->psk);
	trust_free(c->trust);
	protocols_free(&c->protocols);
	cert_free_secret(c, sizeof(*c));
}
