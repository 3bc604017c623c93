/* What the doctor saw, in words. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "doctor_priv.h"
#include "tls/inspect.h"

#define HANDSHAKE_FAILURE 40

bool
attempt_refused(const struct attempt *a)
{
	size_t n;
	int alert;

	if (a->end != ATTEMPT_ALERT)
		return false;
	/* Once a server has shown its certificate, the cipher suite was agreed on. */
	alert = tls_session_alert(a->tls);
	return tls_alert_blames_client(alert) || a->greeted ||
	    (alert == HANDSHAKE_FAILURE && tls_session_chain(a->tls, &n) != NULL);
}

static const char *
alert_reason(const struct attempt *a, char *text)
{
	int alert = tls_session_alert(a->tls);

	snprintf(text, DOCTOR_TEXT, "it sent the alert %s: %s", tls_alert_text(alert),
	    alert == HANDSHAKE_FAILURE && attempt_refused(a) ?
	    "it wants a client certificate, or another one: show one with --cert" :
	    tls_alert_advice(alert));
	return text;
}

/* What a peer that speaks another protocol may be asked with. */
static const char *
failure_reason(const struct attempt *a, char *text)
{
	const char *hint = "";

	if (strstr(a->why.text, "plain HTTP") != NULL)
		hint = ": this is not the port where it speaks HTTPS";
	else if (strstr(a->why.text, "plain SMTP") != NULL)
		hint = ": try --protocol smtp";
	else if (strstr(a->why.text, "not TLS") != NULL)
		hint = ": is this the right port? Does it want --protocol?";
	snprintf(text, DOCTOR_TEXT, "%s%s", a->why.text, hint);
	return text;
}

const char *
report_reason(const struct attempt *a, char *text)
{
	switch (a->end) {
	case ATTEMPT_ALERT:
		return alert_reason(a, text);
	case ATTEMPT_FAILED:
		return failure_reason(a, text);
	case ATTEMPT_SILENT:
		return "it took the connection and said nothing to our hello: it waits for another "
		       "protocol (--protocol), or it hangs";
	case ATTEMPT_SLOW:
		return "it began the handshake, but did not finish it in time";
	case ATTEMPT_CLOSED:
		return "it closed the connection without an alert: a port without TLS, a proxy that "
		       "refuses us, or a rule about our address; its log says which";
	case ATTEMPT_DONE:
		return "it let us in";
	default:
		return a->why.text;
	}
}

void
report_attempt(const char *label, const struct attempt *a)
{
	char text[DOCTOR_TEXT];
	const char *protocol = a->greeted ? tls_session_protocol(a->tls) : NULL;

	if (a->greeted)
		printf("%s: yes, with %s and %s%s%s%s%s\n", label, tls_session_suite(a->tls),
		    tls_session_group(a->tls), protocol != NULL ? " for " : "",
		    protocol != NULL ? protocol : "", a->end == ATTEMPT_DONE ? "" : "; but then ",
		    a->end == ATTEMPT_DONE ? "" : report_reason(a, text));
	else
		printf("%s: no: %s\n", label, report_reason(a, text));
}

static void
put_dates(const struct cert_info *c, time_t now)
{
	char from[32], to[32], span[CERT_SPAN_TEXT];

	printf("  valid: %s to %s, ", cert_time_text(c->not_before, from),
	    cert_time_text(c->not_after, to));
	if (now > c->not_after)
		printf("EXPIRED %s ago\n", cert_span_text(now - c->not_after, span));
	else if (now < c->not_before)
		printf("NOT VALID for another %s\n", cert_span_text(c->not_before - now, span));
	else
		printf("%s left\n", cert_span_text(c->not_after - now, span));
}

static void
put_certificate(const struct der *der)
{
	char key[256], fp[CERT_FP_TEXT];
	struct cert_info *c;
	struct errmsg e;

	if ((c = cert_info_new(der, &e)) == NULL) {
		printf("  %s\n", e.text);
		return;
	}
	printf("  subject: %s\n  names: %s\n  issuer: %s%s\n", c->subject,
	    *c->names ? c->names : "none", c->issuer,
	    strcmp(c->subject, c->issuer) == 0 ? " (itself)" : "");
	put_dates(c, time(NULL));
	printf("  key: %s\n  SHA-256: %s\n", cert_key_text(der, key, sizeof(key)),
	    cert_fingerprint_text(c->fingerprint, fp));
	cert_info_free(c);
}

void
report_chain(const struct der *chain, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		printf("Certificate %zu of %zu:\n", i + 1, n);
		put_certificate(&chain[i]);
	}
}

void
report_asked(const struct attempt *old, const struct attempt *bare)
{
	char names[1024];
	int n = old == NULL ? -1 : tls_wanted_issuers(old->heard, old->nheard, names,
	    sizeof(names));

	if (attempt_refused(bare))
		fputs("Client certificate: the server requires one", stdout);
	else if (n >= 0)
		fputs("Client certificate: the server asks for one, and does without", stdout);
	else if (bare->end == ATTEMPT_DONE)
		fputs("Client certificate: the server requires none", stdout);
	else
		return;
	if (n > 0)
		printf(", issued by one of: %s", names);
	putchar('\n');
}
