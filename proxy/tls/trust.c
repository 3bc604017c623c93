#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tls/path_priv.h"
#include "tls/pubkey_priv.h"
#include "tls/trust.h"

struct trust {
	unsigned char (*peers)[CERT_FP_LEN];
	size_t npeers;
	struct anchor *anchors;
	size_t nanchors;
};

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
 * What the operator configured.
 */

int
trust_add_peers(struct trust *t, const char *file, struct errmsg *e)
{
	struct der_list list;
	struct x509 c;
	void *grown;
	size_t i;

	if (cert_load_chain(file, &list, e) == -1)
		return -1;
	for (i = 0; i < list.n; i++)
		if (cert_strong(&list.items[i], e) == -1) {
			errmsg_prefix(e, "%s", file);
			goto err;
		}
	grown = realloc(t->peers, (t->npeers + list.n) * sizeof(*t->peers));
	if (grown == NULL) {
		errmsg_set(e, "%s: out of memory", file);
		goto err;
	}
	t->peers = grown;
	for (i = 0; i < list.n; i++) {
		if (x509_parse(&c, list.items[i].data, list.items[i].len) != NULL)
			assert(!"a certificate that was read before");
		x509_fingerprint(&c, t->peers[t->npeers++]);
	}
	der_list_free(&list);
	return 0;
err:
	der_list_free(&list);
	return -1;
}

static bool
has_anchor(const struct trust *t, const struct x509 *c)
{
	size_t i;

	for (i = 0; i < t->nanchors; i++)
		if (x509_same(&t->anchors[i].cert, c))
			return true;
	return false;
}

/* Takes over the certificate; its bytes stay where they are. */
static void
add_anchor(struct trust *t, struct der *der)
{
	struct anchor *a = &t->anchors[t->nanchors];

	*a = (struct anchor){ .der = *der };
	if (x509_parse(&a->cert, der->data, der->len) != NULL)
		assert(!"a certificate that was read before");
	a->issues = a->cert.is_ca;
	if (has_anchor(t, &a->cert))
		return;
	t->nanchors++;
	*der = (struct der){ NULL, 0 };
}

/* Names the first of the anchors from a place on that cannot let anybody in. */
static int
warn_about(const struct trust *t, size_t first, const char *file, struct errmsg *e)
{
	const int64_t now = time(NULL);
	size_t i, bad = 0;
	struct errmsg why;

	for (i = first; i < t->nanchors; i++)
		if (rules_anchor(&t->anchors[i].cert, now, &why) != TRUST_OK &&
		    bad++ == 0)
			*e = why;
	if (bad == 0)
		return 0;
	errmsg_prefix(e,
	    bad == 1 ? "%s: a certificate lets nobody in"
		     : "%s: %zu certificates let nobody in, the first of them because",
	    file, bad);
	return 1;
}

int
trust_add_cas(struct trust *t, const char *file, struct errmsg *e)
{
	size_t i, first = t->nanchors;
	struct der_list list;
	void *grown;

	if (cert_load_chain(file, &list, e) == -1)
		return -1;
	grown = realloc(t->anchors, (t->nanchors + list.n) * sizeof(*t->anchors));
	if (grown == NULL) {
		der_list_free(&list);
		return errmsg_set(e, "%s: out of memory", file);
	}
	t->anchors = grown;
	for (i = 0; i < list.n; i++)
		add_anchor(t, &list.items[i]);
	der_list_free(&list);
	return warn_about(t, first, file, e);
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
	size_t i;

	if (has_anchor(t, leaf))
		return TRUST_OK;
	presented[0] = *leaf;
	/* What cannot be read among the others is as if it had not been sent. */
	for (i = 1; i < nchain && s.npresented < PATH_PRESENTED; i++)
		if (x509_parse(&presented[s.npresented], chain[i].data, chain[i].len) ==
		    NULL)
			s.npresented++;
	return path_find(&s, why);
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
	const struct occasion o = { peer_is_server, now };
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
	if (t->npeers > 0 && (v = judge_pin(t, &leaf, why)) != TRUST_OK)
		return v;
	if ((v = rules_leaf(&leaf, &o, why)) != TRUST_OK)
		return v;
	if (t->nanchors > 0 &&
	    (v = judge_origin(t, &leaf, chain, nchain, &o, why)) != TRUST_OK)
		return v;
	return judge_name(&leaf, names, nnames, why);
}
