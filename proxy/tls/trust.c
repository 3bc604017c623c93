#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tls/pubkey_priv.h"
#include "tls/trust_priv.h"

const char *
trust_verdict_text(enum trust_verdict v)
{
	static const char *const texts[] = {
#define TRUST_TEXT(name, text) text,
		TRUST_VERDICTS(TRUST_TEXT)
#undef TRUST_TEXT
	};

	assert((size_t)v < sizeof(texts) / sizeof(texts[0]));
	return texts[v];
}

struct trust *
trust_new(void)
{
	struct trust *t;

	hashes_warm_up();
	if ((t = calloc(1, sizeof(*t))) != NULL)
		t->depth = PATH_DEPTH;
	return t;
}

void
trust_free(struct trust *t)
{
	size_t i;

	if (t == NULL)
		return;
	for (i = 0; i < t->nanchors; i++)
		free(t->anchors[i].der.data);
	free(t->anchors);
	free(t->peers);
	for (i = 0; i < t->nrules; i++)
		free(t->rules[i]);
	free(t->rules);
	free(t);
}

void
trust_set_level(struct trust *t, unsigned level)
{
	t->level = level;
}

void
trust_set_depth(struct trust *t, unsigned depth)
{
	assert(depth <= PATH_DEPTH);
	t->depth = depth;
}

bool
trust_is_empty(const struct trust *t)
{
	return t->npeers == 0 && t->nanchors == 0;
}

bool
trust_has_cas(const struct trust *t)
{
	size_t i;

	for (i = 0; i < t->nanchors; i++)
		if (t->anchors[i].issues)
			return true;
	return false;
}

size_t
trust_moments(const struct trust *t, int64_t *when, size_t most)
{
	size_t n = 0;

	for (size_t i = 0; i < t->nanchors && n + 2 <= most; i++) {
		when[n++] = t->anchors[i].cert.not_before;
		when[n++] = t->anchors[i].cert.not_after + 1;
	}
	return n;
}

/*
 * Who may pass.
 */

static enum trust_verdict
judge_pin(const struct trust *t, const struct x509 *leaf, struct errmsg *why)
{
	char subject[NAME_TEXT], text[CERT_FP_TEXT];
	unsigned char fp[CERT_FP_LEN];
	size_t i;

	x509_fingerprint(leaf, fp);
	for (i = 0; i < t->npeers; i++)
		if (memcmp(t->peers[i], fp, CERT_FP_LEN) == 0)
			return TRUST_OK;
	errmsg_set(why,
	    "\"%s\" has the fingerprint %s, which none of the %zu peer "
	    "certificates has",
	    x509_name_text(leaf->subject, subject, sizeof(subject)),
	    cert_fingerprint_text(fp, text), t->npeers);
	return TRUST_NOT_PINNED;
}

/* What the CA file names exactly needs no issuer.  But one that has revoked it is heeded. */
static enum trust_verdict
judge_exact(struct path_search *s, struct errmsg *why)
{
	struct errmsg e;

	if (path_find(s, &e) != TRUST_REVOKED)
		return TRUST_OK;
	*why = e;
	return TRUST_REVOKED;
}

/* What is known of a peer: its certificate, and from a path that holds its issuer's. */
struct peer {
	const struct der *chain;
	size_t nchain;
	struct x509 leaf, issuer;
	bool has_issuer;
};

static void
keep_issuer(struct peer *p, const struct path_search *s)
{
	if (s->issuer == NULL)
		return;
	p->issuer = *s->issuer;
	p->has_issuer = true;
}

/* The CA file must have the certificate itself, or a CA at the end of a path from it. */
static enum trust_verdict
judge_origin(const struct trust *t, struct peer *p, const struct occasion *o,
    struct errmsg *why)
{
	struct x509 presented[PATH_PRESENTED];
	struct path_search s = { .presented = presented,
		.npresented = 1,
		.anchors = t->anchors,
		.nanchors = t->nanchors,
		.occasion = o,
		.depth = t->depth };
	bool exact = trust_has_anchor(t, &p->leaf) &&
	    (!t->chain || x509_self_issued(&p->leaf));
	enum trust_verdict v;
	size_t i;

	if (exact && ((o->crls == NULL && t->nrules == 0) || x509_self_issued(&p->leaf)))
		return TRUST_OK;
	presented[0] = p->leaf;
	/* What cannot be read among the others is as if it had not been sent. */
	for (i = 1; i < p->nchain && s.npresented < PATH_PRESENTED; i++)
		if (x509_parse(&presented[s.npresented], p->chain[i].data,
			p->chain[i].len) == NULL)
			s.npresented++;
	v = exact ? judge_exact(&s, why) : path_find(&s, why);
	keep_issuer(p, &s);
	return v;
}

static enum trust_verdict
judge_name(
    const struct x509 *leaf, const char *const *names, size_t nnames, struct errmsg *why)
{
	char found[256], subject[NAME_TEXT];
	size_t i;

	for (i = 0; i < nnames; i++)
		if (x509_names_host(leaf, names[i]))
			return TRUST_OK;
	if (nnames == 0)
		return TRUST_OK;
	x509_name_text(leaf->subject, subject, sizeof(subject));
	x509_names_text(leaf, found, sizeof(found));
	errmsg_set(why, "expected the name \"%s\"%s, but \"%s\" %s%s", names[0],
	    nnames > 1 ? " or another configured one" : "", subject,
	    found[0] != '\0' ? "has the names " : "has no names of hosts", found);
	return TRUST_WRONG_NAME;
}

enum trust_verdict
trust_judge(const struct trust *t, const struct der *chain, size_t nchain,
    bool peer_is_server, const char *const *names, size_t nnames, time_t now,
    struct errmsg *why)
{
	return trust_judge_with(
	    t, NULL, chain, nchain, peer_is_server, names, nnames, now, why);
}

static enum trust_verdict
judge_rules(const struct trust *t, const struct peer *p, const struct rule **by,
    struct errmsg *why)
{
	const struct applicant a = { &p->leaf, p->has_issuer ? &p->issuer : NULL };

	return authorise(t, &a, by, why);
}

static enum trust_verdict
judge(const struct trust *t, struct peer *p, const struct occasion *o,
    const char *const *names, size_t nnames, const struct rule **by, struct errmsg *why)
{
	enum trust_verdict v;
	const char *wrong;

	if (p->nchain == 0) {
		errmsg_set(why, "the peer presented no certificate");
		return TRUST_NO_CERT;
	}
	if ((wrong = x509_parse(&p->leaf, p->chain[0].data, p->chain[0].len)) != NULL) {
		errmsg_set(why, "the peer's certificate is malformed: %s", wrong);
		return TRUST_MALFORMED;
	}
	if (trust_is_empty(t) && !t->by_rules) {
		errmsg_set(why, "neither peer certificates nor CAs are configured");
		return TRUST_UNKNOWN_CA;
	}
	if ((t->pinned || t->npeers > 0) && (v = judge_pin(t, &p->leaf, why)) != TRUST_OK)
		return v;
	if ((v = rules_leaf(&p->leaf, o, why)) != TRUST_OK)
		return v;
	if ((t->chain || t->nanchors > 0) && (v = judge_origin(t, p, o, why)) != TRUST_OK)
		return v;
	if ((v = judge_name(&p->leaf, names, nnames, why)) != TRUST_OK)
		return v;
	return judge_rules(t, p, by, why);
}

enum trust_verdict
trust_judge_with(const struct trust *t, struct crl_set *crls, const struct der *chain,
    size_t nchain, bool peer_is_server, const char *const *names, size_t nnames,
    time_t now, struct errmsg *why)
{
	const char *rule;

	return trust_explain(
	    t, crls, chain, nchain, peer_is_server, names, nnames, now, &rule, why);
}

enum trust_verdict
trust_explain(const struct trust *t, struct crl_set *crls, const struct der *chain,
    size_t nchain, bool peer_is_server, const char *const *names, size_t nnames,
    time_t now, const char **rule, struct errmsg *why)
{
	const struct occasion o = { peer_is_server, now, t->level, crls };
	struct peer p = { .chain = chain, .nchain = nchain };
	const struct rule *by = NULL;
	enum trust_verdict v;

	why->text[0] = '\0';
	v = judge(t, &p, &o, names, nnames, &by, why);
	*rule = by != NULL ? by->text : NULL;
	return v;
}
