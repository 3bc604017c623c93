#ifndef CONF_LISTS_PRIV_H_
#define CONF_LISTS_PRIV_H_

#include "base/errmsg.h"
#include "conf/config.h"

/* The lists and texts that fields are made of.  What returns int gives 0, or -1 with the message
 * filled (the copies: -1 alone, when memory ran out, and nothing is left behind). */

/* Makes *field a copy of the text, freeing what it was. */
int text_replace(char **field, const char *, struct errmsg *);

/* The same with its arguments as list_add_string() wants them: any text will do. */
int text_any(const char *, char **field, struct errmsg *);

/* A copy, of NULL too. */
int text_copy(char **to, const char *from);

/* One more item, read from its text; on -1 the list is as before. */
int list_add_string(const char *, int (*read)(const char *, char **, struct errmsg *),
    struct conf_strings *, struct errmsg *);
int list_add_addr(const char *, struct conf_addrs *, struct errmsg *);
int list_add_prefix(const char *, struct conf_prefixes *, struct errmsg *);
int list_add_rule(const char *, bool deny, const struct conf_mark *, struct conf_rules *,
    struct errmsg *);
/* All that stand in one text with commas between. */
int list_add_protocols(const char *, struct conf_strings *, struct errmsg *);
int list_add_sockopt(const char *, struct conf_sockopts *, struct errmsg *);

/* Copies into what owns nothing.  plain: a list whose items, of that size, own nothing. */
int list_copy_strings(struct conf_strings *, const struct conf_strings *);
int list_copy_addrs(struct conf_addrs *, const struct conf_addrs *);
int list_copy_rules(struct conf_rules *, const struct conf_rules *);
int list_copy_plain(void *to, const void *from, size_t size);

/* Empties a list and frees what it owned. */
void list_free_strings(struct conf_strings *);
void list_free_addrs(struct conf_addrs *);
void list_free_rules(struct conf_rules *);
void list_free_plain(void *);

#endif
