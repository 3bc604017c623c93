/* Why a session failed, in words for the log. */
#include "session_priv.h"

#include <stdio.h>
#include <string.h>

#include "alert.h"
#include "tls/inspect.h"

/* What a peer that does not speak TLS seems to speak. */
static const char *
guess_protocol(const struct tls_session *s)
{
	static const struct {
		const char *start;
		const char *what;
	} known[] = {
		{ "GET ", "plain HTTP" }, { "POST", "plain HTTP" }, { "HEAD", "plain HTTP" },
		{ "PUT ", "plain HTTP" }, { "OPTI", "plain HTTP" }, { "CONN", "plain HTTP" },
		{ "HTTP", "plain HTTP" }, { "PROX", "a PROXY header" }, { "SSH-", "SSH" },
		{ "\r\n\r\n", "a PROXY v2 header" }, { "EHLO", "plain SMTP" }, { "220 ", "plain SMTP" },
	};

	if (s->nfirst < 4 || s->first[0] == 0x16 || s->first[0] == 0x15)
		return NULL;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (memcmp(s->first, known[i].start, 4) == 0)
			return known[i].what;
	if ((s->first[0] & 0x80) && s->first[2] == 1)
		return "an SSLv2 hello";
	return "something that is not TLS";
}

/* The verdict and what was presented; long names are cut, so that the rest fits. */
static void
describe_refusal(const struct tls_session *s, struct errmsg *e)
{
	const struct cert_info *c = s->peer;
	char fp[CERT_FP_TEXT], from[32], to[32];
	const char *detail = s->why != NULL ? s->why->text : "";
	const char *colon = *detail ? ": " : "";

	if (c == NULL) {
		errmsg_set(e, "%s%s%s", trust_verdict_text(s->verdict), colon, detail);
		return;
	}
	errmsg_set(e, "%s%s%.400s; presented subject \"%.300s\", issuer \"%.300s\", names "
	    "\"%.300s\", SHA-256 %s, valid %s to %s", trust_verdict_text(s->verdict), colon,
	    detail, c->subject, c->issuer, c->names,
	    cert_fingerprint_text(c->fingerprint, fp), cert_time_text(c->not_before, from),
	    cert_time_text(c->not_after, to));
}

/* Errors whose text in the library says too little. */
static const char *
explain(int error)
{
	switch (error) {
	case WOLFSSL_ERROR_ZERO_RETURN:
		return "the peer closed the TLS session during the handshake";
	case NO_PEER_CERT:
		return "no certificate presented";
	case MATCH_SUITE_ERROR:
	case UNSUPPORTED_SUITE:
		return "no cipher suite in common";
	case VERSION_ERROR:
		return "no protocol version in common (TLS 1.2 and 1.3 are spoken here)";
	case UNKNOWN_ALPN_PROTOCOL_NAME_E:
		return "no application protocol (ALPN) in common";
	case ECC_CURVE_ERROR:
	case BAD_KEY_SHARE_DATA:
		return "no key exchange group in common";
	default:
		return wolfSSL_ERR_reason_error_string((unsigned long)error);
	}
}

/* The library refuses some certificates that we have nothing against, or had not judged yet. */
static void
describe_error(const struct tls_session *s, struct errmsg *e)
{
	if (s->done || s->peer == NULL)
		errmsg_set(e, "%s", explain(s->error));
	else
		errmsg_set(e, "%s; presented subject \"%.300s\", issuer \"%.300s\"",
		    explain(s->error), s->peer->subject, s->peer->issuer);
}

/* A server that has shown its certificate has agreed on the cipher suite: what is left that it
 * may not like is our certificate. */
static const char *
advice(const struct tls_session *s, int alert)
{
	if (alert == handshake_failure && !s->context->server && s->peer != NULL)
		return "it wants a client certificate, or another one";
	return tls_alert_advice(alert);
}

const char *
tls_session_failure(struct tls_session *s, struct errmsg *e)
{
	const char *guess = s->done ? NULL : guess_protocol(s);
	int sent = s->alert != 0 ? s->alert : alert_sent(s->ssl), got = alert_received(s->ssl);
	char tail[256] = "";
	size_t n = 0;

	if (s->hopeless != 0)
		errmsg_set(e, "%s", s->why->text);
	else if (tls_session_refused(s) && !(s->done && s->error != 0))
		describe_refusal(s, e);
	else if (guess != NULL)
		errmsg_set(e, "the peer speaks %s", guess);
	else if (got != ALERT_NONE)
		errmsg_set(e, "the peer refused: %s", advice(s, got));
	else
		describe_error(s, e);
	if (got != ALERT_NONE)
		n = (size_t)snprintf(tail, sizeof(tail), "; alert received: %s", alert_name(got));
	if (sent != ALERT_NONE)
		n += (size_t)snprintf(tail + n, sizeof(tail) - n, "; alert sent: %s",
		    alert_name(sent));
	snprintf(tail + n, sizeof(tail) - n, "; phase: %s", tls_session_phase(s));
	if (strlen(e->text) + strlen(tail) >= sizeof(e->text))
		e->text[sizeof(e->text) - 1 - strlen(tail)] = '\0';
	strcat(e->text, tail);
	return e->text;
}
