#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tunnel/acceptor.h"
#include "tunnel/pool.h"

/* Look-ups that may run at once. */
#define RESOLVERS 4

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

/* How the scheduler is to treat the threads. */
static void
settle(struct pool *p)
{
	for (size_t i = 0; i < p->nwork; i++)
		p->work[i].cpu = p->affinity ? (int)i : -1;
	for (size_t i = 0; i < p->naccept; i++) {
		p->accept[i].cpu = p->affinity ? (int)i : -1;
		p->accept[i].nice = p->accept_nice;
	}
}

int
pool_start(struct pool *p, struct errmsg *e)
{
	if ((p->resolver = resolver_start(RESOLVERS)) == NULL ||
	    (p->ocsp = ocsp_desk_new(p->resolver)) == NULL)
		goto err;
	settle(p);
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

void
pool_stop(struct pool *p)
{
	/* Accept lanes first: they hand over to worker lanes. */
	for (size_t i = 0; i < p->naccept; i++)
		lane_stop(&p->accept[i]);
	for (size_t i = 0; i < p->nwork; i++)
		lane_stop(&p->work[i]);
	ocsp_desk_stop(p->ocsp);
	resolver_stop(p->resolver);
	p->resolver = NULL;
	ocsp_desk_free(p->ocsp);
	p->ocsp = NULL;
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

struct lane *
pool_place(struct pool *p, uint64_t now)
{
	struct lane *best = NULL;
	unsigned long long load, best_load = 0;
	unsigned count, best_count = 0;

	for (size_t i = 0; i < p->nwork; i++) {
		/* Small differences are noise: loads count in steps of 64 KiB. */
		load = lane_load(&p->work[i], now) >> 16;
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
