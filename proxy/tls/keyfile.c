#include <wolfssl/options.h>

#include <string.h>

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include "tls/certfile_priv.h"
#include "tls/locked_priv.h"
#include "tls/pem_priv.h"

/* Private keys in files. */

static bool
is_rsa_key(const struct der *der)
{
	word32 at = 0;
	RsaKey key;
	bool is;

	if (wc_InitRsaKey(&key, NULL) != 0)
		return false;
	is = wc_RsaPrivateKeyDecode(der->data, &at, &key, (word32)der->len) == 0;
	wc_FreeRsaKey(&key);
	return is;
}

static bool
is_ec_key(const struct der *der)
{
	word32 at = 0;
	ecc_key key;
	bool is;

	if (wc_ecc_init(&key) != 0)
		return false;
	is = wc_EccPrivateKeyDecode(der->data, &at, &key, (word32)der->len) == 0;
	wc_ecc_free(&key);
	return is;
}

static bool
is_ed25519_key(const struct der *der)
{
	word32 at = 0;
	ed25519_key key;
	bool is;

	if (wc_ed25519_init(&key) != 0)
		return false;
	is = wc_Ed25519PrivateKeyDecode(der->data, &at, &key, (word32)der->len) == 0;
	wc_ed25519_free(&key);
	return is;
}

static bool
is_key(const struct pem_block *b, const struct der *der)
{
	if (pem_is(b, "RSA PRIVATE KEY"))
		return is_rsa_key(der);
	if (pem_is(b, "EC PRIVATE KEY"))
		return is_ec_key(der);
	return is_rsa_key(der) || is_ec_key(der) || is_ed25519_key(der);
}

/* An old encrypted key has its cipher in its headers. */
static int
refuse_old(const struct pem_block *b, const char *file, struct errmsg *e)
{
	return errmsg_set(e,
	    "%s: line %zu: the key is encrypted in OpenSSL's old format (DEK-Info), which "
	    "rests on MD5 and cannot be read; \"openssl pkey -in %s -aes256 -out NEW\" makes "
	    "a copy in the new one, for keyPass",
	    file, b->line, file);
}

static int
refuse_locked(const struct pem_block *b, const char *file, struct errmsg *e)
{
	errmsg_set(e,
	    "%s: line %zu: the key is encrypted, and nobody could type its passphrase: name "
	    "a file that holds it with keyPass; or \"openssl pkey -in %s -out NEW\" makes a "
	    "copy that is not",
	    file, b->line, file);
	return CERT_LOCKED;
}

/* Reads the key of a block with one of the four labels.  Returns as cert_load_own(), like all below. */
static int
take_key(const struct pem_block *b, const char *file, const struct der *pass,
    struct der *der, struct errmsg *e)
{
	bool locked = pem_is(b, "ENCRYPTED PRIVATE KEY");
	int rc = -1;

	if (b->encrypted)
		return refuse_old(b, file, e);
	if (locked && pass == NULL)
		return refuse_locked(b, file, e);
	if (!locked && !pem_is(b, "PRIVATE KEY") && !pem_is(b, "EC PRIVATE KEY") &&
	    !pem_is(b, "RSA PRIVATE KEY"))
		return errmsg_set(e,
		    "%s: line %zu: a key in the format \"%.*s\" cannot be used; "
		    "\"openssl pkey -in %s -out NEW\" may convert it, \"sluss keygen\" makes "
		    "a new one",
		    file, b->line, (int)(b->label_len > 40 ? 40 : b->label_len), b->label,
		    file);
	if (pem_decode(b, der, e) == -1)
		return errmsg_prefix(e, "%s", file);
	if (locked && (rc = locked_open(der, pass, file, e)) != 0)
		errmsg_prefix(e, "%s: line %zu", file, b->line);
	else if (is_key(b, der))
		return 0;
	else
		errmsg_set(e,
		    "%s: line %zu: the key is damaged, or of a kind that cannot be "
		    "used (RSA from 2048 bits, ECDSA from P-256, Ed25519); \"openssl pkey "
		    "-in %s -noout -text -check\" tells more, \"sluss keygen\" makes a new "
		    "one",
		    file, b->line, file);
	cert_free_secret(der->data, der->len);
	*der = (struct der){ NULL, 0 };
	return rc == 0 ? -1 : rc;
}

/* Whether the label is that of a private key of any format. */
static bool
is_key_label(const struct pem_block *b)
{
	static const char end[] = "PRIVATE KEY";
	size_t n = sizeof(end) - 1;

	return b->label_len >= n && memcmp(b->label + b->label_len - n, end, n) == 0;
}

static int
find_key(const char *file, const char *data, size_t len, const struct der *pass,
    struct der *der, struct errmsg *e)
{
	struct pem_reader r = pem_start(data, len);
	struct pem_block b;
	int more;

	while ((more = pem_next(&r, &b, e)) == 1)
		if (is_key_label(&b))
			return take_key(&b, file, pass, der, e);
	if (more == -1)
		return errmsg_prefix(e, "%s", file);
	if (certfile_is_der(data, len))
		return errmsg_set(e,
		    "%s: this is DER, not PEM; \"openssl pkey -inform DER "
		    "-in %s -out NEW\" converts a key",
		    file, file);
	return errmsg_set(e,
	    "%s: there is no private key in this file; name the file that "
	    "has it, or add it with \"cat KEY >> %s\"",
	    file, file);
}

static int
load_key(const char *file, const struct der *pass, struct der *der, int *loose,
    struct errmsg *e)
{
	mode_t mode;
	size_t len;
	char *data;
	int result;

	*der = (struct der){ NULL, 0 };
	if (certfile_read(file, &data, &len, &mode, e) == -1)
		return -1;
	*loose = (mode & (S_IRGRP | S_IROTH)) != 0;
	result = find_key(file, data, len, pass, der, e);
	cert_free_secret(data, len);
	return result;
}

int
cert_load_key(const char *file, struct der *der, int *loose, struct errmsg *e)
{
	return load_key(file, NULL, der, loose, e) == 0 ? 0 : -1;
}

/* PKCS12_HAD: it was a PKCS#12 file, and all is had; 0: it is none. */
#define PKCS12_HAD 2
static int
load_pkcs12(const char *file, const char *other, const struct der *pass,
    struct der_list *chain, struct der *key, int *loose, struct errmsg *e)
{
	mode_t mode;
	size_t len;
	char *data;
	int rc = 0;

	if (certfile_read(file, &data, &len, &mode, e) == -1)
		return -1;
	*loose = (mode & (S_IRGRP | S_IROTH)) != 0;
	if (!pkcs12_is(data, len))
		rc = 0;
	else if (other != NULL && strcmp(other, file) != 0)
		rc = errmsg_set(e,
		    "%s: this PKCS#12 file has its key in it: leave key = %s out", file, other);
	else
		rc = (rc = pkcs12_read(file, data, len, pass, chain, key, e)) == 0 ? PKCS12_HAD : rc;
	cert_free_secret(data, len);
	return rc;
}

int
cert_load_own(const char *cert, const char *key, const struct der *pass,
    struct der_list *chain, struct der *der, int *loose, struct errmsg *e)
{
	int rc;

	*chain = (struct der_list){ NULL, 0 };
	*der = (struct der){ NULL, 0 };
	if ((rc = load_pkcs12(cert, key, pass, chain, der, loose, e)) != 0)
		return rc == PKCS12_HAD ? 0 : rc;
	if (cert_load_chain(cert, chain, e) == -1)
		return -1;
	if ((rc = load_key(key != NULL ? key : cert, pass, der, loose, e)) != 0)
		der_list_free(chain);
	return rc;
}
