#ifndef SERVER_SERVER_H_
#define SERVER_SERVER_H_

#include "base/errmsg.h"
#include "conf/config.h"

/* How the configuration is had anew: load() returns a checked one that is the caller's, or
 * NULL with the message filled. */
struct loader {
	struct config *(*load)(void *arg, struct errmsg *);
	void *arg;
};

/*
 * Runs a checked configuration until it is over: a signal asks for the end, or the tunnel on
 * our stdio ends.  Returns the process's exit status: 0 for a normal end, 2 when the
 * tunnel on stdio ended in an error; or -1 with the message filled when it could not start;
 * what was logged until then may still be held: see log_give_up().
 * The configuration stays the caller's; the loader must outlive the call.
 */
int server_run(struct config *, const struct loader *, struct errmsg *);

#endif
