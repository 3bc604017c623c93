#ifndef SERVER_DAEMON_H_
#define SERVER_DAEMON_H_

#include <stdbool.h>

#include "base/errmsg.h"

/*
 * Going into the background.  The process forks before it does anything else: the child
 * does all, and the parent waits for it, so that whoever started us sees the child's
 * errors and gets an exit status that is true.
 */
struct daemon {
	bool detach;  /* standard descriptors and folder are given up when ready */
	int null_fd;  /* /dev/null, opened while it can be found; -1: not detaching */
	int tell_fd;  /* the parent waits for a byte here; -1: no parent does */
};

/* A process that stays where it is. */
#define DAEMON_NONE { .null_fd = -1, .tell_fd = -1 }

/*
 * Forks; returns in the child only, as the leader of a session of its own.  The parent
 * exits: 0 when the child calls daemon_ready(), or with the status of a child that
 * ended before. With follow the process has been started in the background already: no
 * fork.  Before any thread exists.  Returns 0, or -1 with the message filled.
 */
int daemon_start(struct daemon *, bool follow, struct errmsg *);

/*
 * All is well: goes to the root folder, gives up the standard descriptors and lets the
 * parent exit.  Returns 0, or -1 with the message filled: the parent is gone.
 */
int daemon_ready(struct daemon *, struct errmsg *);

/* Frees; a parent that still waits sees that we failed.  DAEMON_NONE is fine. */
void daemon_free(struct daemon *);

#endif
