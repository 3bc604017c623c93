/*
 * A client's sessions.
 *
 * A session that is resumed shows no certificate, and the library verifies none.  So with each
 * one goes the identity of the server that was verified, and it is judged by the rules of now before
 * the session is offered.  Whoever would not pass is not offered one: in the full
 * handshake that follows, the server has to prove itself, and is refused like any other.
 */
#include "resume_priv.h"

#include <string.h>
#include <time.h>

#include <wolfssl/wolfcrypt/hash.h>

#include "session_pool_priv.h"
#include "ticket_priv.h"

/* Called in the middle of reading: what follows the ticket in its message is not there yet. */
static int
ticket_came(WOLFSSL *ssl, const unsigned char *ticket, int len, void *arg)
{
	struct tls_session *s = arg;

	(void)ssl;
	(void)ticket;
	s->ticket = len > 0;
	return 0;
}

int
resume_set_up(WOLFSSL_CTX *ctx, const struct tls_policy *p, struct errmsg *e)
{
	if (p->min == TLS_1_2 && wolfSSL_CTX_UseSessionTicket(ctx) != WOLFSSL_SUCCESS)
		return errmsg_set(e, "wolfSSL cannot resume sessions");
	/* A resumed session has a key of its own that the ticket does not tell. */
	if (p->max == TLS_1_3 && wolfSSL_CTX_only_dhe_psk(ctx) != 0)
		return errmsg_set(e, "wolfSSL cannot resume sessions");
	return 0;
}

void
resume_watch(struct tls_session *s)
{
	if (!s->context->server)
		wolfSSL_set_SessionTicket_cb(s->ssl, ticket_came, s);
}

static bool
add_text(wc_Sha256 *h, const char *text)
{
	if (text == NULL)
		text = "";
	return wc_Sha256Update(h, (const byte *)text, (word32)strlen(text) + 1) == 0;
}

/* The count keeps apart where a server is from which names it must have. */
static bool
make_key(const struct tls_session *s, const char *const *where, size_t n, unsigned char *key)
{
	const byte count = (byte)n;
	wc_Sha256 h;
	bool good;

	_Static_assert(UPSTREAM_KEY == WC_SHA256_DIGEST_SIZE, "it is a SHA-256");
	if (wc_InitSha256(&h) != 0)
		return false;
	good = wc_Sha256Update(&h, &count, 1) == 0;
	for (size_t i = 0; i < n; i++)
		good = good && add_text(&h, where[i]);
	for (size_t i = 0; i < s->nnames; i++)
		good = good && add_text(&h, s->names[i]);
	good = good && wc_Sha256Final(&h, key) == 0;
	wc_Sha256Free(&h);
	return good;
}

/* Returns false when it has become too old for the library. */
static bool
offer(struct tls_session *s, struct kept_session *k)
{
	if (wolfSSL_set_session(s->ssl, k->session) != WOLFSSL_SUCCESS)
		return false;
	s->grant.given = true;
	s->grant.since = k->since;
	identity_put(s->grant.identity);
	s->grant.identity = k->identity;
	k->identity = NULL;
	return true;
}

void
tls_session_resume(struct tls_session *s, struct session_pool *pool, const char *const *where,
    size_t n)
{
	const int64_t now = time(NULL);
	struct kept_session k;
	bool pass, offered;

	if (!make_key(s, where, n, s->upstream))
		return;
	s->pool = session_pool_ref(pool);
	do {
		if (!session_pool_take(pool, s->upstream, now, &k))
			return;
		pass = ticket_admits(s, k.identity, now);
		offered = pass && offer(s, &k);
		if (!offered && (!pass || !k.once))
			session_pool_forget(pool, s->upstream);
		kept_session_free(&k);
	} while (!offered);
}

bool
tls_session_offered(const struct tls_session *s)
{
	return !s->context->server && s->grant.given && !s->resumed;
}

bool
resume_waits(const struct tls_session *s)
{
	return s->done && s->ticket;
}

/* What the library holds now, as a copy of our own. */
static void
keep(struct tls_session *s)
{
	struct kept_session k = { .since = s->grant.since, .once = wolfSSL_version(s->ssl) ==
	    TLS1_3_VERSION };
	WOLFSSL_SESSION *live;

	if ((live = wolfSSL_get1_session(s->ssl)) == NULL)
		return;
	if (wolfSSL_SessionIsSetup(live))
		k.session = wolfSSL_SESSION_dup(live);
	wolfSSL_SESSION_free(live);
	if (k.session == NULL)
		return;
	k.identity = identity_ref(s->identity);
	session_pool_put(s->pool, s->upstream, &k, time(NULL));
}

/* As long as the tunnel lives, the library would keep the ticket, however long it is, and in TLS 1.2
 * what it showed of the one before.  (In 1.3 that stays: nothing takes it away.) */
static void
drop_ticket(struct tls_session *s)
{
	wolfSSL_set_SessionTicket(s->ssl, (const byte *)"", 1);
	wolfSSL_set_SessionTicket(s->ssl, NULL, 0);
	if (wolfSSL_version(s->ssl) == TLS1_2_VERSION)
		wolfSSL_UseSessionTicket(s->ssl);
}

static bool
is_short(const struct tls_session *s)
{
	word32 n = 0;

	return wolfSSL_get_SessionTicket(s->ssl, NULL, &n) == LENGTH_ONLY_E &&
	    n <= SESSION_TICKET_MOST;
}

bool
resume_take_up(struct tls_session *s)
{
	if (!resume_waits(s))
		return false;
	s->ticket = false;
	if (s->pool != NULL && s->identity != NULL && is_short(s))
		keep(s);
	drop_ticket(s);
	return true;
}

/*
 * In TLS 1.2 the session is there now, with a ticket or only a number, and stays good after it
 * was resumed.  But one that began because an older one was refused is not kept: the next
 * handshake is to offer every version.
 */
void
resume_done(struct tls_session *s)
{
	bool refused = s->grant.given && !s->resumed;

	if (s->context->server)
		return;
	if (!s->resumed) {
		s->grant.since = time(NULL);
		s->grant.given = false;
		identity_put(s->grant.identity);
		s->grant.identity = NULL;
	}
	if (wolfSSL_version(s->ssl) == TLS1_3_VERSION) {
		resume_take_up(s);
		return;
	}
	if (refused && s->pool != NULL) {
		session_pool_forget(s->pool, s->upstream);
		s->ticket = false;
		drop_ticket(s);
		return;
	}
	if (s->ticket || !s->resumed) {
		s->ticket = true;
		resume_take_up(s);
	} else
		drop_ticket(s);
}

void
tls_session_forsake(struct tls_session *s)
{
	if (!s->context->server && s->pool != NULL && s->grant.given)
		session_pool_forget(s->pool, s->upstream);
}
