#ifndef CONF_SSLOPT_H_
#define CONF_SSLOPT_H_

#include <stdio.h>

#include "base/errmsg.h"
#include "conf/config.h"

/* One of OpenSSL's options by name, "NO_TLSv1_2" or "-NO_TLSv1_2" to clear it: sets what it means
 * here in the service.  Returns 0, 1 (it means nothing here: the message is a warning), or -1. */
int sslopt_set(struct conf_service *, const char *, struct errmsg *);

/* The oldest and the newest version that sslVersion* and the options leave.  0, or -1: none
 * is left. */
int sslopt_versions(const struct conf_service *, enum conf_version *min,
    enum conf_version *max);

/* The i-th option that has an effect in the service, or NULL: for `check`. */
const char *sslopt_text(const struct conf_service *, size_t i);

/* Prints the names, as `stunnel -options` does. */
void sslopt_list(FILE *);

#endif
