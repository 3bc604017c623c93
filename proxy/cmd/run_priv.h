#ifndef CMD_RUN_PRIV_H_
#define CMD_RUN_PRIV_H_

#include "conf/config.h"

/* What is said to the operator at the start has stunnel's id for it. */
#define RUN_ID "ui"

/* Loads a configuration, every message into the log.  The caller frees it; NULL after an error. */
struct config *run_load(const char *path);

#endif
