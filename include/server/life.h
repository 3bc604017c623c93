#ifndef SERVER_LIFE_H_
#define SERVER_LIFE_H_

#include <stdbool.h>
#include <sys/types.h>

#include "base/errmsg.h"
#include "conf/config.h"

/*
 * The life of the process towards the system: background, privileges, pid file, service
 * manager, and the process before and after it.  Each step returns 0, or -1 with the
 * message filled; then life_end() is called all the same.
 */

/* The first thing of all: returns in the process that will serve. */
int life_begin(const struct config *, struct errmsg *);

/* Whether we are in the background, or on the way there. */
bool life_detaches(void);

/* Sockets are open, files are read, no thread runs yet: gives up privileges. */
int life_settle(const struct config *, struct errmsg *);

/* Whether files and ports are out of reach now. */
bool life_settled(void);

/* All threads run: takes the place of a process before us, writes the pid file, tells
 * whoever waits for us. */
int life_ready(const struct config *, struct errmsg *);

/* Relative names in the configuration are meant from the folder that we were in at the
 * start: a process in the background goes there to look them up, and back to the root. */
void life_visit(void);
void life_return(void);

/* Another process serves in our place, and will write its pid to that file: ours is
 * left to it where they are the same. */
void life_leave(pid_t, const char *pidfile);

/* The end, for the reason in the message or, when it is NULL, an orderly one. */
void life_end(const struct errmsg *);

#endif
