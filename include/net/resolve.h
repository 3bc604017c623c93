#ifndef NET_RESOLVE_H_
#define NET_RESOLVE_H_

#include <stdbool.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "base/inbox.h"
#include "net/addr.h"

/*
 * Names are looked up by threads of their own, since getaddrinfo() blocks.
 * Look-ups of one name in flight are shared; nothing is kept afterwards, so
 * every connection sees what the name means now.
 */
struct resolver;

/* What became of a look-up; whoever gets it frees it with resolve_answer_free(). */
struct resolve_answer {
	struct inbox_msg msg;
	uint64_t id;           /* the asker's own */
	bool found;
	struct addr_list list; /* found */
	struct errmsg why;     /* not found */
};

void resolve_answer_free(struct resolve_answer *);

/* Starts so many threads.  Returns NULL with errno set. */
struct resolver *resolver_start(unsigned);

/*
 * Asks for the addresses of a spec.  The answer arrives in the inbox as a
 * resolve_answer with the given id and deliver function; an asker that is gone
 * by then is found missing by the id.  Returns 0, or -1 (memory).  Any thread.
 */
int resolver_ask(struct resolver *, const struct addr_spec *, struct inbox *,
    uint64_t, void (*)(struct inbox_msg *, void *));

/* Forgets what waits and ends the threads; one that is inside a look-up is not
 * waited for and must not find its inbox gone: the process is ending. */
void resolver_stop(struct resolver *);

#endif
