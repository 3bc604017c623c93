/* The words of OpenSSL's cipher strings. */
#include "suites_priv.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define AESGCM (ENC_AES128GCM | ENC_AES256GCM)
#define AESCCM8 (ENC_AES128CCM8 | ENC_AES256CCM8)
#define AESCCM (ENC_AES128CCM | ENC_AES256CCM | AESCCM8)
#define AES (ENC_AES128 | ENC_AES256 | AESGCM | AESCCM)
#define NOT_NONE (AU_RSA | AU_ECDSA | AU_PSK | AU_DSS | AU_SRP | AU_FIXED)
#define ENCRYPTED (~ENC_NONE)

static const struct {
	const char *word;
	struct suite_mask mask;
	bool broad; /* see suites_word() */
} words[] = {
	{ "ALL", { .enc = ENCRYPTED }, true },
	{ "DEFAULT", { .enc = ENCRYPTED, .au = NOT_NONE, .strength = STRENGTH_HIGH }, true },
	/* Red Hat's OpenSSL: what the system's administrator has chosen. */
	{ "PROFILE=SYSTEM", { .enc = ENCRYPTED, .au = NOT_NONE, .strength = STRENGTH_HIGH }, true },
	{ "COMPLEMENTOFALL", { .enc = ENC_NONE }, true },
	{ "COMPLEMENTOFDEFAULT", { .au = AU_NONE }, true },
	{ "HIGH", { .strength = STRENGTH_HIGH }, true },
	{ "MEDIUM", { .strength = STRENGTH_MEDIUM }, true },
	{ "LOW", { .strength = STRENGTH_LOW }, true },
	{ "EXP", { .strength = STRENGTH_EXPORT }, true },
	{ "EXPORT", { .strength = STRENGTH_EXPORT }, true },
	{ "EXPORT40", { .strength = STRENGTH_EXPORT }, true },
	{ "EXPORT56", { .strength = STRENGTH_EXPORT }, true },
	{ "FIPS", { .enc = AES }, true },

	{ "kRSA", { .kx = KX_RSA }, false },
	{ "RSA", { .kx = KX_RSA }, false },
	{ "kDHE", { .kx = KX_DHE }, false },
	{ "kEDH", { .kx = KX_DHE }, false },
	{ "DH", { .kx = KX_DHE }, false },
	{ "DHE", { .kx = KX_DHE, .au = NOT_NONE }, false },
	{ "EDH", { .kx = KX_DHE, .au = NOT_NONE }, false },
	{ "kECDHE", { .kx = KX_ECDHE }, false },
	{ "kEECDH", { .kx = KX_ECDHE }, false },
	{ "ECDH", { .kx = KX_ECDHE }, false },
	{ "ECDHE", { .kx = KX_ECDHE, .au = NOT_NONE }, false },
	{ "EECDH", { .kx = KX_ECDHE, .au = NOT_NONE }, false },
	{ "ADH", { .kx = KX_DHE, .au = AU_NONE }, false },
	{ "AECDH", { .kx = KX_ECDHE, .au = AU_NONE }, false },
	{ "kPSK", { .kx = KX_PSK }, false },
	{ "kRSAPSK", { .kx = KX_RSA_PSK }, false },
	{ "kDHEPSK", { .kx = KX_DHE_PSK }, false },
	{ "kECDHEPSK", { .kx = KX_ECDHE_PSK }, false },
	{ "PSK", { .kx = KX_ANY_PSK }, false },
	{ "kSRP", { .kx = KX_SRP }, false },
	{ "SRP", { .kx = KX_SRP }, false },
	{ "kDH", { .kx = KX_FIXED }, false },
	{ "kDHr", { .kx = KX_FIXED }, false },
	{ "kDHd", { .kx = KX_FIXED }, false },
	{ "kECDH", { .kx = KX_FIXED }, false },
	{ "kECDHr", { .kx = KX_FIXED }, false },
	{ "kECDHe", { .kx = KX_FIXED }, false },

	{ "aRSA", { .au = AU_RSA }, false },
	{ "aECDSA", { .au = AU_ECDSA }, false },
	{ "ECDSA", { .au = AU_ECDSA }, false },
	{ "aNULL", { .au = AU_NONE }, false },
	{ "aPSK", { .au = AU_PSK }, false },
	{ "aDSS", { .au = AU_DSS }, false },
	{ "DSS", { .au = AU_DSS }, false },
	{ "aSRP", { .au = AU_SRP }, false },
	{ "aDH", { .au = AU_FIXED }, false },
	{ "aECDH", { .au = AU_FIXED }, false },

	{ "AES", { .enc = AES }, false },
	{ "AES128", { .enc = ENC_AES128 | ENC_AES128GCM | ENC_AES128CCM | ENC_AES128CCM8 }, false },
	{ "AES256", { .enc = ENC_AES256 | ENC_AES256GCM | ENC_AES256CCM | ENC_AES256CCM8 }, false },
	{ "AESGCM", { .enc = AESGCM }, false },
	{ "AESCCM", { .enc = AESCCM }, false },
	{ "AESCCM8", { .enc = AESCCM8 }, false },
	{ "CHACHA20", { .enc = ENC_CHACHA20 }, false },
	{ "CAMELLIA", { .enc = ENC_CAMELLIA128 | ENC_CAMELLIA256 }, false },
	{ "CAMELLIA128", { .enc = ENC_CAMELLIA128 }, false },
	{ "CAMELLIA256", { .enc = ENC_CAMELLIA256 }, false },
	{ "ARIA", { .enc = ENC_ARIA128 | ENC_ARIA256 }, false },
	{ "ARIAGCM", { .enc = ENC_ARIA128 | ENC_ARIA256 }, false },
	{ "ARIA128", { .enc = ENC_ARIA128 }, false },
	{ "ARIA256", { .enc = ENC_ARIA256 }, false },
	{ "3DES", { .enc = ENC_3DES }, false },
	{ "DES", { .enc = ENC_DES }, false },
	{ "RC4", { .enc = ENC_RC4 }, false },
	{ "RC2", { .enc = ENC_RC2 }, false },
	{ "SEED", { .enc = ENC_SEED }, false },
	{ "IDEA", { .enc = ENC_IDEA }, false },
	{ "eNULL", { .enc = ENC_NONE }, false },
	{ "NULL", { .enc = ENC_NONE }, false },

	{ "MD5", { .mac = MAC_MD5 }, false },
	{ "SHA1", { .mac = MAC_SHA1 }, false },
	{ "SHA", { .mac = MAC_SHA1 }, false },
	{ "SHA256", { .mac = MAC_SHA256 }, false },
	{ "SHA384", { .mac = MAC_SHA384 }, false },

	{ "SSLv3", { .since = SINCE_SSL3 }, false },
	{ "TLSv1", { .since = SINCE_SSL3 | SINCE_TLS10 }, false },
	{ "TLSv1.0", { .since = SINCE_SSL3 | SINCE_TLS10 }, false },
	{ "TLSv1.2", { .since = SINCE_TLS12 }, false },
};

bool
suites_word(const char *word, size_t n, struct suite_mask *mask, bool *broad)
{
	for (size_t i = 0; i < COUNT(words); i++)
		if (strlen(words[i].word) == n && memcmp(words[i].word, word, n) == 0) {
			*mask = words[i].mask;
			*broad = words[i].broad;
			return true;
		}
	return false;
}
