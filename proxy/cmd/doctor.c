#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/prompt.h"
#include "cmd/doctor.h"
#include "doctor_priv.h"
#include "tls/inspect.h"
#include "tls/library.h"
#include "tls/own.h"
#include "tls/passphrase.h"
#include "tunnel/policy.h"

enum { NEW, OLD, NVERSIONS };

/* Alerts (RFC 8446, 6.2; RFC 4279). */
#define BAD_RECORD_MAC 20
#define DECRYPT_ERROR 51
#define UNKNOWN_PSK_IDENTITY 115
#define NO_APPLICATION_PROTOCOL 120

static const struct {
	enum tls_version version;
	const char *label;
} versions[NVERSIONS] = { [NEW] = { TLS_1_3, "TLS 1.3" }, [OLD] = { TLS_1_2, "TLS 1.2" } };

struct doctor {
	struct doctor_args args;
	const struct conf_service *conf;
	const char *host;          /* NULL: none to ask for */
	const char **names;        /* of which the certificate must carry one */
	size_t nnames;
	struct trust *trust;
	struct crl_set *crls;
	bool anyone;               /* nothing says whom to trust */
	struct tls_context *with[NVERSIONS], *without[NVERSIONS];
	struct addr_list addrs;
	size_t at;                 /* the address that answers */
	struct attempt seen[NVERSIONS], bare;
};

/* A context that meets a server of whatever certificate, since all of it is to be seen. */
static struct tls_context *
make_context(const struct tls_policy *like, enum tls_version v, bool with, struct errmsg *e)
{
	struct tls_policy p = *like;
	struct tls_context *c = NULL;

	p.min = p.max = v;
	p.insecure = true;
	if (!with)
		p.ncerts = p.nkeys = 0;
	if ((p.trust = trust_new()) == NULL)
		errmsg_set(e, "out of memory");
	else if ((c = tls_context_new(&p, e)) == NULL)
		trust_free(p.trust);
	return c;
}

static int
make_contexts(struct doctor *d, const struct tls_policy *p, struct errmsg *e)
{
	for (int i = 0; i < NVERSIONS; i++)
		if ((d->with[i] = make_context(p, versions[i].version, true, e)) == NULL ||
		    (d->without[i] = make_context(p, versions[i].version, false, e)) == NULL)
			return -1;
	return 0;
}

/* Reads all files.  Without anybody to trust, the certificate is judged by itself. */
static int
prepare(struct doctor *d, struct errmsg *e)
{
	struct conf_service *c = d->args.service;
	struct tls_policy p;

	d->conf = c;
	if (d->args.target.kind == ADDR_TCP)
		d->host = d->args.target.host != NULL ? d->args.target.host : "localhost";
	if (d->args.file == NULL && c->psk_secrets == NULL)
		c->insecure = c->cafile.n + c->capath.n + c->peer.n + c->allow.n == 0;
	if (policy_make(c, &p, e) == -1)
		return -1;
	d->trust = p.trust;
	d->anyone = p.insecure;
	if (policy_crls(d->args.config, c, &p, &d->crls, e) == -1 ||
	    policy_names(c, &d->names, &d->nnames, e) == -1)
		return -1;
	if (d->nnames == 0 && d->host != NULL && (c->peer.n == 0 || policy_names_host(c)))
		d->names[d->nnames++] = d->host;
	return make_contexts(d, &p, e);
}

static int
conclude(int status, const char *text)
{
	printf("Verdict: %s\n", text);
	return status;
}

/* Finds the address that answers.  Returns 0 or -1. */
static int
reach(struct doctor *d)
{
	char text[ADDR_TEXT];
	struct errmsg e;

	if (addr_resolve(&d->args.target, false, false, &d->addrs, &e) == -1) {
		printf("Address: %s\n", e.text);
		return -1;
	}
	for (d->at = 0; d->at < d->addrs.n; d->at++) {
		struct attempt a = { .end = ATTEMPT_DONE };
		const struct addr *to = &d->addrs.items[d->at];
		bool there = attempt_reach(&a, to, d->args.timeout) == 0;

		printf("Address: %s: %s\n", addr_text(to, text), there ? "connected" : a.why.text);
		if (there)
			return 0;
	}
	return -1;
}

static void
run(struct doctor *d, struct attempt *a, struct tls_context *c)
{
	attempt_run(a, d->conf, &d->addrs.items[d->at], c, policy_sni(d->conf, d->host),
	    d->args.timeout);
}

/* The attempt that tells most of the server's certificate; NULL: it showed none. */
static const struct attempt *
best(const struct doctor *d, const struct der **chain, size_t *n)
{
	for (int i = 0; i < NVERSIONS; i++)
		if (d->seen[i].tls != NULL &&
		    (*chain = tls_session_chain(d->seen[i].tls, n)) != NULL)
			return &d->seen[i];
	return NULL;
}

static bool
let_in(const struct doctor *d)
{
	return d->seen[NEW].end == ATTEMPT_DONE || d->seen[OLD].end == ATTEMPT_DONE;
}

/* Without anybody to trust: what is wrong whoever issued it. */
static enum trust_verdict
judge_alone(const struct doctor *d, const struct der *chain, struct errmsg *why)
{
	struct trust *itself = trust_new();
	enum trust_verdict v = TRUST_MALFORMED;

	errmsg_set(why, "out of memory");
	if (itself != NULL && cert_strong(chain, why) == -1)
		v = TRUST_WEAK;
	else if (itself != NULL && trust_add_peer(itself, chain, why) == 0)
		v = trust_judge(itself, chain, 1, true, d->names, d->nnames, time(NULL), why);
	trust_free(itself);
	return v;
}

/* Returns whether the certificate may be trusted, for all that was given. */
static bool
judge(const struct doctor *d, const struct der *chain, size_t n)
{
	struct errmsg why = { .text = "" };
	const char *rule = NULL;
	enum trust_verdict v = d->anyone ? judge_alone(d, chain, &why) :
	    trust_explain(d->trust, d->crls, chain, n, true, d->names, d->nnames, time(NULL), &rule,
	    &why);

	if (v != TRUST_OK)
		printf("Trust: no: %s%s%s\n", trust_verdict_text(v), *why.text ? ": " : "",
		    why.text);
	else if (d->anyone)
		puts("Trust: its dates, strength and names are right; who issued it was not judged: "
		     "give --cafile or --peer");
	else if (rule != NULL)
		printf("Trust: yes, by the rule \"allow = %s\"\n", rule);
	else
		puts("Trust: yes");
	if (v == TRUST_OK && *why.text != '\0')
		printf("  but: %s\n", why.text);
	return v == TRUST_OK;
}

/* The alert that the server sent, or -1. */
static int
alert_of(const struct attempt *a)
{
	return a->end == ATTEMPT_ALERT ? tls_session_alert(a->tls) : -1;
}

/* Why nobody got so far as to see a certificate. */
static int
no_tls(const struct doctor *d)
{
	const struct attempt *a = &d->seen[NEW];
	char text[DOCTOR_TEXT];

	if (alert_of(a) == NO_APPLICATION_PROTOCOL)
		return conclude(DOCTOR_NO_TLS, d->conf->alpn.n > 0 ?
		    "it speaks TLS, but with none of the application protocols that --alpn offers" :
		    "it speaks TLS, but wants an application protocol: offer it with --alpn");
	if (a->end == ATTEMPT_ALERT && d->seen[OLD].end == ATTEMPT_ALERT)
		return conclude(DOCTOR_NO_TLS, "it speaks TLS, but none that is spoken here: "
		    "TLS 1.3 or 1.2 with a suite of AES-GCM or ChaCha20 is wanted");
	if (a->end == ATTEMPT_ALERT || a->end == ATTEMPT_UNREACHABLE)
		a = &d->seen[OLD];
	return conclude(a->end == ATTEMPT_UNREACHABLE ? DOCTOR_UNREACHABLE : DOCTOR_NO_TLS,
	    report_reason(a, text));
}

/* Whether a server does not know the key, or says that of all it was shown. */
static bool
denies_key(const struct attempt *a)
{
	const int alert = alert_of(a);

	return alert == UNKNOWN_PSK_IDENTITY || alert == DECRYPT_ERROR || alert == BAD_RECORD_MAC;
}

/* Where keys are shared there is no certificate to judge. */
static int
examine_shared(struct doctor *d)
{
	char text[DOCTOR_TEXT];

	if (let_in(d))
		return conclude(DOCTOR_FINE, "all is well: the key is shared");
	for (int i = 0; i < NVERSIONS; i++)
		if (denies_key(&d->seen[i]))
			return conclude(DOCTOR_REFUSED, report_reason(&d->seen[i], text));
	return no_tls(d);
}

/* What is wrong with the certificate that we show, whoever sees it. */
static void
report_own(const struct doctor *d)
{
	struct errmsg why;

	if (tls_context_certs(d->with[NEW]) > 0 &&
	    tls_own_judge(d->with[NEW], 0, NULL, time(NULL), &why) != 0)
		printf("Our certificate: %s\n", why.text);
}

static int
examine(struct doctor *d)
{
	const struct der *chain = NULL;
	const struct attempt *a;
	char text[DOCTOR_TEXT];
	bool trusted;
	size_t n = 0;

	report_own(d);
	if (reach(d) == -1)
		return conclude(DOCTOR_UNREACHABLE, "the server cannot be reached");
	for (int i = 0; i < NVERSIONS; i++) {
		run(d, &d->seen[i], d->with[i]);
		report_attempt(versions[i].label, &d->seen[i]);
	}
	if (d->conf->psk_secrets != NULL)
		return examine_shared(d);
	if ((a = best(d, &chain, &n)) == NULL)
		return no_tls(d);
	report_chain(chain, n);
	run(d, &d->bare, d->without[a == &d->seen[NEW] ? NEW : OLD]);
	report_asked(d->seen[OLD].tls != NULL ? &d->seen[OLD] : NULL, &d->bare);
	trusted = judge(d, chain, n);
	if (!trusted)
		return conclude(DOCTOR_UNTRUSTED, attempt_refused(a) ?
		    "the server's certificate is not to be trusted, and it does not let us in" :
		    "the server's certificate is not to be trusted");
	if (let_in(d))
		return conclude(DOCTOR_FINE, "all is well");
	return conclude(attempt_refused(a) ? DOCTOR_REFUSED : DOCTOR_NO_TLS,
	    report_reason(a, text));
}

static void
dismiss(struct doctor *d)
{
	for (int i = 0; i < NVERSIONS; i++) {
		attempt_free(&d->seen[i]);
		tls_context_unref(d->with[i]);
		tls_context_unref(d->without[i]);
	}
	attempt_free(&d->bare);
	addr_list_free(&d->addrs);
	trust_free(d->trust);
	crl_set_unref(d->crls);
	free(d->names);
	doctor_args_free(&d->args);
}

static int
complain(const struct errmsg *e)
{
	fprintf(stderr, "sluss: %s\n", e->text);
	return DOCTOR_OPERATOR;
}

int
cmd_doctor(int argc, char **argv)
{
	struct doctor d = { .conf = NULL };
	struct errmsg e;
	int rc = doctor_args_read(&d.args, argc, argv, &e);

	if (rc == 1) {
		doctor_args_help();
		return 0;
	}
	if (rc == -1 || tls_library_start(&e) == -1) {
		if (rc == 0)
			doctor_args_free(&d.args);
		return complain(&e);
	}
	tls_passphrase_from(prompt_secret);
	rc = prepare(&d, &e) == -1 ? complain(&e) : examine(&d);
	dismiss(&d);
	tls_library_stop();
	return rc;
}
