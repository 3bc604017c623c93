#ifndef TUNNEL_EXEC_PRIV_H_
#define TUNNEL_EXEC_PRIV_H_

#include "net/helper.h"
#include "tunnel/tunnel.h"

/* A program, from when it is asked for to its end, and that of its tunnel. */
struct exec {
	struct exec *next, **link;  /* in the lane, once the tunnel is over */
	struct lane *lane;          /* likewise */
	uint64_t due;               /* likewise: when to hang up; TIMER_NEVER */
	struct loop *loop;
	struct watch watch;
	struct tunnel *tunnel;      /* NULL: over */
	int fd;                     /* where the helper tells of it; -1: not any more */
	int data;                   /* our end of its stdin and stdout till it runs; or -1 */
	pid_t pid;
	bool started, ended;
	char *name;                 /* of the program, for the log */
	char *service;
	char id[sizeof(((struct tunnel *)NULL)->name)];
	int level;                  /* of the service's own log lines */
};

void exec_free(struct exec *);

/* Closes a descriptor that may be none, and forgets it. */
void exec_close(int *fd);

/* The end of the tunnel that is the program's. */
struct endpoint *exec_side(struct tunnel *);

/* The longest list of names in one variable, its NUL included. */
#define EXEC_LIST 4096

/* What the helper is asked, put together from the section and the tunnel. */
struct exec_request {
	struct helper_program program;
	const char **argv, **env;
	char *made[13];         /* the variables that are ours */
	size_t nmade;
	const char *left_out;   /* one that would be too long; NULL: none */
};

/* Returns 0, or -1 (memory); freed in either case. */
int exec_request(struct exec_request *, const struct tunnel *);
void exec_request_free(struct exec_request *);

#endif
