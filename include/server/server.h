#ifndef SERVER_SERVER_H_
#define SERVER_SERVER_H_

#include "base/errmsg.h"
#include "conf/config.h"

/*
 * Runs a checked configuration until it is over: a signal asks for the end, or the tunnel on
 * our stdio ends.  Returns the process's exit status: 0 for a normal end, 2 when the
 * tunnel on stdio ended in an error; or -1 with the message filled when it could not start.
 */
int server_run(const struct config *, struct errmsg *);

#endif
