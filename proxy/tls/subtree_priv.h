#ifndef TLS_SUBTREE_PRIV_H_
#define TLS_SUBTREE_PRIV_H_

#include "tls/x509_priv.h"

/* A name against one subtree of a CA's name constraints.  Where the comparison is in
 * doubt, the name must count as forbidden. */
enum match { OUTSIDE, INSIDE, IN_DOUBT };

/* One of a CA's two lists. */
enum list { PERMITTED, EXCLUDED };

/* Compares a name with the base of a subtree of the same kind (of the same number; the
 * tags may differ). */
enum match subtree_match(
    const struct general_name *, const struct general_name *base, enum list);

#endif
