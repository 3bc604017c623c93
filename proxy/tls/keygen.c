#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/memory.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tls/cert.h"
#include "tls/issue_priv.h"
#include "tls/issuer_priv.h"
#include "tls/keygen.h"
#include "tls/keypair_priv.h"
#include "tls/san_priv.h"

#define DAY 86400
#define DAYS_MAX 36500

/* Everything that making one certificate needs; on the heap, for its size. */
struct maker {
	WC_RNG rng;
	bool rng_ready;
	struct keypair key;
	struct issuer ca;
	struct issue issue;
	byte key_der[KEYPAIR_DER_MAX];
	byte cert_der[ISSUE_DER_MAX];
};

/* The length in bytes of the UTF-8 character at s, 0 for malformed or control ones. */
static size_t
utf8_char(const char *s)
{
	static const uint32_t least[] = { 0, 0, 0xa0, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s;
	size_t i, n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c = p[0];

	if (n == 1)
		return c >= ' ' && c != 0x7f ? 1 : 0;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	c &= 0x7fu >> n;
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

static int
check_common_name(const char *cn, struct errmsg *why)
{
	size_t n;

	if (cn == NULL || cn[0] == '\0')
		return errmsg_set(why, "the common name is empty: give one with --cn");
	if (strlen(cn) >= CTC_NAME_SIZE)
		return errmsg_set(why,
		    "the common name \"%.60s...\" has %zu bytes, and %d is the most: "
		    "give a shorter one with --cn",
		    cn, strlen(cn), CTC_NAME_SIZE - 1);
	for (; *cn != '\0'; cn += n)
		if ((n = utf8_char(cn)) == 0)
			return errmsg_set(why,
			    "the common name holds a control character or is not UTF-8: "
			    "give another one with --cn");
	return 0;
}

static int
set_names(Cert *c, const struct keygen_request *req, struct errmsg *why)
{
	if (check_common_name(req->common_name, why) == -1)
		return -1;
	if (wc_InitCert_ex(c, NULL, INVALID_DEVID) != 0)
		return errmsg_set(why, "out of memory");
	strcpy(c->subject.commonName, req->common_name);
	c->altNamesSz = san_write(req, c->altNames, sizeof(c->altNames), why);
	return c->altNamesSz == -1 ? -1 : 0;
}

/* What the operator wrote is judged before time goes into a key. */
static int
prepare(struct maker *m, const struct keygen_request *req, struct errmsg *why)
{
	int64_t now = (int64_t)time(NULL);
	struct issue *issue = &m->issue;

	if (req->days < 1 || req->days > DAYS_MAX)
		return errmsg_set(
		    why, "%d days is out of range: give 1 to %d", req->days, DAYS_MAX);
	if (set_names(&issue->cert, req, why) == -1)
		return -1;
	issue->key = &m->key;
	issue->make_ca = req->make_ca;
	/* A day back, for the other machine's clock. */
	issue->not_before = now - DAY;
	issue->not_after = now + (int64_t)req->days * DAY;
	issue->rng = &m->rng;
	if (req->ca_pem == NULL)
		return 0;
	issue->ca = &m->ca;
	if (issuer_load(&m->ca, req->ca_pem, req->ca_len, req->make_ca, now, why) == -1)
		return -1;
	if (issue->not_after > m->ca.cert.not_after)
		issue->not_after = m->ca.cert.not_after;
	return 0;
}

/* Returns the length of the key's DER or -1. */
static int
make_key(struct maker *m, enum key_type type, struct errmsg *why)
{
	int rc = wc_InitRng(&m->rng);

	if (rc != 0)
		return errmsg_set(why,
		    "wolfSSL cannot start its random generator: %s (%d)",
		    wc_GetErrorString(rc), rc);
	m->rng_ready = true;
	rc = keypair_generate(&m->key, type, &m->rng);
	if (rc == 0)
		rc = keypair_encode(&m->key, m->key_der, sizeof(m->key_der));
	if (rc <= 0)
		return errmsg_set(
		    why, "wolfSSL cannot make a key: %s (%d)", wc_GetErrorString(rc), rc);
	return rc;
}

static char *
to_pem(const byte *der, size_t len, int type)
{
	/* Base64 with its line ends is under 3/2; a header and a footer line come on top. */
	size_t size = len + len / 2 + 256;
	char *text = calloc(1, size);

	if (text == NULL ||
	    wc_DerToPem(der, (word32)len, (byte *)text, (word32)size - 1, type) > 0)
		return text;
	cert_free_secret(text, size);
	return NULL;
}

static int
make(struct maker *m, const struct keygen_request *req, struct keygen_result *res,
    struct errmsg *why)
{
	struct x509 cert;
	int key_len;

	if (prepare(m, req, why) == -1)
		return -1;
	key_len = make_key(m, req->type, why);
	if (key_len == -1 ||
	    issue_cert(&m->issue, m->cert_der, sizeof(m->cert_der), &cert, why) == -1)
		return -1;
	x509_fingerprint(&cert, res->fingerprint);
	cert_time_text(cert.not_after, res->not_after);
	res->key_pem = to_pem(m->key_der, (size_t)key_len, PKCS8_PRIVATEKEY_TYPE);
	res->cert_pem = to_pem(cert.der.p, cert.der.n, CERT_TYPE);
	if (res->key_pem != NULL && res->cert_pem != NULL)
		return 0;
	keygen_result_free(res);
	return errmsg_set(why, "out of memory");
}

static void
maker_free(struct maker *m)
{
	keypair_free(&m->key);
	issuer_free(&m->ca);
	if (m->rng_ready)
		wc_FreeRng(&m->rng);
	cert_free_secret(m, sizeof(*m));
}

int
keygen_make(
    const struct keygen_request *req, struct keygen_result *res, struct errmsg *why)
{
	struct maker *m = calloc(1, sizeof(*m));
	int rc;

	memset(res, 0, sizeof(*res));
	if (m == NULL || wolfSSL_Init() != WOLFSSL_SUCCESS) {
		free(m);
		return errmsg_set(why, "out of memory");
	}
	rc = make(m, req, res, why);
	maker_free(m);
	wolfSSL_Cleanup();
	return rc;
}

void
keygen_result_free(struct keygen_result *res)
{
	if (res->key_pem != NULL)
		cert_free_secret(res->key_pem, strlen(res->key_pem));
	free(res->cert_pem);
	memset(res, 0, sizeof(*res));
}
