#include "psk_priv.h"
#include "session_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <wolfssl/wolfcrypt/hash.h>

#include "alert.h"
#include "binding_priv.h"
#include "resume_priv.h"
#include "spare_priv.h"
#include "ticket_priv.h"

/* More than any honest handshake; a peer must not keep us reading one for ever. */
#define HANDSHAKE_MAX ((size_t)256 * 1024)

#define CHAIN_MAX 16 /* the library itself stops at 9 */

size_t
tls_out_room(size_t n)
{
	return n + (n / TLS_RECORD_MAX + 1) * 64 + 4096;
}

/* The library asks for ciphertext. */
static int
io_recv(WOLFSSL *ssl, char *p, int want, void *arg)
{
	struct tls_session *s = arg;
	size_t n = (size_t)want;

	(void)ssl;
	if (s->io == NULL || s->io->in_len == 0 || resume_waits(s))
		return WOLFSSL_CBIO_ERR_WANT_READ;
	if (n > s->io->in_len)
		n = s->io->in_len;
	if (!s->context->server)
		binding_hear(s->binding, s->io->in, n);
	memcpy(p, s->io->in, n);
	s->io->in += n;
	s->io->in_len -= n;
	return (int)n;
}

/* The library has ciphertext to send; the batch takes it whole or not at all. */
static int
io_send(WOLFSSL *ssl, char *p, int len, void *arg)
{
	struct tls_session *s = arg;
	size_t n = (size_t)len;

	(void)ssl;
	if (s->alert != 0)
		return len;
	if (s->io == NULL || n > s->io->out_cap - s->io->out_len)
		return WOLFSSL_CBIO_ERR_WANT_WRITE;
	s->spoke = s->spoke || (n > 0 && p[0] == RECORD_HANDSHAKE);
	if (s->context->server)
		binding_hear(s->binding, p, n);
	memcpy(s->io->out + s->io->out_len, p, n);
	s->io->out_len += n;
	return len;
}

/* Whether a client need not present a certificate. */
static bool
may_go_without(const struct tls_session *s)
{
	return s->context->server && s->context->ask != TLS_ASK_REQUIRED;
}

/* Without memory there is no certificate to tell of, and whoever must tell of it fails. */
void
session_keep_der(struct tls_session *s, const struct der *der)
{
	if (!s->keep || (s->peer_der.data = malloc(der->len)) == NULL)
		return;
	memcpy(s->peer_der.data, der->data, der->len);
	s->peer_der.len = der->len;
}

enum trust_verdict
session_verdict(const struct tls_session *s, const struct der *chain, size_t n, int64_t now,
    struct errmsg *why)
{
	if (n == 0)
		return may_go_without(s) ? TRUST_OK : TRUST_NO_CERT;
	if (s->context->insecure)
		return TRUST_OK;
	return trust_judge_with(s->context->trust, s->crls, chain, n, !s->context->server,
	    s->names, s->nnames, now, why);
}

/* Where keys are shared, a certificate proves nothing. */
static void
judge_shared(struct tls_session *s, size_t ncerts, struct errmsg *why)
{
	s->verdict = ncerts == 0 && s->psk != NULL ? TRUST_OK : TRUST_UNKNOWN_CA;
	if (s->verdict != TRUST_OK)
		errmsg_set(why, "a key shared beforehand was expected of the peer");
}

/* Judges the chain that the library parsed.  Filled: verdict, why, peer. */
static void
judge(struct tls_session *s, const WOLFSSL_X509_STORE_CTX *store)
{
	struct der chain[CHAIN_MAX];
	struct errmsg why = { .text = "" };
	size_t n = 0;

	while (n < (size_t)store->totalCerts && n < CHAIN_MAX) {
		chain[n].data = store->certs[n].buffer;
		chain[n].len = store->certs[n].length;
		n++;
	}
	s->judged = true;
	if (n > 0) {
		session_keep_der(s, &chain[0]);
		s->peer = cert_info_new(&chain[0], &why);
	}
	if (s->context->psk != NULL)
		judge_shared(s, n, &why);
	else if (n > 0 && s->peer == NULL)
		s->verdict = TRUST_MALFORMED;
	else
		s->verdict = session_verdict(s, chain, n, time(NULL), &why);
	if (s->verdict == TRUST_OK && n > 0 && (s->identity = identity_get(chain, n)) == NULL) {
		errmsg_set(&why, "out of memory");
		s->verdict = TRUST_MALFORMED;
	}
	if ((s->verdict != TRUST_OK || why.text[0] != '\0') && s->why == NULL && (s->why = malloc(sizeof(why))) != NULL)
		*s->why = why;
}

/* Whether this is the certificate that was judged: a second one of another content would
 * be none of what the verdict is about. */
static bool
is_judged(const struct tls_session *s, const WOLFSSL_X509_STORE_CTX *store)
{
	byte digest[CERT_FP_LEN];

	if (store->totalCerts == 0 || s->peer == NULL)
		return store->totalCerts == 0 && s->peer == NULL;
	return wc_Sha256Hash(store->certs[0].buffer, store->certs[0].length, digest) == 0 &&
	    memcmp(digest, s->peer->fingerprint, CERT_FP_LEN) == 0;
}

/* Whether the peer is to be told that nobody knows its issuer.  Where exact certificates stand
 * in a CA file, stunnel's peers expect to hear it of any other certificate, too. */
static bool
is_unknown(const struct tls_session *s)
{
	return s->verdict == TRUST_UNKNOWN_CA ||
	    (s->verdict == TRUST_NOT_PINNED && trust_reads_exact(s->context->trust));
}

/* Says that the certificate is revoked, where the library would say that it is bad. */
static int
refuse(struct tls_session *s)
{
	if (s->verdict == TRUST_REVOKED && s->alert == 0 &&
	    alert_send(s->ssl, certificate_revoked))
		s->alert = certificate_revoked;
	return 0;
}

/*
 * The library's own store is empty, so to it every certificate is of an
 * unknown issuer, and that error alone is overruled here, after our own judgement.  Above
 * the leaf nothing else may be overruled: the library would keep such a
 * certificate as a CA for everybody.
 *
 * The leaf comes twice: first with that error, where a refusal makes
 * the library send unknown_ca, then without, where it sends bad_certificate.
 */
int
tls_session_verify(int ok, WOLFSSL_X509_STORE_CTX *store)
{
	struct tls_session *s = store->userCtx;
	bool no_issuer = store->error == ASN_NO_SIGNER_E || store->error == ASN_SELF_SIGNED_E;

	if (store->error_depth > 0)
		return ok || no_issuer;
	if (!s->judged)
		judge(s, store);
	else if (!is_judged(s, store))
		return 0;
	/* What becomes of an outcast is decided elsewhere.  Malformed certificates stay outside:
	 * nobody can tell what the library made of them. */
	if (s->context->outcasts && s->verdict != TRUST_OK)
		return s->verdict != TRUST_MALFORMED;
	if (no_issuer)
		return !is_unknown(s);
	return (ok && s->verdict == TRUST_OK) || refuse(s);
}

/* Asks for the host by name; an address is not a name (RFC 6066). */
static int
set_sni(WOLFSSL *ssl, const char *name)
{
	size_t n = name == NULL ? 0 : strlen(name);

	if (n == 0 || strchr(name, ':') != NULL || strspn(name, "0123456789.") == n)
		return 0;
	if (name[n - 1] == '.')
		n--;
	return wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, name, (unsigned short)n) ==
	    WOLFSSL_SUCCESS ? 0 : -1;
}

static int
set_shares(WOLFSSL *ssl, const struct tls_context *c)
{
	for (size_t i = 0; i < 2 && c->shares[i] != 0; i++)
		if (wolfSSL_UseKeyShare(ssl, (word16)c->shares[i]) != WOLFSSL_SUCCESS)
			return -1;
	return 0;
}

struct tls_session *
session_make(struct tls_context *c, const struct tls_shown *shown, const char *const *names,
    size_t nnames, struct errmsg *e)
{
	struct tls_session *s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		goto err0;
	if ((s->ssl = wolfSSL_new(shown->ctx)) == NULL)
		goto err1;
	s->context = tls_context_ref(c);
	s->shown = shown;
	s->names = names;
	s->nnames = nnames;
	wolfSSL_SSLSetIORecv(s->ssl, io_recv);
	wolfSSL_SSLSetIOSend(s->ssl, io_send);
	wolfSSL_SetIOReadCtx(s->ssl, s);
	wolfSSL_SetIOWriteCtx(s->ssl, s);
	wolfSSL_SetCertCbCtx(s->ssl, s);
	resume_watch(s);
	return s;

err1:
	free(s);
err0:
	errmsg_set(e, "cannot make a TLS session: out of memory");
	return NULL;
}

struct tls_session *
tls_session_new(struct tls_context *c, const char *name, const char *const *names,
    size_t nnames, struct errmsg *e)
{
	struct tls_session *s;

	if ((s = session_make(c, &c->shown[0], names, nnames, e)) == NULL)
		return NULL;
	if (set_sni(s->ssl, name) == 0 && protocols_use(&c->protocols, NULL, s->ssl) == 0)
		return s;
	tls_session_free(s);
	errmsg_set(e, "cannot make a TLS session: out of memory");
	return NULL;
}

void
tls_session_revocation(struct tls_session *s, struct crl_set *crls)
{
	s->crls = crls;
}

void
tls_session_free(struct tls_session *s)
{
	if (s == NULL)
		return;
	wolfSSL_free(s->ssl);
	tls_context_unref(s->context);
	cert_info_free(s->peer);
	identity_put(s->identity);
	identity_put(s->grant.identity);
	free(s->grant.report);
	session_pool_unref(s->pool);
	tls_session_forget(s);
	free(s->why);
	free(s);
}

/* The one place where the library's results become ours. */
static enum iores
translate(struct tls_session *s, int ret)
{
	s->error = wolfSSL_get_error(s->ssl, ret);
	switch (s->error) {
	case WOLFSSL_ERROR_WANT_READ:
		return IO_WANT;
	case WOLFSSL_ERROR_WANT_WRITE:
	case MEMORY_E:
		return IO_NOMEM;
	case WOLFSSL_ERROR_ZERO_RETURN:
		return s->done ? IO_EOF : IO_PROTOCOL;
	default:
		return alert_received(s->ssl) != ALERT_NONE ? IO_ALERT : IO_PROTOCOL;
	}
}

static void
keep_first(struct tls_session *s, const struct tls_io *io)
{
	size_t n = FIRST_BYTES - s->nfirst;

	if (n > io->in_len)
		n = io->in_len;
	if (n > 0)
		memcpy(s->first + s->nfirst, io->in, n);
	s->nfirst += n;
}

/* A client that resumes shows a share of the group of that time, which the library makes. */
static int
begin(struct tls_session *s)
{
	if (s->begun)
		return 0;
	s->begun = true;
	return s->grant.given ? 0 : set_shares(s->ssl, s->context);
}

/* The library's part. */
static enum iores
shake(struct tls_session *s, struct tls_io *io)
{
	enum iores r;
	int ret;

	if (begin(s) == -1)
		return IO_NOMEM;
	keep_first(s, io);
	s->fed += io->in_len;
	s->io = io;
	if (s->hopeless != 0) {
		alert_send(s->ssl, s->hopeless);
		s->io = NULL;
		return IO_PROTOCOL;
	}
	if (s->fed > HANDSHAKE_MAX) {
		s->error = HANDSHAKE_SIZE_ERROR;
		alert_send_for(s->ssl, s->error);
		s->io = NULL;
		return IO_PROTOCOL;
	}
	ret = s->context->server ? wolfSSL_accept(s->ssl) : wolfSSL_connect(s->ssl);
	r = ret == WOLFSSL_SUCCESS ? IO_OK : translate(s, ret);
	if (r == IO_PROTOCOL && s->error != WOLFSSL_ERROR_ZERO_RETURN &&
	    alert_sent(s->ssl) == ALERT_NONE)
		alert_send_for(s->ssl, s->error);
	if (r == IO_OK && !session_agree(s))
		r = IO_PROTOCOL;
	s->io = NULL;
	return r;
}

static enum iores
conclude(struct tls_session *s)
{
	/* A resumed session is whose the ticket is, or nobody's. */
	if (wolfSSL_session_reused(s->ssl) != 0 && ticket_adopt(s) == -1)
		return IO_PROTOCOL;
	/* Who presented nothing was not judged yet. */
	if (!s->judged)
		judge(s, &(WOLFSSL_X509_STORE_CTX){ .totalCerts = 0 });
	/* Belt and braces: nobody else gets here refused. */
	if (s->verdict != TRUST_OK && !s->context->outcasts)
		return IO_PROTOCOL;
	binding_make(s);
	s->done = true;
	s->error = 0;
	s->names = NULL;
	s->nnames = 0;
	s->crls = NULL;
	resume_done(s);
	return IO_OK;
}

enum iores
tls_session_handshake(struct tls_session *s, struct tls_io *io)
{
	enum iores r = shake(s, io);

	if (r == IO_OK)
		r = conclude(s);
	if (r != IO_OK && r != IO_WANT)
		tls_session_forsake(s);
	return r;
}

enum iores
tls_session_read(struct tls_session *s, struct tls_io *io, void *p, size_t cap, size_t *n)
{
	int ret;

	assert(s->done && cap > 0);
	*n = 0;
	s->io = io;
	do {
		spares_use(io->spares);
		ret = wolfSSL_read(s->ssl, p, cap > INT32_MAX ? INT32_MAX : (int)cap);
		spares_use(NULL);
	} while (resume_take_up(s) && ret <= 0);
	s->io = NULL;
	if (ret <= 0)
		return translate(s, ret);
	*n = (size_t)ret;
	return IO_OK;
}

enum iores
tls_session_write(struct tls_session *s, struct tls_io *io, const void *p, size_t n)
{
	int ret;

	assert(s->done && n <= INT32_MAX);
	s->io = io;
	spares_use(io->spares);
	ret = n == 0 ? 0 : wolfSSL_write(s->ssl, p, (int)n);
	spares_use(NULL);
	s->io = NULL;
	if (ret == (int)n)
		return IO_OK;
	translate(s, ret);
	return IO_NOMEM;
}

enum iores
tls_session_finish(struct tls_session *s, struct tls_io *io)
{
	size_t before = io->out_len;

	s->io = io;
	wolfSSL_shutdown(s->ssl);
	s->io = NULL;
	return io->out_len > before ? IO_OK : IO_NOMEM;
}

bool
tls_session_began(const struct tls_session *s)
{
	return s->fed > 0;
}

bool
tls_session_refused(const struct tls_session *s)
{
	return s->judged && s->verdict != TRUST_OK;
}

bool
tls_session_resumed(const struct tls_session *s)
{
	return s->resumed;
}

bool
tls_session_verified(const struct tls_session *s)
{
	return s->judged && s->verdict == TRUST_OK && s->peer != NULL && !s->context->insecure;
}

const char *
tls_session_shared(const struct tls_session *s)
{
	return s->done && s->psk != NULL ? s->psk->identity : NULL;
}

const struct cert_info *
tls_session_peer(const struct tls_session *s)
{
	return s->peer;
}

const char *
tls_session_version(const struct tls_session *s)
{
	return wolfSSL_get_version(s->ssl);
}

const char *
tls_session_suite(const struct tls_session *s)
{
	const char *name = wolfSSL_get_cipher(s->ssl);

	return name == NULL ? "?" : name;
}

const char *
tls_session_group(const struct tls_session *s)
{
	const char *name = wolfSSL_get_curve_name(s->ssl);

	return name == NULL ? "?" : name;
}

int
tls_session_keep(struct tls_session *s)
{
	s->keep = true;
	/* Any name will do: the library keeps what is asked for only where it has one. */
	if (wolfSSL_UseSNI(s->ssl, WOLFSSL_SNI_HOST_NAME, "-", 1) != WOLFSSL_SUCCESS)
		return -1;
	wolfSSL_SNI_SetOptions(s->ssl, WOLFSSL_SNI_HOST_NAME, WOLFSSL_SNI_ANSWER_ON_MISMATCH);
	return 0;
}

void
tls_session_forget(struct tls_session *s)
{
	free(s->peer_der.data);
	s->peer_der = (struct der){ NULL, 0 };
	cert_free_secret(s->binding, sizeof(*s->binding));
	s->binding = NULL;
}

const char *
tls_session_reported(struct tls_session *s, struct errmsg *e)
{
	if (s->verdict != TRUST_OK || s->why == NULL)
		return NULL;
	*e = *s->why;
	free(s->why);
	s->why = NULL;
	return e->text;
}

const struct der *
tls_session_peer_der(const struct tls_session *s)
{
	return s->peer_der.data != NULL ? &s->peer_der : NULL;
}

const char *
tls_session_asked_for(const struct tls_session *s)
{
	void *name = NULL;

	if (!s->keep || wolfSSL_SNI_GetRequest(s->ssl, WOLFSSL_SNI_HOST_NAME, &name) == 0)
		return NULL;
	return name;
}
