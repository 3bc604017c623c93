/* From certificates to an identity: a chain as a peer sends it, one DER object behind the other, judged
 * by fixed CAs and rules. Whatever it is, the answer is the same twice, and again for what is kept of it;
 * a refusal says why, in one line; nobody passes whom a deny rule knows or whom nothing vouches for. */
#include <wolfssl/options.h>

#include <stdlib.h>
#include <string.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "chain_anchors.h"
#include "conf/rule.h"
#include "tls/crl_priv.h"
#include "tls/identity.h"
#include "tls/pubkey_priv.h"
#include "tls/rule.h"
#include "tls/trust_priv.h"

int LLVMFuzzerTestOneInput(const unsigned char *, size_t);

#define MOST 24

static void
check(bool holds)
{
	if (!holds)
		abort();
}

/* The library is not there.  Any function of the bytes will do for a hash; and signatures hold by
 * their last byte, so that chains are found however they were changed. */
int
wc_Sha256Hash(const byte *p, word32 n, byte *hash)
{
	memset(hash, 0, CERT_FP_LEN);
	for (word32 i = 0; i < n; i++)
		hash[i % CERT_FP_LEN] = (byte)(hash[i % CERT_FP_LEN] * 31 + p[i]);
	return 0;
}

bool
signed_by(const struct x509 *c, const struct x509 *issuer)
{
	(void)issuer;
	return c->sig.p[c->sig.n - 1] % 4 != 3;
}

void
hashes_warm_up(void)
{
}

enum trust_verdict
crl_judge_path(struct crl_set *set, const struct x509 *const *path, size_t n, int64_t now,
    struct errmsg *e)
{
	(void)path;
	(void)n;
	(void)now;
	(void)e;
	check(set == NULL);
	return TRUST_OK;
}

bool
trust_has_anchor(const struct trust *t, const struct x509 *c)
{
	for (size_t i = 0; i < t->nanchors; i++)
		if (x509_same(&t->anchors[i].cert, c))
			return true;
	return false;
}

static const struct der anchors[] = {
	{ (unsigned char *)(uintptr_t)anchor_root, sizeof(anchor_root) },
	{ (unsigned char *)(uintptr_t)anchor_narrow, sizeof(anchor_narrow) },
	{ (unsigned char *)(uintptr_t)anchor_exact, sizeof(anchor_exact) },
};

static const char *const lines[] = {
	"!cn=**evil**", "!uri=spiffe://evil/**", "!ip=10.6.6.0/24", "!email=*@evil.test", "dns=**",
	"uri=spiffe://**", "ip=::/0", "ip=0.0.0.0/0", "email=*@*.test", "cn=**", "ou=**",
	"report serial=01", "!report dns=**.test",
};

static struct trust *
make_trust(unsigned kind)
{
	struct trust *t = calloc(1, sizeof(*t));
	struct errmsg e;
	struct rule *r;

	check(t != NULL && (t->anchors = calloc(3, sizeof(*t->anchors))) != NULL);
	t->depth = PATH_DEPTH - (kind & 4);
	t->level = kind & 8 ? 3 : 2;
	t->chain = (kind & 2) != 0;
	for (size_t i = 0; i < 3; i++) {
		check(x509_parse(&t->anchors[i].cert, anchors[i].data, anchors[i].len) == NULL);
		t->anchors[i].issues = t->anchors[i].cert.is_ca;
	}
	t->nanchors = 3;
	if ((kind & 1) == 0)
		return t;
	t->rules = calloc(sizeof(lines) / sizeof(lines[0]), sizeof(*t->rules));
	check(t->rules != NULL);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		check((r = rule_parse(lines[i] + (*lines[i] == '!'), *lines[i] == '!', &e)) != NULL);
		t->rules[t->nrules++] = r;
	}
	return t;
}

/* What stands at the front, one object behind the other; what is none is the last. */
static size_t
split(struct span in, struct der *chain)
{
	struct element e;
	size_t n = 0;

	while (in.n > 0 && n < MOST) {
		if (!asn1_next(&in, &e)) {
			e.whole = in;
			in.n = 0;
		}
		chain[n++] = (struct der){ (unsigned char *)(uintptr_t)e.whole.p, e.whole.n };
	}
	return n;
}

static void
check_message(const struct errmsg *e)
{
	for (const char *p = e->text; *p != '\0'; p++)
		check((unsigned char)*p >= ' ' && *p != 0x7f);
	check(strlen(e->text) < sizeof(e->text));
}

/* A peer that passed has something that vouches for it, and nothing that speaks against it. */
static void
check_passed(const struct trust *t, const struct der *leaf)
{
	struct x509 c;

	check(x509_parse(&c, leaf->data, leaf->len) == NULL);
	check(c.not_before <= ANCHORS_NOW && ANCHORS_NOW <= c.not_after && c.unknown.p == NULL);
	check(trust_has_anchor(t, &c) || signed_by(&c, NULL));
	for (size_t i = 0; i < t->nrules; i++)
		check(!t->rules[i]->deny || t->rules[i]->report ||
		    !trust_rule_matches(t->rules[i], leaf, NULL));
}

/* What is kept of a peer says the same of it. */
static void
check_kept(const struct trust *t, const struct der *chain, size_t n, bool server,
    enum trust_verdict v)
{
	struct identity *id = identity_get(chain, n);
	const struct der *kept;
	struct errmsg e;
	size_t k, bytes = 0;

	check(id != NULL);
	kept = identity_chain(id, &k);
	check(k >= 1 && k <= n);
	for (size_t i = 0; i < n; i++)
		bytes += chain[i].len;
	for (size_t i = 0; i < k; i++)
		check(kept[i].len == chain[i].len && memcmp(kept[i].data, chain[i].data, kept[i].len) == 0);
	check(k == n || bytes > IDENTITY_MOST);
	check(k < n || trust_judge(t, kept, k, server, NULL, 0, ANCHORS_NOW, &e) == v);
	identity_put(id);
	check(identities() == 0);
}

static void
judge(const struct trust *t, const struct der *chain, size_t n, bool server, const char *name)
{
	struct errmsg why, again;
	enum trust_verdict v;
	const char *rule;

	v = trust_explain(t, NULL, chain, n, server, &name, name != NULL, ANCHORS_NOW, &rule, &why);
	check(trust_judge(t, chain, n, server, &name, name != NULL, ANCHORS_NOW, &again) == v);
	check(strcmp(why.text, again.text) == 0);
	check_message(&why);
	check(v == TRUST_OK || why.text[0] != '\0');
	check(v != TRUST_REVOKED && v != TRUST_NOT_PINNED && (v != TRUST_NO_CERT || n == 0));
	if (v == TRUST_OK)
		check_passed(t, &chain[0]);
	if (n > 0 && name == NULL)
		check_kept(t, chain, n, server, v);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	static struct trust *trusts[16];
	struct der chain[MOST];
	struct cert_info *info;
	struct errmsg e;
	size_t found;

	if (n == 0)
		return 0;
	for (unsigned i = 0; i < 16; i++)
		if (trusts[i] == NULL)
			trusts[i] = make_trust(i);
	found = split((struct span){ data + 1, n - 1 }, chain);
	judge(trusts[data[0] & 15], chain, found, data[0] & 16,
	    data[0] & 32 ? "www.example.test" : data[0] & 64 ? "192.0.2.1" : NULL);
	if (found > 0 && (info = cert_info_new(&chain[0], &e)) != NULL) {
		check(strlen(info->subject) <= 512 && strlen(info->names) <= 1024);
		cert_info_free(info);
	}
	return 0;
}
