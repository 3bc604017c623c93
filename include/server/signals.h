#ifndef SERVER_SIGNALS_H_
#define SERVER_SIGNALS_H_

#include <sys/types.h>

#include "base/errmsg.h"

/*
 * SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1 and SIGUSR2 as a descriptor that becomes readable; one of the
 * first three that was ignored when the program started stays ignored.  SIGPIPE is ignored.  Call before any
 * thread exists.  Returns the descriptor, or -1 with the message filled.
 */
int signals_open(struct errmsg *);

/* The next signal that waits, or 0; *sender is who sent it. */
int signals_next(int, pid_t *sender);

#endif
