#ifndef SERVER_LOGGING_H_
#define SERVER_LOGGING_H_

#include "base/errmsg.h"
#include "conf/config.h"

/*
 * Has the log go where the configuration wants it (its level, too), and what was held with it.  To be
 * called once privileges are dropped and the root folder is changed, as stunnel does, so
 * that the file can be reopened later.  Returns 0, or -1 with the message filled and the log as it was.
 */
int logging_open(const struct config *, struct errmsg *);

/* Goes over from one configuration to the next, where that makes a difference; whether stderr is written to
 * was decided by the first.  A file that is in use already is not begun anew.  As logging_open(). */
int logging_change(const struct config *first, const struct config *now,
    const struct config *next, struct errmsg *);

#endif
