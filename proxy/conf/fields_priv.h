#ifndef CONF_FIELDS_PRIV_H_
#define CONF_FIELDS_PRIV_H_

#include "conf/options.h"

/* What is done with a field by the type of its option; the field may be of a config or of
 * a service, whose base is needed where a type has more than one field. */

/* Where the option's field is in its config or service. */
#define FIELD(o, base) ((void *)((char *)(base) + (o)->offset))
#define CONST_FIELD(o, base) ((const void *)((const char *)(base) + (o)->offset))

/* Reads a value into the field.  0, OPTIONS_WARNING, or -1 (the field is as before). */
int field_read(const struct option *, void *base, const char *value, struct errmsg *);

/* Copies the field from one base to another, which owns nothing there.  0 or -1. */
int field_copy(const struct option *, void *to, const void *from);

/* Frees what the field owns and makes it empty. */
void field_release(const struct option *, void *base);

/* The value as text, the i-th of a list; NULL: none. */
const char *field_text(const struct option *, const void *base, size_t i, char *, size_t);

/* Whether the field is a list that grows with each value. */
bool field_is_list(enum option_type);

#endif
