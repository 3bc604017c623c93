#ifndef SERVER_UPGRADE_H_
#define SERVER_UPGRADE_H_

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/errmsg.h"

/*
 * Another program file takes our place without a gap: it is started with our arguments,
 * gets the sockets that we listen on (server/heritage.h), and once it serves we stop
 * accepting and let our tunnels finish.  Until then, and when it fails, we serve as
 * before.
 */
struct upgrade;

/* Remembers how we were started.  At the start of the program, behind systemd_open(),
 * before limits or folder change. */
void upgrade_remember(void);
void upgrade_forget(void);

/* Becomes the program that is there now, as we were started, with the socket of
 * upgrade_begin(); when that fails says so there, and ends.  For a child of ours, or of
 * one that was forked behind upgrade_remember(). */
_Noreturn void upgrade_become(int);

/* Goes to the folder that we were in at the start; it is not known: stays. */
void upgrade_to_folder(void);

/* It cannot be gone to any more: a descriptor of a folder is a way out of a chroot. */
void upgrade_leave_folder(void);

/* A socket to hand over. */
struct upgrade_socket {
	const char *wanted;  /* where, as it was asked for */
	const char *service; /* the section's name */
	int fd;
	bool managed;        /* a service manager owns it */
};

/*
 * Starts the other process.  start(arg, fd) has upgrade_become(fd) run in a process
 * that may do what we could at our start; NULL: a child of ours will do.  Returns NULL
 * with the message filled.
 */
struct upgrade *upgrade_begin(const struct upgrade_socket *, size_t n, bool detached,
    int (*start)(void *arg, int fd, struct errmsg *), void *arg, struct errmsg *);

/* Readable when the other has something to say. */
int upgrade_fd(const struct upgrade *);

enum upgrade_state { UPGRADE_WAIT, UPGRADE_READY, UPGRADE_FAILED };

/* What has become of it.  READY: *pid is the other one's; it waits for upgrade_go().
 * FAILED: the message is filled.  Never waits itself; give_up says that we waited
 * enough. */
enum upgrade_state upgrade_next(struct upgrade *, bool give_up, pid_t *, struct errmsg *);

/* Of a process that is ready: the file that it writes its pid to; empty: none. */
const char *upgrade_pidfile(const struct upgrade *);

/* We accept no more: the place is the other one's. */
void upgrade_go(struct upgrade *);

/* Ends it: one that has not been told to go will not. */
void upgrade_free(struct upgrade *);

#endif
