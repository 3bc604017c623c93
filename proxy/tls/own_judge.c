/* Whether our own certificates would pass where they are shown. */
#include "tls/own.h"

#include <syslog.h>

#include "context_priv.h"
#include "trust_priv.h"

size_t
tls_context_certs(const struct tls_context *c)
{
	return c->shown[0].file != NULL ? c->nshown : 0;
}

static int
tell_dates(const struct tls_shown *s, enum trust_verdict v, struct errmsg *e)
{
	struct cert_info *info;
	char when[32];

	if ((info = cert_info_new(&s->chain.items[0], e)) == NULL)
		return LOG_WARNING;
	if (v == TRUST_EXPIRED)
		errmsg_set(e, "OUR OWN CERTIFICATE HAS EXPIRED: %s (%s) ended at %s; peers will "
		    "refuse it, make a new one", s->file, info->subject,
		    cert_time_text(info->not_after, when));
	else
		errmsg_set(e, "our own certificate is not valid yet: %s (%s) begins at %s", s->file,
		    info->subject, cert_time_text(info->not_before, when));
	cert_info_free(info);
	return LOG_WARNING;
}

static int
tell(const struct tls_shown *s, int level, const char *who, enum trust_verdict v,
    struct errmsg *e)
{
	struct errmsg why = *e;

	errmsg_set(e, "our own certificate in %s: %s refuse it: %s: %s", s->file, who,
	    trust_verdict_text(v), why.text);
	return level;
}

/* As if it were trusted by itself. */
static int
judge_alone(const struct tls_context *c, const struct tls_shown *s, int64_t now,
    struct errmsg *e)
{
	const struct der *leaf = &s->chain.items[0];
	struct trust *itself = trust_new();
	enum trust_verdict v = TRUST_OK;

	if (itself != NULL && trust_add_peer(itself, leaf, e) == 0)
		v = trust_judge(itself, leaf, 1, c->server, NULL, 0, now, e);
	trust_free(itself);
	if (v == TRUST_OK)
		return 0;
	if (v == TRUST_EXPIRED || v == TRUST_NOT_YET)
		return tell_dates(s, v, e);
	return tell(s, LOG_WARNING, "peers will", v, e);
}

/* The only CA that is trusted; NULL: there are several, or none. */
static const struct x509 *
only_ca(const struct trust *t)
{
	const struct x509 *ca = NULL;

	for (size_t i = 0; i < t->nanchors; i++) {
		if (!t->anchors[i].issues)
			continue;
		if (ca != NULL)
			return NULL;
		ca = &t->anchors[i].cert;
	}
	return ca;
}

/* Where there is one CA, both ends may be meant to have it; or the other end has another. */
static int
tell_stranger(const struct tls_shown *s, const struct trust *t, struct errmsg *e)
{
	const struct der *top = &s->chain.items[s->chain.n - 1];
	const struct x509 *ca = only_ca(t);
	struct errmsg why = *e;
	struct x509 c;

	if (ca == NULL || x509_parse(&c, top->data, top->len) != NULL || x509_self_issued(&c))
		return 0;
	if (span_equal(c.issuer, ca->subject))
		return tell(s, LOG_WARNING, "the CA of this section would", TRUST_UNKNOWN_CA, e);
	errmsg_set(e, "our own certificate in %s does not lead to the CA of this section (%s): if "
	    "that is a CA between, its certificate is to stand in the file behind ours; if the "
	    "other end trusts another CA, this is as it should be", s->file, why.text);
	return LOG_NOTICE;
}

/* By our own CAs, CRLs and deny rules: peers of the same house have the same. */
static int
judge_by_ours(const struct tls_context *c, const struct tls_shown *s, struct crl_set *crls,
    int64_t now, struct errmsg *e)
{
	struct trust t = *c->trust;
	const char *rule;
	enum trust_verdict v;

	/* Whom we expect we are not. */
	t.npeers = 0;
	t.pinned = t.by_rules = false;
	v = trust_explain(&t, crls, s->chain.items, s->chain.n, c->server, NULL, 0, now, &rule, e);
	switch (v) {
	case TRUST_OK:
	case TRUST_CRL_EXPIRED:
	case TRUST_CRL_MISSING:
		return 0;
	case TRUST_UNKNOWN_CA:
		return tell_stranger(s, &t, e);
	case TRUST_DENIED:
		return rule != NULL ? tell(s, LOG_NOTICE, "this very section would", v, e) : 0;
	default:
		return tell(s, LOG_WARNING, "this very section would", v, e);
	}
}

int
tls_own_judge(const struct tls_context *c, size_t i, struct crl_set *crls, int64_t now,
    struct errmsg *e)
{
	const struct tls_shown *s = &c->shown[i];
	int level;

	if ((level = judge_alone(c, s, now, e)) != 0 || !trust_has_cas(c->trust))
		return level;
	return judge_by_ours(c, s, crls, now, e);
}
