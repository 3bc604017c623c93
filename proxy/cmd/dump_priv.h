#ifndef CMD_DUMP_PRIV_H_
#define CMD_DUMP_PRIV_H_

#include <stdio.h>

#include "conf/config.h"

/* Writes a configuration as a file that means the same, defaults included; of the certificates
 * that it names the holders and dates, as comments.  Passwords are left out. */
void dump_config(FILE *, const struct config *);

#endif
