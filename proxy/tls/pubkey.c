#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include "tls/pubkey_priv.h"

/* clang-format off */
#define OID(s) { (const unsigned char *)(s), sizeof(s) - 1 }
/* clang-format on */

static const struct key_kind {
	struct span oid;
	enum family family;
} key_kinds[] = {
	{ OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"), FAMILY_RSA },
	{ OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"), FAMILY_RSA_PSS },
	{ OID("\x2a\x86\x48\xce\x3d\x02\x01"), FAMILY_EC },
	{ OID("\x2b\x65\x70"), FAMILY_ED25519 },
};

static const struct curve {
	struct span oid;
	int id;
	size_t point; /* bytes of an uncompressed point */
} curves[] = {
	{ OID("\x2a\x86\x48\xce\x3d\x03\x01\x07"), ECC_SECP256R1, 65 },
	{ OID("\x2b\x81\x04\x00\x22"), ECC_SECP384R1, 97 },
	{ OID("\x2b\x81\x04\x00\x23"), ECC_SECP521R1, 133 },
};

static const struct sig_kind {
	struct span oid;
	enum family family;
	enum wc_HashType hash;
} sig_kinds[] = {
	{ OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"), FAMILY_RSA, WC_HASH_TYPE_SHA256 },
	{ OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"), FAMILY_RSA, WC_HASH_TYPE_SHA384 },
	{ OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"), FAMILY_RSA, WC_HASH_TYPE_SHA512 },
	{ OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"), FAMILY_RSA_PSS,
	    WC_HASH_TYPE_NONE },
	{ OID("\x2a\x86\x48\xce\x3d\x04\x03\x02"), FAMILY_EC, WC_HASH_TYPE_SHA256 },
	{ OID("\x2a\x86\x48\xce\x3d\x04\x03\x03"), FAMILY_EC, WC_HASH_TYPE_SHA384 },
	{ OID("\x2a\x86\x48\xce\x3d\x04\x03\x04"), FAMILY_EC, WC_HASH_TYPE_SHA512 },
	{ OID("\x2b\x65\x70"), FAMILY_ED25519, WC_HASH_TYPE_NONE },
};

static const struct hash_kind {
	struct span oid;
	enum wc_HashType hash;
	int mgf;
} hash_kinds[] = {
	{ OID("\x60\x86\x48\x01\x65\x03\x04\x02\x01"), WC_HASH_TYPE_SHA256,
	    WC_MGF1SHA256 },
	{ OID("\x60\x86\x48\x01\x65\x03\x04\x02\x02"), WC_HASH_TYPE_SHA384,
	    WC_MGF1SHA384 },
	{ OID("\x60\x86\x48\x01\x65\x03\x04\x02\x03"), WC_HASH_TYPE_SHA512,
	    WC_MGF1SHA512 },
};

/* What a message may call by name although it is not accepted. */
static const struct refused {
	struct span oid;
	const char *name;
} refused[] = {
	{ OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04"), "RSA with MD5" },
	{ OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"), "RSA with SHA-1" },
	{ OID("\x2a\x86\x48\xce\x3d\x04\x01"), "ECDSA with SHA-1" },
	{ OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0e"), "RSA with SHA-224" },
	{ OID("\x2a\x86\x48\xce\x3d\x04\x03\x01"), "ECDSA with SHA-224" },
	{ OID("\x2a\x86\x48\xce\x3d\x03\x01\x01"), "P-192" },
	{ OID("\x2b\x81\x04\x00\x21"), "P-224" },
	{ OID("\x2b\x81\x04\x00\x0a"), "secp256k1" },
	{ OID("\x2a\x86\x48\xce\x38\x04\x01"), "DSA" },
	{ OID("\x2b\x65\x71"), "Ed448" },
	{ OID("\x2b\x0e\x03\x02\x1a"), "SHA-1" },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The row of a table that has the object identifier, or NULL. */
#define FIND(table, wanted, row)                                               \
	do {                                                                   \
		for ((row) = (table); (row) < (table) + COUNT(table); (row)++) \
			if (span_equal((row)->oid, (wanted)))                  \
				break;                                         \
		if ((row) == (table) + COUNT(table))                           \
			(row) = NULL;                                          \
	} while (0)

/* The object identifier of an AlgorithmIdentifier, and behind it the parameters. */
static struct span
algorithm(struct span *alg)
{
	struct span oid;

	if (!asn1_take(alg, TAG_OID, &oid))
		return (struct span){ NULL, 0 };
	return oid;
}

/* An object identifier by its name, or in digits. */
static const char *
name_of(struct span oid, char *buf, size_t size)
{
	const struct refused *r;

	FIND(refused, oid, r);
	return r != NULL ? r->name : asn1_oid_text(oid, buf, size);
}

/* Parameters must be absent, or NULL where that is the custom. */
static bool
no_parameters(struct span rest, bool null_too)
{
	return rest.n == 0 || (null_too && SPAN_IS(rest, "\x05\x00"));
}

size_t
pubkey_bits(struct span number)
{
	size_t bits = number.n * 8;
	unsigned top;

	if (number.n == 0)
		return 0;
	for (top = number.p[0]; (top & 0x80) == 0 && bits > 0; top <<= 1)
		bits--;
	return bits;
}

/* An INTEGER that is greater than zero, without the zero byte of its sign. */
static bool
take_positive(struct span *in, struct span *number)
{
	if (!asn1_take(in, TAG_INTEGER, number) || number->n == 0 || number->p[0] >= 0x80)
		return false;
	if (number->p[0] == 0) {
		number->p++;
		number->n--;
	}
	return number->n > 0 && number->p[0] != 0;
}

static int
read_rsa(const struct x509 *c, struct pubkey *k, struct errmsg *e)
{
	struct span bits = c->key, body;
	size_t n;

	if (!asn1_take(&bits, TAG_SEQUENCE, &body) || bits.n != 0 ||
	    !take_positive(&body, &k->modulus) || !take_positive(&body, &k->exponent) ||
	    body.n != 0)
		return errmsg_set(e, "its RSA key cannot be read");
	n = pubkey_bits(k->modulus);
	if (n < RSA_BITS_LEAST || n > RSA_BITS_MOST)
		return errmsg_set(e, "its RSA key has %zu bits; %d to %d are accepted", n,
		    RSA_BITS_LEAST, RSA_BITS_MOST);
	/* With the exponent 1 anybody can sign; a huge one makes each check slow. */
	if ((k->exponent.p[k->exponent.n - 1] & 1) == 0 || pubkey_bits(k->exponent) < 2 ||
	    pubkey_bits(k->exponent) > 64)
		return errmsg_set(e, "its RSA key has an unusable exponent");
	return 0;
}

static int
read_ec(const struct x509 *c, struct span params, struct pubkey *k, struct errmsg *e)
{
	const struct curve *curve;
	char text[64];
	struct span oid;

	if (!asn1_take(&params, TAG_OID, &oid) || params.n != 0)
		return errmsg_set(e,
		    "its ECDSA key spells out a curve of its own; "
		    "P-256, P-384 and P-521 are accepted by name");
	FIND(curves, oid, curve);
	if (curve == NULL)
		return errmsg_set(e,
		    "its ECDSA key is on the curve %s; "
		    "P-256, P-384 and P-521 are accepted",
		    name_of(oid, text, sizeof(text)));
	k->curve = curve->id;
	k->point = c->key;
	if (c->key.n != curve->point || c->key.p[0] != 0x04)
		return errmsg_set(e, "its ECDSA key is not an uncompressed point");
	return 0;
}

int
pubkey_read(const struct x509 *c, struct pubkey *k, struct errmsg *e)
{
	struct span params = c->key_alg, oid = algorithm(&params);
	const struct key_kind *kind;
	char text[64];

	*k = (struct pubkey){ .family = FAMILY_RSA };
	FIND(key_kinds, oid, kind);
	if (kind == NULL)
		return errmsg_set(e,
		    "its key is of the kind %s; RSA, ECDSA and Ed25519 keys are accepted",
		    name_of(oid, text, sizeof(text)));
	k->family = kind->family;
	if (k->family == FAMILY_EC)
		return read_ec(c, params, k, e);
	if (k->family != FAMILY_ED25519)
		return read_rsa(c, k, e);
	k->point = c->key;
	if (c->key.n != ED25519_PUB_KEY_SIZE || !no_parameters(params, false))
		return errmsg_set(e, "its Ed25519 key cannot be read");
	return 0;
}

int
pubkey_judge(const struct x509 *c, struct errmsg *e)
{
	struct pubkey k;

	return pubkey_read(c, &k, e);
}

/* Takes [n] { AlgorithmIdentifier } of a hash; SHA-1 where it is absent. */
static bool
take_pss_hash(struct span *params, unsigned n, struct span *alg)
{
	struct span body;

	*alg = (struct span)OID("\x06\x05\x2b\x0e\x03\x02\x1a");
	if (!asn1_ahead(params, TAG_CONTEXT_OF(n)))
		return true;
	return asn1_take(params, TAG_CONTEXT_OF(n), &body) &&
	    asn1_take(&body, TAG_SEQUENCE, alg) && body.n == 0;
}

/* RSASSA-PSS-params (RFC 4055).  Both hashes must be the same: nobody makes others. */
static int
read_pss(struct span params, struct sigalg *s, struct errmsg *e)
{
	struct span body, hash, mgf, mgf_hash, oid;
	const struct hash_kind *kind;
	unsigned salt = 20;
	char text[64];

	if (!asn1_take(&params, TAG_SEQUENCE, &body) || params.n != 0 ||
	    !take_pss_hash(&body, 0, &hash) || !take_pss_hash(&body, 1, &mgf) ||
	    (asn1_ahead(&body, TAG_CONTEXT_OF(2)) &&
		(!asn1_take(&body, TAG_CONTEXT_OF(2), &oid) ||
		    !asn1_take_number(&oid, TAG_INTEGER, &salt) || oid.n != 0)) ||
	    body.n != 0)
		return errmsg_set(e, "its RSA-PSS parameters cannot be read");
	oid = algorithm(&hash);
	FIND(hash_kinds, oid, kind);
	if (kind == NULL || !no_parameters(hash, true))
		return errmsg_set(e,
		    "it is signed with RSA-PSS and %s; SHA-256, SHA-384 "
		    "and SHA-512 are accepted",
		    name_of(oid, text, sizeof(text)));
	oid = algorithm(&mgf);
	if (!SPAN_IS(oid, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08") ||
	    !asn1_take(&mgf, TAG_SEQUENCE, &mgf_hash) || mgf.n != 0 ||
	    !span_equal(algorithm(&mgf_hash), kind->oid) ||
	    !no_parameters(mgf_hash, true) || salt > RSA_BITS_MOST / 8)
		return errmsg_set(e,
		    "its RSA-PSS parameters are unusual: the hash and that "
		    "of the mask must be the same");
	s->hash = kind->hash;
	s->mgf = kind->mgf;
	s->salt = (int)salt;
	return 0;
}

int
sigalg_read(const struct x509 *c, struct sigalg *s, struct errmsg *e)
{
	struct span params = c->sig_alg, oid = algorithm(&params);
	const struct sig_kind *kind;
	char text[64];

	FIND(sig_kinds, oid, kind);
	if (kind == NULL)
		return errmsg_set(e,
		    "it is signed with %s; SHA-256, SHA-384 or SHA-512 with "
		    "RSA or ECDSA, and Ed25519 are accepted",
		    name_of(oid, text, sizeof(text)));
	*s = (struct sigalg){ .family = kind->family, .hash = kind->hash };
	if (s->family == FAMILY_RSA_PSS)
		return read_pss(params, s, e);
	if (!no_parameters(params, s->family == FAMILY_RSA))
		return errmsg_set(e, "its signature has unknown parameters");
	return 0;
}

int
sigalg_judge(const struct x509 *c, struct errmsg *e)
{
	struct sigalg s;

	return sigalg_read(c, &s, e);
}
