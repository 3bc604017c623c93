#include <wolfssl/options.h>

#include <string.h>

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/memory.h>

#include "tls/certfile_priv.h"
#include "tls/locked_priv.h"

#define PKCS5 "\x2a\x86\x48\x86\xf7\x0d\x01\x05"
#define PKCS12 "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01"
#define RSADSI "\x2a\x86\x48\x86\xf7\x0d\x03"

/* Object identifiers as they stand in DER; there is no shorter way to name a cipher, and what is
 * random around them does not look like one. */
static const struct {
	const char *oid, *name;
} lacking[] = {
	{ "\x06\x08" RSADSI "\x07", "3DES" },
	{ "\x06\x0a" PKCS12 "\x03", "3DES" },
	{ "\x06\x0a" PKCS12 "\x04", "3DES" },
	{ "\x06\x08" RSADSI "\x02", "RC2" },
	{ "\x06\x0a" PKCS12 "\x05", "RC2" },
	{ "\x06\x0a" PKCS12 "\x06", "RC2" },
	{ "\x06\x0a" PKCS12 "\x01", "RC4" },
	{ "\x06\x0a" PKCS12 "\x02", "RC4" },
	{ "\x06\x09" PKCS5 "\x03", "MD5 and DES" },
	{ "\x06\x09" PKCS5 "\x0a", "DES" },
	{ "\x06\x05\x2b\x0e\x03\x02\x07", "DES" },
	{ "\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x04\x0b", "scrypt" },
};

const char *
locked_cipher(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < sizeof(lacking) / sizeof(lacking[0]); i++)
		if (memmem(p, n, lacking[i].oid, strlen(lacking[i].oid)) != NULL)
			return lacking[i].name;
	return NULL;
}

int
locked_open(struct der *der, const struct der *pass, const char *file, struct errmsg *e)
{
	const char *cipher = locked_cipher(der->data, der->len);
	size_t before = der->len;
	int n;

	if (cipher != NULL)
		return errmsg_set(e,
		    "the key is encrypted with %s, which is not there; \"openssl pkey -in %s "
		    "-aes256 -out NEW\" makes a copy that can be read",
		    cipher, file);
	n = wc_DecryptPKCS8Key(der->data, (word32)der->len, (const char *)pass->data,
	    (int)pass->len);
	if (n <= 0 || (size_t)n > before) {
		errmsg_set(e,
		    "the key cannot be decrypted: keyPass names a file with another "
		    "passphrase, or the key is damaged; \"openssl pkey -in %s -noout\" asks for "
		    "the passphrase and tells",
		    file);
		return CERT_LOCKED;
	}
	/* What is cut off is plaintext padding. */
	wc_ForceZero(der->data + n, before - (size_t)n);
	der->len = (size_t)n;
	return 0;
}

/* The first line, without what ends it, and with a NUL behind. */
static int
first_line(const char *file, char *data, size_t len, struct der *pass, struct errmsg *e)
{
	size_t n = strcspn(data, "\r\n");

	if (n == 0)
		return errmsg_set(e, "%s: its first line is empty: put the passphrase there", file);
	if (n != strlen(data) && data[n + strspn(data + n, "\r\n")] != '\0')
		return errmsg_set(
		    e, "%s: more than one line: the passphrase must be alone", file);
	if (strlen(data) != len || n > CERT_PASS_MAX)
		return errmsg_set(e,
		    "%s: this is no passphrase: a NUL, or more than %d bytes", file,
		    CERT_PASS_MAX);
	data[n] = '\0';
	*pass = (struct der){ (unsigned char *)data, n };
	return 0;
}

int
cert_read_pass(const char *file, struct der *pass, int *loose, struct errmsg *e)
{
	char *data;
	size_t len;
	mode_t mode;

	*pass = (struct der){ NULL, 0 };
	if (certfile_read(file, &data, &len, &mode, e) == -1)
		return -1;
	*loose = (mode & (S_IRGRP | S_IROTH)) != 0;
	if (first_line(file, data, len, pass, e) == 0)
		return 0;
	cert_free_secret(data, len);
	return -1;
}
