#ifndef TLS_RULE_PRIV_H_
#define TLS_RULE_PRIV_H_

#include "base/rule.h"
#include "tls/x509_priv.h"

/* Whom a rule is asked about: a certificate, and the one whose key has verified it, if any. */
struct applicant {
	const struct x509 *leaf;
	const struct x509 *issuer;
};

bool rule_matches(const struct rule *, const struct applicant *);

/* Whether a name matches a pattern: "*" stands for any bytes but the separator, "**" for any at all.
 * nocase: the letters of ASCII are alike. */
bool glob_matches(const char *pattern, struct span, char separator, bool nocase);

/* Whether it is a SPIFFE ID as the standard has it. */
bool uri_is_spiffe_id(struct span);

#endif
