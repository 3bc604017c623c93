/* Which peers can use which certificates. */
#include "kind_priv.h"

static const uint16_t ecdsa12[] = { 0x0403, 0x0503, 0x0603, 0 };
static const uint16_t p256[] = { 0x0403, 0 };
static const uint16_t p384[] = { 0x0503, 0 };
static const uint16_t p521[] = { 0x0603, 0 };
static const uint16_t ed25519[] = { 0x0807, 0 };
static const uint16_t rsa12[] = { 0x0401, 0x0501, 0x0601, 0x0804, 0x0805, 0x0806, 0 };
/* PKCS#1 signatures are none of TLS 1.3's handshake. */
static const uint16_t rsa13[] = { 0x0804, 0x0805, 0x0806, 0 };
static const uint16_t pss[] = { 0x0809, 0x080a, 0x080b, 0 };

static const struct own_kind kinds[] = {
	[KIND_P256] = { "ECDSA P-256", false, 23, ecdsa12, p256 },
	[KIND_P384] = { "ECDSA P-384", false, 24, ecdsa12, p384 },
	[KIND_P521] = { "ECDSA P-521", false, 25, ecdsa12, p521 },
	[KIND_ED25519] = { "Ed25519", false, 0, ed25519, ed25519 },
	[KIND_PSS] = { "RSA-PSS", true, 0, pss, pss },
	[KIND_RSA] = { "RSA", true, 0, rsa12, rsa13 },
};

const struct own_kind *
own_kind(enum own_key key)
{
	return &kinds[key];
}

bool
own_signs(const struct own_kind *kind, uint16_t scheme, bool tls13)
{
	for (const uint16_t *s = tls13 ? kind->schemes13 : kind->schemes12; *s != 0; s++)
		if (*s == scheme)
			return true;
	return false;
}

bool
own_suits(const struct own_kind *kind, const struct hello *h, bool tls13)
{
	if (!tls13 && kind->group != 0 && !hello_knows_group(h, kind->group))
		return false;
	/* Who says nothing takes RSA and ECDSA (RFC 5246, 7.4.1.4.1). */
	if (h->sigalgs == NULL)
		return kind != &kinds[KIND_ED25519] && kind != &kinds[KIND_PSS];
	for (size_t i = 0; i < h->nsigalgs; i++)
		if (own_signs(kind, hello_scheme(h, i), tls13))
			return true;
	return false;
}
