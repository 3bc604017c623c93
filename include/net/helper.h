#ifndef NET_HELPER_H_
#define NET_HELPER_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/errmsg.h"
#include "net/addr.h"

/*
 * The helper process: forked before any thread, it starts the programs of exec, and
 * where privileges are given up or a chroot is used, it keeps them to open what the
 * configuration names: files, folders, addresses to listen on, and nothing else.
 * It dies with the process that started it.  When it has died first, everything that is
 * asked of it fails (EPIPE), and nothing else happens.
 */
struct helper;

/*
 * What it may do; copied.  The functions run in the helper (drop in the child that
 * becomes a program), which has the caller's memory as it was at the fork.  NULL means
 * never.
 */
struct helper_policy {
	void *arg;
	bool (*may_open)(void *arg, const char *path);
	bool (*may_list)(void *arg, const char *path);
	bool (*may_touch)(void *arg, const char *path); /* a unix socket's file */
	/* As sock_listen(); EPERM where it must not. */
	int (*listen)(void *arg, const struct addr *, bool overlaps, struct addr *bound,
	    struct errmsg *);
	/* Reads the configuration anew, so that the three above know what it names now.
	 * On -1 all stays as it was. */
	int (*renew)(void *arg, struct errmsg *);
	/* Gives up the privileges that a program must not have; NULL: there are none. */
	int (*drop)(void *arg, struct errmsg *);
	const char *folder; /* where programs begin; NULL: where we are now */
	/* In a child: becomes the program that takes the place of the process that is helped, with the
	 * descriptor.  Returns when it cannot, having said so there. */
	void (*succeed)(void *arg, int);
	/* Who the process is from now on, and so the programs: the owner of their terminals,
	 * and whose links the helper does not follow; (uid_t)-1: the helper's user. */
	uid_t owner;
	bool stderr_is_peer; /* a program's stderr goes where its stdout goes, not to ours */
};

/*
 * Starts it.  Call when no thread runs yet, before privileges are given up and before
 * the limit on descriptors is raised: programs get the one that holds now.  No
 * descriptor goes with it but 2, where programs may write there.  Returns NULL with the
 * message filled.
 */
struct helper *helper_start(const struct helper_policy *, struct errmsg *);

/* Has it end (its programs go on) and frees the object; no thread uses it any more. */
void helper_stop(struct helper *);

pid_t helper_pid(const struct helper *);

/* A descriptor that hangs up (POLLHUP) when it has died; -1 when that is known. */
int helper_fd(const struct helper *);

/* Whether it has died since the last call; its process is then reaped.  Main only. */
bool helper_died(struct helper *);

/*
 * Files and addresses.  These wait for the answer: main asks, never a lane.  An answer
 * that does not come is EPIPE; what the policy does not allow is EPERM.
 */

/* As file_open() and file_names() (base/file.h).  Plain files only are opened. */
int helper_open(struct helper *, const char *path);
int helper_names(struct helper *, const char *path, char ***names, size_t *n);

/* As policy.listen: the descriptor, or -1 with the message filled and errno set. */
int helper_listen(struct helper *, const struct addr *, bool overlaps, struct addr *bound,
    struct errmsg *);

/* As lstat() and unlink() for the file of a unix socket; anything else is not removed. */
int helper_lstat(struct helper *, const char *path, struct stat *);
int helper_unlink(struct helper *, const char *path);

/* Has it call policy.renew.  Returns 0, or -1 with the message filled. */
int helper_renew(struct helper *, struct errmsg *);

/* Has it call policy.succeed in a child of nobody, which has the helper's privileges.  The descriptor
 * stays the caller's and tells all else.  Returns 0, or -1 with the message filled. */
int helper_succeed(struct helper *, int, struct errmsg *);

/*
 * Programs.  Nothing waits: a program is asked for, and its own descriptor, to be watched
 * by the asker's loop, tells what becomes of it.
 */
struct helper_program {
	const char *path;
	const char *const *argv; /* NULL behind the last */
	const char *const *env;  /* NULL behind the last: NAME=VALUE replaces or adds to what the
	                            helper has itself, NAME alone takes away */
	bool pty;                /* a terminal of its own is its stdin, stdout and stderr */
};

/*
 * Asks for a program to be started.  fd becomes its stdin and stdout (stays the
 * caller's, who closes it; -1 with pty).  It gets a session of its own, default signals,
 * an empty mask, the limit on descriptors that held when the helper was started, and no
 * other descriptor.
 * Returns the descriptor that tells; or -1 with errno set: EAGAIN, the helper is busy,
 * ask again a little later; E2BIG, arguments and environment are too long; EPIPE, the
 * helper is gone. Any thread.
 */
int helper_spawn(struct helper *, const struct helper_program *, int fd);

enum helper_event {
	HELPER_SILENT,  /* nothing new: watch on */
	HELPER_STARTED, /* it runs: pid, with pty its terminal */
	HELPER_FAILED,  /* it could not be started: why; nothing follows */
	HELPER_EXITED,  /* it ended: status; nothing follows */
	HELPER_GONE,    /* the helper has died: nothing more is known of the program */
};

struct helper_news {
	enum helper_event event;
	pid_t pid;
	int pty;            /* the terminal's master, non-blocking, the caller's; or -1 */
	int status;         /* as waitpid() gives it */
	struct errmsg why;
};

/* Reads the next that a program's descriptor tells, without waiting. */
enum helper_event helper_next(int, struct helper_news *);

/* Sends SIGHUP to the program's session, and only then closes another descriptor (or -1),
 * the other end of what it reads, a copy of which is sent along.  Both may then be closed
 * here: the helper reaps the program all the same. */
void helper_hangup(int, int end);

/* "exited with status 1", "was ended by signal 9 (Killed)" into a buffer; returns it. */
const char *helper_status_text(int status, char *, size_t);

#endif
