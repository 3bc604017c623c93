#include "tls/constraints_priv.h"
#include "tls/pubkey_priv.h"
#include "tls/rules_priv.h"

/* Puts the certificate's subject in front of the message. */
static enum trust_verdict
about(const struct x509 *c, enum trust_verdict v, struct errmsg *e)
{
	char subject[NAME_TEXT];

	errmsg_prefix(e, "\"%s\"", x509_name_text(c->subject, subject, sizeof(subject)));
	return v;
}

static enum trust_verdict
judge_dates(const struct x509 *c, int64_t now, struct errmsg *e)
{
	char then_text[32], now_text[32], span[CERT_SPAN_TEXT];

	cert_time_text(now, now_text);
	if (now > c->not_after) {
		errmsg_set(e, "it expired on %s, %s ago; it is %s now",
		    cert_time_text(c->not_after, then_text),
		    cert_span_text(now - c->not_after, span), now_text);
		return about(c, TRUST_EXPIRED, e);
	}
	if (now < c->not_before) {
		errmsg_set(e, "it is valid from %s on, in %s; it is %s now",
		    cert_time_text(c->not_before, then_text),
		    cert_span_text(c->not_before - now, span), now_text);
		return about(c, TRUST_NOT_YET, e);
	}
	return TRUST_OK;
}

static enum trust_verdict
judge_extensions(const struct x509 *c, struct errmsg *e)
{
	char oid[64];

	if (c->unknown.p == NULL)
		return TRUST_OK;
	errmsg_set(e, "it has the critical extension %s, which is not understood",
	    asn1_oid_text(c->unknown, oid, sizeof(oid)));
	return about(c, TRUST_BAD_CHAIN, e);
}

#define OID_SERVER_AUTH "\x2b\x06\x01\x05\x05\x07\x03\x01"
#define OID_CLIENT_AUTH "\x2b\x06\x01\x05\x05\x07\x03\x02"
#define OID_ANY_USE "\x55\x1d\x25\x00"

/* The extended key usage of every certificate on the path bounds what it is good for. */
static enum trust_verdict
judge_use(const struct x509 *c, bool peer_is_server, struct errmsg *e)
{
	struct span rest = c->eku, oid;

	if (c->eku.p == NULL)
		return TRUST_OK;
	while (asn1_take(&rest, TAG_OID, &oid))
		if (SPAN_IS(oid, OID_ANY_USE) ||
		    (peer_is_server ? SPAN_IS(oid, OID_SERVER_AUTH)
				    : SPAN_IS(oid, OID_CLIENT_AUTH)))
			return TRUST_OK;
	errmsg_set(e,
	    "its extendedKeyUsage lacks %s, which a peer that acts as TLS %s needs",
	    peer_is_server ? "serverAuth" : "clientAuth",
	    peer_is_server ? "server" : "client");
	return about(c, TRUST_WRONG_USE, e);
}

/* Says what its owner can do about it. */
static enum trust_verdict
weak(const struct x509 *c, struct errmsg *e)
{
	struct errmsg reason = *e;

	errmsg_set(e, "%s; make a new key and certificate with \"sluss keygen\"", reason.text);
	return about(c, TRUST_WEAK, e);
}

enum trust_verdict
rules_leaf(const struct x509 *c, const struct occasion *o, struct errmsg *e)
{
	enum trust_verdict v;

	if ((v = judge_dates(c, o->now, e)) != TRUST_OK)
		return v;
	if (pubkey_judge(c, e) == -1 || sigalg_judge(c, e) == -1 ||
	    level_judge(c, o->level, e) == -1)
		return weak(c, e);
	if (c->has_key_usage && (c->key_usage & KU_DIGITAL_SIGNATURE) == 0) {
		errmsg_set(
		    e, "its keyUsage lacks digitalSignature, which every TLS peer needs");
		return about(c, TRUST_WRONG_USE, e);
	}
	if ((v = judge_use(c, o->peer_is_server, e)) != TRUST_OK)
		return v;
	return judge_extensions(c, e);
}

enum trust_verdict
rules_link(const struct x509 *c, const struct x509 *issuer, struct errmsg *e)
{
	if (pubkey_judge(issuer, e) == -1)
		return about(issuer, TRUST_WEAK, e);
	if (sigalg_judge(c, e) == -1)
		return about(c, TRUST_WEAK, e);
	return TRUST_OK;
}

/* Whether a certificate may issue others.  Version 1 certificates cannot say so. */
static enum trust_verdict
judge_is_ca(const struct x509 *c, struct errmsg *e)
{
	if (!c->is_ca)
		errmsg_set(e,
		    "it issued another certificate, but is not a CA "
		    "(basicConstraints CA:TRUE)");
	else if (c->has_key_usage && (c->key_usage & KU_KEY_CERT_SIGN) == 0)
		errmsg_set(e,
		    "it issued another certificate, but its keyUsage lacks "
		    "keyCertSign");
	else
		return TRUST_OK;
	return about(c, TRUST_BAD_CHAIN, e);
}

static enum trust_verdict
judge_ca(const struct x509 *c, const struct occasion *o, struct errmsg *e)
{
	enum trust_verdict v;

	if ((v = judge_is_ca(c, e)) != TRUST_OK ||
	    (v = judge_dates(c, o->now, e)) != TRUST_OK ||
	    (v = judge_use(c, o->peer_is_server, e)) != TRUST_OK)
		return v;
	if (level_judge(c, o->level, e) == -1)
		return about(c, TRUST_WEAK, e);
	return judge_extensions(c, e);
}

enum trust_verdict
rules_anchor(const struct x509 *c, int64_t now, struct errmsg *e)
{
	enum trust_verdict v;

	if ((v = judge_dates(c, now, e)) != TRUST_OK)
		return v;
	if (pubkey_judge(c, e) == -1)
		return about(c, TRUST_WEAK, e);
	return judge_extensions(c, e);
}

/* How many CAs may stand between one and the peer's certificate; those that a CA issued
 * to itself, to change its key, do not count. */
static enum trust_verdict
judge_length(const struct x509 *const *path, size_t at, struct errmsg *e)
{
	size_t i, below = 0;

	for (i = 1; i < at; i++)
		if (!x509_self_issued(path[i]))
			below++;
	if (!path[at]->has_pathlen || below <= path[at]->pathlen)
		return TRUST_OK;
	errmsg_set(e, "it allows %u CAs below itself (pathlen), but there are %zu",
	    path[at]->pathlen, below);
	return about(path[at], TRUST_BAD_CHAIN, e);
}

/* A CA's name constraints bind every certificate below it. */
static enum trust_verdict
judge_names(const struct x509 *const *path, size_t at, struct errmsg *e)
{
	size_t i;

	for (i = 0; i < at; i++) {
		if (i > 0 && x509_self_issued(path[i]))
			continue;
		if (constraints_judge(path[at], path[i], i == 0, e) == -1)
			return about(path[i], TRUST_BAD_CHAIN, e);
	}
	return TRUST_OK;
}

enum trust_verdict
rules_path(
    const struct x509 *const *path, size_t n, const struct occasion *o, struct errmsg *e)
{
	enum trust_verdict v;
	size_t i;

	/* From the anchor downwards: what is below a broken rule matters less. */
	for (i = n - 1; i > 0; i--)
		if ((v = judge_ca(path[i], o, e)) != TRUST_OK ||
		    (v = judge_length(path, i, e)) != TRUST_OK ||
		    (v = judge_names(path, i, e)) != TRUST_OK)
			return v;
	return TRUST_OK;
}
