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
	hashes_warm_up();
	return calloc(1, sizeof(struct trust));
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
	free(t);
}

void
trust_set_level(struct trust *t, unsigned level)
{
	t->level = level;
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
judge_exact(const struct path_search *s, struct errmsg *why)
{
	struct errmsg e;

	if (path_find(s, &e) != TRUST_REVOKED)
		return TRUST_OK;
	*why = e;
	return TRUST_REVOKED;
}

/* The CA file must have the certificate itself, or a CA at the end of a path from it. */
static enum trust_verdict
judge_origin(const struct trust *t, const struct x509 *leaf, const struct der *chain,
    size_t nchain, const struct occasion *o, struct errmsg *why)
{
	struct x509 presented[PATH_PRESENTED];
	struct path_search s = { .presented = presented,
		.npresented = 1,
		.anchors = t->anchors,
		.nanchors = t->nanchors,
		.occasion = o };
	bool exact = trust_has_anchor(t, leaf) && (!t->chain || x509_self_issued(leaf));
	size_t i;

	if (exact && (o->crls == NULL || x509_self_issued(leaf)))
		return TRUST_OK;
	presented[0] = *leaf;
	/* What cannot be read among the others is as if it had not been sent. */
	for (i = 1; i < nchain && s.npresented < PATH_PRESENTED; i++)
		if (x509_parse(&presented[s.npresented], chain[i].data, chain[i].len) ==
		    NULL)
			s.npresented++;
	return exact ? judge_exact(&s, why) : path_find(&s, why);
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

enum trust_verdict
trust_judge_with(const struct trust *t, struct crl_set *crls, const struct der *chain,
    size_t nchain, bool peer_is_server, const char *const *names, size_t nnames,
    time_t now, struct errmsg *why)
{
	const struct occasion o = { peer_is_server, now, t->level, crls };
	enum trust_verdict v;
	struct x509 leaf;
	const char *wrong;

	if (nchain == 0) {
		errmsg_set(why, "the peer presented no certificate");
		return TRUST_NO_CERT;
	}
	if ((wrong = x509_parse(&leaf, chain[0].data, chain[0].len)) != NULL) {
		errmsg_set(why, "the peer's certificate is malformed: %s", wrong);
		return TRUST_MALFORMED;
	}
	if (trust_is_empty(t)) {
		errmsg_set(why, "neither peer certificates nor CAs are configured");
		return TRUST_UNKNOWN_CA;
	}
	if ((t->pinned || t->npeers > 0) && (v = judge_pin(t, &leaf, why)) != TRUST_OK)
		return v;
	if ((v = rules_leaf(&leaf, &o, why)) != TRUST_OK)
		return v;
	if ((t->chain || t->nanchors > 0) &&
	    (v = judge_origin(t, &leaf, chain, nchain, &o, why)) != TRUST_OK)
		return v;
	return judge_name(&leaf, names, nnames, why);
}
