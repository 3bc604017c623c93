#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/thread.h"
#include "tunnel/acceptor.h"
#include "tunnel/crowd.h"
#include "tunnel/exec.h"
#include "tunnel/lane.h"
#include "tunnel/list.h"
#include "tunnel/pool.h"
#include "tunnel/recheck.h"
#include "tunnel/tunnel.h"

/* The load halves in this time. */
#define LOAD_HALF_MS 100

/* A full handshake needs 18 KiB of stack, RSA-4096 44. */
#define STACK_BYTES ((size_t)512 * 1024)

int
lane_init(struct lane *lane, struct pool *pool)
{
	lane->pool = pool;
	lane->last = &lane->tunnels;
	report_init(lane);
	crowd_init(lane);
	list_init(lane);
	recheck_init(lane);
	/* A tunnel has a timer, and one more while it connects. */
	lane->loop = loop_new(2 * (size_t)atomic_load(&pool->max_tunnels) + 16);
	return lane->loop != NULL ? stage_init(&lane->stage) : -1;
}

void
lane_free(struct lane *lane)
{
	exec_forget(lane);
	recheck_free(lane);
	stage_free(&lane->stage);
	loop_free(lane->loop);
}

static void *
lane_thread(void *arg)
{
	struct lane *lane = arg;

	/* Neither is vital: a system that forbids it leaves the thread as it is. */
	if (lane->nice != 0 && thread_nice(lane->nice) == -1)
		log_line(LOG_WARNING, "main", "acceptNice has no effect: %s", strerror(errno));
	if (lane->cpu != -1 && thread_pin((unsigned)lane->cpu) == -1)
		log_line(LOG_WARNING, "main", "affinity has no effect: %s", strerror(errno));
	loop_run(lane->loop, lane);
	return NULL;
}

/* Signals are main's alone. */
int
lane_start(struct lane *lane, const char *name, size_t i)
{
	pthread_attr_t attr;
	sigset_t all, old;
	char text[16];
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&lane->thread, &attr, lane_thread, lane);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (rc != 0) {
		errno = rc;
		return -1;
	}
	lane->started = true;
	snprintf(text, sizeof(text), "sluss-%s%u", name, (unsigned)(i % 1000));
	pthread_setname_np(lane->thread, text);
	return 0;
}

/* A message that ends a lane: cuts its tunnels and quits its loop. */
struct quit_msg {
	struct inbox_msg msg;
};

static void
lane_quits(struct inbox_msg *m, void *owner)
{
	struct lane *lane = owner;

	(void)m;
	if (lane->acceptor != NULL)
		acceptor_stop(lane->acceptor);
	while (lane->tunnels != NULL)
		tunnel_cut(lane->tunnels);
	loop_quit(lane->loop);
}

/* A lane that never ran has nobody to deliver its messages. */
void
lane_stop(struct lane *lane)
{
	struct quit_msg quit = { .msg.deliver = lane_quits };

	if (!lane->started) {
		lane_quits(&quit.msg, lane);
		return;
	}
	inbox_push(loop_inbox(lane->loop), &quit.msg);
	pthread_join(lane->thread, NULL);
	lane->started = false;
}

void
lane_sweep(struct lane *lane)
{
	struct inbox_msg *m, *next;

	for (m = inbox_take(loop_inbox(lane->loop)); m != NULL; m = next) {
		next = m->next;
		m->deliver(m, lane);
	}
}

unsigned long long
lane_load(const struct lane *lane, uint64_t now)
{
	unsigned long long at = atomic_load_explicit(&lane->load_at, memory_order_relaxed);
	unsigned long long load = atomic_load_explicit(&lane->load, memory_order_relaxed);
	uint64_t halves = now > at ? (now - at) / LOAD_HALF_MS : 0;

	return halves > 63 ? 0 : load >> halves;
}

void
lane_moved(struct lane *lane, uint64_t now, uint64_t bytes)
{
	unsigned long long at = atomic_load_explicit(&lane->load_at, memory_order_relaxed);
	unsigned long long load = lane_load(lane, now);

	/* Only whole half-lives move the stamp, or frequent small ones would never fade. */
	if (now - at >= LOAD_HALF_MS)
		atomic_store_explicit(&lane->load_at, now - (now - at) % LOAD_HALF_MS,
		    memory_order_relaxed);
	atomic_store_explicit(&lane->load, load + bytes, memory_order_relaxed);
}
