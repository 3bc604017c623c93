#ifndef SERVER_HERITAGE_H_
#define SERVER_HERITAGE_H_

#include <stdbool.h>

#include "base/errmsg.h"

/*
 * What a process has from the one whose place it takes (server/upgrade.h): the sockets
 * that it listens on.  In any other process every function does nothing.
 */

/* Takes it all, and the stderr that we shall have.  Before a fork; needs no
 * configuration.  Returns 0, or -1 with the message filled. */
int heritage_open(struct errmsg *);

/* Whether there is one, and whether whoever leaves it had gone into the background. */
bool heritage_is(void);
bool heritage_detached(void);

/* The socket that listened where it is wanted ("127.0.0.1:443"), or -1; it is the
 * caller's.  With a port of the system's choice each service keeps its own.  *managed:
 * a service manager owns it. */
int heritage_take(const char *wanted, const char *service, bool *managed);

/* We serve, and shall write our pid to the file (NULL: to none): returns once the other
 * accepts no more, or has died.  Returns 0, or -1 with the message filled: the other
 * goes on, and we must end. */
int heritage_ready(const char *pidfile, struct errmsg *);

/* We cannot serve, for this reason. */
void heritage_failed(const struct errmsg *);

/* Closes what nobody took. */
void heritage_close(void);

#endif
