#ifndef SERVER_SERVER_PRIV_H_
#define SERVER_SERVER_PRIV_H_

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "server/changes.h"
#include "server/listeners.h"
#include "server/server.h"
#include "server/upgrade.h"
#include "server/watchdog.h"
#include "tunnel/pool.h"
#include "tunnel/service.h"
#include "tunnel/starter.h"

/* The services of one configuration, one reference each. */
struct services {
	struct service **items;
	size_t n;
};

/* A process that takes our place, when one was asked for. */
struct succession {
	bool asked;
	pid_t asking;            /* who asked last; 0: unknown */
	pid_t asker;             /* for the one that starts */
	struct upgrade *upgrade; /* under way */
	uint64_t until;          /* when we give it up */
	pid_t successor;         /* it serves: we do not any more */
};

/* What main has; its thread only. */
struct server {
	struct config *first; /* that we started with: holds for what cannot change */
	struct config *conf;
	const struct loader *loader;
	struct services services;
	struct listeners listeners;
	struct starters starters;
	struct pool *pool;
	struct changes changes;
	struct helper *helper; /* NULL: none was needed at the start */
	int signal_fd;
	unsigned ends;        /* signals that asked for the end so far */
	bool reload, reopen, list; /* asked for */
	struct watchdog watchdog;
	struct succession succession;
};

/* Makes every service, with the TLS contexts of those that are now where nothing changed.
 * Returns 0, or -1 with the message filled and none left; when several fail, it is the last's,
 * and the log has the others. */
int services_open(struct services *, const struct services *now, struct config *,
    struct errmsg *);
void services_close(struct services *);

/* Has responders asked about the certificates of those that want it. */
void services_staple(const struct services *, struct pool *);

/* What the services of now keep and those that follow do not take over is forgotten. */
void services_retire(const struct services *now, const struct services *next);

/* Whether one of them accepts our stdio, or connects to it. */
bool services_accept_stdio(const struct services *);
bool services_connect_stdio(const struct services *);

/* Has every accept lane move to what was prepared, or to nowhere, and waits until they
 * have. */
void server_move_acceptors(struct pool *);

/*
 * Takes the configuration anew: it is loaded, judged and built aside, its new places
 * are opened, and only then it holds.  Live tunnels keep the old one, unless
 * their peers may no longer pass (tunnel/recheck.h).  Whatever
 * fails is logged, and all is as before.
 */
void server_reload(struct server *);

/* Starts another process to take our place, or says why not.  Times are the monotonic
 * clock's. */
void succession_ask(struct server *, const char *why_not, uint64_t now);

/* What to wait for: a descriptor, and so many milliseconds; -1 each: nothing. */
int succession_fd(const struct succession *);
int succession_wait(const struct succession *, uint64_t now);

/* Looks how it does; true: it serves, and succession_finish() is to be called once we
 * have stopped to accept. */
bool succession_look(struct succession *, uint64_t now);

/* The place is the other's; one that is not ready yet is sent away. */
void succession_finish(struct succession *);

#endif
