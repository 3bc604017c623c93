#ifndef TLS_RULE_H_
#define TLS_RULE_H_

#include "base/rule.h"
#include "tls/cert.h"

/*
 * Whether a certificate has all that a rule asks for.  issuer: the one whose key has verified it,
 * NULL where none has.  Malformed certificates match nothing.
 *
 * In doubt nobody is let in: for an allow rule there must be one CN and no other, a name counts
 * only when it is sound (no NUL, a SPIFFE ID by its rules and the only URI); for a deny
 * rule one of several is enough.  dns without "*" is what checkHost asks for, ip what checkIP, email what checkEmail:
 * wildcards of the certificate stand for one label, and the CN counts where there is no SAN.
 */
bool trust_rule_matches(const struct rule *, const struct der *, const struct der *issuer);

#endif
