#ifndef CONF_NAMES_PRIV_H_
#define CONF_NAMES_PRIV_H_

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "conf/config.h"

/* Lists of names that a translator makes, and the names that it has to leave out. */

/* Adds a copy of a name.  0 or -1. */
int names_add(struct conf_strings *, const char *, struct errmsg *);

/* Whether a name is in the list. */
bool names_have(const struct conf_strings *, const char *);

void names_free(struct conf_strings *);

/* The list takes the place of another, which is freed. */
void names_replace(struct conf_strings *to, struct conf_strings *from);

/* Names in the order of their coming, as text; what does not fit ends with "…". */
struct names_text {
	char text[512];
	size_t n;
	bool full;
};

void names_text_add(struct names_text *, const char *, size_t);

#endif
