#include <wolfssl/options.h>

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/rsa.h>
#include <wolfssl/wolfcrypt/signature.h>

#include "tls/pubkey_priv.h"
#include "tls/seen_priv.h"
#include "tls/trust.h"

/*
 * Whether signatures are right: wolfCrypt decides, with nothing of its own in between.
 * wolfSSL's certificate manager would check the same and much more, but tells a wrong
 * date, an unknown extension or a forbidden name in place of "the signature holds", in
 * an order that is nowhere promised; and a peer's intermediate would need a manager,
 * and for that a whole WOLFSSL_CTX, of its own.
 *
 * The keys are made anew each time: the library's objects are not for several threads
 * at once, and making one costs little beside its use.
 */

void
hashes_warm_up(void)
{
	static const enum wc_HashType hashes[] = { WC_HASH_TYPE_SHA256,
		WC_HASH_TYPE_SHA384, WC_HASH_TYPE_SHA512 };
	static const unsigned char data[1];
	unsigned char digest[WC_MAX_DIGEST_SIZE];
	size_t i;

	for (i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
		if (wc_Hash(hashes[i], data, 1, digest,
			(word32)wc_HashGetDigestSize(hashes[i])) != 0)
			assert(!"a hash that the library was built with");
}

static bool
rsa_pss_holds(const struct x509 *c, const struct sigalg *s, RsaKey *key)
{
	unsigned char hash[WC_MAX_DIGEST_SIZE], sig[RSA_BITS_MOST / 8];
	unsigned char *out = NULL;
	int len = wc_HashGetDigestSize(s->hash), n;

	if (len <= 0 || c->sig.n > sizeof(sig))
		return false;
	if (wc_Hash(s->hash, c->tbs.p, (word32)c->tbs.n, hash, (word32)len) != 0)
		return false;
	memcpy(sig, c->sig.p, c->sig.n);
	n = wc_RsaPSS_VerifyInline_ex(
	    sig, (word32)c->sig.n, &out, s->hash, s->mgf, s->salt, key);
	return n > 0 &&
	    wc_RsaPSS_CheckPadding_ex2(hash, (word32)len, out, (word32)n, s->hash,
		s->salt, wc_RsaEncryptSize(key) * 8, NULL) == 0;
}

static bool
rsa_holds(const struct x509 *c, const struct sigalg *s, const struct pubkey *k)
{
	RsaKey key;
	bool holds = false;

	if (wc_InitRsaKey(&key, NULL) != 0)
		return false;
	if (wc_RsaPublicKeyDecodeRaw(k->modulus.p, (word32)k->modulus.n, k->exponent.p,
		(word32)k->exponent.n, &key) == 0 &&
	    c->sig.n == k->modulus.n)
		holds = s->family == FAMILY_RSA_PSS
		    ? rsa_pss_holds(c, s, &key)
		    : wc_SignatureVerify(s->hash, WC_SIGNATURE_TYPE_RSA_W_ENC, c->tbs.p,
			  (word32)c->tbs.n, c->sig.p, (word32)c->sig.n, &key,
			  sizeof(key)) == 0;
	wc_FreeRsaKey(&key);
	return holds;
}

static bool
ec_holds(const struct x509 *c, const struct sigalg *s, const struct pubkey *k)
{
	ecc_key key;
	bool holds;

	if (wc_ecc_init(&key) != 0)
		return false;
	holds =
	    wc_ecc_import_x963_ex(k->point.p, (word32)k->point.n, &key, k->curve) == 0 &&
	    wc_SignatureVerify(s->hash, WC_SIGNATURE_TYPE_ECC, c->tbs.p, (word32)c->tbs.n,
		c->sig.p, (word32)c->sig.n, &key, sizeof(key)) == 0;
	wc_ecc_free(&key);
	return holds;
}

static bool
ed25519_holds(const struct x509 *c, const struct pubkey *k)
{
	ed25519_key key;
	int right = 0;
	bool holds;

	if (wc_ed25519_init(&key) != 0)
		return false;
	holds = wc_ed25519_import_public(k->point.p, (word32)k->point.n, &key) == 0 &&
	    wc_ed25519_verify_msg(c->sig.p, (word32)c->sig.n, c->tbs.p, (word32)c->tbs.n,
		&right, &key) == 0 &&
	    right == 1;
	wc_ed25519_free(&key);
	return holds;
}

static atomic_ullong checks;

unsigned long long
signatures_checked(void)
{
	return atomic_load_explicit(&checks, memory_order_relaxed);
}

static bool
check(const struct x509 *c, const struct x509 *issuer)
{
	struct errmsg e;
	struct pubkey k;
	struct sigalg s;

	atomic_fetch_add_explicit(&checks, 1, memory_order_relaxed);
	if (sigalg_read(c, &s, &e) != 0 || pubkey_read(issuer, &k, &e) != 0)
		assert(!"a signature that was not judged");
	switch (k.family) {
	case FAMILY_RSA:
		return (s.family == FAMILY_RSA || s.family == FAMILY_RSA_PSS) &&
		    rsa_holds(c, &s, &k);
	case FAMILY_RSA_PSS:
		return s.family == FAMILY_RSA_PSS && rsa_holds(c, &s, &k);
	case FAMILY_EC:
		return s.family == FAMILY_EC && ec_holds(c, &s, &k);
	case FAMILY_ED25519:
		return s.family == FAMILY_ED25519 && ed25519_holds(c, &k);
	}
	return false;
}

bool
signed_by(const struct x509 *c, const struct x509 *issuer)
{
	unsigned char key[SEEN_KEY];
	bool short_enough = seen_key(c, issuer, key);

	if (short_enough && seen(key))
		return true;
	if (!check(c, issuer))
		return false;
	if (short_enough)
		seen_add(key);
	return true;
}
