#include <assert.h>
#include <check.h>
#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include "certs.h"
#include "tls/trust.h"

#define DAY 86400
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Certificates that no tool would make: others, changed byte by byte.
 */

static void
put(const char *name, const struct der *der)
{
	certs_write_pem(name, "CERTIFICATE", der->data, der->len);
}

static unsigned char *
find(const struct der *der, const void *bytes, size_t n)
{
	unsigned char *at = memmem(der->data, der->len, bytes, n);

	assert(at != NULL);
	return at;
}

/* The root with the forger's key: all that names it, and its signature, stay. */
static void
make_clone(void)
{
	static const unsigned char head[] = { 0x03, 0x42, 0x00, 0x04 };
	struct der root = certs_load("root"), evil = certs_load("evil");

	memcpy(find(&root, head, sizeof(head)), find(&evil, head, sizeof(head)), 68);
	put("clone", &root);
	free(root.data);
	free(evil.data);
}

/* A certificate with another byte at the end of its signature: the same claims. */
static void
make_broken(const char *from, const char *to)
{
	struct der der = certs_load(from);

	der.data[der.len - 1] ^= 1;
	put(to, &der);
	free(der.data);
}

/* The same names with a NUL inside. */
static void
make_nul(const char *name)
{
	struct der der = certs_load(name);
	unsigned char *at;

	while ((at = memmem(der.data, der.len, "XQZ", 3)) != NULL)
		memcpy(at, "\0.x", 3);
	put(name, &der);
	free(der.data);
}

/* The length of a DER element with its header. */
static size_t
element(const unsigned char *p, size_t *header)
{
	size_t i, n = p[1];

	*header = 2;
	if (n < 0x80)
		return 2 + n;
	*header += n & 0x7f;
	for (n = 0, i = 2; i < *header; i++)
		n = n << 8 | p[i];
	return *header + n;
}

static unsigned char *
put_header(unsigned char *to, size_t len)
{
	to[0] = 0x30;
	to[1] = 0x82;
	to[2] = (unsigned char)(len >> 8);
	to[3] = (unsigned char)len;
	return to + 4;
}

/* A certificate of version 1: without the version and the extensions of another. */
static void
make_v1(const char *from, const char *to)
{
	struct der der = certs_load(from), v1;
	unsigned char *p = der.data, *tbs, *end, *rest;
	size_t header, n, outer, inner, tail;

	n = element(p, &header);
	assert(n == der.len);
	tbs = p + header;
	n = element(tbs, &header);
	rest = tbs + n;
	p = tbs + header;
	p += element(p, &header); /* the version */
	for (end = p; *end != 0xa3; end += element(end, &header))
		;
	inner = (size_t)(end - p);
	tail = (size_t)(der.data + der.len - rest);
	outer = inner + tail;
	assert(inner > 127 && outer > 127);
	v1.data = malloc(outer + 8);
	assert(v1.data != NULL);
	memcpy(put_header(put_header(v1.data, outer + 4), inner), p, inner);
	memcpy(v1.data + 8 + inner, rest, tail);
	v1.len = outer + 8;
	if (inner < 256) { /* DER wants the shortest length */
		v1.data[5] = 0x81;
		v1.data[6] = (unsigned char)inner;
		memmove(v1.data + 7, v1.data + 8, v1.len - 8);
		v1.len--;
		put_header(v1.data, outer + 3);
	}
	put(to, &v1);
	free(v1.data);
	free(der.data);
}

static void
make_changed_certs(void)
{
	make_clone();
	make_broken("leaf", "broken_leaf");
	make_broken("sub", "broken_sub");
	make_broken("by_rsa", "broken_by_rsa");
	make_broken("by_sha1_self", "broken_by_sha1");
	make_broken("by_rsa_pss", "broken_by_rsa_pss");
	make_broken("by_ed25519", "broken_by_ed25519");
	make_nul("nul");
	make_nul("nul_cn");
	make_v1("self_ca", "v1");
	make_v1("root", "v1_root");
}

/*
 * Judging.
 */

struct row {
	const char *chain; /* names of certificates, parted by blanks */
	const char *peers; /* likewise; what is configured */
	const char *cas;
	char role;         /* the peer's: 's'erver or 'c'lient */
	const char *names; /* expected, parted by blanks */
	int days;          /* from the present */
	enum trust_verdict verdict;
	const char *says; /* part of the message */
};

/* Splits at blanks; returns how many words there are. */
static size_t
split(const char *text, char *buf, size_t size, const char **words, size_t most)
{
	size_t n = 0;
	char *word, *save;

	snprintf(buf, size, "%s", text == NULL ? "" : text);
	for (word = strtok_r(buf, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save)) {
		assert(n < most);
		words[n++] = word;
	}
	return n;
}

static struct trust *
make_trust(const char *peers, const char *cas)
{
	struct trust *t = trust_new();
	const char *words[16];
	struct errmsg e;
	char buf[256];
	size_t i, n;

	assert(t != NULL);
	n = split(peers, buf, sizeof(buf), words, 16);
	for (i = 0; i < n; i++)
		if (trust_add_peers(t, certs_path(words[i], ".pem"), &e) != 0)
			ck_abort_msg("%s", e.text);
	n = split(cas, buf, sizeof(buf), words, 16);
	for (i = 0; i < n; i++)
		if (trust_add_cas(t, certs_path(words[i], ".pem"), &e) == -1)
			ck_abort_msg("%s", e.text);
	return t;
}

static size_t
load_chain(const char *names, struct der *chain, size_t most)
{
	const char *words[24];
	char buf[512];
	size_t i, n = split(names, buf, sizeof(buf), words, COUNT(words));

	assert(n <= most);
	for (i = 0; i < n; i++)
		chain[i] = certs_load(words[i]);
	return n;
}

static enum trust_verdict
judge_at(const struct trust *t, const struct row *r, time_t now, struct errmsg *why)
{
	const char *names[8];
	struct der chain[24];
	char buf[512];
	size_t i, n, nnames;
	enum trust_verdict v;

	n = load_chain(r->chain, chain, COUNT(chain));
	nnames = split(r->names, buf, sizeof(buf), names, COUNT(names));
	why->text[0] = '\0';
	v = trust_judge(t, chain, n, r->role == 's', names, nnames, now, why);
	for (i = 0; i < n; i++)
		free(chain[i].data);
	return v;
}

/* Runs one row of a table twice: nothing that the first time leaves behind may matter. */
static void
check_row(const struct row *r)
{
	struct trust *t = make_trust(r->peers, r->cas);
	enum trust_verdict v;
	struct errmsg why;
	int i;

	for (i = 0; i < 2; i++) {
		v = judge_at(t, r, time(NULL) + (time_t)r->days * DAY, &why);
		if (v != r->verdict)
			ck_abort_msg(
			    "[%s] peers [%s] cas [%s] role %c names [%s]: %s (%s) "
			    "instead of %s",
			    r->chain, r->peers, r->cas, r->role, r->names,
			    trust_verdict_text(v), why.text,
			    trust_verdict_text(r->verdict));
		if (r->says != NULL && strstr(why.text, r->says) == NULL)
			ck_abort_msg("[%s]: \"%s\" does not say \"%s\"", r->chain,
			    why.text, r->says);
		if ((v == TRUST_OK) != (why.text[0] == '\0'))
			ck_abort_msg("[%s]: verdict %s with message \"%s\"", r->chain,
			    trust_verdict_text(v), why.text);
	}
	trust_free(t);
}

static const struct row pin_rows[] = {
	{ "self_ca", "self_ca", "", 's', "", 0, TRUST_OK, NULL },
	{ "self_ca", "self_ca", "", 'c', "", 0, TRUST_OK, NULL },
	{ "self_leaf", "self_leaf", "", 's', "localhost", 0, TRUST_OK, NULL },
	{ "v1", "v1", "", 's', "", 0, TRUST_OK, NULL },
	{ "leaf", "leaf", "", 's', "", 0, TRUST_OK, NULL },
	{ "leaf sub root", "leaf", "", 's', "", 0, TRUST_OK, NULL },
	{ "leaf", "self_ca other leaf", "", 's', "", 0, TRUST_OK, NULL },
	{ "other", "self_leaf", "", 's', "", 0, TRUST_NOT_PINNED,
	    "\"CN=self-leaf\" has the fingerprint" },
	{ "clone", "root", "", 's', "", 0, TRUST_NOT_PINNED, "none of the 1 peer" },
	{ "broken_leaf", "leaf", "", 's', "", 0, TRUST_NOT_PINNED, NULL },
	/* A pinned certificate is no issuer, and one in the chain does not count. */
	{ "leaf", "root", "", 's', "", 0, TRUST_NOT_PINNED, NULL },
	{ "other self_leaf", "self_leaf", "", 's', "", 0, TRUST_NOT_PINNED, NULL },
	{ "", "self_leaf", "", 's', "", 0, TRUST_NO_CERT, "no certificate" },
	{ "short", "short", "", 's', "", 0, TRUST_OK, NULL },
	{ "short", "short", "", 's', "", 2, TRUST_EXPIRED, "it expired on 20" },
	{ "short", "short", "", 's', "", -1, TRUST_NOT_YET, "it is valid from 20" },
	{ "short", "other", "", 's', "", 2, TRUST_NOT_PINNED, NULL },
	{ "plain_server", "plain_server", "", 's', "", 0, TRUST_OK, NULL },
	{ "plain_server", "plain_server", "", 'c', "", 0, TRUST_WRONG_USE,
	    "lacks clientAuth" },
	{ "plain_client", "plain_client", "", 'c', "", 0, TRUST_OK, NULL },
	{ "plain_client", "plain_client", "", 's', "", 0, TRUST_WRONG_USE,
	    "lacks serverAuth" },
	{ "any_use", "any_use", "", 's', "", 0, TRUST_OK, NULL },
	{ "any_use", "any_use", "", 'c', "", 0, TRUST_OK, NULL },
	{ "code_signer", "code_signer", "", 's', "", 0, TRUST_WRONG_USE,
	    "extendedKeyUsage" },
	{ "no_digsig", "no_digsig", "", 's', "", 0, TRUST_WRONG_USE, "digitalSignature" },
	{ "root", "root", "", 's', "", 0, TRUST_WRONG_USE, "digitalSignature" },
	{ "critical", "critical", "", 's', "", 0, TRUST_BAD_CHAIN, "extension 1.2.3.4" },
	/* The library would tell the date and not get to the extension. */
	{ "critical", "critical", "", 's', "", 99, TRUST_EXPIRED, NULL },
	{ "uncritical", "uncritical", "", 's', "", 0, TRUST_OK, NULL },
	{ "policy", "policy", "", 's', "", 0, TRUST_OK, NULL },
	{ "rsa", "rsa", "", 's', "", 0, TRUST_OK, NULL },
	{ "p384", "p384", "", 's', "", 0, TRUST_OK, NULL },
	{ "p521", "p521", "", 's', "", 0, TRUST_OK, NULL },
	{ "ed25519", "ed25519", "", 's', "", 0, TRUST_OK, NULL },
	{ "pss", "pss", "", 's', "", 0, TRUST_OK, NULL },
	{ "leaf", "", "", 's', "", 0, TRUST_UNKNOWN_CA, "configured" },
	{ "self_leaf", "self_leaf", "", 's', "nohost", 0, TRUST_WRONG_NAME,
	    "DNS:localhost" },
};

static const struct row ca_rows[] = {
	{ "leaf", "", "root", 's', "leaf.example.com", 0, TRUST_OK, NULL },
	{ "leaf", "", "root", 'c', "", 0, TRUST_OK, NULL },
	{ "leaf root", "", "root", 's', "", 0, TRUST_OK, NULL },
	{ "leaf", "", "self_ca root p384", 's', "", 0, TRUST_OK, NULL },
	{ "no_ids", "", "root", 's', "", 0, TRUST_OK, NULL },
	{ "server_only", "", "root", 's', "", 0, TRUST_OK, NULL },
	{ "server_only", "", "root", 'c', "", 0, TRUST_WRONG_USE, "clientAuth" },
	{ "client_only", "", "root", 'c', "", 0, TRUST_OK, NULL },
	{ "client_only", "", "root", 's', "", 0, TRUST_WRONG_USE, "serverAuth" },
	{ "leaf", "", "root_b", 's', "", 0, TRUST_UNKNOWN_CA,
	    "\"CN=leaf.example.com\" was issued by \"C=SE, O=Test, CN=Root\"" },
	{ "leaf_critical", "", "root", 's', "", 0, TRUST_BAD_CHAIN, "1.2.3.4" },
	{ "leaf_short", "", "root", 's', "", 3, TRUST_EXPIRED, "\"CN=leaf-short\"" },
	{ "leaf", "", "root", 's', "", 99, TRUST_EXPIRED, "\"CN=leaf.example.com\"" },
	{ "leaf", "", "root", 's', "", -99, TRUST_NOT_YET, NULL },

	/* Intermediates: there, missing, unordered, with others. */
	{ "sub_leaf sub", "", "root", 's', "", 0, TRUST_OK, NULL },
	{ "sub_leaf", "", "root", 's', "", 0, TRUST_UNKNOWN_CA,
	    "issued by \"O=Test, CN=Sub\"" },
	{ "sub_leaf", "", "sub", 's', "", 0, TRUST_OK, NULL },
	{ "sub2_leaf sub2 sub", "", "root", 's', "", 0, TRUST_OK, NULL },
	{ "sub2_leaf sub sub2", "", "root", 's', "", 0, TRUST_OK, NULL },
	{ "sub2_leaf root sub other sub2 leaf", "", "root", 's', "", 0, TRUST_OK, NULL },
	{ "sub2_leaf sub2", "", "root", 's', "", 0, TRUST_UNKNOWN_CA,
	    "\"O=Test, CN=Sub Two\" was issued by \"O=Test, CN=Sub\"" },
	{ "sub2_leaf sub", "", "root", 's', "", 0, TRUST_UNKNOWN_CA,
	    "issued by \"O=Test, CN=Sub Two\"" },
	{ "sub_leaf sub sub sub", "", "root", 's', "", 0, TRUST_OK, NULL },
	{ "sub_leaf sub root", "", "root_b", 's', "", 0, TRUST_UNKNOWN_CA,
	    "the chain ends at \"C=SE, O=Test, CN=Root\"" },
	{ "self_ca", "", "root", 's', "", 0, TRUST_UNKNOWN_CA, "self-signed" },

	/* Cross-signed, rolled over, an expired root sent along. */
	{ "sub_leaf sub_by_b sub", "", "root", 's', "", 0, TRUST_OK, NULL },
	{ "sub_leaf sub sub_by_b", "", "root_b", 's', "", 0, TRUST_OK, NULL },
	{ "sub_leaf sub sub_by_b", "", "root root_b", 's', "", 0, TRUST_OK, NULL },
	{ "sub_leaf sub old_root", "", "root", 's', "", 2, TRUST_OK, NULL },
	{ "leaf old_root", "", "root", 's', "", 2, TRUST_OK, NULL },
	{ "leaf", "", "old_root root", 's', "", 2, TRUST_OK, NULL },
	{ "leaf root", "", "old_root", 's', "", 2, TRUST_EXPIRED,
	    "\"C=SE, O=Test, CN=Root\"" },
	{ "new_leaf new_by_old", "", "root", 's', "", 0, TRUST_OK, NULL },
	{ "new_leaf new_root new_by_old", "", "root", 's', "", 0, TRUST_OK, NULL },
	{ "new_leaf new_by_old", "", "new_root", 's', "", 0, TRUST_OK, NULL },
	{ "rolled_leaf rolled sub", "", "root", 's', "", 0, TRUST_OK, NULL },

	/* Trusted exactly. */
	{ "self_leaf", "", "self_leaf", 's', "", 0, TRUST_OK, NULL },
	{ "self_ca", "", "self_ca", 's', "", 0, TRUST_OK, NULL },
	{ "v1", "", "v1", 's', "", 0, TRUST_OK, NULL },
	{ "leaf", "", "leaf", 's', "", 0, TRUST_OK, NULL },
	{ "other", "", "self_leaf", 's', "", 0, TRUST_UNKNOWN_CA, NULL },
	{ "exact_leaf", "", "self_leaf", 's', "", 0, TRUST_UNKNOWN_CA,
	    "but it is not a CA" },
	{ "exact_leaf self_leaf", "", "self_leaf", 's', "", 0, TRUST_UNKNOWN_CA, NULL },
	{ "leaf", "", "v1_root", 's', "", 0, TRUST_UNKNOWN_CA, "but it is not a CA" },
	{ "self_leaf", "", "self_leaf", 's', "", 99, TRUST_EXPIRED, NULL },
	{ "no_digsig", "", "no_digsig", 's', "", 0, TRUST_WRONG_USE, NULL },
	{ "plain_server", "", "plain_server", 'c', "", 0, TRUST_WRONG_USE, NULL },

	/* Both. */
	{ "leaf", "leaf", "root", 's', "", 0, TRUST_OK, NULL },
	{ "leaf", "other", "root", 's', "", 0, TRUST_NOT_PINNED, NULL },
	{ "leaf", "leaf", "root_b", 's', "", 0, TRUST_UNKNOWN_CA, NULL },
	{ "self_ca", "self_ca", "root", 's', "", 0, TRUST_UNKNOWN_CA, NULL },
	{ "leaf", "leaf", "root", 's', "elsewhere.example.com", 0, TRUST_WRONG_NAME,
	    "\"elsewhere.example.com\"" },
	{ "leaf", "", "root", 's', "elsewhere leaf.example.com", 0, TRUST_OK, NULL },
	{ "leaf", "", "root", 'c', "elsewhere", 0, TRUST_WRONG_NAME, NULL },
};

static const struct row forged_rows[] = {
	{ "evil_leaf", "", "root", 's', "", 0, TRUST_UNKNOWN_CA,
	    "not by the key of that CA" },
	{ "evil_leaf evil", "", "root", 's', "", 0, TRUST_UNKNOWN_CA, NULL },
	{ "evil_leaf clone", "", "root", 's', "", 0, TRUST_UNKNOWN_CA, NULL },
	{ "evil_leaf clone root", "", "root", 's', "", 0, TRUST_UNKNOWN_CA, NULL },
	{ "evil_leaf root clone evil", "", "root", 's', "", 0, TRUST_UNKNOWN_CA, NULL },
	{ "leaf", "", "twin", 's', "", 0, TRUST_UNKNOWN_CA, "but with another key" },
	{ "leaf", "", "twin root", 's', "", 0, TRUST_OK, NULL },
	/* One answer about two keys of the same name must not stand for both. */
	{ "leaf", "", "evil root", 's', "", 0, TRUST_OK, NULL },
	{ "evil_leaf", "", "root evil", 's', "", 0, TRUST_OK, NULL },
	{ "broken_by_sha1 sha1_self", "", "sha1_self", 's', "", 0, TRUST_UNKNOWN_CA,
	    "signature" },
	{ "clone", "", "root", 's', "", 0, TRUST_WRONG_USE, NULL },
	{ "evil", "", "root", 's', "", 0, TRUST_UNKNOWN_CA, NULL },
	/* After a good one with the same names, too. */
	{ "leaf", "", "root", 's', "", 0, TRUST_OK, NULL },
	{ "evil_leaf evil", "", "root", 's', "", 0, TRUST_UNKNOWN_CA, NULL },
	{ "broken_leaf", "", "root", 's', "", 0, TRUST_UNKNOWN_CA, "signature" },
	{ "sub_leaf broken_sub", "", "root", 's', "", 0, TRUST_UNKNOWN_CA, "signature" },
	{ "sub_leaf broken_sub sub", "", "root", 's', "", 0, TRUST_OK, NULL },
	{ "broken_by_rsa", "", "rsa", 's', "", 0, TRUST_UNKNOWN_CA, "signature" },
	{ "broken_by_rsa_pss", "", "rsa", 's', "", 0, TRUST_UNKNOWN_CA, "signature" },
	{ "broken_by_ed25519", "", "ed25519", 's', "", 0, TRUST_UNKNOWN_CA, "signature" },
	/* The evil root's own chain is good where it is trusted: the tests can fail. */
	{ "evil_leaf", "", "evil", 's', "", 0, TRUST_OK, NULL },
};

static const struct row strength_rows[] = {
	{ "by_rsa", "", "rsa", 's', "", 0, TRUST_OK, NULL },
	{ "by_rsa_512", "", "rsa", 's', "", 0, TRUST_OK, NULL },
	{ "by_rsa_pss", "", "rsa", 's', "", 0, TRUST_OK, NULL },
	{ "by_pss", "", "pss", 's', "", 0, TRUST_OK, NULL },
	{ "by_p384", "", "p384", 's', "", 0, TRUST_OK, NULL },
	{ "by_p521", "", "p521", 's', "", 0, TRUST_OK, NULL },
	{ "by_p521_256", "", "p521", 's', "", 0, TRUST_OK, NULL },
	{ "by_ed25519", "", "ed25519", 's', "", 0, TRUST_OK, NULL },
	/* Of an anchor only the key counts. */
	{ "by_sha1_self", "", "sha1_self", 's', "", 0, TRUST_OK, NULL },
	{ "sha1_self", "", "sha1_self", 's', "", 0, TRUST_WEAK, "RSA with SHA-1" },
	{ "md5_self", "", "md5_self", 's', "", 0, TRUST_WEAK, "RSA with MD5" },
	{ "pss_sha1", "", "pss_sha1", 's', "", 0, TRUST_WEAK, "RSA-PSS and SHA-1" },
	{ "rsa1024", "", "rsa1024", 's', "", 0, TRUST_WEAK, "RSA key has 1024 bits" },
	{ "p192", "", "p192", 's', "", 0, TRUST_WEAK, "P-192" },
	{ "p224", "", "p224", 's', "", 0, TRUST_WEAK, "P-224" },
	{ "explicit", "", "explicit", 's', "", 0, TRUST_WEAK, "curve of its own" },
	{ "ed448", "", "ed448", 's', "", 0, TRUST_WEAK, "Ed448" },
	{ "by_rsa_sha1", "", "rsa", 's', "", 0, TRUST_WEAK,
	    "\"CN=by-rsa-sha1\": it is signed with RSA with SHA-1" },
	{ "by_rsa1024", "", "rsa1024", 's', "", 0, TRUST_WEAK, "\"CN=rsa1024\"" },
	{ "by_p192", "", "p192", 's', "", 0, TRUST_WEAK, "\"CN=p192\"" },
	{ "sha1_leaf sub_sha1", "", "rsa", 's', "", 0, TRUST_WEAK, "\"CN=Sub SHA-1\"" },
	{ "sha1_leaf", "", "sub_sha1", 's', "", 0, TRUST_OK, NULL },
	{ "leaf_1024 sub_1024", "", "root", 's', "", 0, TRUST_WEAK, "\"CN=Sub 1024\"" },
};

static const struct row rule_rows[] = {
	/* CVE-like: wolfSSL 5.9.2 keeps such a CA, and asks no more the second time. */
	{ "code_leaf sub_code", "", "root", 's', "", 0, TRUST_WRONG_USE, "\"CN=Code\"" },
	{ "code_leaf", "", "root", 's', "", 0, TRUST_UNKNOWN_CA,
	    "issued by \"CN=Code\"" },
	{ "code_leaf sub_code", "", "root", 'c', "", 0, TRUST_WRONG_USE, "clientAuth" },
	{ "any_leaf sub_any", "", "root", 's', "", 0, TRUST_OK, NULL },
	{ "server_leaf sub_server", "", "root", 's', "", 0, TRUST_OK, NULL },
	{ "server_leaf sub_server", "", "root", 'c', "", 0, TRUST_WRONG_USE,
	    "\"CN=Servers\"" },
	{ "root_code_leaf", "", "root_code", 's', "", 0, TRUST_WRONG_USE,
	    "\"CN=Root Code\"" },
	{ "no_ca_leaf no_ca", "", "root", 's', "", 0, TRUST_BAD_CHAIN,
	    "\"CN=No CA\": it issued another certificate, but is not a CA" },
	{ "no_sign_leaf no_sign", "", "root", 's', "", 0, TRUST_BAD_CHAIN,
	    "keyCertSign" },
	{ "root_no_sign_leaf", "", "root_no_sign", 's', "", 0, TRUST_BAD_CHAIN,
	    "keyCertSign" },
	{ "critical_leaf sub_critical", "", "root", 's', "", 0, TRUST_BAD_CHAIN,
	    "\"CN=Critical\"" },
	{ "critical_leaf", "", "sub_critical", 's', "", 0, TRUST_BAD_CHAIN,
	    "\"CN=Critical\"" },
	{ "critical_leaf sub_critical", "", "root", 's', "", 99, TRUST_EXPIRED, NULL },
	{ "policy_leaf sub_policy", "", "root", 's', "", 0, TRUST_BAD_CHAIN,
	    "2.5.29.36" },
	{ "sub_short_leaf sub_short", "", "root", 's', "", 0, TRUST_OK, NULL },
	{ "sub_short_leaf sub_short", "", "root", 's', "", 2, TRUST_EXPIRED,
	    "\"CN=Sub Short\": it expired" },

	{ "len0_leaf", "", "len0", 's', "", 0, TRUST_OK, NULL },
	{ "len0_sub_leaf len0_sub", "", "len0", 's', "", 0, TRUST_BAD_CHAIN, "pathlen" },
	{ "len0_sub_leaf", "", "len0_sub", 's', "", 0, TRUST_OK, NULL },
	{ "len0_self_leaf len0_self", "", "len0", 's', "", 0, TRUST_OK, NULL },
	{ "len0_sub", "", "len0", 's', "", 0, TRUST_OK, NULL },
	{ "len1_a_leaf len1_a len1", "", "root", 's', "", 0, TRUST_OK, NULL },
	{ "len1_b_leaf len1_b len1_a len1", "", "root", 's', "", 0, TRUST_BAD_CHAIN,
	    "\"CN=Length 1\": it allows 1" },
	{ "len1_b_leaf len1_b len1_a", "", "len1", 's', "", 0, TRUST_BAD_CHAIN,
	    "there are 2" },
	{ "deep_leaf8 deep1 deep2 deep3 deep4 deep5 deep6 deep7 deep8", "", "root", 's',
	    "", 0, TRUST_OK, NULL },
	{ "deep_leaf9 deep1 deep2 deep3 deep4 deep5 deep6 deep7 deep8 deep9", "", "root",
	    's', "", 0, TRUST_BAD_CHAIN, "more than 8 CAs" },
	{ "deep_leaf9 deep1 deep2 deep3 deep4 deep5 deep6 deep7 deep8 deep9", "", "deep1",
	    's', "", 0, TRUST_OK, NULL },
	/* Many certificates: what is beyond the sixteenth is not looked at. */
	{ "sub_leaf leaf leaf leaf leaf leaf leaf leaf leaf leaf leaf leaf leaf leaf leaf sub",
	    "", "root", 's', "", 0, TRUST_OK, NULL },
	{ "sub_leaf leaf leaf leaf leaf leaf leaf leaf leaf leaf leaf leaf leaf leaf leaf leaf sub",
	    "", "root", 's', "", 0, TRUST_UNKNOWN_CA, NULL },
};

/* Leaves, each judged below the CA with the constraints and one level further down. */
static const struct {
	const char *leaf;
	const char *says; /* NULL: allowed */
} constraint_rows[] = {
	{ "nc_ok", NULL },
	{ "nc_dns",
	    "the name DNS:evil.org, but its CA \"O=Test, CN=Constrained\" does not permit" },
	{ "nc_suffix", "DNS:evilexample.com" },
	{ "nc_dns_out", "excludes" },
	{ "nc_wild", "excludes" },
	{ "nc_ip", "IP:11.0.0.1" },
	{ "nc_ip_out", "excludes" },
	{ "nc_ip6", "IP:::1, but its CA \"O=Test, CN=Constrained\" does not permit" },
	{ "nc_email", "email:a@evil.org" },
	{ "nc_email_out", "excludes" },
	{ "nc_email_subject", "email:a@evil.org" },
	{ "nc_uri", "URI:https://evil.org" },
	{ "nc_uri_ip", "not understood" },
	{ "nc_uri_none", "not understood" },
	{ "nc_dir", "O=Elsewhere" },
	{ "nc_dir_out", "excludes" },
	{ "nc_cn", "DNS:evil.org" },
	{ "nc_cn_ok", NULL },
	{ "nc_cn_person", NULL },
};

static const struct row other_constraint_rows[] = {
	{ "nc_bad_sub_leaf nc_bad_sub nc", "", "root", 's', "", 0, TRUST_BAD_CHAIN,
	    "\"O=Elsewhere, CN=Sub\"" },
	{ "nc_other_leaf nc_other", "", "root", 's', "", 0, TRUST_BAD_CHAIN,
	    "(of the kind 0)" },
	{ "nc_other_free nc_other", "", "root", 's', "", 0, TRUST_OK, NULL },
	/* An anchor's constraints hold, too. */
	{ "nc_dns", "", "nc", 's', "", 0, TRUST_BAD_CHAIN, "evil.org" },
	{ "nc_ok", "", "nc", 's', "", 0, TRUST_OK, NULL },
};

START_TEST(pins)
{
	check_row(&pin_rows[_i]);
}
END_TEST

START_TEST(cas)
{
	check_row(&ca_rows[_i]);
}
END_TEST

START_TEST(forged)
{
	check_row(&forged_rows[_i]);
}
END_TEST

START_TEST(strength)
{
	check_row(&strength_rows[_i]);
}
END_TEST

START_TEST(rules)
{
	check_row(&rule_rows[_i]);
}
END_TEST

START_TEST(constraints)
{
	const char *leaf = constraint_rows[_i].leaf, *says = constraint_rows[_i].says;
	struct row r = { NULL, "", "root", 's', "", 0,
		says == NULL ? TRUST_OK : TRUST_BAD_CHAIN, says };
	char chain[128];

	r.chain = chain;
	snprintf(chain, sizeof(chain), "%s nc", leaf);
	check_row(&r);
	snprintf(chain, sizeof(chain), "%s_sub nc_sub nc", leaf);
	check_row(&r);
}
END_TEST

START_TEST(other_constraints)
{
	check_row(&other_constraint_rows[_i]);
}
END_TEST

/* The seconds at which a certificate begins and ceases to hold belong to its time. */
START_TEST(boundary_seconds)
{
	static const struct row pin = { "short", "short", "", 's', "", 0, TRUST_OK,
		NULL };
	static const struct row ca = { "sub_short_leaf sub_short", "", "root", 's', "", 0,
		TRUST_OK, NULL };
	const struct row *r = _i == 0 ? &pin : &ca;
	struct trust *t = make_trust(r->peers, r->cas);
	struct der der = certs_load(_i == 0 ? "short" : "sub_short_leaf");
	struct der end = certs_load(_i == 0 ? "short" : "sub_short");
	struct cert_info *info, *last;
	struct errmsg e;

	info = cert_info_new(&der, &e);
	last = cert_info_new(&end, &e);
	ck_assert_int_eq(judge_at(t, r, info->not_before, &e), TRUST_OK);
	ck_assert_int_eq(judge_at(t, r, info->not_before - 1, &e), TRUST_NOT_YET);
	ck_assert_int_eq(judge_at(t, r, last->not_after, &e), TRUST_OK);
	ck_assert_int_eq(judge_at(t, r, last->not_after + 1, &e), TRUST_EXPIRED);
	cert_info_free(info);
	cert_info_free(last);
	free(der.data);
	free(end.data);
	trust_free(t);
}
END_TEST

/*
 * Names.
 */

static const struct {
	const char *cert, *name;
	bool matches;
} name_rows[] = {
	{ "names", "exact.example.com", true },
	{ "names", "EXACT.example.COM", true },
	{ "names", "exact.example.com.", true },
	{ "names", "exact.example.com..", false },
	{ "names", ".exact.example.com", false },
	{ "names", "xexact.example.com", false },
	{ "names", "a.exact.example.com", false },
	{ "names", "example.com", false },
	{ "names", "a.wild.example.com", true },
	{ "names", "A.WILD.example.com", true },
	{ "names", "a.b.wild.example.com", false },
	{ "names", "wild.example.com", false },
	{ "names", ".wild.example.com", false },
	{ "names", "*.wild.example.com", false },
	{ "names", "a.com", false },
	{ "names", "*.com", false },
	{ "names", "a.b.two.example.com", false },
	{ "names", "*.b.two.example.com", false },
	{ "names", "foo.part.example.com", false },
	{ "names", "f*.part.example.com", false },
	{ "names", "dot.example.com", true },
	{ "names", "db01", true },
	{ "names", "db02", false },
	{ "names", "", false },
	{ "names", ".", false },
	{ "names", "192.0.2.1", true },
	{ "names", "192.0.2.1.", true },
	{ "names", "192.0.2.2", false },
	{ "names", "192.0.2.7", false },
	{ "names", "192.0.2.7.", false },
	{ "names", "2001:db8::1", true },
	{ "names", "2001:0DB8:0:0:0:0:0:1", true },
	{ "names", "2001:db8::2", false },
	{ "names", "::ffff:192.0.2.1", false },
	{ "names", "uri.example.com", false },
	{ "names", "mail.example.com", false },
	{ "names", "cn.example.com", false },
	{ "cn_only", "cn.example.com", true },
	{ "cn_only", "CN.EXAMPLE.COM.", true },
	{ "cn_only", "x.example.com", false },
	{ "cn_wild", "a.example.com", true },
	{ "cn_wild", "a.b.example.com", false },
	{ "cn_ip", "192.0.2.1", false },
	{ "cn_two", "a.example.com", false },
	{ "cn_two", "b.example.com", false },
	{ "cn_email_san", "cn.example.com", false },
	{ "no_subject", "a.example.com", true },
	{ "nul", "good.example.com", false },
	{ "nul", "evil.org", false },
	{ "nul_cn", "good.example.com", false },
};

START_TEST(names)
{
	struct der der = certs_load(name_rows[_i].cert);
	char *exact = strdup(name_rows[_i].name); /* so that a sanitizer sees its end */

	ck_assert_msg(trust_name_matches(&der, exact) == name_rows[_i].matches,
	    "%s and \"%s\"", name_rows[_i].cert, exact);
	free(exact);
	free(der.data);
}
END_TEST

START_TEST(long_name)
{
	struct der der = certs_load("names");
	char name[400];

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert(!trust_name_matches(&der, name));
	free(der.data);
}
END_TEST

/*
 * What the operator configures.
 */

START_TEST(configuring)
{
	struct trust *t = trust_new();
	struct errmsg e;

	ck_assert(trust_is_empty(t) && !trust_has_cas(t));
	ck_assert_int_eq(trust_add_peers(t, certs_path("nothing", ".pem"), &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "nothing.pem"));
	ck_assert_int_eq(trust_add_peers(t, certs_path("rsa1024", ".pem"), &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "rsa1024.pem"));
	ck_assert_ptr_nonnull(strstr(e.text, "1024 bits"));
	ck_assert_int_eq(trust_add_peers(t, certs_path("sha1_self", ".pem"), &e), -1);
	ck_assert(trust_is_empty(t));
	ck_assert_int_eq(trust_add_cas(t, certs_path("nothing", ".pem"), &e), -1);
	ck_assert(trust_is_empty(t));
	/* Trusted exactly is not a CA. */
	ck_assert_int_eq(trust_add_cas(t, certs_path("self_leaf", ".pem"), &e), 0);
	ck_assert(!trust_is_empty(t) && !trust_has_cas(t));
	ck_assert_int_eq(trust_add_cas(t, certs_path("root", ".pem"), &e), 0);
	ck_assert(trust_has_cas(t));
	ck_assert_int_eq(trust_add_cas(t, certs_path("rsa1024", ".pem"), &e), 1);
	ck_assert_ptr_nonnull(strstr(e.text, "1024 bits"));
	trust_free(t);

	t = trust_new();
	ck_assert_int_eq(trust_add_peers(t, certs_path("leaf", ".pem"), &e), 0);
	ck_assert(!trust_is_empty(t) && !trust_has_cas(t));
	trust_free(t);
	trust_free(NULL);
}
END_TEST

START_TEST(verdict_texts)
{
	ck_assert_str_eq(trust_verdict_text(TRUST_OK), "accepted");
	ck_assert_str_eq(
	    trust_verdict_text(TRUST_WRONG_NAME), "certificate names another host");
}
END_TEST

/*
 * Damaged certificates.
 */

static uint32_t
next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Changes some bytes, or cuts, or both; in memory of exactly the size, so that reading
 * past its end is found. */
static struct der
damage(const struct der *from, uint32_t *state)
{
	struct der der = { NULL, from->len };
	uint32_t i, flips;

	if (next_random(state) % 4 == 0)
		der.len = next_random(state) % from->len;
	flips =
	    der.len == from->len ? 1 + next_random(state) % 3 : next_random(state) % 2;
	der.data = malloc(der.len > 0 ? der.len : 1);
	memcpy(der.data, from->data, der.len);
	/* Headers are at the front: half of the changes go there. */
	for (i = 0; i < flips && der.len > 0; i++)
		der.data[next_random(state) % (i % 2 == 0 ? der.len : der.len / 2 + 1)] ^=
		    (unsigned char)(1u << next_random(state) % 8);
	if (der.len == from->len && memcmp(der.data, from->data, der.len) == 0)
		der.data[der.len / 2] ^= 1;
	return der;
}

static void
judge_damaged(
    const struct trust *pin, const struct trust *ca, struct der *chain, size_t n)
{
	struct cert_info *info;
	struct errmsg e;

	ck_assert_int_ne(
	    trust_judge(pin, chain, n, true, NULL, 0, time(NULL), &e), TRUST_OK);
	ck_assert_int_ne(
	    trust_judge(ca, chain, n, true, NULL, 0, time(NULL), &e), TRUST_OK);
	info = cert_info_new(&chain[0], &e);
	cert_info_free(info);
	(void)cert_strong(&chain[0], &e);
	(void)trust_name_matches(&chain[0], "localhost");
}

/* The certificates have between them all extensions, kinds of names and of keys. */
START_TEST(damaged_leaf)
{
	static const char *const leaves[] = { "self_leaf", "nc_ok_sub", "by_rsa_pss" };
	struct trust *pin = make_trust("self_leaf leaf nc_ok_sub by_rsa_pss", "");
	struct trust *ca = make_trust("", "root rsa self_leaf");
	struct der good, chain[3];
	uint32_t state = 20260101 + (uint32_t)_i;
	size_t i;

	good = certs_load(leaves[_i]);
	chain[1] = certs_load("nc_sub");
	chain[2] = certs_load("nc");
	for (i = 0; i < 400; i++) {
		chain[0] = damage(&good, &state);
		judge_damaged(pin, ca, chain, 3);
		free(chain[0].data);
	}
	free(good.data);
	free(chain[1].data);
	free(chain[2].data);
	trust_free(pin);
	trust_free(ca);
}
END_TEST

START_TEST(damaged_issuer)
{
	static const char *const leaves[] = { "nc_ok_sub", "sub2_leaf" };
	static const char *const subs[] = { "nc_sub", "sub2" };
	static const char *const tops[] = { "nc", "sub" };
	struct trust *ca = make_trust("", "root");
	struct der chain[3], good[2];
	uint32_t state = 20260601 + (uint32_t)_i;
	struct errmsg e;
	size_t i, which;

	chain[0] = certs_load(leaves[_i]);
	good[0] = chain[1] = certs_load(subs[_i]);
	good[1] = chain[2] = certs_load(tops[_i]);
	ck_assert_int_eq(
	    trust_judge(ca, chain, 3, true, NULL, 0, time(NULL), &e), TRUST_OK);
	for (i = 0; i < 400; i++) {
		which = i % 2;
		chain[1 + which] = damage(&good[which], &state);
		ck_assert_int_ne(
		    trust_judge(ca, chain, 3, true, NULL, 0, time(NULL), &e), TRUST_OK);
		free(chain[1 + which].data);
		chain[1 + which] = good[which];
	}
	for (i = 0; i < 3; i++)
		free(chain[i].data);
	trust_free(ca);
}
END_TEST

/* Changes that leave the certificate readable at a glance. */
static const struct {
	const char *cert;
	const char *from, *to; /* bytes in hexadecimal */
	const char *says;
} malformed_rows[] = {
	{ "self_leaf", "a003020102", "a003020100", "unexpected behind its key" },
	{ "self_leaf", "a003020102", "a003020103", "version" },
	{ "self_leaf", "06082a8648ce3d04030230", "06082a8648ce3d04030330",
	    "two signature" },
	{ "policy", "0603551d1f", "0603551d20", "the same extension twice" },
	{ "self_ca", "0101ff", "010101", "extensions cannot be read" },
	{ "self_leaf", "82096c6f63616c", "87096c6f63616c", "subjectAltName" },
	{ "plain_server", "0603551d25", "0603551d13", "basicConstraints" },
	{ "self_leaf", "0603551d0f", "0603551d25", "extendedKeyUsage" },
	{ "self_leaf", "0603551d25", "0603551d1e", "nameConstraints" },
	{ "self_ca", "0603551d0e", "0603551d23", "authorityKeyIdentifier" },
	{ "self_ca", "0603551d0e", "0603551d0f", "keyUsage" },
};

static size_t
from_hex(const char *hex, unsigned char *bytes)
{
	size_t n;
	unsigned v;

	for (n = 0; sscanf(hex + 2 * n, "%2x", &v) == 1; n++)
		bytes[n] = (unsigned char)v;
	return n;
}

START_TEST(malformed)
{
	struct trust *t = make_trust("self_leaf", "");
	struct der der = certs_load(malformed_rows[_i].cert);
	unsigned char from[16], to[16], *at;
	size_t n = from_hex(malformed_rows[_i].from, from);
	struct errmsg why;

	ck_assert_uint_eq(from_hex(malformed_rows[_i].to, to), n);
	at = memmem(der.data, der.len, from, n);
	ck_assert_ptr_nonnull(at);
	memcpy(at, to, n);
	ck_assert_msg(
	    trust_judge(t, &der, 1, true, NULL, 0, time(NULL), &why) == TRUST_MALFORMED,
	    "%s", why.text);
	ck_assert_msg(strstr(why.text, malformed_rows[_i].says) != NULL, "%s", why.text);
	free(der.data);
	trust_free(t);
}
END_TEST

START_TEST(trailing_byte)
{
	struct trust *t = make_trust("self_leaf", "");
	struct der der = certs_load("self_leaf");
	struct errmsg why;

	der.data = realloc(der.data, der.len + 1);
	der.data[der.len++] = 0;
	ck_assert_int_eq(
	    trust_judge(t, &der, 1, true, NULL, 0, time(NULL), &why), TRUST_MALFORMED);
	free(der.data);
	trust_free(t);
}
END_TEST

/* A chain made to keep us busy: all have one name and claim one issuer. */
START_TEST(tangled)
{
	struct trust *t = make_trust("", "root");
	struct der chain[24], clone = certs_load("clone"), leaf = certs_load("evil_leaf");
	struct timespec begin, end;
	struct errmsg why;
	size_t i;

	chain[0] = leaf;
	for (i = 1; i < COUNT(chain); i++) {
		chain[i].len = clone.len;
		chain[i].data = malloc(clone.len);
		memcpy(chain[i].data, clone.data, clone.len);
		chain[i].data[clone.len - 1] = (unsigned char)i;
	}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
	ck_assert_int_eq(
	    trust_judge(t, chain, COUNT(chain), true, NULL, 0, time(NULL), &why),
	    TRUST_UNKNOWN_CA);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	/* It takes some milliseconds; without bounds it would take days. */
	ck_assert_int_lt(end.tv_sec - begin.tv_sec, 20);
	for (i = 0; i < COUNT(chain); i++)
		free(chain[i].data);
	free(clone.data);
	trust_free(t);
}
END_TEST

/*
 * Several threads with one trust.
 */

static const struct row thread_rows[] = {
	{ "leaf", "", "", 's', "leaf.example.com", 0, TRUST_OK, NULL },
	{ "sub2_leaf sub sub2", "", "", 's', "", 0, TRUST_OK, NULL },
	{ "by_rsa_pss", "", "", 's', "", 0, TRUST_OK, NULL },
	{ "by_ed25519", "", "", 's', "", 0, TRUST_OK, NULL },
	{ "evil_leaf evil", "", "", 's', "", 0, TRUST_UNKNOWN_CA, NULL },
	{ "code_leaf sub_code", "", "", 's', "", 0, TRUST_WRONG_USE, NULL },
	{ "nc_dns_sub nc_sub nc", "", "", 's', "", 0, TRUST_BAD_CHAIN, NULL },
};

static void *
judge_for_a_while(void *arg)
{
	const struct trust *t = arg;
	struct errmsg why;
	size_t i, wrong = 0;

	for (i = 0; i < 10 * COUNT(thread_rows); i++) {
		const struct row *r = &thread_rows[i % COUNT(thread_rows)];

		if (judge_at(t, r, time(NULL), &why) != r->verdict)
			wrong++;
	}
	return (void *)(uintptr_t)wrong;
}

START_TEST(threads)
{
	struct trust *t = make_trust("", "root rsa ed25519");
	pthread_t ids[4];
	void *wrong;
	size_t i;

	for (i = 0; i < COUNT(ids); i++)
		ck_assert_int_eq(pthread_create(&ids[i], NULL, judge_for_a_while, t), 0);
	for (i = 0; i < COUNT(ids); i++) {
		pthread_join(ids[i], &wrong);
		ck_assert_uint_eq((uintptr_t)wrong, 0);
	}
	trust_free(t);
}
END_TEST

static Suite *
trust_suite(void)
{
	Suite *s = suite_create("trust");
	TCase *t = tcase_create("judge");

#define ROWS(test, rows) tcase_add_loop_test(t, test, 0, (int)COUNT(rows))
	ROWS(pins, pin_rows);
	ROWS(cas, ca_rows);
	ROWS(forged, forged_rows);
	ROWS(strength, strength_rows);
	ROWS(rules, rule_rows);
	ROWS(constraints, constraint_rows);
	ROWS(other_constraints, other_constraint_rows);
	tcase_add_loop_test(t, boundary_seconds, 0, 2);
	suite_add_tcase(s, t);

	t = tcase_create("names");
	ROWS(names, name_rows);
	tcase_add_test(t, long_name);
	suite_add_tcase(s, t);

	t = tcase_create("configuration");
	tcase_add_test(t, configuring);
	tcase_add_test(t, verdict_texts);
	suite_add_tcase(s, t);

	t = tcase_create("abuse");
	tcase_add_loop_test(t, damaged_leaf, 0, 3);
	tcase_add_loop_test(t, damaged_issuer, 0, 2);
	ROWS(malformed, malformed_rows);
	tcase_add_test(t, trailing_byte);
	tcase_add_test(t, tangled);
	tcase_add_test(t, threads);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	SRunner *r = srunner_create(trust_suite());
	int failed = 1;

	if (certs_make() == 0) {
		make_changed_certs();
		srunner_run_all(r, CK_NORMAL);
		failed = srunner_ntests_failed(r);
	}
	certs_remove();
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
