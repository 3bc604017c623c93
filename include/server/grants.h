#ifndef SERVER_GRANTS_H_
#define SERVER_GRANTS_H_

#include "base/errmsg.h"
#include "conf/config.h"
#include "net/helper.h"

/*
 * The helper process of a configuration, and what it may do: start the programs of exec, open the
 * files and folders that the configuration names, and listen where it says.
 */

/* Starts it where the configuration needs one.  Call before any thread runs, before privileges are
 * given up and before a file with a secret is read.  *helper is NULL when none is needed.  Returns 0,
 * or -1 with the message filled. */
int grants_start(struct config *, struct helper **helper, struct errmsg *);

#endif
