/* Our own certificates and keys. */
#include "own_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "passphrase_priv.h"

static int
find_kind(const struct der *leaf, enum family *family, const struct own_kind **kind,
    struct errmsg *e)
{
	const char *wrong;
	struct pubkey k;
	struct x509 c;

	if ((wrong = x509_parse(&c, leaf->data, leaf->len)) != NULL)
		return errmsg_set(e, "the certificate is malformed: %s", wrong);
	if (pubkey_read(&c, &k, e) == -1)
		return -1;
	/* One type to those who choose, as it is to OpenSSL. */
	*family = k.family == FAMILY_RSA_PSS ? FAMILY_RSA : k.family;
	*kind = own_kind(k.family == FAMILY_ED25519 ? KIND_ED25519
	    : k.family == FAMILY_RSA_PSS    ? KIND_PSS
	    : k.family == FAMILY_RSA        ? KIND_RSA
	    : k.curve == ECC_SECP384R1      ? KIND_P384
	    : k.curve == ECC_SECP521R1      ? KIND_P521
					    : KIND_P256);
	return 0;
}

static void
warn_loose(const struct tls_policy *p, const char *what, const char *file)
{
	log_line(LOG_WARNING, "main", "Service [%s] the %s in %s can be read by others; run: "
	    "chmod 600 %s", p->service, what, file, file);
}

/* The passphrase, if there is a file of it. */
static int
load_pass(const struct tls_policy *p, struct der *pass, struct errmsg *e)
{
	int loose;

	*pass = (struct der){ NULL, 0 };
	if (p->key_pass == NULL)
		return 0;
	if (cert_read_pass(p->key_pass, pass, &loose, e) == -1)
		return -1;
	if (loose)
		warn_loose(p, "passphrase", p->key_pass);
	return 0;
}

static void
forget(struct own *o)
{
	cert_free_secret(o->key.data, o->key.len);
	der_list_free(&o->chain);
	*o = (struct own){ .file = NULL };
}

/* Reads a certificate with the key in a file (NULL: its own). */
static int
load(struct own *o, const char *cert, const char *key, const struct der *pass, struct errmsg *e)
{
	*o = (struct own){ .file = cert, .key_file = key != NULL ? key : cert };
	return passphrase_load(cert, key, pass->data != NULL ? pass : NULL, &o->chain, &o->key,
	    &o->loose, e);
}

/* The certificates back to back, as the library wants a DER chain. */
static int
use_chain(WOLFSSL_CTX *ctx, const struct der_list *chain)
{
	unsigned char *all;
	size_t len = 0;
	int rc;

	for (size_t i = 0; i < chain->n; i++)
		len += chain->items[i].len;
	if ((all = malloc(len)) == NULL)
		return -1;
	len = 0;
	for (size_t i = 0; i < chain->n; i++) {
		memcpy(all + len, chain->items[i].data, chain->items[i].len);
		len += chain->items[i].len;
	}
	rc = wolfSSL_CTX_use_certificate_chain_buffer_format(ctx, all, (long)len,
	    WOLFSSL_FILETYPE_ASN1);
	free(all);
	return rc == WOLFSSL_SUCCESS ? 0 : -1;
}

int
own_use(WOLFSSL_CTX *ctx, const struct own *o, struct errmsg *e)
{
	if (use_chain(ctx, &o->chain) == -1)
		return errmsg_set(e, "%s: wolfSSL does not accept this certificate chain", o->file);
	if (wolfSSL_CTX_use_PrivateKey_buffer(ctx, o->key.data, (long)o->key.len,
	    WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS)
		return errmsg_set(e, "%s: wolfSSL does not accept this private key "
		    "(ECDSA P-256 or larger, Ed25519 or RSA from 2048 bits is wanted)", o->key_file);
	if (wolfSSL_CTX_check_private_key(ctx) != WOLFSSL_SUCCESS)
		return errmsg_set(e, "the private key in %s does not belong to the certificate "
		    "in %s; name the matching pair with --key and --cert", o->key_file, o->file);
	return 0;
}

/* Whether the key is the certificate's; the library knows, of a context. */
static bool
belong_together(const struct own *o)
{
	WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
	struct errmsg why;
	bool yes = ctx != NULL && own_use(ctx, o, &why) == 0;

	wolfSSL_CTX_free(ctx);
	return yes;
}

/* By itself, whatever its key. */
static int
judge(struct own *o, struct errmsg *e)
{
	const struct der *leaf = &o->chain.items[0];

	if (cert_strong(leaf, e) == -1 || find_kind(leaf, &o->family, &o->kind, e) == -1)
		return errmsg_prefix(e, "%s", o->file);
	return 0;
}

/* Of several keys the one that belongs to the certificate: in its own file, or one of those that
 * are named. */
static int
find_pair(struct own *o, const struct tls_policy *p, const char *cert, const struct der *pass,
    struct errmsg *e)
{
	struct errmsg why;
	bool read;

	for (size_t i = 0; i <= p->nkeys; i++) {
		read = load(o, cert, i == 0 ? NULL : p->keys[i - 1], pass, i == 0 ? e : &why) == 0;
		if (read && judge(o, e) == -1)
			return -1;
		if (read && belong_together(o))
			return 0;
		if (read && p->nkeys == 0)
			return errmsg_set(e, "the private key in %s does not belong to the "
			    "certificate in it", cert);
		forget(o);
	}
	if (p->nkeys == 0)
		return -1;
	return errmsg_set(e, "%s: none of the private keys that key names belongs to this "
	    "certificate (%s%s): add a line key = FILE with its own", cert, p->keys[0],
	    p->nkeys > 1 ? ", …" : "");
}

static int
read_one(struct own *o, const struct tls_policy *p, const char *cert, const struct der *pass,
    struct errmsg *e)
{
	if (p->ncerts > 1 || p->nkeys > 1)
		return find_pair(o, p, cert, pass, e);
	if (load(o, cert, p->nkeys > 0 ? p->keys[0] : NULL, pass, e) == -1)
		return -1;
	return judge(o, e);
}

/* Takes one into the list, at the place of one with the same type of key. */
static void
take(struct own_list *l, const struct own *o, const struct tls_policy *p)
{
	size_t i;

	for (i = 0; i < l->n && l->items[i].family != o->family; i++)
		;
	if (i < l->n) {
		log_line(LOG_WARNING, "main", "Service [%s] the certificate in %s counts no more: "
		    "of each type of key there can be one, the last, which is that in %s", p->service,
		    l->items[i].file, o->file);
		forget(&l->items[i]);
	} else
		l->n++;
	l->items[i] = *o;
}

/* What the section asks of the certificates that count. */
static int
judge_level(const struct own_list *l, unsigned level, struct errmsg *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (cert_level(&l->items[i].chain.items[0], level, e) == -1)
			return errmsg_prefix(e, "%s", l->items[i].file);
	return 0;
}

int
own_read(struct own_list *l, const struct tls_policy *p, struct errmsg *e)
{
	struct der pass;
	struct own o;

	l->n = 0;
	if (load_pass(p, &pass, e) == -1)
		return -1;
	for (size_t i = 0; i < p->ncerts; i++) {
		if (read_one(&o, p, p->certs[i], &pass, e) == -1) {
			forget(&o);
			goto err;
		}
		take(l, &o, p);
	}
	if (judge_level(l, p->level, e) == -1)
		goto err;
	cert_free_secret(pass.data, pass.len);
	for (size_t i = 0; i < l->n; i++)
		if (l->items[i].loose)
			warn_loose(p, "private key", l->items[i].key_file);
	return 0;

err:
	cert_free_secret(pass.data, pass.len);
	own_free(l);
	return -1;
}

void
own_free(struct own_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		forget(&l->items[i]);
	l->n = 0;
}
