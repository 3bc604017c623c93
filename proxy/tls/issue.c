#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include <assert.h>
#include <string.h>
#include <time.h>

#include "tls/constraints_priv.h"
#include "tls/issue_priv.h"

#define SERIAL_LEN 16

/* Writes a time as RFC 5280 wants it: UTCTime until 2049, then GeneralizedTime. */
static int
put_time(byte *out, int64_t when)
{
	char text[CTC_DATE_SIZE];
	time_t t = (time_t)when;
	struct tm tm;
	size_t n, cut;
	bool utc;

	gmtime_r(&t, &tm);
	utc = tm.tm_year + 1900 < 2050;
	cut = utc ? 2 : 0; /* the century */
	n = strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm) - cut;
	assert(n == (utc ? 13 : 15));
	out[0] = utc ? TAG_UTC_TIME : TAG_GENERAL_TIME;
	out[1] = (byte)n;
	memcpy(out + 2, text + cut, n);
	return (int)n + 2;
}

static int
set_serial(Cert *c, WC_RNG *rng)
{
	int rc = wc_RNG_GenerateBlock(rng, c->serial, SERIAL_LEN);

	/* Positive, and of full length however the numbers fall. */
	c->serial[0] = (byte)((c->serial[0] & 0x7f) | 0x40);
	c->serialSz = SERIAL_LEN;
	return rc;
}

static int
set_usage(Cert *c, bool make_ca, int key_type)
{
	int rc;

	c->basicConstSet = 1;
	c->basicConstCrit = 1;
	if (make_ca) {
		c->isCA = 1;
		c->pathLen = 0;
		c->pathLenSet = 1;
		return wc_SetKeyUsage(c, "keyCertSign,cRLSign");
	}
	/* TLS 1.2 without ephemeral keys encrypts to an RSA key. */
	rc = wc_SetKeyUsage(c,
	    key_type == RSA_TYPE ? "digitalSignature,keyEncipherment"
				 : "digitalSignature");
	if (rc == 0)
		rc = wc_SetExtKeyUsage(c, "serverAuth,clientAuth");
	return rc;
}

static int
set_key_ids(struct issue *in)
{
	Cert *c = &in->cert;
	int rc = wc_SetSubjectKeyIdFromPublicKey_ex(c, in->key->type, &in->key->key);
	struct span issuer = in->ca != NULL ? in->ca->cert.skid
					    : (struct span){ c->skid, (size_t)c->skidSz };

	/* A CA without an identifier, or with one too long for wolfSSL, is found by its
	 * name alone. */
	if (rc == 0 && issuer.p != NULL && issuer.n <= CTC_MAX_AKID_SIZE) {
		memcpy(c->akid, issuer.p, issuer.n);
		c->akidSz = (int)issuer.n;
	}
	return rc;
}

static struct keypair *
signer(const struct issue *in)
{
	return in->ca != NULL ? &in->ca->key : in->key;
}

/* Returns 0 or wolfSSL's error, as the others do that fill in. */
static int
fill(struct issue *in)
{
	Cert *c = &in->cert;
	int rc;

	c->sigType = keypair_signature(signer(in));
	c->selfSigned = in->ca == NULL;
	/* Byte for byte: a name put together anew from its parts may differ. */
	if (in->ca != NULL)
		memcpy(c->issRaw, in->ca->cert.subject.p, in->ca->cert.subject.n);
	c->beforeDateSz = put_time(c->beforeDate, in->not_before);
	c->afterDateSz = put_time(c->afterDate, in->not_after);
	rc = set_serial(c, in->rng);
	if (rc == 0)
		rc = set_usage(c, in->make_ca, in->key->type);
	if (rc == 0)
		rc = set_key_ids(in);
	return rc;
}

/* Returns the length or wolfSSL's error. */
static int
sign(struct issue *in, byte *der, word32 size)
{
	Cert *c = &in->cert;
	struct keypair *by = signer(in);
	int rc = wc_MakeCert_ex(c, der, size, in->key->type, &in->key->key, in->rng);

	if (rc < 0)
		return rc;
	return wc_SignCert_ex(
	    c->bodySz, c->sigType, der, size, by->type, &by->key, in->rng);
}

/* Whether the CA, which made this, could and may. */
static int
verify_issued(const struct x509 *made, const struct issue *in, struct errmsg *why)
{
	struct errmsg detail;

	if (!signed_by(made, &in->ca->cert))
		return errmsg_set(why,
		    "the private key in the CA's file does not belong to its first "
		    "certificate: put the two that belong together into one file");
	if (constraints_judge(&in->ca->cert, made, !in->make_ca, &detail) == -1)
		return errmsg_set(why,
		    "the certificate %.480s: give other names or use another CA",
		    detail.text);
	return 0;
}

static int
verify(const struct x509 *made, const struct issue *in, struct errmsg *why)
{
	if (sigalg_judge(made, why) == -1 || pubkey_judge(made, why) == -1)
		return errmsg_prefix(why, "wolfSSL made a bad certificate");
	if (in->ca != NULL)
		return verify_issued(made, in, why);
	if (!signed_by(made, made))
		return errmsg_set(
		    why, "wolfSSL made a bad certificate: its signature does not hold");
	return 0;
}

int
issue_cert(struct issue *in, unsigned char *der, size_t size, struct x509 *says,
    struct errmsg *why)
{
	const char *wrong;
	int rc = fill(in);

	if (rc == 0)
		rc = sign(in, der, (word32)size);
	if (rc < 0)
		return errmsg_set(why, "wolfSSL cannot make a certificate: %s (%d)",
		    wc_GetErrorString(rc), rc);
	wrong = x509_parse(says, der, (size_t)rc);
	if (wrong != NULL)
		return errmsg_set(why, "wolfSSL made a malformed certificate: %s", wrong);
	return verify(says, in, why);
}
