#ifndef CONF_VALUE_H_
#define CONF_VALUE_H_

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"

/*
 * One scalar: from the text that the operator wrote to a value.  Each function
 * returns 0, or -1 with a message that quotes the text and says what to give; it
 * does not name the option, which its caller puts in front (errmsg_prefix).  On
 * -1 the result is untouched.
 */

/* "yes" or "no", in any case. */
int value_bool(const char *, bool *, struct errmsg *);

/* A whole number from min to max, decimal digits only.  unit is for the message
 * ("seconds"), or NULL. */
int value_number(const char *, const char *unit, unsigned min, unsigned max, unsigned *,
    struct errmsg *);

/* One of n words, in any case: its index. */
int value_choice(
    const char *, const char *const *words, size_t n, size_t *, struct errmsg *);

/* A syslog level: 0 … 7, or its name. */
int value_level(const char *, int *, struct errmsg *);

/* The facility of syslog whose name the n bytes are, in any case. */
int value_facility(const char *, size_t n, int *, struct errmsg *);

/* The name of a facility. */
const char *value_facility_text(int);

/* The path of a file: replaces *path, which is malloc'ed or NULL. */
int value_path(const char *, char **path, struct errmsg *);

/* A name for log lines: 1 … 64 visible characters and blanks; replaces *name. */
int value_name(const char *, char **name, struct errmsg *);

/* A host name or an IP address, alone; replaces *host. */
int value_host(const char *, char **host, struct errmsg *);

/* The nearest of n words to what was written, in any case, or NULL when none is near
 * enough to be meant. */
const char *value_nearest(const char *, const char *const *words, size_t n);

#endif
