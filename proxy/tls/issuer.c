#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include <string.h>

#include "tls/cert.h"
#include "tls/issuer_priv.h"

static int
load_cert(struct issuer *ca, const char *pem, size_t len, struct errmsg *why)
{
	const char *wrong;
	int rc = wc_PemToDer(
	    (const byte *)pem, (long)len, CERT_TYPE, &ca->der, NULL, NULL, NULL);

	if (rc == ASN_NO_PEM_HEADER)
		return errmsg_set(why,
		    "the CA's file holds no certificate: give the PEM file with the CA's "
		    "key and certificate, as sluss keygen --make-ca writes it");
	wrong = rc == 0 ? x509_parse(&ca->cert, ca->der->buffer, ca->der->length)
			: wc_GetErrorString(rc);
	if (wrong == NULL)
		return 0;
	return errmsg_set(
	    why, "the first certificate in the CA's file is malformed: %s", wrong);
}

static int
check_role(const struct x509 *ca, bool for_ca, struct errmsg *why)
{
	if (!ca->is_ca)
		return errmsg_set(why,
		    "the first certificate in the CA's file is not a CA's (CA:FALSE): "
		    "make a CA with sluss keygen --make-ca");
	if (ca->has_key_usage && (ca->key_usage & KU_KEY_CERT_SIGN) == 0)
		return errmsg_set(why,
		    "the CA's certificate does not permit it to sign certificates (no "
		    "keyCertSign): use another CA");
	if (for_ca && ca->has_pathlen && ca->pathlen == 0)
		return errmsg_set(why,
		    "the CA may not issue to other CAs (path length 0): leave out "
		    "--make-ca, or leave out --ca to make a root of its own");
	/* wolfSSL takes the name as a C string (Cert.issRaw). */
	if (ca->subject.n == 0 || ca->subject.n >= sizeof(CertName) ||
	    memchr(ca->subject.p, 0, ca->subject.n) != NULL)
		return errmsg_set(why,
		    "the CA's certificate has a subject that sluss cannot copy (empty, "
		    "too long, or in an old encoding): use another CA");
	return 0;
}

static int
check_dates(const struct x509 *ca, int64_t now, struct errmsg *why)
{
	char when[32], subject[NAME_TEXT];

	x509_name_text(ca->subject, subject, sizeof(subject));
	if (ca->not_after <= now)
		return errmsg_set(why,
		    "the CA's certificate (%s) expired on %s: make a new CA with sluss "
		    "keygen --make-ca",
		    subject, cert_time_text(ca->not_after, when));
	if (ca->not_before > now)
		return errmsg_set(why,
		    "the CA's certificate (%s) is not valid before %s: check this "
		    "machine's clock",
		    subject, cert_time_text(ca->not_before, when));
	return 0;
}

/* What our own peers would refuse must not be issued. */
static int
check_strength(const DerBuffer *cert, struct errmsg *why)
{
	const struct der der = { cert->buffer, cert->length };

	if (cert_strong(&der, why) == -1)
		return errmsg_prefix(why, "the CA's certificate");
	return 0;
}

/* Returns the family that the CA's key must be of, for us to sign with it, or -1. */
static int
signing_family(const struct x509 *ca, struct errmsg *why)
{
	struct pubkey k;

	if (pubkey_read(ca, &k, why) == -1)
		return errmsg_prefix(why, "the CA's certificate");
	if (k.family == FAMILY_RSA_PSS)
		return errmsg_set(why,
		    "the CA's key is for RSA-PSS signatures alone, which sluss cannot "
		    "make: use a CA with an ECDSA, Ed25519 or plain RSA key");
	return (int)k.family;
}

static bool
contains(const char *pem, size_t len, const char *text)
{
	return memmem(pem, len, text, strlen(text)) != NULL;
}

static int
load_key(struct issuer *ca, const char *pem, size_t len, struct errmsg *why)
{
	int rc, family = signing_family(&ca->cert, why);
	DerBuffer *der = NULL;

	if (family == -1)
		return -1;
	if (contains(pem, len, "BEGIN ENCRYPTED PRIVATE KEY") ||
	    contains(pem, len, "Proc-Type: 4,ENCRYPTED"))
		return errmsg_set(why,
		    "the CA's private key is encrypted: decrypt it into a file of its "
		    "own (openssl pkey -in CA.pem -out KEY.pem), add the CA's "
		    "certificate and give that file");
	rc = wc_PemToDer(
	    (const byte *)pem, (long)len, PRIVATEKEY_TYPE, &der, NULL, NULL, NULL);
	if (rc == ASN_NO_PEM_HEADER)
		return errmsg_set(why,
		    "the CA's file holds no private key: give the file with key and "
		    "certificate (CA.pem, not CA.crt)");
	if (rc == 0)
		rc = keypair_decode(
		    &ca->key, (enum family)family, der->buffer, der->length);
	wc_FreeDer(&der);
	if (rc == 0)
		return 0;
	return errmsg_set(why,
	    "the private key in the CA's file is malformed or not of the type that its "
	    "first certificate has (%s): put the key and the certificate that belong "
	    "together into one file",
	    wc_GetErrorString(rc));
}

int
issuer_load(struct issuer *ca, const char *pem, size_t len, bool for_ca, int64_t now,
    struct errmsg *why)
{
	if (load_cert(ca, pem, len, why) == -1 ||
	    check_role(&ca->cert, for_ca, why) == -1 ||
	    check_dates(&ca->cert, now, why) == -1 || check_strength(ca->der, why) == -1)
		return -1;
	return load_key(ca, pem, len, why);
}

void
issuer_free(struct issuer *ca)
{
	keypair_free(&ca->key);
	wc_FreeDer(&ca->der);
}
