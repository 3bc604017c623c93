#ifndef NET_LOOP_H_
#define NET_LOOP_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/inbox.h"
#include "base/timer.h"

/*
 * The event loop of one thread: descriptors, deadlines, messages from other
 * threads, and tasks.
 *
 * A turn waits, marks what became ready, fires the timers due, delivers the
 * messages, and only then runs the tasks that these posted.  Whatever frees an
 * object or hands it to another thread happens in a task, so no event of the
 * turn can still point to it.  A task may post itself again: the loop then does
 * not wait in the next turn.
 */
struct loop;

struct watch {
	int fd; /* -1: not watched */
	/* What happened, as epoll's event bits. */
	void (*ready)(struct watch *, uint32_t);
};

struct loop_timer {
	struct timer timer;
	void (*due)(struct loop_timer *);
};

struct task {
	struct task *next;
	bool posted;
	void (*run)(struct task *);
};

/* Makes a loop with room for so many timers.  Returns NULL with errno set. */
struct loop *loop_new(size_t);
void loop_free(struct loop *);

/* Runs turns until loop_quit().  The calling thread owns the loop from here on. */
void loop_run(struct loop *, void *owner);

/* Ends loop_run() after this turn.  The loop's thread only. */
void loop_quit(struct loop *);

/* Where other threads leave messages; delivered with the owner given to loop_run(). */
struct inbox *loop_inbox(struct loop *);

/* Milliseconds of the monotonic clock at the start of this turn's work. */
uint64_t loop_now(const struct loop *);

/* Watches a descriptor for the given epoll events until loop_unwatch().  Returns 0, or -1
 * with errno set (EPERM: a regular file, always ready). */
int loop_watch(struct loop *, struct watch *, int, uint32_t);

/* Watches a descriptor that is watched for other events, too; those that are there already are
 * told anew. */
void loop_rewatch(struct loop *, struct watch *, uint32_t);

/* Stops watching; one not watched is left alone.  The descriptor stays open. */
void loop_unwatch(struct loop *, struct watch *);

/* Sets or moves a timer to the given time of loop_now(). */
void loop_timer_set(struct loop *, struct loop_timer *, uint64_t);
void loop_timer_cancel(struct loop *, struct loop_timer *);

/* Runs a task in this turn's task phase (from within it: in the next turn's).
 * Posting one that is posted changes nothing. */
void loop_post(struct loop *, struct task *);

/* Forgets a posted task, so that its object can be freed. */
void loop_unpost(struct loop *, struct task *);

#endif
