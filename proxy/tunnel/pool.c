#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tunnel/acceptor.h"
#include "tunnel/crowd.h"
#include "tunnel/exec.h"
#include "tunnel/list.h"
#include "tunnel/pool.h"
#include "tunnel/recheck.h"
#include "tunnel/tunnel.h"

/* Look-ups that may run at once. */
#define RESOLVERS 4

/* The load halves in this time. */
#define LOAD_HALF_MS 100

/* A full handshake needs 18 KiB of stack, RSA-4096 44. */
#define STACK_BYTES ((size_t)512 * 1024)

static int
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

static void
lane_free(struct lane *lane)
{
	exec_forget(lane);
	recheck_free(lane);
	stage_free(&lane->stage);
	loop_free(lane->loop);
}

static struct lane *
lanes_new(size_t n, struct pool *pool)
{
	struct lane *lanes;

	if ((lanes = calloc(n, sizeof(*lanes))) == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (lane_init(&lanes[i], pool) == -1) {
			for (size_t k = 0; k <= i; k++)
				lane_free(&lanes[k]);
			free(lanes);
			return NULL;
		}
	return lanes;
}

struct pool *
pool_new(size_t naccept, size_t nwork, unsigned max_tunnels, struct errmsg *e)
{
	struct pool *p;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		goto err0;
	atomic_init(&p->max_tunnels, max_tunnels);
	if ((p->sources = sources_new()) == NULL)
		goto err1;
	if ((p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1)
		goto err2;
	if ((p->accept = lanes_new(naccept, p)) == NULL)
		goto err3;
	p->naccept = naccept;
	if ((p->work = lanes_new(nwork, p)) == NULL)
		goto err4;
	p->nwork = nwork;
	return p;

err4:
	p->nwork = 0;
	pool_free(p);
	goto err0;
err3:
	close(p->wake_fd);
err2:
	sources_free(p->sources);
err1:
	free(p);
err0:
	errmsg_set(e, "cannot make the threads' loops: %s", strerror(errno));
	return NULL;
}

void
pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->naccept; i++)
		lane_free(&p->accept[i]);
	for (size_t i = 0; i < p->nwork; i++)
		lane_free(&p->work[i]);
	free(p->accept);
	free(p->work);
	sources_free(p->sources);
	close(p->wake_fd);
	free(p);
}

static void *
lane_thread(void *arg)
{
	struct lane *lane = arg;

	loop_run(lane->loop, lane);
	return NULL;
}

/* Signals are main's alone. */
static int
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

int
pool_start(struct pool *p, struct errmsg *e)
{
	if ((p->resolver = resolver_start(RESOLVERS)) == NULL)
		goto err;
	for (size_t i = 0; i < p->nwork; i++)
		if (lane_start(&p->work[i], "work", i) == -1)
			goto err;
	for (size_t i = 0; i < p->naccept; i++)
		if (lane_start(&p->accept[i], "accept", i) == -1)
			goto err;
	return 0;

err:
	errmsg_set(e, "cannot start a thread: %s; a limit on threads (ulimit -u, pids cgroup) "
	    "or --acceptthreads and --workerthreads may be the cause", strerror(errno));
	pool_stop(p);
	return -1;
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
static void
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

/* What arrived behind the end: answers for tunnels that are gone. */
static void
lane_sweep(struct lane *lane)
{
	struct inbox_msg *m, *next;

	for (m = inbox_take(loop_inbox(lane->loop)); m != NULL; m = next) {
		next = m->next;
		m->deliver(m, lane);
	}
}

void
pool_stop(struct pool *p)
{
	/* Accept lanes first: they hand over to worker lanes. */
	for (size_t i = 0; i < p->naccept; i++)
		lane_stop(&p->accept[i]);
	for (size_t i = 0; i < p->nwork; i++)
		lane_stop(&p->work[i]);
	resolver_stop(p->resolver);
	p->resolver = NULL;
	for (size_t i = 0; i < p->naccept; i++)
		lane_sweep(&p->accept[i]);
	sources_tell(p->sources, UINT64_MAX);
}

bool
pool_take_slot(struct pool *p)
{
	unsigned live = atomic_load(&p->live);

	while (live < atomic_load(&p->max_tunnels))
		if (atomic_compare_exchange_weak(&p->live, &live, live + 1)) {
			ebb_rises(&p->ebb, live + 1);
			return true;
		}
	return false;
}

bool
pool_has_slot(const struct pool *p)
{
	return atomic_load(&p->live) < atomic_load(&p->max_tunnels);
}

void
pool_free_slot(struct pool *p)
{
	unsigned before = atomic_fetch_sub(&p->live, 1);

	assert(before > 0);
	if (ebb_falls(&p->ebb, before - 1))
		pool_wake_main(p);
	if (atomic_load(&p->closing)) {
		if (before == 1)
			pool_wake_main(p);
		return;
	}
	for (size_t i = 0; i < p->naccept; i++)
		if (p->accept[i].acceptor != NULL && acceptor_unpark(p->accept[i].acceptor))
			break;
}

void
pool_wake_main(struct pool *p)
{
	const uint64_t one = 1;
	ssize_t n = write(p->wake_fd, &one, sizeof(one));

	assert(n == sizeof(one) || errno == EAGAIN);
}

void
pool_main_woke(struct pool *p)
{
	uint64_t count;
	ssize_t n = read(p->wake_fd, &count, sizeof(count));

	assert(n == sizeof(count) || errno == EAGAIN);
}

/* Recent bytes of a lane, faded to now. */
static unsigned long long
faded(const struct lane *lane, uint64_t now)
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
	unsigned long long load = faded(lane, now);

	/* Only whole half-lives move the stamp, or frequent small ones would never fade. */
	if (now - at >= LOAD_HALF_MS)
		atomic_store_explicit(&lane->load_at, now - (now - at) % LOAD_HALF_MS,
		    memory_order_relaxed);
	atomic_store_explicit(&lane->load, load + bytes, memory_order_relaxed);
}

struct lane *
pool_place(struct pool *p, uint64_t now)
{
	struct lane *best = NULL;
	unsigned long long load, best_load = 0;
	unsigned count, best_count = 0;

	for (size_t i = 0; i < p->nwork; i++) {
		/* Small differences are noise: loads count in steps of 64 KiB. */
		load = faded(&p->work[i], now) >> 16;
		count = atomic_load_explicit(&p->work[i].count, memory_order_relaxed);
		if (best == NULL || load < best_load ||
		    (load == best_load && count < best_count)) {
			best = &p->work[i];
			best_load = load;
			best_count = count;
		}
	}
	atomic_fetch_add_explicit(&best->count, 1, memory_order_relaxed);
	return best;
}
