#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/chacha20_poly1305.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/wc_mlkem.h>

#include "spare_priv.h"
#include "tls/library.h"
#include "tls/passphrase.h"
#include "tls/records.h"

/*
 * Each algorithm of the library looks up the CPU's features at its first use, in
 * a variable of its own and without a lock: each is used once here, while there is
 * one thread.
 */

static int
warm_aes(void)
{
	byte key[16] = { 0 }, iv[12] = { 0 }, text[16] = { 0 }, tag[16];
	Aes aes;
	int rc;

	if ((rc = wc_AesInit(&aes, NULL, INVALID_DEVID)) != 0)
		return rc;
	rc = wc_AesGcmSetKey(&aes, key, sizeof(key));
	if (rc == 0)
		rc = wc_AesGcmEncrypt(&aes, text, text, sizeof(text), iv, sizeof(iv),
		    tag, sizeof(tag), NULL, 0);
	wc_AesFree(&aes);
	return rc;
}

static int
warm_chacha(void)
{
	byte key[CHACHA20_POLY1305_AEAD_KEYSIZE] = { 0 };
	byte iv[CHACHA20_POLY1305_AEAD_IV_SIZE] = { 0 };
	byte tag[CHACHA20_POLY1305_AEAD_AUTHTAG_SIZE], text[16] = { 0 }, out[16];

	return wc_ChaCha20Poly1305_Encrypt(key, iv, NULL, 0, text, sizeof(text), out, tag);
}

static int
warm_hashes(void)
{
	static const enum wc_HashType types[] = {
		WC_HASH_TYPE_SHA256, WC_HASH_TYPE_SHA384, WC_HASH_TYPE_SHA512,
		WC_HASH_TYPE_SHA3_256,
	};
	byte text[16] = { 0 }, digest[WC_MAX_DIGEST_SIZE];
	int rc = 0;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]) && rc == 0; i++)
		rc = wc_Hash(types[i], text, sizeof(text), digest,
		    (word32)wc_HashGetDigestSize(types[i]));
	return rc;
}

static int
warm_mlkem(void)
{
	MlKemKey *key;
	int rc = MEMORY_E;

	if ((key = wc_MlKemKey_New(WC_ML_KEM_768, NULL, INVALID_DEVID)) != NULL)
		rc = wc_MlKemKey_Delete(key, NULL);
	return rc;
}

int
tls_library_start(struct errmsg *e)
{
	static const struct {
		const char *name;
		int (*warm)(void);
	} rows[] = {
		{ "AES-GCM", warm_aes }, { "ChaCha20-Poly1305", warm_chacha },
		{ "SHA-2 and SHA-3", warm_hashes }, { "ML-KEM", warm_mlkem },
	};

	spares_install();
	if (wolfSSL_Init() != WOLFSSL_SUCCESS)
		return errmsg_set(e, "wolfSSL did not start");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].warm() != 0) {
			wolfSSL_Cleanup();
			return errmsg_set(e, "wolfSSL's %s failed its first use", rows[i].name);
		}
	return 0;
}

void
tls_library_stop(void)
{
	records_forget();
	tls_passphrases_forget();
	wolfSSL_Cleanup();
}

const char *
tls_library_text(void)
{
	return "wolfSSL " LIBWOLFSSL_VERSION_STRING;
}
