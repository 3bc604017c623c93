#ifndef SERVER_GRANTS_PRIV_H_
#define SERVER_GRANTS_PRIV_H_

#include <stdbool.h>

#include "conf/config.h"
#include "net/addr.h"
#include "net/sock.h"

/* What a configuration names: the whole of what the helper opens for a process without
 * privileges.  Paths are compared as they are written. */

/* A file of its own, of a section, or of one of its folders. */
bool grants_file(const struct config *, const char *path);

/* A folder of include or of CAs. */
bool grants_folder(const struct config *, const char *path);

/* An address of an accept line; *setup is then what its socket gets. */
bool grants_place(const struct config *, const struct addr *, struct sock_setup *setup);

/* What a port without a host means, in IPv6 or in IPv4.  Returns 0, or -1 with the message filled. */
int grants_everywhere(bool six, const char *port, struct addr *, struct errmsg *);

#endif
