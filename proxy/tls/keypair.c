#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/memory.h>

#include <assert.h>

#include "tls/keypair_priv.h"

#define RSA_BITS 3072
#define P256_BYTES 32

struct keypair_kind {
	int type;
	int (*init)(union keypair_key *);
	int (*generate)(union keypair_key *, WC_RNG *);
	int (*decode)(union keypair_key *, const byte *, word32);
	int (*encode)(union keypair_key *, byte *, word32);
	int (*signature)(union keypair_key *);
	void (*free)(union keypair_key *);
};

/* RSA. */

static int
rsa_init(union keypair_key *k)
{
	return wc_InitRsaKey(&k->rsa, NULL);
}

static int
rsa_generate(union keypair_key *k, WC_RNG *rng)
{
	return wc_MakeRsaKey(&k->rsa, RSA_BITS, WC_RSA_EXPONENT, rng);
}

static int
rsa_decode(union keypair_key *k, const byte *der, word32 len)
{
	word32 at = 0;

	return wc_RsaPrivateKeyDecode(der, &at, &k->rsa, len);
}

static int
rsa_encode(union keypair_key *k, byte *der, word32 size)
{
	byte bare[KEYPAIR_DER_MAX]; /* without the frame of PKCS#8 */
	int n = wc_RsaKeyToDer(&k->rsa, bare, sizeof(bare));

	if (n > 0)
		n = wc_CreatePKCS8Key(der, &size, bare, (word32)n, RSAk, NULL, 0);
	wc_ForceZero(bare, sizeof(bare));
	return n;
}

static int
rsa_signature(union keypair_key *k)
{
	(void)k;
	return CTC_SHA256wRSA;
}

static void
rsa_free(union keypair_key *k)
{
	wc_FreeRsaKey(&k->rsa);
}

/* ECDSA. */

static int
ec_init(union keypair_key *k)
{
	return wc_ecc_init(&k->ecc);
}

static int
ec_generate(union keypair_key *k, WC_RNG *rng)
{
	return wc_ecc_make_key_ex(rng, P256_BYTES, &k->ecc, ECC_SECP256R1);
}

static int
ec_decode(union keypair_key *k, const byte *der, word32 len)
{
	word32 at = 0;

	return wc_EccPrivateKeyDecode(der, &at, &k->ecc, len);
}

static int
ec_encode(union keypair_key *k, byte *der, word32 size)
{
	return wc_EccKeyToPKCS8(&k->ecc, der, &size);
}

static int
ec_signature(union keypair_key *k)
{
	int size = wc_ecc_size(&k->ecc);

	if (size <= 32)
		return CTC_SHA256wECDSA;
	return size <= 48 ? CTC_SHA384wECDSA : CTC_SHA512wECDSA;
}

static void
ec_free(union keypair_key *k)
{
	wc_ecc_free(&k->ecc);
}

/* Ed25519. */

static int
ed_init(union keypair_key *k)
{
	return wc_ed25519_init(&k->ed);
}

static int
ed_generate(union keypair_key *k, WC_RNG *rng)
{
	return wc_ed25519_make_key(rng, ED25519_KEY_SIZE, &k->ed);
}

static int
ed_decode(union keypair_key *k, const byte *der, word32 len)
{
	word32 at = 0;
	int rc = wc_Ed25519PrivateKeyDecode(der, &at, &k->ed, len);

	/* Signing needs the public half, which such files do not hold. */
	if (rc == 0)
		rc = wc_ed25519_make_public(&k->ed, k->ed.p, ED25519_PUB_KEY_SIZE);
	return rc;
}

static int
ed_encode(union keypair_key *k, byte *der, word32 size)
{
	/* Not wc_Ed25519KeyToDer: OpenSSL refuses what that one writes. */
	return wc_Ed25519PrivateKeyToDer(&k->ed, der, size);
}

static int
ed_signature(union keypair_key *k)
{
	(void)k;
	return CTC_ED25519;
}

static void
ed_free(union keypair_key *k)
{
	wc_ed25519_free(&k->ed);
}

/* All of them. */

static const struct keypair_kind kinds[] = {
	[FAMILY_RSA] = { RSA_TYPE, rsa_init, rsa_generate, rsa_decode, rsa_encode,
	    rsa_signature, rsa_free },
	[FAMILY_EC] = { ECC_TYPE, ec_init, ec_generate, ec_decode, ec_encode,
	    ec_signature, ec_free },
	[FAMILY_ED25519] = { ED25519_TYPE, ed_init, ed_generate, ed_decode, ed_encode,
	    ed_signature, ed_free },
};

static int
keypair_init(struct keypair *k, enum family family)
{
	const struct keypair_kind *kind = &kinds[family];
	int rc;

	assert(k->kind == NULL && kind->init != NULL);
	rc = kind->init(&k->key);
	if (rc == 0) {
		k->kind = kind;
		k->type = kind->type;
	}
	return rc;
}

int
keypair_generate(struct keypair *k, enum key_type type, WC_RNG *rng)
{
	static const enum family families[] = {
		[KEY_ECDSA_P256] = FAMILY_EC,
		[KEY_ED25519] = FAMILY_ED25519,
		[KEY_RSA3072] = FAMILY_RSA,
	};
	int rc = keypair_init(k, families[type]);

	return rc == 0 ? k->kind->generate(&k->key, rng) : rc;
}

int
keypair_decode(
    struct keypair *k, enum family family, const unsigned char *der, size_t len)
{
	int rc = keypair_init(k, family);

	return rc == 0 ? k->kind->decode(&k->key, der, (word32)len) : rc;
}

int
keypair_encode(struct keypair *k, unsigned char *der, size_t size)
{
	return k->kind->encode(&k->key, der, (word32)size);
}

int
keypair_signature(struct keypair *k)
{
	return k->kind->signature(&k->key);
}

void
keypair_free(struct keypair *k)
{
	if (k->kind != NULL)
		k->kind->free(&k->key);
	wc_ForceZero(k, sizeof(*k));
}
