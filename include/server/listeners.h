#ifndef SERVER_LISTENERS_H_
#define SERVER_LISTENERS_H_

#include <stddef.h>
#include <sys/stat.h>

#include "base/errmsg.h"
#include "net/addr.h"
#include "tunnel/acceptor.h"
#include "tunnel/service.h"

/* Where one listener listens, and the file of a unix socket as we made it. */
struct place {
	struct addr addr;
	dev_t dev;
	ino_t ino;
};

/* The places where we listen: zero first.  The acceptors see items alone. */
struct listeners {
	struct listener *items;
	struct place *places; /* of the items */
	size_t n;
};

/* Opens every place that the services' accept lines mean.  Returns 0, or -1 with the message filled;
 * what was opened is to be closed in both cases. */
int listeners_open(struct listeners *, struct service *const *, size_t nservices,
    struct errmsg *);

/* Says in the log where each listens. */
void listeners_announce(const struct listeners *);

/* Closes them all; the files of unix sockets that are still ours go. */
void listeners_close(struct listeners *);

/* Closes, and frees the table. */
void listeners_free(struct listeners *);

#endif
