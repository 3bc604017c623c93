#ifndef CONF_RULE_PRIV_H_
#define CONF_RULE_PRIV_H_

#include "base/errmsg.h"
#include "base/rule.h"

/* Judges the value of a term, its text, and fills what else it has.  0, or -1 with a message
 * without the key. */
int rule_read_value(struct rule_term *, struct errmsg *);

#endif
