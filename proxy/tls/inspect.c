#include "tls/inspect.h"

#include <stdio.h>
#include <string.h>

#include "alert.h"
#include "session_priv.h"
#include "tls/pubkey_priv.h"

const struct der *
tls_session_chain(const struct tls_session *s, size_t *n)
{
	*n = 0;
	return s->identity == NULL ? NULL : identity_chain(s->identity, n);
}

int
tls_session_alert(const struct tls_session *s)
{
	return alert_received(s->ssl);
}

const char *
tls_alert_text(int code)
{
	return alert_name(code);
}

static const struct {
	int code;
	bool blames_client;
	const char *advice;
} alerts[] = {
	{ 10, false, "it got a message that it did not expect; perhaps it is no TLS server, or "
	    "speaks another protocol before TLS (--protocol)" },
	{ 20, false, "what we sent arrived changed: something between us alters the bytes" },
	{ 40, false, "it finds no cipher suite, key exchange group or signature algorithm that "
	    "both sides know: let it offer suites with AES-GCM or ChaCha20 and ECDHE" },
	{ 42, true, "it does not accept our certificate; its log says why: let it trust this "
	    "certificate or the CA that issued it, or show another one with --cert" },
	{ 43, true, "it does not know our certificate's kind of key or signature: make one with "
	    "\"sluss keygen --type ecdsa\" or rsa3072" },
	{ 44, true, "our certificate is revoked: have a new one issued" },
	{ 45, true, "our certificate has expired, or its clock is wrong: have a new one issued" },
	{ 46, true, "it does not accept our certificate, for a reason that it keeps to itself; "
	    "its log may have it" },
	{ 47, false, "it says that our hello contradicts itself: most likely there is no group "
	    "in common (see curves), or what is between us has changed it" },
	{ 48, true, "it does not know the CA that issued our certificate: add that CA to those "
	    "it trusts, or show a certificate of one that it knows" },
	{ 49, true, "our certificate is valid, but its rules do not let us pass: let it allow "
	    "our name" },
	{ 50, false, "it could not read what we sent" },
	{ 51, true, "a signature or a key of ours did not convince it: do the certificate and "
	    "the key of --cert belong together?" },
	{ 70, false, "it does not speak this version of TLS: let it offer TLS 1.2 or 1.3" },
	{ 71, false, "it wants stronger cryptography than was offered" },
	{ 80, false, "something failed inside of it; its log says what" },
	{ 86, false, "it speaks a newer version than the one that was tried" },
	{ 109, false, "it misses an extension in our hello; perhaps it wants a name: --sni" },
	{ 112, false, "it does not know the name that it was asked for: give another one with "
	    "--sni, or none with --sni=" },
	{ 115, false, "it knows no such PSK identity" },
	{ 116, true, "it wants a client certificate: show one with --cert" },
	{ 120, false, "it wants another application protocol (ALPN)" },
};

#define NALERTS (sizeof(alerts) / sizeof(alerts[0]))

const char *
tls_alert_advice(int code)
{
	for (size_t i = 0; i < NALERTS; i++)
		if (alerts[i].code == code)
			return alerts[i].advice;
	return "its log says why";
}

bool
tls_alert_blames_client(int code)
{
	for (size_t i = 0; i < NALERTS; i++)
		if (alerts[i].code == code)
			return alerts[i].blames_client;
	return false;
}

const char *
cert_key_text(const struct der *der, char *text, size_t size)
{
	struct pubkey key;
	struct errmsg e;
	struct x509 c;

	if (x509_parse(&c, der->data, der->len) != NULL)
		snprintf(text, size, "unreadable");
	else if (pubkey_read(&c, &key, &e) == -1)
		snprintf(text, size, "%s", e.text);
	else if (key.family == FAMILY_ED25519)
		snprintf(text, size, "Ed25519");
	else if (key.family == FAMILY_EC)
		snprintf(text, size, "ECDSA %s", key.curve == ECC_SECP256R1 ? "P-256" :
		    key.curve == ECC_SECP384R1 ? "P-384" : "P-521");
	else
		snprintf(text, size, "RSA %zu bits", pubkey_bits(key.modulus));
	return text;
}

static const char *
hash_text(const struct sigalg *s)
{
	if (s->family == FAMILY_ED25519)
		return "ED25519";
	return s->hash == WC_HASH_TYPE_SHA384 ? "SHA384" :
	    s->hash == WC_HASH_TYPE_SHA512 ? "SHA512" : "SHA256";
}

void
cert_algorithms(const struct der *der, char *key, char *sig)
{
	struct pubkey k;
	struct sigalg s;
	struct errmsg e;
	struct x509 c;

	key[0] = sig[0] = '\0';
	if (x509_parse(&c, der->data, der->len) != NULL || pubkey_read(&c, &k, &e) == -1 ||
	    sigalg_read(&c, &s, &e) == -1)
		return;
	snprintf(sig, CERT_ALG_TEXT, "%s", hash_text(&s));
	if (k.family == FAMILY_ED25519)
		snprintf(key, CERT_ALG_TEXT, "ED25519");
	else if (k.family == FAMILY_EC)
		snprintf(key, CERT_ALG_TEXT, "EC%s", k.curve == ECC_SECP256R1 ? "256" :
		    k.curve == ECC_SECP384R1 ? "384" : "521");
	else
		snprintf(key, CERT_ALG_TEXT, "RSA%u", (unsigned)pubkey_bits(k.modulus));
}

const char *
tls_session_key_alg(const struct tls_session *s)
{
	return s->shown->key_alg[0] != '\0' ? s->shown->key_alg : NULL;
}

const char *
tls_session_sig_alg(const struct tls_session *s)
{
	return s->shown->sig_alg[0] != '\0' ? s->shown->sig_alg : NULL;
}
