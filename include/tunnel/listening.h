#ifndef TUNNEL_LISTENING_H_
#define TUNNEL_LISTENING_H_

#include <stdatomic.h>
#include <stddef.h>

#include "tunnel/service.h"

/* A listening socket, shared by all acceptors, and whom its connections are for. */
struct listener {
	int fd; /* main's */
	struct service *service;
};

/* Where the acceptors listen: immutable once they have it, refcounted, any thread. */
struct listening {
	atomic_uint refs;
	size_t n;
	struct listener items[];
};

/* A set of so many listeners, to be filled in; the references to the services become its own.
 * Returns NULL when memory ran out. */
struct listening *listening_new(size_t);
struct listening *listening_ref(struct listening *);
void listening_unref(struct listening *);

#endif
