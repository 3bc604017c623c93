#ifndef CONF_SSLOPT_H_
#define CONF_SSLOPT_H_

#include <stdio.h>

#include "base/errmsg.h"
#include "conf/config.h"

/* One of OpenSSL's options by name, "NO_TLSv1_2" or "-NO_TLSv1_2" to clear it: sets what it means
 * here in the service.  Returns 0, 1 (it means nothing here: the message is a warning), or -1. */
int sslopt_set(struct conf_service *, const char *, struct errmsg *);

/* Prints the names, as `stunnel -options` does. */
void sslopt_list(FILE *);

#endif
