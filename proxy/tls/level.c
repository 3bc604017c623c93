#include <wolfssl/options.h>

#include <assert.h>

#include <wolfssl/wolfcrypt/ecc.h>

#include "tls/cert.h"
#include "tls/pubkey_priv.h"

/* What a key must have at least at each level; below 2 nothing weaker is taken either. */
static const struct level {
	unsigned rsa_bits, ec_bits;
} levels[] = {
	{ RSA_BITS_LEAST, 256 },
	{ RSA_BITS_LEAST, 256 },
	{ RSA_BITS_LEAST, 256 },
	{ 3072, 256 },
	{ 7680, 384 },
	{ 15360, 521 },
};

static unsigned
rsa_bits(const struct pubkey *k)
{
	unsigned bits = (unsigned)k->modulus.n * 8;
	unsigned char top = k->modulus.p[0];

	for (; (top & 0x80) == 0; top = (unsigned char)(top << 1))
		bits--;
	return bits;
}

static unsigned
ec_bits(const struct pubkey *k)
{
	switch (k->family) {
	case FAMILY_ED25519:
		return 256;
	default:
		return k->curve == ECC_SECP521R1 ? 521 : k->curve == ECC_SECP384R1 ? 384 : 256;
	}
}

int
level_judge(const struct x509 *c, unsigned level, struct errmsg *e)
{
	const struct level *l;
	struct pubkey k;

	assert(level < sizeof(levels) / sizeof(levels[0]));
	l = &levels[level];
	if (level <= 2)
		return 0;
	if (pubkey_read(c, &k, e) == -1)
		return -1;
	if (k.family == FAMILY_RSA || k.family == FAMILY_RSA_PSS)
		return rsa_bits(&k) >= l->rsa_bits ? 0 :
		    errmsg_set(e, "its RSA key has %u bits, less than the %u of "
			"securityLevel %u", rsa_bits(&k), l->rsa_bits, level);
	return ec_bits(&k) >= l->ec_bits ? 0 :
	    errmsg_set(e, "its key has %u bits, less than the %u of securityLevel %u",
		ec_bits(&k), l->ec_bits, level);
}

int
cert_level(const struct der *der, unsigned level, struct errmsg *e)
{
	const char *wrong;
	struct x509 c;

	if ((wrong = x509_parse(&c, der->data, der->len)) != NULL)
		return errmsg_set(e, "the certificate is malformed: %s", wrong);
	return level_judge(&c, level, e);
}
