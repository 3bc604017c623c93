#ifndef CONF_SNI_H_
#define CONF_SNI_H_

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "conf/config.h"

/*
 * Sections that are chosen by the name that a client asks for: "sni = SECTION:PATTERN" in a
 * section makes it one of SECTION's, which listens.
 */

/* Whether the section is one that another one hands clients to. */
bool sni_is_named(const struct conf_service *);

/* The pattern of such a section: a host name, "*.example.org" for whatever ends so, or "*". */
const char *sni_pattern(const struct conf_service *);

/* Whether the pattern is for a name, both in any case. */
bool sni_matches(const char *pattern, const char *name);

/* The section that it belongs to, or NULL when there is none of that name that listens as a TLS server. */
const struct conf_service *sni_primary(const struct config *, const struct conf_service *);

/* What sni_check() may also say: stunnel takes such a file, and it is served as there. */
#define SNI_WARNING 1

/* Judges sni of a server's section.  Returns 0, or -1 or SNI_WARNING with the message filled. */
int sni_check(const struct config *, const struct conf_service *, struct errmsg *);

#endif
