#ifndef TUNNEL_POOL_H_
#define TUNNEL_POOL_H_

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "base/inbox.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "tunnel/ebb.h"
#include "tunnel/endpoint.h"
#include "tunnel/source.h"

/*
 * The threads and what they share.  A lane is one thread with its loop, its
 * buffers and the tunnels it owns; accept lanes bring tunnels to where they are open,
 * worker lanes splice them.
 */
struct tunnel;
struct pool;
struct acceptor;
struct opening;
struct exec;
struct starter;
struct helper;

/* How far a listing of a lane's tunnels has come (tunnel/list.h). */
struct list {
	struct inbox_msg msg;
	struct loop_timer timer;
	struct tunnel *next;
	atomic_bool busy;
};

struct roster;

/* How far a lane has come with judging its tunnels again (tunnel/recheck.h). */
struct recheck {
	struct inbox_msg msg;
	struct task task;
	struct tunnel *next;
	struct roster *roster;           /* the newest; NULL: the first services hold */
	_Atomic(struct roster *) coming; /* with the message, which is then on its way */
};

/* What the lane's strangers have to do with others' wish for room (tunnel/crowd.h). */
struct crowd {
	struct loop_timer timer;
	struct inbox_msg msg;
	atomic_bool asked;
	uint64_t ask_at; /* when it may ask the other lanes */
};

struct lane {
	struct pool *pool;
	struct loop *loop;
	struct stage stage;
	struct tunnel *tunnels;    /* all that it owns, the oldest first */
	struct tunnel **last;      /* where the next one is added */
	struct crowd crowd;
	struct loop_timer telling; /* of failures that were not logged */
	struct opening *askers;    /* those that wait for a name */
	struct acceptor *acceptor; /* accept lanes only */
	struct list list;
	struct recheck recheck;
	struct exec *execs;        /* programs that outlive their tunnels */
	struct loop_timer exec_timer; /* … and when one is to be hung up on */
	struct starter *starters;  /* those that wait (tunnel/starter.h) */
	struct loop_timer starter_timer;
	pthread_t thread;
	bool started;
	/* Worker lanes, for placing new tunnels: read by accept lanes. */
	atomic_ullong load;        /* recent bytes, fading */
	atomic_ullong load_at;     /* when load was brought up to date, ms */
	atomic_uint count;         /* tunnels owned */
	struct inbox_msg pulse;    /* see tunnel/pulse.h */
	atomic_bool pulse_asked;   /* … on its way */
};

struct pool {
	struct lane *accept;  size_t naccept;
	struct lane *work;    size_t nwork;
	struct resolver *resolver;
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

/* Notes bytes that a worker lane moved. */
void lane_moved(struct lane *, uint64_t now, uint64_t bytes);

#endif
