/*
 * Session tickets that carry who the peer is.
 *
 * The library resumes a session without asking anybody whether the peer may still pass, and
 * tells nothing about it afterwards.  So a ticket of ours says, under its seal, whose it
 * is, for which service, by which rules it was let in and when; and it opens only where all of that
 * holds, and the peer would be let in now.  Else the handshake begins from the start.
 */
#include "ticket_priv.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/kdf.h>
#include <wolfssl/wolfcrypt/memory.h>

#include "tls/crl.h"
#include "tls/records.h"

#define SALT 16 /* the library's iv: the key of one ticket follows from it */
#define NONCE 12
#define TAG 16
#define MAC 32

/* How far the clocks of hosts that share keys may differ, in seconds. */
#define SKEW 60

/* How many times a session is resumed.  Each time the library counts on in one byte (the nonce of
 * tickets), and behind the last it would fail the handshake. */
#define TIMES_MOST 128

/* A time at which nobody was let in: the ticket of an outcast, or of a failure, opens nothing. */
#define NEVER 0

/* Ours, as it stands in the ticket. */
struct claim {
	unsigned char fingerprint[CERT_FP_LEN]; /* zeros: no certificate */
	unsigned char service[8];
	unsigned char generation[8];
	unsigned char times;    /* that it was resumed */
	unsigned char since[7]; /* of the full handshake; big-endian */
};

_Static_assert(sizeof(struct claim) == TICKET_OURS, "no padding");

static const unsigned char nobody[CERT_FP_LEN];

static void
put_time(unsigned char *p, int64_t t)
{
	for (int i = 6; i >= 0; i--, t >>= 8)
		p[i] = (unsigned char)(t & 0xff);
}

static int64_t
get_time(const unsigned char *p)
{
	uint64_t t = 0;

	for (int i = 0; i < 7; i++)
		t = t << 8 | p[i];
	return (int64_t)t;
}

/* All that decides who may pass, but for the time, as a number that is the same on every
 * host that has the same rules, CAs and CRLs. */
static bool
generation(const struct tls_session *s, unsigned char out[8])
{
	unsigned char digest[WC_SHA256_DIGEST_SIZE], crls[CRL_DIGEST];
	wc_Sha256 h;
	bool good;

	crl_set_digest(s->crls, crls);
	if (wc_InitSha256(&h) != 0)
		return false;
	good = wc_Sha256Update(&h, s->context->rules, sizeof(s->context->rules)) == 0 &&
	    wc_Sha256Update(&h, crls, sizeof(crls)) == 0;
	for (size_t i = 0; i < s->nnames && good; i++)
		good = wc_Sha256Update(&h, (const byte *)s->names[i],
		    (word32)strlen(s->names[i]) + 1) == 0;
	good = good && wc_Sha256Final(&h, digest) == 0;
	wc_Sha256Free(&h);
	memcpy(out, digest, 8);
	return good;
}

/* The claim of a peer that is in. */
static void
make_claim(const struct tls_session *s, int64_t now, struct claim *c)
{
	bool resumed = wolfSSL_session_reused(s->ssl) != 0;
	bool good = resumed ? s->grant.given : s->verdict == TRUST_OK;
	const struct identity *id = resumed ? s->grant.identity : s->identity;
	const struct der *chain;
	size_t n;

	memset(c, 0, sizeof(*c));
	memcpy(c->service, s->context->service, sizeof(c->service));
	good = generation(s, c->generation) && good;
	if (id != NULL) {
		chain = identity_chain(id, &n);
		good = good && wc_Sha256Hash(chain[0].data, (word32)chain[0].len,
		    c->fingerprint) == 0;
	}
	/* Resumed again and again, it lives no longer than after the first time. */
	c->times = resumed ? (unsigned char)(s->grant.times + 1) : 0;
	put_time(c->since, !good ? NEVER : resumed ? s->grant.since : now);
}

/* What rules that only report say of one who is let in. */
static void
keep_report(struct ticket_grant *g, const struct errmsg *why)
{
	free(g->report);
	g->report = why->text[0] != '\0' ? malloc(sizeof(*why)) : NULL;
	if (g->report != NULL)
		*g->report = *why;
}

bool
ticket_admits(struct tls_session *s, const struct identity *id, int64_t now)
{
	struct errmsg why = { .text = "" };
	const struct der *chain = NULL;
	size_t n = 0;

	if (id != NULL)
		chain = identity_chain(id, &n);
	if (session_verdict(s, chain, n, now, &why) != TRUST_OK)
		return false;
	keep_report(&s->grant, &why);
	return true;
}

/* Whether a claim holds; then the grant is filled. */
static bool
holds(struct tls_session *s, const struct claim *c, int64_t now)
{
	unsigned char current[8];
	int64_t since = get_time(c->since);
	struct identity *id = NULL;

	if (memcmp(c->service, s->context->service, sizeof(c->service)) != 0)
		return false;
	if (!generation(s, current) || memcmp(c->generation, current, sizeof(current)) != 0)
		return false;
	if (c->times >= TIMES_MOST)
		return false;
	if (since == NEVER || since > now + SKEW || now - since >= s->context->resume_seconds)
		return false;
	if (memcmp(c->fingerprint, nobody, sizeof(nobody)) != 0 &&
	    (id = records_find(c->fingerprint)) == NULL)
		return false;
	if (!ticket_admits(s, id, now)) {
		identity_put(id);
		return false;
	}
	identity_put(s->grant.identity);
	s->grant.identity = id;
	s->grant.since = since;
	s->grant.times = c->times;
	return true;
}

/* The key and nonce of one ticket. */
static bool
derive(const struct ticket_key *k, const unsigned char *iv, unsigned char *out, word32 n)
{
	static const byte use[] = "sluss ticket";

	return wc_HKDF(WC_SHA256, k->secret, sizeof(k->secret), iv, SALT, use, sizeof(use), out,
	    n) == 0;
}

/* Seals or opens in place, with the name and the salt under the seal. */
static bool
cipher(const struct ticket_key *k, const unsigned char *iv, unsigned char *tag, bool seal,
    unsigned char *p, word32 n)
{
	unsigned char one[32 + NONCE], aad[TICKET_NAME + SALT];
	Aes aes;
	bool good = false;

	memcpy(aad, k->name, TICKET_NAME);
	memcpy(aad + TICKET_NAME, iv, SALT);
	if (wc_AesInit(&aes, NULL, INVALID_DEVID) != 0)
		return false;
	if (derive(k, iv, one, sizeof(one)) && wc_AesGcmSetKey(&aes, one, 32) == 0)
		good = (seal ? wc_AesGcmEncrypt(&aes, p, p, n, one + 32, NONCE, tag, TAG, aad,
		    sizeof(aad)) : wc_AesGcmDecrypt(&aes, p, p, n, one + 32, NONCE, tag, TAG,
		    aad, sizeof(aad))) == 0;
	wc_AesFree(&aes);
	wc_ForceZero(one, sizeof(one));
	return good;
}

static int
seal(struct tls_session *s, unsigned char *name, unsigned char *iv, unsigned char *mac,
    unsigned char *p, int len, int *out_len)
{
	const int64_t now = time(NULL);
	struct ticket_key key;
	struct claim claim;
	bool good;

	if (len < 0 || *out_len < len + TICKET_OURS)
		return WOLFSSL_TICKET_RET_FATAL;
	make_claim(s, now, &claim);
	if (!ticket_keys_now(&s->context->ticket_keys, now, &key))
		return WOLFSSL_TICKET_RET_FATAL;
	memcpy(p + len, &claim, sizeof(claim));
	memcpy(name, key.name, TICKET_NAME);
	memset(mac, 0, MAC);
	good = getentropy(iv, SALT) == 0 &&
	    cipher(&key, iv, mac, true, p, (word32)(len + TICKET_OURS));
	wc_ForceZero(&key, sizeof(key));
	if (!good)
		return WOLFSSL_TICKET_RET_FATAL;
	if (s->identity != NULL && get_time(claim.since) != NEVER)
		records_keep(claim.fingerprint, s->identity);
	*out_len = len + TICKET_OURS;
	return WOLFSSL_TICKET_RET_OK;
}

static bool
unseal(const struct tls_session *s, const unsigned char *name, const unsigned char *iv,
    const unsigned char *mac, unsigned char *p, int len, int64_t now)
{
	unsigned char tag[TAG];
	struct ticket_key key;
	bool good;

	if (!ticket_keys_find(&s->context->ticket_keys, name, now, &key))
		return false;
	memcpy(tag, mac, TAG);
	good = cipher(&key, iv, tag, false, p, (word32)len);
	wc_ForceZero(&key, sizeof(key));
	return good;
}

/*
 * Of all tickets that a client offers, the first is looked at and no other: the library opens
 * them one after the other before it knows which of them the client can use, so what a second one
 * said would be believed of the first.  The same one may come again, in the second hello.
 */
static bool
is_another(struct tls_session *s, const unsigned char *iv)
{
	bool first = !s->grant.asked;

	if (first)
		memcpy(s->grant.salt, iv, SALT);
	s->grant.asked = true;
	return !first && memcmp(s->grant.salt, iv, SALT) != 0;
}

static int
open_ticket(struct tls_session *s, const unsigned char *name, const unsigned char *iv,
    const unsigned char *mac, unsigned char *p, int len, int *out_len)
{
	const int64_t now = time(NULL);
	struct claim claim;

	if (len < TICKET_OURS || is_another(s, iv))
		return WOLFSSL_TICKET_RET_REJECT;
	s->grant.given = false;
	if (!unseal(s, name, iv, mac, p, len, now))
		return WOLFSSL_TICKET_RET_REJECT;
	memcpy(&claim, p + len - TICKET_OURS, sizeof(claim));
	if (!holds(s, &claim, now)) {
		wc_ForceZero(p, (size_t)len);
		return WOLFSSL_TICKET_RET_REJECT;
	}
	s->grant.given = true;
	*out_len = len - TICKET_OURS;
	return WOLFSSL_TICKET_RET_OK;
}

int
ticket_seal_or_open(WOLFSSL *ssl, unsigned char *name, unsigned char *iv, unsigned char *mac,
    int sealing, unsigned char *p, int len, int *out_len, void *arg)
{
	struct tls_session *s = wolfSSL_GetIOReadCtx(ssl);

	(void)arg;
	return sealing ? seal(s, name, iv, mac, p, len, out_len) :
	    open_ticket(s, name, iv, mac, p, len, out_len);
}

int
ticket_adopt(struct tls_session *s)
{
	const struct der *chain = NULL;
	struct errmsg why;
	size_t n = 0;

	/* Who resumes shows no certificate. */
	if (!s->grant.given || s->judged)
		return -1;
	s->resumed = true;
	s->judged = true;
	s->verdict = TRUST_OK;
	free(s->why);
	s->why = s->grant.report;
	s->grant.report = NULL;
	if (s->grant.identity == NULL)
		return 0;
	s->identity = s->grant.identity;
	s->grant.identity = NULL;
	chain = identity_chain(s->identity, &n);
	session_keep_der(s, &chain[0]);
	return (s->peer = cert_info_new(&chain[0], &why)) != NULL ? 0 : -1;
}

int
ticket_set_up(struct tls_context *c, const struct tls_policy *p, struct errmsg *e)
{
	if (ticket_keys_read(&c->ticket_keys, &p->resume, e) == -1)
		return -1;
	c->resume_seconds = p->resume.seconds;
	records_room(p->resume.size);
	return 0;
}

int
ticket_use(WOLFSSL_CTX *ctx, const struct tls_policy *p, struct errmsg *e)
{
	const unsigned hint = p->resume.seconds < 604800 ? p->resume.seconds : 604800;

	if (wolfSSL_CTX_set_TicketEncCb(ctx, ticket_seal_or_open) != WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_set_TicketHint(ctx, (int)hint) != WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_set_timeout(ctx, p->resume.seconds) != WOLFSSL_SUCCESS)
		return errmsg_set(e, "wolfSSL cannot resume sessions");
	/* Without it, whose ticket is refused gets no new one in TLS 1.2. */
	if (p->min == TLS_1_2 && wolfSSL_CTX_UseSessionTicket(ctx) != WOLFSSL_SUCCESS)
		return errmsg_set(e, "wolfSSL cannot resume sessions");
	/* A resumed session has a key of its own that the ticket does not tell. */
	if (p->max == TLS_1_3 && wolfSSL_CTX_only_dhe_psk(ctx) != 0)
		return errmsg_set(e, "wolfSSL cannot resume sessions");
	return 0;
}
