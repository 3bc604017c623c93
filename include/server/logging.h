#ifndef SERVER_LOGGING_H_
#define SERVER_LOGGING_H_

#include "base/errmsg.h"
#include "conf/config.h"

/*
 * Has the log go where the configuration wants it (its level, too), and what was held with it.  To be
 * called once privileges are dropped and the root folder is changed, as stunnel does, so
 * that the file can be reopened later; and again when a reload brings another
 * configuration.  Returns 0, or -1 with the message filled and the log as it was.
 */
int logging_open(const struct config *, struct errmsg *);

#endif
