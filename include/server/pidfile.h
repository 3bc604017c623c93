#ifndef SERVER_PIDFILE_H_
#define SERVER_PIDFILE_H_

#include "base/errmsg.h"

/*
 * The file that holds our process id.  It appears whole or not at all: it is written
 * under a name beside it and renamed, so a link in its place is replaced and never
 * followed, and what another process wrote stands until then.
 */

/* Returns 0, or -1 with the message filled. */
int pidfile_write(const char *path, struct errmsg *);

/* Removes the file if it still holds our own process id. */
void pidfile_remove(const char *path);

#endif
