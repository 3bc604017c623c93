#ifndef SERVER_LIMITS_H_
#define SERVER_LIMITS_H_

#include "base/errmsg.h"
#include "conf/config.h"

/* What the machine lets one process do. */

/* Raises the limit on open files as far as allowed and tells how many tunnels, of two
 * descriptors each, it holds at most. */
unsigned limits_tunnels(void);

/* How many tunnels the configuration lets in at once, of those that the limit holds.  Returns 0,
 * or -1 with the message filled: more was asked for than can be. */
int limits_max_tunnels(const struct config *, unsigned *, struct errmsg *);

/* The CPUs that this process may use. */
unsigned limits_cpus(void);

#endif
