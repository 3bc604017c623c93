#ifndef CONF_CHECK_PRIV_H_
#define CONF_CHECK_PRIV_H_

#include <stdbool.h>

#include "conf/load.h"
#include "conf/options.h"

/* Judges what a file said as a whole, in the file's words; everything is reported. 0 or -1. */
int config_check_file(const struct config *, const struct conf_report *);

/* Warns of what may be meant as it is, but is better said otherwise. */
void config_warn_file(const struct config *, const struct conf_report *);

/* The judgement of one section. */
struct judge {
	const struct config *config;
	const struct conf_service *service;
	const struct conf_report *report;
	bool failed;
};

/* Reports about the section as a whole: at its header. */
void judge_section(struct judge *, int level, const char *, ...)
    __attribute__((format(printf, 3, 4)));

/* Reports about an option that was given, where it was, else about the section. */
void judge_option(struct judge *, int level, const char *option, const char *, ...)
    __attribute__((format(printf, 4, 5)));

/* Reports about a line of the file, of which this text is quoted. */
void judge_line(struct judge *, int level, const struct conf_mark *, const char *quoted,
    const char *, ...) __attribute__((format(printf, 5, 6)));

/* Whether the section or the defaults that it inherited name the option, be its value good or
 * not. */
bool judge_says(const struct judge *, const char *option);

/* Whether a certificate of the peer's must stand a test. */
bool judge_verifies(const struct conf_service *);

/* Whether the peer must have one of a list of names. */
bool judge_names(const struct conf_service *);

/* Certificates and who may pass. */
void check_identity(struct judge *);

/* Responders that are asked about peers. */
void check_ocsp(struct judge *);

/* Warns of the defaults of stunnel's profile that are weaker than ours. */
void check_weak(struct judge *);

#endif
