#ifndef SERVER_LISTENERS_H_
#define SERVER_LISTENERS_H_

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/errmsg.h"
#include "net/addr.h"
#include "tunnel/listening.h"
#include "tunnel/service.h"

/* Where one socket listens. */
struct place {
	int fd;
	struct service *service; /* of the same owner as the table */
	struct addr addr;        /* really: port 0 became another */
	char wanted[ADDR_TEXT];  /* as asked for: "127.0.0.1:0", "*:443", "unix:/path" */
	dev_t dev;               /* the file of a unix socket as we made it */
	ino_t ino;
	bool managed;            /* its file is another one's: of the service manager */
	bool shared;             /* while two tables have it: the one that is and the next */
	bool retune;             /* its socket options are others now */
	bool leaves;             /* it makes room for one of the next */
	bool overlaps;           /* one that leaves made room for it */
};

/* The places where we listen: zero first. */
struct listeners {
	struct place *items;
	size_t n;
};

/*
 * Opens every place that the services' accept lines mean. A socket of the table now that
 * listens there already is shared, not opened: no connection is refused while one table
 * follows the other.  Returns 0, or -1 with the message filled and next empty.  Afterwards
 * one of the two ends: next by listeners_abandon(), or now by listeners_replace().
 */
int listeners_open(struct listeners *next, struct listeners *now,
    struct service *const *, size_t nservices, struct errmsg *);
void listeners_abandon(struct listeners *next, struct listeners *now);

/* Closes what next does not share, and moves next to now, with its services' socket options. */
void listeners_replace(struct listeners *now, struct listeners *next);

/* The same for the acceptors.  Returns NULL when memory ran out. */
struct listening *listeners_view(const struct listeners *);

/* Says in the log where those listen that are not shared. */
void listeners_announce(const struct listeners *);

/* Another process has them, too: the files of unix sockets are its own from here on. */
void listeners_leave(struct listeners *);

/* Closes them all and frees the table; the files of unix sockets that are still ours go. */
void listeners_close(struct listeners *);

#endif
