/* PKCS#12 files: a certificate, its chain and its key in one, under a passphrase. */
#include <wolfssl/options.h>

#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/memory.h>
#include <wolfssl/wolfcrypt/pkcs12.h>

#include "tls/locked_priv.h"
#include "tls/x509_priv.h"

/* What the library gives back. */
struct parsed {
	byte *key, *cert;
	word32 keylen, certlen;
	WC_DerCertList *others;
};

bool
pkcs12_is(const char *data, size_t n)
{
	struct span all = { (const unsigned char *)data, n }, body, version;

	return asn1_take(&all, TAG_SEQUENCE, &body) &&
	    asn1_take(&body, TAG_INTEGER, &version) && version.n == 1 && version.p[0] == 3 &&
	    asn1_ahead(&body, TAG_SEQUENCE);
}

static int
copy(struct der *to, const byte *p, size_t n)
{
	if ((to->data = malloc(n)) == NULL)
		return -1;
	memcpy(to->data, p, n);
	to->len = n;
	return 0;
}

/* The one among the others that issued the last of the chain, unless that is its own issuer. */
static const WC_DerCertList *
issuer_of(const struct der *last, const WC_DerCertList *others)
{
	struct x509 c, up;

	if (x509_parse(&c, last->data, last->len) != NULL || x509_self_issued(&c))
		return NULL;
	for (; others != NULL; others = others->next)
		if (x509_parse(&up, others->buffer, others->bufferSz) == NULL &&
		    span_equal(up.subject, c.issuer))
			return others;
	return NULL;
}

/* The chain in its order, whatever that of the file; what does not belong to it stays behind. */
static int
take_chain(const struct parsed *p, struct der_list *l)
{
	const WC_DerCertList *up;
	size_t most = 1;

	for (up = p->others; up != NULL; up = up->next)
		most++;
	if ((l->items = calloc(most, sizeof(*l->items))) == NULL)
		return -1;
	if (copy(&l->items[l->n++], p->cert, p->certlen) == -1)
		return -1;
	while (l->n < most && (up = issuer_of(&l->items[l->n - 1], p->others)) != NULL)
		if (copy(&l->items[l->n++], up->buffer, up->bufferSz) == -1)
			return -1;
	return 0;
}

static int
explain(const char *file, const char *data, size_t n, const struct der *pass, struct errmsg *e)
{
	const char *cipher = locked_cipher((const unsigned char *)data, n);

	if (cipher != NULL)
		return errmsg_set(e,
		    "%s: this PKCS#12 file is encrypted with %s, which is not there; "
		    "\"openssl pkcs12 -legacy -in %s -nodes -out NEW\" makes a PEM file of it",
		    file, cipher, file);
	if (pass == NULL)
		errmsg_set(e,
		    "%s: this PKCS#12 file has a passphrase: write it to a file that only "
		    "sluss may read and name that as keyPass",
		    file);
	else
		errmsg_set(e,
		    "%s: this PKCS#12 file cannot be opened: keyPass names a file with another "
		    "passphrase, or it is damaged; \"openssl pkcs12 -in %s -noout\" asks for the "
		    "passphrase and tells",
		    file, file);
	return CERT_LOCKED;
}

static int
open_file(const char *data, size_t n, const struct der *pass, struct parsed *p)
{
	WC_PKCS12 *file = wc_PKCS12_new();
	int rc = -1;

	*p = (struct parsed){ .key = NULL };
	if (file != NULL && wc_d2i_PKCS12((const byte *)data, (word32)n, file) == 0)
		rc = wc_PKCS12_parse_ex(file, pass == NULL ? "" : (const char *)pass->data,
		    &p->key, &p->keylen, &p->cert, &p->certlen, &p->others, 1);
	wc_PKCS12_free(file);
	return rc == 0 ? 0 : -1;
}

static void
free_parsed(struct parsed *p)
{
	if (p->key != NULL)
		wc_ForceZero(p->key, p->keylen);
	XFREE(p->key, NULL, DYNAMIC_TYPE_PUBLIC_KEY);
	XFREE(p->cert, NULL, DYNAMIC_TYPE_PKCS);
	wc_FreeCertList(p->others, NULL);
}

int
pkcs12_read(const char *file, const char *data, size_t n, const struct der *pass,
    struct der_list *l, struct der *key, struct errmsg *e)
{
	struct parsed p;
	int rc = -1;

	*l = (struct der_list){ NULL, 0 };
	*key = (struct der){ NULL, 0 };
	if (open_file(data, n, pass, &p) == -1)
		return explain(file, data, n, pass, e);
	if (p.key == NULL || p.cert == NULL)
		errmsg_set(e,
		    "%s: there must be a private key and its certificate in this PKCS#12 file; "
		    "\"openssl pkcs12 -info -nokeys -in %s\" shows what there is",
		    file, file);
	else if (take_chain(&p, l) == -1 || copy(key, p.key, p.keylen) == -1)
		errmsg_set(e, "%s: out of memory", file);
	else
		rc = 0;
	free_parsed(&p);
	if (rc == -1)
		der_list_free(l);
	return rc;
}
