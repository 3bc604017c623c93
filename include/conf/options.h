#ifndef CONF_OPTIONS_H_
#define CONF_OPTIONS_H_

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "conf/config.h"

/*
 * The option table: the one place that knows what can be set, and what drives the
 * command line, --help, the manual page's option list and the defaults.  To
 * add an option: a field in conf/config.h, a row here, a line in the tests.
 */

/* What the value is, and how the field stores it. */
enum option_type {
	OPTION_FLAG,     /* bool: yes or no; on the command line the name alone is yes */
	OPTION_SECONDS,  /* unsigned, min … max */
	OPTION_COUNT,    /* unsigned, min … max */
	OPTION_LEVEL,    /* int: syslog level */
	OPTION_ABORT,    /* enum conf_abort */
	OPTION_VERSION,  /* enum conf_version */
	OPTION_VERSIONS, /* the same, into version_min and version_max */
	OPTION_NAME,     /* char *: for log lines */
	OPTION_PATH,     /* char * */
	OPTION_PATHS,    /* struct conf_strings: one more */
	OPTION_HOSTS,    /* struct conf_strings: one more */
	OPTION_ADDRS,    /* struct conf_addrs: one more */
};

/* Where the field is: in struct config, or in a struct conf_service. */
enum option_scope { OPTION_GLOBAL, OPTION_SERVICE };

/* The commands that an option applies to: bits. */
#define OPTION_FOR_SERVER 1u
#define OPTION_FOR_CLIENT 2u
#define OPTION_FOR_BOTH (OPTION_FOR_SERVER | OPTION_FOR_CLIENT)

struct option {
	const char *name; /* in stunnel's spelling, or made in its manner */
	enum option_type type;
	enum option_scope scope;
	size_t offset;
	unsigned commands;
	const char *argument; /* stands for the value in help: "FILE" */
	const char *initial;  /* the strict default as one would write it, or NULL */
	unsigned min, max;    /* numbers only */
	const char *help;     /* one sentence, units included, default not */
};

/* The row of an index, NULL behind the last. */
const struct option *options_row(size_t);

/* The row of a name, in any case, or NULL. */
const struct option *options_find(const char *);

/* The name in the table that is nearest to an unknown one, or NULL. */
const char *options_nearest(const char *);

/* Whether the option may be given several times, each adding to the list.  Any
 * other option that is given again replaces its value. */
bool options_repeats(const struct option *);

/* Enough for any options_flag(), its NUL included. */
#define OPTION_FLAG_TEXT 40

/* The name as the command line has it ("--timeoutidle") into a buffer of
 * OPTION_FLAG_TEXT bytes; returns it. */
const char *options_flag(const struct option *, char *);

/* The help text with repetition and default into a buffer; returns it. */
const char *options_help(const struct option *, char *, size_t);

/* Sets one option.  The service may be NULL for a global option.  On -1 the
 * message says what is wrong with the value and what to give, without the
 * option's name, and the configuration is as before. */
int options_assign(const struct option *, struct config *, struct conf_service *,
    const char *value, struct errmsg *);

/* The same by name, which messages begin with.  An unknown name is an error
 * that suggests the nearest. */
int options_set(struct config *, struct conf_service *, const char *name,
    const char *value, struct errmsg *);

/* Sets the strict defaults of a zeroed configuration and service.  0 or -1. */
int options_defaults(struct config *, struct conf_service *, struct errmsg *);

/* Frees what the options of a service own. */
void options_release(struct conf_service *);

#endif
