#include <assert.h>
#include <string.h>

#include "tls/crl_priv.h"
#include "tls/path_priv.h"
#include "tls/pubkey_priv.h"

/*
 * The search goes upwards from the peer's certificate, by names alone; at each anchor it
 * reaches, the path is checked downwards.  So only keys that something trusted vouches
 * for are ever used, and a stranger's chain costs no signature check that fails twice.
 */

/* A signature that has been checked. */
struct check {
	const struct x509 *child, *issuer;
	bool holds;
};

/* How far a path that failed has come: the verdict of the best is reported. */
enum rank {
	RANK_NONE,
	RANK_MISSING, /* + how many certificates it has */
	RANK_SIGNATURE = RANK_MISSING + PATH_DEPTH + 2,
	RANK_LINK,
	RANK_RULE,
	RANK_REVOKED
};

struct walk {
	struct path_search *s;
	const struct x509 *path[PATH_DEPTH + 2]; /* with the peer's and an anchor */
	size_t n;
	struct check checks[PATH_SIGNATURES];
	size_t nchecks;
	size_t steps;
	int rank; /* an enum rank */
	enum trust_verdict verdict;
	struct errmsg why;
};

static bool
better(const struct walk *w, int rank)
{
	return rank > w->rank;
}

static void
keep(struct walk *w, int rank, enum trust_verdict v, const struct errmsg *why)
{
	if (!better(w, rank))
		return;
	w->rank = rank;
	w->verdict = v;
	w->why = *why;
}

/* Whether one certificate may be the issuer of another, as far as they say. */
static bool
may_issue(const struct x509 *issuer, const struct x509 *c)
{
	if (!span_equal(issuer->subject, c->issuer))
		return false;
	return issuer->skid.p == NULL || c->akid.p == NULL ||
	    span_equal(issuer->skid, c->akid);
}

/* Whether the issuer signed the certificate: asked once for each pair.  Returns false,
 * too, when enough was asked. */
static bool
link_holds(struct walk *w, const struct x509 *c, const struct x509 *issuer)
{
	struct check *k;

	for (k = w->checks; k < w->checks + w->nchecks; k++)
		if (k->child == c && k->issuer == issuer)
			return k->holds;
	if (w->nchecks == PATH_SIGNATURES)
		return false;
	*k = (struct check){ c, issuer, signed_by(c, issuer) };
	w->nchecks++;
	return k->holds;
}

/* Checks the links of the path from the anchor downwards. */
static bool
links_hold(struct walk *w)
{
	char child[NAME_TEXT], issuer[NAME_TEXT];
	struct errmsg why;
	enum trust_verdict v;
	size_t i;

	for (i = w->n - 1; i > 0; i--) {
		v = rules_link(w->path[i - 1], w->path[i], &why);
		if (v != TRUST_OK) {
			keep(w, RANK_LINK, v, &why);
			return false;
		}
		if (link_holds(w, w->path[i - 1], w->path[i]))
			continue;
		errmsg_set(&why,
		    "\"%s\" says that \"%s\" issued it, but the signature is "
		    "not by the key of that CA",
		    x509_name_text(w->path[i - 1]->subject, child, sizeof(child)),
		    x509_name_text(w->path[i]->subject, issuer, sizeof(issuer)));
		keep(w, RANK_SIGNATURE, TRUST_UNKNOWN_CA, &why);
		return false;
	}
	return true;
}

/* Judges the path that has an anchor at its end. */
static bool
path_holds(struct walk *w)
{
	enum trust_verdict v;
	struct errmsg why;

	if (!links_hold(w))
		return false;
	v = rules_path(w->path, w->n, w->s->occasion, &why);
	if (v != TRUST_OK) {
		keep(w, RANK_RULE, v, &why);
		return false;
	}
	v = crl_judge_path(w->s->occasion->crls, w->path, w->n, w->s->occasion->now, &why);
	if (v != TRUST_OK) {
		keep(w, RANK_REVOKED, v, &why);
		return false;
	}
	w->s->issuer = w->path[1];
	memcpy(w->s->found, w->path, w->n * sizeof(w->path[0]));
	w->s->nfound = w->n;
	return true;
}

/* Why no issuer was found, where a certificate of that name would have been one. */
static const char *
hint(const struct walk *w, const struct x509 *c)
{
	size_t i;

	for (i = 0; i < w->s->nanchors; i++) {
		if (!span_equal(w->s->anchors[i].cert.subject, c->issuer))
			continue;
		if (w->s->anchors[i].issues)
			return "; the CA file has one of that name, but with another key";
		return "; the CA file has one of that name, but it is not a CA "
		    "(basicConstraints CA:TRUE)";
	}
	return "";
}

/* The path ends at a certificate without an issuer. */
static void
report_missing(struct walk *w)
{
	const struct x509 *end = w->path[w->n - 1];
	char subject[NAME_TEXT], issuer[NAME_TEXT];
	struct errmsg why;

	if (!better(w, RANK_MISSING + (int)w->n))
		return;
	x509_name_text(end->subject, subject, sizeof(subject));
	if (x509_self_issued(end))
		errmsg_set(&why,
		    w->n == 1 ? "\"%s\" is self-signed and not in the CA file%s"
			      : "the chain ends at \"%s\", which is not in the CA file%s",
		    subject, hint(w, end));
	else
		errmsg_set(&why,
		    "\"%s\" was issued by \"%s\", which the peer did not send "
		    "and the CA file does not have%s",
		    subject, x509_name_text(end->issuer, issuer, sizeof(issuer)),
		    hint(w, end));
	keep(w, RANK_MISSING + (int)w->n, TRUST_UNKNOWN_CA, &why);
}

static bool
is_on_path(const struct walk *w, const struct x509 *c)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		if (x509_same(w->path[i], c))
			return true;
	return false;
}

/* Whether a presented certificate is an anchor itself, as when a peer sends its root:
 * then it has been tried, and as an anchor it is bound by fewer rules. */
static bool
is_anchor(const struct walk *w, const struct x509 *c)
{
	size_t i;

	for (i = 0; i < w->s->nanchors; i++)
		if (w->s->anchors[i].issues && x509_same(&w->s->anchors[i].cert, c))
			return true;
	return false;
}

/* Tries the anchors as issuers of the path's last certificate. */
static bool
try_anchors(struct walk *w, bool *found)
{
	const struct x509 *end = w->path[w->n - 1];
	bool holds = false;
	size_t i;

	for (i = 0; i < w->s->nanchors && !holds; i++) {
		const struct anchor *a = &w->s->anchors[i];

		if (!a->issues || !may_issue(&a->cert, end))
			continue;
		*found = true;
		w->path[w->n++] = &a->cert;
		holds = path_holds(w);
		w->n--;
	}
	return holds;
}

/* Extends the path by one more certificate, and that by others.  It is this deep:
 * PATH_DEPTH. */
static bool
climb(struct walk *w)
{
	const struct x509 *end = w->path[w->n - 1], *p;
	bool found = false;

	if (++w->steps > PATH_STEPS)
		return false;
	if (try_anchors(w, &found))
		return true;
	for (p = w->s->presented + 1; p < w->s->presented + w->s->npresented; p++) {
		if (!may_issue(p, end) || is_on_path(w, p) || is_anchor(w, p))
			continue;
		found = true;
		if (w->n == w->s->depth + 1)
			continue;
		w->path[w->n++] = p;
		if (climb(w))
			return true;
		w->n--;
	}
	if (!found)
		report_missing(w);
	return false;
}

enum trust_verdict
path_find(struct path_search *s, struct errmsg *why)
{
	struct walk w = { .s = s, .n = 1, .verdict = TRUST_BAD_CHAIN };

	assert(s->npresented >= 1 && s->npresented <= PATH_PRESENTED && s->depth <= PATH_DEPTH);
	w.path[0] = &s->presented[0];
	if (climb(&w))
		return TRUST_OK;
	if (w.rank == RANK_NONE)
		errmsg_set(&w.why,
		    "the chain has more than %u CAs between, or is too tangled to "
		    "find a way through it",
		    s->depth);
	*why = w.why;
	return w.verdict;
}
