#ifndef NET_HELPER_PRIV_H_
#define NET_HELPER_PRIV_H_

#include <pthread.h>
#include <stdint.h>
#include <sys/resource.h>

#include "net/helper.h"

struct helper {
	int sock;
	pid_t pid;
	bool dead;            /* and reaped */
	pthread_mutex_t lock; /* one question at a time is waited for */
};

/*
 * What both processes say to each other.  One socket (SOCK_SEQPACKET) carries the
 * requests, and the answers to those that are waited for; each program has a socket of
 * its own that tells what becomes of it.  A message is a head, and text behind it.
 */
enum helper_kind {
	/* Requests. */
	ASK_OPEN,    /* path; answered with a descriptor */
	ASK_NAMES,   /* path; answered with a file of the names, a NUL behind each */
	ASK_LISTEN,  /* struct addr, value: whether it overlaps; answered with a
	                descriptor and where it is bound */
	ASK_LSTAT,   /* path; answered with a struct stat */
	ASK_UNLINK,  /* path */
	ASK_RENEW,
	ASK_SPAWN,   /* value: flags; path, argv, env, a NUL behind each.  Descriptors:
	                the program's own socket, and what it gets as stdin and stdout */
	ASK_SUCCEED, /* with the descriptor for the successor; no answer */
	/* Answers. */
	ANSWER,      /* value: errno, or 0; the message, or what was asked for */
	/* On a program's own socket, to us. */
	TELL_STARTED, /* pid; with a terminal its master */
	TELL_FAILED,  /* the message */
	TELL_EXITED,  /* pid, value: wait status */
	/* … and to the helper. */
	ASK_HANGUP,
};

struct helper_head {
	uint32_t kind;
	int32_t value;
	int32_t pid;
	uint32_t nargs, nenv; /* ASK_SPAWN: how many texts of each */
};

#define SPAWN_PTY 1

/* What a message has room for, and the most that a request says. */
#define HELPER_FDS 2
#define HELPER_TEXT ((size_t)128 * 1024)

struct helper_message {
	struct helper_head head;
	char text[HELPER_TEXT];
	size_t n;             /* bytes of text */
	int fds[HELPER_FDS];
	size_t nfds;
};

/* Sends head, text and descriptors.  Returns 0, or -1 with errno set (EPIPE however the
 * other side has gone; EAGAIN with MSG_DONTWAIT). */
int helper_send(int, const struct helper_head *, const void *text, size_t n,
    const int *fds, size_t nfds, int flags);

/* Receives at most cap bytes of text.  Returns 1 with the message's fields but text set,
 * 0 at the end, -1 with errno set; then there are no descriptors. */
int helper_receive(int, struct helper_head *, void *text, size_t cap, size_t *n, int *fds,
    size_t *nfds, int flags);

/* The helper process itself.  Never returns. */
_Noreturn void helper_main(int, const struct helper_policy *,
    const struct rlimit *nofile);

/* Answers the requests about files and addresses. */
void helper_answer(int, const struct helper_policy *, struct helper_message *);

/* A program to be started, in the helper. */
struct helper_start {
	const char *path;
	char **argv, **env;      /* NULL behind the last; env: what to add */
	int in;                  /* its stdin and stdout; a terminal's slave */
	bool pty;
	const struct helper_policy *policy;
	const struct rlimit *nofile;
};

/* Makes a terminal: returns its master, with *slave; or -1 with the message filled. */
int helper_terminal(const struct helper_policy *, int *slave, struct errmsg *);

/* Turns this process, a child of the helper, into the program.  Returns with the message
 * filled when it cannot. */
void helper_become(const struct helper_start *, struct errmsg *);

#endif
