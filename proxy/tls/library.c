#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/sha3.h>

#include "tls/library.h"

/* One AES-GCM and one SHA-3 operation make the library look up the CPU's features. */
static int
warm_up(void)
{
	byte key[16] = { 0 }, iv[12] = { 0 }, text[16] = { 0 }, tag[16], digest[32];
	wc_Sha3 sha3;
	Aes aes;
	int rc;

	if (wc_AesInit(&aes, NULL, INVALID_DEVID) != 0)
		return -1;
	rc = wc_AesGcmSetKey(&aes, key, sizeof(key));
	if (rc == 0)
		rc = wc_AesGcmEncrypt(&aes, text, text, sizeof(text), iv, sizeof(iv),
		    tag, sizeof(tag), NULL, 0);
	wc_AesFree(&aes);
	if (rc != 0 || wc_InitSha3_256(&sha3, NULL, INVALID_DEVID) != 0)
		return -1;
	rc = wc_Sha3_256_Update(&sha3, text, sizeof(text));
	if (rc == 0)
		rc = wc_Sha3_256_Final(&sha3, digest);
	wc_Sha3_256_Free(&sha3);
	return rc == 0 ? 0 : -1;
}

int
tls_library_start(struct errmsg *e)
{
	if (wolfSSL_Init() != WOLFSSL_SUCCESS)
		return errmsg_set(e, "wolfSSL did not start");
	if (warm_up() == -1) {
		wolfSSL_Cleanup();
		return errmsg_set(e, "wolfSSL's AES-GCM or SHA-3 failed its first use");
	}
	return 0;
}

void
tls_library_stop(void)
{
	wolfSSL_Cleanup();
}

const char *
tls_library_text(void)
{
	return "wolfSSL " LIBWOLFSSL_VERSION_STRING;
}
