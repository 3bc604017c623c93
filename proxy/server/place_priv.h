#ifndef SERVER_PLACE_PRIV_H_
#define SERVER_PLACE_PRIV_H_

#include "server/listeners.h"

/* One place where we listen.  The functions that can fail return -1 with the message
 * filled. */

/* Opens what p->wanted asks for p->service, or takes the socket that a process before
 * us listened on. A NULL address means all of the machine, at the port. */
int place_open(struct place *, const struct addr *, const char *port, struct errmsg *);

/* Takes the next socket of the service manager for this accept line; 1: there is none
 * left. */
int place_take_managed(struct place *, const struct addr_spec *, struct errmsg *);

/* Whether that is what was taken for the line. */
bool place_is_managed(const struct place *, const struct addr_spec *, const struct service *);

/* Whether who connects to the address reaches it: the file of a unix socket may be
 * gone. */
bool place_stands(const struct place *);

/* Whether it has the port that is wanted. */
bool place_has_port(const struct place *, const char *wanted);

/* It is the only one of its address now, and its service's: sets the socket options. */
void place_settle(struct place *);

/* Closes; the file of a unix socket goes if it is still ours. */
void place_close(const struct place *);

#endif
