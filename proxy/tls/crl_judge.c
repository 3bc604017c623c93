#include <string.h>

#include "base/log.h"
#include "tls/crl_priv.h"

/* A certificate that is judged, by what its issuer's CRLs say. */
struct question {
	const struct crl_set *set;
	const struct x509 *cert, *issuer;
	int64_t now;
};

/* The first of the issuer's CRLs among the sorted. */
static size_t
first_of(const struct crl_set *s, const unsigned char *issuer)
{
	size_t low = 0, high = s->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (memcmp(s->items[middle].crl->issuer, issuer, CERT_FP_LEN) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whether the CRL is the issuer's and speaks about the certificate. */
static bool
counts(const struct question *q, struct crl *c)
{
	return crl_covers(c, q->cert) && crl_may_be_of(c, q->issuer) &&
	    crl_proven_by(c, q->issuer);
}

/* Whether a newer one takes its place. */
static bool
is_superseded(const struct question *q, const struct crl_item *items, size_t n, size_t at)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (i != at && crl_supersedes(items[i].crl, items[at].crl) &&
		    counts(q, items[i].crl))
			return true;
	return false;
}

static enum trust_verdict
revoked(const struct question *q, const struct crl_item *item, struct errmsg *e)
{
	char subject[NAME_TEXT], issuer[NAME_TEXT], when[32];

	errmsg_set(e, "\"%s\" is revoked by \"%s\" in its CRL of %s (%s)",
	    x509_name_text(q->cert->subject, subject, sizeof(subject)),
	    x509_name_text(q->issuer->subject, issuer, sizeof(issuer)),
	    cert_time_text(item->crl->this_update, when), item->from);
	return TRUST_REVOKED;
}

static enum trust_verdict
outdated(const struct question *q, const struct crl_item *item, struct errmsg *e)
{
	char issuer[NAME_TEXT], then[32], now[32];
	const struct crl *c = item->crl;
	bool early = q->now < c->this_update;

	errmsg_set(e, "the CRL of \"%s\" (%s) %s %s; it is %s now; get a new one from the CA",
	    x509_name_text(q->issuer->subject, issuer, sizeof(issuer)), item->from,
	    early ? "is valid from" : "was to be renewed by",
	    cert_time_text(early ? c->this_update : c->next_update, then),
	    cert_time_text(q->now, now));
	return TRUST_CRL_EXPIRED;
}

static enum trust_verdict
missing(const struct question *q, const char *hint, struct errmsg *e)
{
	char subject[NAME_TEXT], issuer[NAME_TEXT];

	errmsg_set(e, "there is no CRL of \"%s\", which issued \"%s\"%s",
	    x509_name_text(q->issuer->subject, issuer, sizeof(issuer)),
	    x509_name_text(q->cert->subject, subject, sizeof(subject)), hint);
	return TRUST_CRL_MISSING;
}

/* What the issuer's CRLs, of which these may be some, say about the certificate. */
static enum trust_verdict
consult(const struct question *q, const struct crl_item *items, size_t n, struct errmsg *e)
{
	enum trust_verdict v = TRUST_CRL_MISSING;
	size_t i, steps = 0;
	const struct crl *c;

	for (i = 0; i < n; i++) {
		if (!counts(q, items[i].crl) || is_superseded(q, items, n, i))
			continue;
		c = items[i].crl;
		/* Out of date or not: what was revoked stays so. */
		if (serials_have(&c->serials, q->cert->serial, &steps))
			return revoked(q, &items[i], e);
		if (c->this_update <= q->now && q->now <= c->next_update)
			v = TRUST_OK;
		else if (v == TRUST_CRL_MISSING)
			v = outdated(q, &items[i], e);
	}
	if (v == TRUST_CRL_MISSING)
		missing(q, n > 0 ? "; one with that name is another key's, or about other "
				   "certificates" : "", e);
	return v;
}

static enum trust_verdict
judge_one(const struct question *q, struct errmsg *e)
{
	const struct crl_set *s = q->set;
	unsigned char issuer[CERT_FP_LEN];
	size_t first, n;

	if (!crl_signing_allowed(q->issuer))
		return missing(q, ": its keyUsage lacks cRLSign", e);
	crl_hash_name(q->issuer->subject, issuer);
	first = first_of(s, issuer);
	for (n = 0; first + n < s->n; n++)
		if (memcmp(s->items[first + n].crl->issuer, issuer, CERT_FP_LEN) != 0)
			break;
	return consult(q, s->items + first, n, e);
}

/* With a soft policy, ignorance lets pass, not in silence: the log tells of the first, the
 * second, the fourth, the eighth … */
static enum trust_verdict
soften(struct crl_set *s, enum trust_verdict v, const struct errmsg *e)
{
	unsigned long long n;

	if (!s->soft || (v != TRUST_CRL_MISSING && v != TRUST_CRL_EXPIRED))
		return v;
	n = atomic_fetch_add(&s->passed, 1) + 1;
	if ((n & (n - 1)) == 0)
		log_line(LOG_WARNING, "main", "Service [%s] crlPolicy = soft lets a certificate "
		    "pass, %llu so far: %s: %s", s->service, n, trust_verdict_text(v), e->text);
	return TRUST_OK;
}

enum trust_verdict
crl_judge_path(struct crl_set *s, const struct x509 *const *path, size_t n, int64_t now,
    struct errmsg *e)
{
	size_t i, last;
	enum trust_verdict v = TRUST_OK;

	if (s == NULL)
		return TRUST_OK;
	last = s->whole_path ? n - 1 : 1;
	for (i = last; i > 0 && v == TRUST_OK; i--) {
		const struct question q = { s, path[i - 1], path[i], now };

		v = soften(s, judge_one(&q, e), e);
	}
	return v;
}
