/* What goes into a context, as one number. */
#include "context_priv.h"

#include <string.h>

#include <wolfssl/wolfcrypt/hash.h>

#include "trust_priv.h"

/* A hash of parts, each with its length in front, so that no two lists are one text. */
struct digest {
	wc_Sha256 hash;
	bool bad;
};

static void
add(struct digest *d, const void *p, size_t n)
{
	const unsigned char len[4] = { (unsigned char)(n >> 24), (unsigned char)(n >> 16),
		(unsigned char)(n >> 8), (unsigned char)n };

	d->bad = d->bad || wc_Sha256Update(&d->hash, len, sizeof(len)) != 0 ||
	    (n > 0 && wc_Sha256Update(&d->hash, p, (word32)n) != 0);
}

/* As eight bytes, whatever the machine: hosts compare them. */
static void
add_number(struct digest *d, size_t n)
{
	unsigned char p[8];

	for (int i = 7; i >= 0; i--, n >>= 8)
		p[i] = (unsigned char)(n & 0xff);
	add(d, p, sizeof(p));
}

static void
add_names(struct digest *d, const char *const *names, size_t n)
{
	add_number(d, n);
	for (size_t i = 0; i < n; i++)
		add(d, names[i], strlen(names[i]));
}

static int
add_file(struct digest *d, const char *file, struct errmsg *e)
{
	char *data;
	size_t len;

	add_number(d, file != NULL);
	if (file == NULL)
		return 0;
	if (cert_read_file(file, &data, &len, e) == -1)
		return -1;
	add(d, data, len);
	cert_free_secret(data, len);
	return 0;
}

static int
add_files(struct digest *d, const char *const *files, size_t n, struct errmsg *e)
{
	add_number(d, n);
	for (size_t i = 0; i < n; i++)
		if (add_file(d, files[i], e) == -1)
			return -1;
	return 0;
}

static void
add_trust(struct digest *d, const struct trust *t)
{
	add_number(d, t != NULL);
	if (t == NULL)
		return;
	add_number(d, t->chain);
	add_number(d, t->pinned);
	add_number(d, t->level);
	add_number(d, t->depth);
	add_number(d, t->by_rules);
	add_number(d, t->nrules);
	for (size_t i = 0; i < t->nrules; i++) {
		add_number(d, t->rules[i]->deny);
		add(d, t->rules[i]->text, strlen(t->rules[i]->text));
	}
	add_number(d, t->npeers);
	for (size_t i = 0; i < t->npeers; i++)
		add(d, t->peers[i], sizeof(t->peers[i]));
	add_number(d, t->nanchors);
	for (size_t i = 0; i < t->nanchors; i++)
		add(d, t->anchors[i].der.data, t->anchors[i].der.len);
}

static void
add_settings(struct digest *d, const struct tls_policy *p)
{
	add_number(d, p->server);
	add_number(d, p->min);
	add_number(d, p->max);
	add_names(d, p->suites12, p->nsuites12);
	add_names(d, p->suites13, p->nsuites13);
	add_names(d, p->groups, p->ngroups);
	add_number(d, p->client_order);
	add_names(d, p->protocols, p->nprotocols);
	add_number(d, p->require_protocol);
	add_number(d, p->level);
	add_number(d, p->ask);
	add_number(d, p->insecure);
	add_number(d, p->outcasts);
	add_number(d, p->staple);
	add_names(d, &p->psk_identity, p->psk_identity != NULL);
}

static void
add_text(struct digest *d, const char *s)
{
	add_names(d, &s, s != NULL);
}

static void
add_resume(struct digest *d, const struct tls_resume *r)
{
	add_number(d, r->on);
	add_number(d, r->size);
	add_number(d, r->seconds);
	add_text(d, r->key_secret);
	add_text(d, r->mac_secret);
}

int
tls_rules_digest(const struct tls_policy *p, unsigned char digest[TLS_DIGEST], struct errmsg *e)
{
	struct digest d = { .bad = false };

	if (wc_InitSha256(&d.hash) != 0)
		return errmsg_set(e, "out of memory");
	add_number(&d, p->ask);
	add_number(&d, p->insecure);
	add_number(&d, p->outcasts);
	add_trust(&d, p->trust);
	if (d.bad || wc_Sha256Final(&d.hash, digest) != 0)
		d.bad = true;
	wc_Sha256Free(&d.hash);
	return d.bad ? errmsg_set(e, "wolfSSL cannot hash") : 0;
}

int
tls_policy_digest(const struct tls_policy *p, unsigned char digest[TLS_DIGEST],
    struct errmsg *e)
{
	struct digest d = { .bad = false };
	int rc = -1;

	_Static_assert(TLS_DIGEST == WC_SHA256_DIGEST_SIZE, "it is a SHA-256");
	if (wc_InitSha256(&d.hash) != 0)
		return errmsg_set(e, "out of memory");
	add_settings(&d, p);
	add_trust(&d, p->trust);
	add_resume(&d, &p->resume);
	if (add_files(&d, p->certs, p->ncerts, e) == -1 ||
	    add_files(&d, p->keys, p->nkeys, e) == -1 ||
	    add_file(&d, p->key_pass, e) == -1 || add_file(&d, p->resume.key_file, e) == -1 ||
	    add_file(&d, p->psk_secrets, e) == -1)
		goto out;
	if (d.bad || wc_Sha256Final(&d.hash, digest) != 0)
		errmsg_set(e, "wolfSSL cannot hash");
	else
		rc = 0;
out:
	wc_Sha256Free(&d.hash);
	return rc;
}

const unsigned char *
tls_context_digest(const struct tls_context *c)
{
	return c->digest;
}
