/* The peer of an open session, by the rules of now. */
#include "psk_priv.h"
#include "session_priv.h"

enum trust_verdict
tls_session_rejudge(const struct tls_session *s, const struct tls_context *c,
    struct crl_set *crls, const char *const *names, size_t nnames, time_t now,
    struct errmsg *why)
{
	const struct der *chain;
	size_t n;

	if (c->psk != NULL || s->psk != NULL) {
		if (c->psk != NULL && s->psk != NULL && psk_set_has(c->psk, s->psk))
			return TRUST_OK;
		errmsg_set(why, "the key that was used is none of those shared");
		return TRUST_NOT_PINNED;
	}
	if (c->insecure || s->verdict != TRUST_OK)
		return TRUST_OK;
	if (s->identity == NULL) {
		if (!c->server || c->ask != TLS_ASK_REQUIRED)
			return TRUST_OK;
		errmsg_set(why, "a certificate is asked for now, and the peer had none");
		return TRUST_NO_CERT;
	}
	chain = identity_chain(s->identity, &n);
	return trust_judge_with(c->trust, crls, chain, n, !c->server, names, nnames, now, why);
}

int64_t
tls_session_expires(const struct tls_session *s)
{
	if (s->peer == NULL || s->context->insecure || s->verdict != TRUST_OK)
		return INT64_MAX;
	return s->peer->not_after;
}
