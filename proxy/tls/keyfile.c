#include <wolfssl/options.h>

#include <string.h>

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include "tls/certfile_priv.h"
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

/* Reads the key of a block with one of the three labels. */
static int
take_key(const struct pem_block *b, const char *file, struct der *der, struct errmsg *e)
{
	if (b->encrypted || pem_is(b, "ENCRYPTED PRIVATE KEY"))
		return errmsg_set(e,
		    "%s: line %zu: the key is encrypted, and nobody could "
		    "type its passphrase; \"openssl pkey -in %s -out NEW\" makes a copy "
		    "that is not",
		    file, b->line, file);
	if (!pem_is(b, "PRIVATE KEY") && !pem_is(b, "EC PRIVATE KEY") &&
	    !pem_is(b, "RSA PRIVATE KEY"))
		return errmsg_set(e,
		    "%s: line %zu: a key in the format \"%.*s\" cannot be used; "
		    "\"openssl pkey -in %s -out NEW\" may convert it, \"sluss keygen\" makes "
		    "a new one",
		    file, b->line, (int)(b->label_len > 40 ? 40 : b->label_len), b->label,
		    file);
	if (pem_decode(b, der, e) == -1)
		return errmsg_prefix(e, "%s", file);
	if (is_key(b, der))
		return 0;
	cert_free_secret(der->data, der->len);
	*der = (struct der){ NULL, 0 };
	return errmsg_set(e,
	    "%s: line %zu: the key is damaged, or of a kind that cannot be "
	    "used (RSA from 2048 bits, ECDSA from P-256, Ed25519); \"openssl pkey -in %s "
	    "-noout -text -check\" tells more, \"sluss keygen\" makes a new one",
	    file, b->line, file);
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
find_key(
    const char *file, const char *data, size_t len, struct der *der, struct errmsg *e)
{
	struct pem_reader r = pem_start(data, len);
	struct pem_block b;
	int more;

	while ((more = pem_next(&r, &b, e)) == 1)
		if (is_key_label(&b))
			return take_key(&b, file, der, e);
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

int
cert_load_key(const char *file, struct der *der, int *loose, struct errmsg *e)
{
	mode_t mode;
	size_t len;
	char *data;
	int result;

	*der = (struct der){ NULL, 0 };
	if (certfile_read(file, &data, &len, &mode, e) == -1)
		return -1;
	*loose = (mode & (S_IRGRP | S_IROTH)) != 0;
	result = find_key(file, data, len, der, e);
	cert_free_secret(data, len);
	return result;
}
