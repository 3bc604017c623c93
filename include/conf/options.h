#ifndef CONF_OPTIONS_H_
#define CONF_OPTIONS_H_

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "conf/config.h"

/*
 * The option table: the one place that knows what can be set, and what drives the
 * configuration file, the command line, --help, the manual page's option list, `check`
 * and the defaults.  To add an option: a field in conf/config.h, a row in
 * conf/table.c, a line in the tests.
 */

/* What the value is, and how the field stores it. */
enum option_type {
	OPTION_FLAG,     /* bool: yes or no; on the command line the name alone is yes */
	OPTION_SECONDS,  /* unsigned, min … max */
	OPTION_COUNT,    /* unsigned, min … max */
	OPTION_LEVEL,    /* int: syslog level */
	OPTION_DEBUG,    /* the same, with an optional "facility." in front: debug, facility */
	OPTION_CHOICE,   /* an enum: the index of one of the row's words */
	OPTION_VERSION,  /* enum conf_version */
	OPTION_VERSIONS, /* the same, into version_min and version_max */
	OPTION_RETRY,    /* yes, no or milliseconds: retry and retry_ms */
	OPTION_SOURCE,   /* "V4BITS/V6BITS" behind a number: max_per_source … */
	OPTION_NAME,     /* char *: for log lines */
	OPTION_TEXT,     /* char *: any, also empty */
	OPTION_PATH,     /* char *; empty: none, where the row's min is 0 */
	OPTION_PATHS,    /* struct conf_strings: one more */
	OPTION_HOST,     /* char *: a host name or an IP address */
	OPTION_HOSTS,    /* struct conf_strings: one more */
	OPTION_IPS,      /* struct conf_strings: one more IP address */
	OPTION_TEXTS,    /* struct conf_strings: one more, not empty */
	OPTION_ENV,      /* struct conf_strings: one more NAME=VALUE */
	OPTION_ARGV,     /* struct conf_strings: words between blanks, all anew */
	OPTION_ADDR,     /* struct conf_addrs: the only one */
	OPTION_ADDRS,    /* struct conf_addrs: one more */
	OPTION_PREFIXES, /* struct conf_prefixes: one more */
	OPTION_ALLOW,    /* struct conf_rules: one more (conf/rule.h) */
	OPTION_DENY,     /* likewise */
	OPTION_SOCKOPTS, /* struct conf_sockopts: one more */
	OPTION_CIPHERS,  /* suites12: OpenSSL's cipher string (conf/ciphers.h) */
	OPTION_SUITES,   /* suites13: names with colons between (conf/ciphers.h) */
	OPTION_CURVES,   /* groups: names with colons between (conf/ciphers.h) */
	OPTION_PROTOCOLS, /* struct conf_strings: some more, with commas between */
	OPTION_SSLOPT,   /* one of OpenSSL's options (conf/sslopt.h) */
	OPTION_PROFILE,  /* enum conf_profile: all defaults that are not set yet */
};

/* Where the field is: in struct config, or in a struct conf_service. */
enum option_scope { OPTION_GLOBAL, OPTION_SERVICE };

/* What becomes of it. */
enum option_status {
	OPTION_WORKS,
	OPTION_IGNORED, /* judged, then passed over with a warning that gives the note */
	OPTION_REFUSED, /* an error that gives the note, but for the harmless value */
};

/* The commands that an option applies to: bits; none: files only. */
#define OPTION_FOR_SERVER 1u
#define OPTION_FOR_CLIENT 2u
#define OPTION_FOR_BOTH (OPTION_FOR_SERVER | OPTION_FOR_CLIENT)

struct option {
	const char *name; /* in stunnel's spelling, or made in its manner */
	const char *alias; /* another of stunnel's names, or NULL */
	enum option_type type;
	enum option_scope scope;
	enum option_status status;
	size_t offset;
	unsigned commands;
	bool ours;        /* stunnel has none such */
	const char *argument; /* stands for the value in help: "FILE" */
	const char *initial;  /* the strict default as one would write it, or NULL */
	const char *stunnel;  /* the default of files where it differs, or NULL */
	const char *harmless; /* a value that is always taken in silence, or NULL */
	const char *note;     /* why it is ignored or refused */
	const char *const *words; /* of OPTION_CHOICE, NULL behind the last */
	unsigned min, max;    /* numbers only */
	const char *help;     /* one sentence, units included, default not */
};

/* The row of an index, NULL behind the last. */
const struct option *options_row(size_t);

/* The index of a row: its place among the marks. */
size_t options_index(const struct option *);

/* The row of a name or alias, in any case, or NULL.  Where a name is global and a
 * service's (debug, setuid), the service's is meant in a section. */
const struct option *options_find(const char *, bool in_section);

/* The name in the table that is nearest to an unknown one, or NULL. */
const char *options_nearest(const char *);

/* Whether its value is for no eyes but the program's: messages and dumps leave it out. */
bool options_secret(const struct option *);

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

/* What options_assign() may also say: a value was taken, but the operator should know. */
#define OPTIONS_WARNING 1

/* Sets one option.  The service may be NULL for a global option.  On -1 the
 * message says what is wrong with the value and what to give, without the
 * option's name, and the configuration is as before; on OPTIONS_WARNING it was set (or is ignored)
 * and the message is a warning. */
int options_assign(const struct option *, struct config *, struct conf_service *,
    const char *value, struct errmsg *);

/* Notes where an option was set.  The first time in a section, a list that was inherited is emptied:
 * to be called before options_assign().  mark.here tells a section from the defaults. */
void options_mark(const struct option *, struct config *, struct conf_service *,
    const struct conf_mark *);

/* Where it was set; all zero when its default holds. */
const struct conf_mark *options_marked(const struct option *, const struct config *,
    const struct conf_service *);

/* The same by name, which messages begin with.  An unknown name is an error
 * that suggests the nearest. */
int options_set(struct config *, struct conf_service *, const char *name,
    const char *value, struct errmsg *);

/* Sets the profile's defaults of every option that is not marked, in the configuration
 * (NULL: not) and the service.  0 or -1. */
int options_defaults(enum conf_profile, struct config *, struct conf_service *,
    struct errmsg *);

/* Makes a service whose options are those of another, marks included, but none set here.
 * 0, or -1 (memory: nothing is left behind). */
int options_copy(struct conf_service *, const struct conf_service *, struct errmsg *);

/* Frees what the options of a scope own; base is the config or the service. */
void options_release(enum option_scope, void *base);

/* The value of an option as one would write it, the i-th of a list, into a buffer;
 * NULL when there is none (or no further one).  For `check`. */
const char *options_value(const struct option *, const struct config *,
    const struct conf_service *, size_t i, char *, size_t);

#endif
