#include "suites_priv.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Key exchanges, as the names begin; in the order of preference. */
static const struct exchange {
	const char *openssl, *iana;
	unsigned kx, au;
} exchanges[] = {
	{ "ECDHE-ECDSA-", "TLS_ECDHE_ECDSA_WITH_", KX_ECDHE, AU_ECDSA },
	{ "ECDHE-RSA-", "TLS_ECDHE_RSA_WITH_", KX_ECDHE, AU_RSA },
	{ "DHE-DSS-", "TLS_DHE_DSS_WITH_", KX_DHE, AU_DSS },
	{ "DHE-RSA-", "TLS_DHE_RSA_WITH_", KX_DHE, AU_RSA },
	{ "EDH-DSS-", "TLS_DHE_DSS_WITH_", KX_DHE, AU_DSS },
	{ "EDH-RSA-", "TLS_DHE_RSA_WITH_", KX_DHE, AU_RSA },
	{ "ADH-", "TLS_DH_anon_WITH_", KX_DHE, AU_NONE },
	{ "AECDH-", "TLS_ECDH_anon_WITH_", KX_ECDHE, AU_NONE },
	{ "ECDH-ECDSA-", "TLS_ECDH_ECDSA_WITH_", KX_FIXED, AU_FIXED },
	{ "ECDH-RSA-", "TLS_ECDH_RSA_WITH_", KX_FIXED, AU_FIXED },
	{ "DH-RSA-", "TLS_DH_RSA_WITH_", KX_FIXED, AU_FIXED },
	{ "DH-DSS-", "TLS_DH_DSS_WITH_", KX_FIXED, AU_FIXED },
	{ "RSA-PSK-", "TLS_RSA_PSK_WITH_", KX_RSA_PSK, AU_RSA },
	{ "DHE-PSK-", "TLS_DHE_PSK_WITH_", KX_DHE_PSK, AU_PSK },
	{ "ECDHE-PSK-", "TLS_ECDHE_PSK_WITH_", KX_ECDHE_PSK, AU_PSK },
	{ "PSK-", "TLS_PSK_WITH_", KX_PSK, AU_PSK },
	{ "SRP-DSS-", "TLS_SRP_SHA_DSS_WITH_", KX_SRP, AU_DSS },
	{ "SRP-RSA-", "TLS_SRP_SHA_RSA_WITH_", KX_SRP, AU_RSA },
	{ "SRP-", "TLS_SRP_SHA_WITH_", KX_SRP, AU_SRP },
	{ "", "TLS_RSA_WITH_", KX_RSA, AU_RSA },
};

/* Ciphers, as the names end; in the order of preference. */
static const struct cipher {
	const char *openssl, *iana;
	unsigned enc, mac, strength, since, bits;
} ciphers[] = {
	{ "AES256-GCM-SHA384", "AES_256_GCM_SHA384", ENC_AES256GCM, MAC_AEAD, STRENGTH_HIGH,
	    SINCE_TLS12, 256 },
	{ "CHACHA20-POLY1305", "CHACHA20_POLY1305_SHA256", ENC_CHACHA20, MAC_AEAD,
	    STRENGTH_HIGH, SINCE_TLS12, 256 },
	{ "AES256-CCM8", "AES_256_CCM_8", ENC_AES256CCM8, MAC_AEAD, STRENGTH_HIGH, SINCE_TLS12,
	    256 },
	{ "AES256-CCM", "AES_256_CCM", ENC_AES256CCM, MAC_AEAD, STRENGTH_HIGH, SINCE_TLS12,
	    256 },
	{ "ARIA256-GCM-SHA384", "ARIA_256_GCM_SHA384", ENC_ARIA256, MAC_AEAD, STRENGTH_HIGH,
	    SINCE_TLS12, 256 },
	{ "AES128-GCM-SHA256", "AES_128_GCM_SHA256", ENC_AES128GCM, MAC_AEAD, STRENGTH_HIGH,
	    SINCE_TLS12, 128 },
	{ "AES128-CCM8", "AES_128_CCM_8", ENC_AES128CCM8, MAC_AEAD, STRENGTH_HIGH, SINCE_TLS12,
	    128 },
	{ "AES128-CCM", "AES_128_CCM", ENC_AES128CCM, MAC_AEAD, STRENGTH_HIGH, SINCE_TLS12,
	    128 },
	{ "ARIA128-GCM-SHA256", "ARIA_128_GCM_SHA256", ENC_ARIA128, MAC_AEAD, STRENGTH_HIGH,
	    SINCE_TLS12, 128 },
	{ "AES256-SHA384", "AES_256_CBC_SHA384", ENC_AES256, MAC_SHA384, STRENGTH_HIGH,
	    SINCE_TLS12, 256 },
	{ "AES256-SHA256", "AES_256_CBC_SHA256", ENC_AES256, MAC_SHA256, STRENGTH_HIGH,
	    SINCE_TLS12, 256 },
	{ "CAMELLIA256-SHA384", "CAMELLIA_256_CBC_SHA384", ENC_CAMELLIA256, MAC_SHA384,
	    STRENGTH_HIGH, SINCE_TLS12, 256 },
	{ "CAMELLIA256-SHA256", "CAMELLIA_256_CBC_SHA256", ENC_CAMELLIA256, MAC_SHA256,
	    STRENGTH_HIGH, SINCE_TLS12, 256 },
	{ "AES128-SHA256", "AES_128_CBC_SHA256", ENC_AES128, MAC_SHA256, STRENGTH_HIGH,
	    SINCE_TLS12, 128 },
	{ "CAMELLIA128-SHA256", "CAMELLIA_128_CBC_SHA256", ENC_CAMELLIA128, MAC_SHA256,
	    STRENGTH_HIGH, SINCE_TLS12, 128 },
	{ "AES256-SHA", "AES_256_CBC_SHA", ENC_AES256, MAC_SHA1, STRENGTH_HIGH, SINCE_SSL3,
	    256 },
	{ "CAMELLIA256-SHA", "CAMELLIA_256_CBC_SHA", ENC_CAMELLIA256, MAC_SHA1, STRENGTH_HIGH,
	    SINCE_SSL3, 256 },
	{ "AES128-SHA", "AES_128_CBC_SHA", ENC_AES128, MAC_SHA1, STRENGTH_HIGH, SINCE_SSL3,
	    128 },
	{ "CAMELLIA128-SHA", "CAMELLIA_128_CBC_SHA", ENC_CAMELLIA128, MAC_SHA1, STRENGTH_HIGH,
	    SINCE_SSL3, 128 },
	{ "DES-CBC3-SHA", "3DES_EDE_CBC_SHA", ENC_3DES, MAC_SHA1, STRENGTH_MEDIUM, SINCE_SSL3,
	    112 },
	{ "SEED-SHA", "SEED_CBC_SHA", ENC_SEED, MAC_SHA1, STRENGTH_MEDIUM, SINCE_SSL3, 128 },
	{ "IDEA-CBC-SHA", "IDEA_CBC_SHA", ENC_IDEA, MAC_SHA1, STRENGTH_MEDIUM, SINCE_SSL3, 128 },
	{ "RC4-SHA", "RC4_128_SHA", ENC_RC4, MAC_SHA1, STRENGTH_MEDIUM, SINCE_SSL3, 128 },
	{ "RC4-MD5", "RC4_128_MD5", ENC_RC4, MAC_MD5, STRENGTH_MEDIUM, SINCE_SSL3, 128 },
	{ "DES-CBC-SHA", "DES_CBC_SHA", ENC_DES, MAC_SHA1, STRENGTH_LOW, SINCE_SSL3, 56 },
	{ "NULL-SHA256", "NULL_SHA256", ENC_NONE, MAC_SHA256, 0, SINCE_TLS12, 0 },
	{ "NULL-SHA", "NULL_SHA", ENC_NONE, MAC_SHA1, 0, SINCE_SSL3, 0 },
	{ "NULL-MD5", "NULL_MD5", ENC_NONE, MAC_MD5, 0, SINCE_SSL3, 0 },
};

_Static_assert(COUNT(exchanges) * COUNT(ciphers) <= SUITES_MAX, "more suites than that");

/* What the TLS layer has (proxy/tls/suites.c). */
static bool
is_there(const struct exchange *x, const struct cipher *c)
{
	return x->kx == KX_ECDHE && (x->au == AU_ECDSA || x->au == AU_RSA) &&
	    (c->enc == ENC_AES256GCM || c->enc == ENC_AES128GCM || c->enc == ENC_CHACHA20);
}

size_t
suites_all(struct suite *all)
{
	size_t n = 0;

	for (const struct cipher *c = ciphers; c < ciphers + COUNT(ciphers); c++)
		for (const struct exchange *x = exchanges; x < exchanges + COUNT(exchanges); x++)
			all[n++] = (struct suite){ { x->kx, x->au, c->enc, c->mac, c->strength,
				c->since }, c->bits, is_there(x, c) };
	return n;
}

const char *
suites_iana(size_t i, char *text, size_t size)
{
	snprintf(text, size, "%s%s", exchanges[i % COUNT(exchanges)].iana,
	    ciphers[i / COUNT(exchanges)].iana);
	return text;
}

static bool
is(const char *name, size_t n, const char *start, const char *end)
{
	size_t at = strlen(start);

	return n == at + strlen(end) && memcmp(name, start, at) == 0 &&
	    memcmp(name + at, end, n - at) == 0;
}

/* Where a PSK or SRP suite has CBC, OpenSSL says so: PSK-AES128-CBC-SHA, SRP-AES-128-CBC-SHA. */
static bool
is_spelled_out(const char *name, size_t n, const struct exchange *x, const struct cipher *c)
{
	char openssl[64];
	const char *mac = strrchr(c->openssl, '-');
	unsigned bits = c->enc == ENC_AES256 ? 256 : 128;

	if ((c->enc != ENC_AES128 && c->enc != ENC_AES256) || mac == NULL)
		return false;
	snprintf(openssl, sizeof(openssl), "AES%s%u-CBC%s", x->kx == KX_SRP ? "-" : "", bits,
	    mac);
	return is(name, n, x->openssl, openssl);
}

int
suites_find(const char *name, size_t n)
{
	for (size_t c = 0; c < COUNT(ciphers); c++)
		for (size_t x = 0; x < COUNT(exchanges); x++)
			if (is(name, n, exchanges[x].openssl, ciphers[c].openssl) ||
			    is(name, n, exchanges[x].iana, ciphers[c].iana) ||
			    is_spelled_out(name, n, &exchanges[x], &ciphers[c]))
				return (int)(c * COUNT(exchanges) + x);
	return -1;
}
