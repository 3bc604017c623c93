/* OpenSSL's options (SSL_OP_…) by name. */
#include "conf/sslopt.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "conf/value.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What an option does here. */
enum effect {
	EFFECT_NONE,
	EFFECT_NO_TLS12,
	EFFECT_NO_TLS13,
	EFFECT_SERVER_PREFERENCE,
};

#define ANCIENT "it works around faults of programs that speak nothing newer than TLS 1.0"
#define NEVER_OLD "SSL and TLS 1.0 and 1.1 are never spoken"
#define NEVER_RENEGOTIATES "a peer that renegotiates is always refused"
#define NO_DTLS "DTLS is not there"

/* set and unset: why nothing comes of setting or clearing it; NULL: what it asks for is so, always
 * or for all that matters, and nothing is said. */
static const struct row {
	const char *name;
	enum effect effect;
	const char *set, *unset;
} rows[] = {
	{ "ALL", EFFECT_NONE, NULL, NULL },
	{ "ALLOW_CLIENT_RENEGOTIATION", EFFECT_NONE, NEVER_RENEGOTIATES, NULL },
	{ "ALLOW_NO_DHE_KEX", EFFECT_NONE, "every key exchange has forward secrecy", NULL },
	{ "ALLOW_UNSAFE_LEGACY_RENEGOTIATION", EFFECT_NONE, NEVER_RENEGOTIATES, NULL },
	{ "CIPHER_SERVER_PREFERENCE", EFFECT_SERVER_PREFERENCE, NULL, NULL },
	{ "CISCO_ANYCONNECT", EFFECT_NONE, NO_DTLS, NULL },
	{ "CLEANSE_PLAINTEXT", EFFECT_NONE, "buffers are not overwritten after each read", NULL },
	{ "COOKIE_EXCHANGE", EFFECT_NONE, NO_DTLS, NULL },
	{ "CRYPTOPRO_TLSEXT_BUG", EFFECT_NONE, "GOST is not there", NULL },
	{ "DISABLE_TLSEXT_CA_NAMES", EFFECT_NONE, NULL, NULL },
	{ "DONT_INSERT_EMPTY_FRAGMENTS", EFFECT_NONE, NULL, NULL },
	{ "ENABLE_KTLS", EFFECT_NONE, "TLS in the kernel is not there", NULL },
	{ "ENABLE_KTLS_TX_ZEROCOPY_SENDFILE", EFFECT_NONE, "TLS in the kernel is not there", NULL },
	{ "ENABLE_MIDDLEBOX_COMPAT", EFFECT_NONE, NULL, NULL },
	{ "EPHEMERAL_RSA", EFFECT_NONE, "every key exchange is ECDHE", NULL },
	{ "IGNORE_UNEXPECTED_EOF", EFFECT_NONE, "abort = compat does it", NULL },
	{ "LEGACY_EC_POINT_FORMATS", EFFECT_NONE, NULL, NULL },
	{ "LEGACY_SERVER_CONNECT", EFFECT_NONE, NEVER_RENEGOTIATES, NULL },
	{ "MICROSOFT_BIG_SSLV3_BUFFER", EFFECT_NONE, ANCIENT, NULL },
	{ "MICROSOFT_SESS_ID_BUG", EFFECT_NONE, ANCIENT, NULL },
	{ "MSIE_SSLV2_RSA_PADDING", EFFECT_NONE, ANCIENT, NULL },
	{ "NETSCAPE_CA_DN_BUG", EFFECT_NONE, ANCIENT, NULL },
	{ "NETSCAPE_CHALLENGE_BUG", EFFECT_NONE, ANCIENT, NULL },
	{ "NETSCAPE_DEMO_CIPHER_CHANGE_BUG", EFFECT_NONE, ANCIENT, NULL },
	{ "NETSCAPE_REUSE_CIPHER_CHANGE_BUG", EFFECT_NONE, ANCIENT, NULL },
	{ "NO_ANTI_REPLAY", EFFECT_NONE, NULL, NULL },
	{ "NO_COMPRESSION", EFFECT_NONE, NULL, "TLS compression is never used" },
	{ "NO_DTLS_MASK", EFFECT_NONE, NULL, NULL },
	{ "NO_DTLSv1", EFFECT_NONE, NULL, NULL },
	{ "NO_DTLSv1_2", EFFECT_NONE, NULL, NULL },
	{ "NO_ENCRYPT_THEN_MAC", EFFECT_NONE, NULL, NULL },
	{ "NO_EXTENDED_MASTER_SECRET", EFFECT_NONE, "the extended master secret is always offered",
	    NULL },
	{ "NO_QUERY_MTU", EFFECT_NONE, NULL, NULL },
	{ "NO_RENEGOTIATION", EFFECT_NONE, NULL, NEVER_RENEGOTIATES },
	{ "NO_RX_CERTIFICATE_COMPRESSION", EFFECT_NONE, NULL, NULL },
	{ "NO_SESSION_RESUMPTION_ON_RENEGOTIATION", EFFECT_NONE, NULL, NULL },
	{ "NO_SSL_MASK", EFFECT_NONE, "name the versions with sslVersionMin and sslVersionMax",
	    NULL },
	{ "NO_SSLv2", EFFECT_NONE, NULL, NEVER_OLD },
	{ "NO_SSLv3", EFFECT_NONE, NULL, NEVER_OLD },
	{ "NO_TICKET", EFFECT_NONE, NULL, NULL },
	{ "NO_TLSv1", EFFECT_NONE, NULL, NEVER_OLD },
	{ "NO_TLSv1_1", EFFECT_NONE, NULL, NEVER_OLD },
	{ "NO_TLSv1_2", EFFECT_NO_TLS12, NULL, NULL },
	{ "NO_TLSv1_3", EFFECT_NO_TLS13, NULL, NULL },
	{ "NO_TX_CERTIFICATE_COMPRESSION", EFFECT_NONE, NULL, NULL },
	{ "PKCS1_CHECK_1", EFFECT_NONE, ANCIENT, NULL },
	{ "PKCS1_CHECK_2", EFFECT_NONE, ANCIENT, NULL },
	{ "PREFER_NO_DHE_KEX", EFFECT_NONE, "every key exchange has forward secrecy", NULL },
	{ "PRIORITIZE_CHACHA", EFFECT_NONE, "give the order with ciphers and ciphersuites", NULL },
	{ "SAFARI_ECDHE_ECDSA_BUG", EFFECT_NONE, ANCIENT, NULL },
	{ "SERVER_PREFERENCE", EFFECT_SERVER_PREFERENCE, NULL, NULL },
	{ "SINGLE_DH_USE", EFFECT_NONE, NULL, NULL },
	{ "SINGLE_ECDH_USE", EFFECT_NONE, NULL, NULL },
	{ "SSLEAY_080_CLIENT_DH_BUG", EFFECT_NONE, ANCIENT, NULL },
	{ "SSLREF2_REUSE_CERT_TYPE_BUG", EFFECT_NONE, ANCIENT, NULL },
	{ "TLSEXT_PADDING", EFFECT_NONE, "hellos are not padded", NULL },
	{ "TLS_BLOCK_PADDING_BUG", EFFECT_NONE, ANCIENT, NULL },
	{ "TLS_D5_BUG", EFFECT_NONE, ANCIENT, NULL },
	{ "TLS_ROLLBACK_BUG", EFFECT_NONE, "the peer's offered version is always checked", NULL },
};

static const struct row *
find(const char *name)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (strcasecmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

static int
unknown(const char *name, struct errmsg *why)
{
	const char *names[COUNT(rows)], *nearest;

	for (size_t i = 0; i < COUNT(rows); i++)
		names[i] = rows[i].name;
	nearest = value_nearest(name, names, COUNT(rows));
	return errmsg_set(why, "\"%.128s\" is none of OpenSSL's options%s%s%s (\"sluss -options\" "
	    "lists them)", name, nearest != NULL ? ", did you mean " : "",
	    nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
}

static void
apply(struct conf_service *s, enum effect effect, bool on)
{
	switch (effect) {
	case EFFECT_NO_TLS12:
		s->no_tls12 = on;
		break;
	case EFFECT_NO_TLS13:
		s->no_tls13 = on;
		break;
	case EFFECT_SERVER_PREFERENCE:
		s->server_preference = on;
		break;
	case EFFECT_NONE:
		break;
	}
}

int
sslopt_set(struct conf_service *s, const char *text, struct errmsg *why)
{
	bool on = *text != '-';
	const struct row *row = find(text + !on);
	const char *note;

	if (row == NULL)
		return unknown(text + !on, why);
	apply(s, row->effect, on);
	if ((note = on ? row->set : row->unset) == NULL)
		return 0;
	errmsg_set(why, "%s has no effect: %s", text, note);
	return 1;
}

int
sslopt_versions(const struct conf_service *s, enum conf_version *min, enum conf_version *max)
{
	*min = s->no_tls12 ? VERSION_TLS13 : s->version_min;
	*max = s->no_tls13 ? VERSION_TLS12 : s->version_max;
	if (*min < s->version_min)
		*min = s->version_min;
	if (*max > s->version_max)
		*max = s->version_max;
	return *min <= *max ? 0 : -1;
}

const char *
sslopt_text(const struct conf_service *s, size_t i)
{
	const struct {
		bool on;
		const char *name;
	} set[] = {
		{ s->no_tls12, "NO_TLSv1_2" },
		{ s->no_tls13, "NO_TLSv1_3" },
		{ s->server_preference, "CIPHER_SERVER_PREFERENCE" },
	};

	for (size_t k = 0; k < COUNT(set); k++)
		if (set[k].on && i-- == 0)
			return set[k].name;
	return NULL;
}

void
sslopt_list(FILE *out)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		fprintf(out, "options = %s\n", rows[i].name);
}
