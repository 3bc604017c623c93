#ifndef TUNNEL_POOL_H_
#define TUNNEL_POOL_H_

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "net/resolve.h"
#include "tunnel/ebb.h"
#include "tunnel/lane.h"
#include "tunnel/ocsp.h"
#include "tunnel/source.h"

/* The threads and what they share. */
struct helper;

struct pool {
	struct lane *accept;  size_t naccept;
	struct lane *work;    size_t nwork;
	struct resolver *resolver;
	struct ocsp_desk *ocsp;
	struct sources *sources;
	atomic_uint max_tunnels;   /* no more than the loops were made for */
	struct helper *helper;     /* who starts programs; NULL: none is ever started */
	atomic_uint live;          /* tunnels that hold a slot */
	struct ebb ebb;
	atomic_bool closing;       /* no new tunnels; whoever frees the last one wakes main */
	atomic_ullong next_id;
	atomic_ullong ended;       /* tunnels that came to an end of their own */
	atomic_ullong cut;         /* … and those that a shutdown cut */
	atomic_bool stdio_taken;   /* our stdio is the connected side of a tunnel */
	atomic_int stdio_end;      /* enum stdio_end */
	int wake_fd;               /* eventfd that main waits for */
	int accept_nice;           /* see thread_nice(); to be set before the start */
	bool affinity;             /* each thread on a CPU of its own; likewise */
};

/* What became of the tunnel on our stdio. */
enum stdio_end { STDIO_OPEN, STDIO_CLEAN, STDIO_ERROR };

/* Makes the lanes, none running yet, for so many tunnels at most.  Returns NULL with the message filled. */
struct pool *pool_new(size_t naccept, size_t nwork, unsigned max_tunnels, struct errmsg *);

/* Starts every thread.  Returns 0, or -1 with the message filled; those that run are then stopped. */
int pool_start(struct pool *, struct errmsg *);

/* Ends what is left in the lanes (counted as cut), then the threads. */
void pool_stop(struct pool *);
void pool_free(struct pool *);

/* Takes a slot for a tunnel; false when all are taken.  Giving one back wakes a parked
 * acceptor, and main when the pool is closing and it was the last, or when few are left. */
bool pool_take_slot(struct pool *);
bool pool_has_slot(const struct pool *);
void pool_free_slot(struct pool *);

/* Wakes main, whose descriptor is readable until it has called pool_main_woke(). */
void pool_wake_main(struct pool *);
void pool_main_woke(struct pool *);

/* The worker lane that the next tunnel goes to: least recent bytes, then fewest tunnels. */
struct lane *pool_place(struct pool *, uint64_t now);

#endif
