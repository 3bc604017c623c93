/* How far a handshake has come, in words for the log. */
#include "session_priv.h"

#include <wolfssl/wolfcrypt/error-crypt.h>

/* Errors in what both sides offer each other. */
static bool
is_about_offers(int error)
{
	switch (error) {
	case VERSION_ERROR:
	case MATCH_SUITE_ERROR:
	case UNSUPPORTED_SUITE:
	case ECC_CURVE_ERROR:
	case BAD_KEY_SHARE_DATA:
	case UNKNOWN_ALPN_PROTOCOL_NAME_E:
	case EXT_MISSING:
	case EXT_NOT_ALLOWED:
	case UNSUPPORTED_EXTENSION:
		return true;
	default:
		return false;
	}
}

/* Whether the peer is known to be who it says, and is refused for that. */
static bool
is_about_rules(enum trust_verdict v)
{
	return v == TRUST_DENIED || v == TRUST_WRONG_NAME || v == TRUST_NOT_PINNED;
}

/* Nobody has been judged yet. */
static const char *
before_certificate(const struct tls_session *s)
{
	const bool server = s->context->server;

	if (is_about_offers(s->error) || s->hopeless != 0)
		return "negotiation";
	/* Who answers a hello with an alert has agreed to nothing. */
	if (server ? !s->spoke : s->nfirst > 0 && s->first[0] == RECORD_ALERT)
		return s->error != 0 && s->error != WOLFSSL_ERROR_WANT_READ ? "negotiation" :
		    "waiting for the whole hello";
	if (s->context->psk != NULL || (server && s->context->ask == TLS_ASK_NOT))
		return "finished";
	return "certificate of the peer";
}

const char *
tls_session_phase(const struct tls_session *s)
{
	if (s->done && !tls_session_refused(s))
		return "after the handshake";
	if (s->fed == 0)
		return "waiting for hello";
	if (tls_session_refused(s))
		return is_about_rules(s->verdict) ? "authorisation" : "certificate of the peer";
	return s->judged ? "finished" : before_certificate(s);
}
