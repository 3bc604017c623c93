#ifndef CONF_RULE_H_
#define CONF_RULE_H_

#include "base/errmsg.h"
#include "base/rule.h"
#include "conf/config.h"

/*
 * The lines of allow and deny: [report] KEY=VALUE [KEY=VALUE]..., a value with blanks in
 * double quotes.
 */

/* Reads a line into a new rule, which free() gives back.  A line that nobody can match is an error.
 * Returns NULL with the message filled. */
struct rule *rule_parse(const char *, bool deny, struct errmsg *);

/* Whether it names a certificate or a key exactly: who has that key needs no CA. */
bool rule_is_pin(const struct rule *);

/* Whether the issuer is asked for. */
bool rule_asks_issuer(const struct rule *);

/* Whether the allow lines of a section say by themselves who may pass: there is one, and each
 * is a pin. */
bool rules_are_pins(const struct conf_service *);

/* Whether each of its allow lines says by a name, an address or a key who the peer is, and
 * there is one: a server then need not be named by the host that is connected to. */
bool rules_name_peer(const struct conf_service *);

/* The rules of a section as a whole: the first line that is at odds with the rest of it, where NULL is
 * none, with the message filled. */
const struct conf_rule *rules_check(const struct conf_service *, const char **option,
    struct errmsg *);

#endif
