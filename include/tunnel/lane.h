#ifndef TUNNEL_LANE_H_
#define TUNNEL_LANE_H_

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/inbox.h"
#include "net/loop.h"
#include "tunnel/endpoint.h"

/*
 * A lane is one thread with its loop, its buffers and the tunnels it owns; accept lanes
 * bring tunnels to where they are open, worker lanes splice them.
 */
struct tunnel;
struct pool;
struct acceptor;
struct opening;
struct exec;
struct starter;

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
	struct opening *askers;    /* those that wait for a name, or a responder */
	struct acceptor *acceptor; /* accept lanes only */
	struct list list;
	struct recheck recheck;
	struct exec *execs;        /* programs that outlive their tunnels */
	struct loop_timer exec_timer; /* … and when one is to be hung up on */
	struct starter *starters;  /* those that wait (tunnel/starter.h) */
	struct loop_timer starter_timer;
	pthread_t thread;
	bool started;
	int nice;                  /* see thread_nice() */
	int cpu;                   /* see thread_pin(); -1: any */
	/* Worker lanes, for placing new tunnels: read by accept lanes. */
	atomic_ullong load;        /* recent bytes, fading */
	atomic_ullong load_at;     /* when load was brought up to date, ms */
	atomic_uint count;         /* tunnels owned */
	struct inbox_msg pulse;    /* see tunnel/pulse.h */
	atomic_bool pulse_asked;   /* … on its way */
};

/* Makes the loop and the buffers of a zeroed lane.  Returns 0, or -1 with errno set;
 * lane_free() is due in both cases. */
int lane_init(struct lane *, struct pool *);
void lane_free(struct lane *);

/* Starts the thread, named sluss-NAMEi.  Returns 0, or -1 with errno set. */
int lane_start(struct lane *, const char *name, size_t i);

/* Cuts the tunnels and ends the thread, if there is one. */
void lane_stop(struct lane *);

/* Delivers what arrived behind the end: answers for tunnels that are gone. */
void lane_sweep(struct lane *);

/* Notes bytes that a worker lane moved.  Its own thread's. */
void lane_moved(struct lane *, uint64_t now, uint64_t bytes);

/* Recent bytes, faded to now.  Any thread's. */
unsigned long long lane_load(const struct lane *, uint64_t now);

#endif
