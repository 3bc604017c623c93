#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "net/stdio.h"
#include "server/limits.h"
#include "server/listeners.h"
#include "server/logging.h"
#include "server/server.h"
#include "server/signals.h"
#include "tls/library.h"
#include "tunnel/acceptor.h"
#include "tunnel/pool.h"
#include "tunnel/service.h"
#include "tunnel/tunnel.h"

/* How often and how long to wait for standard output after a failure. */
#define STDOUT_TRIES 20
#define STDOUT_WAIT_MS 100

struct server {
	struct config *conf;
	const struct loader *loader;
	struct service **services;
	size_t nservices;
	struct listeners listeners;
	struct pool *pool;
	int signal_fd;
	unsigned asked;       /* signals that asked for the end so far */
};

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int
make_services(struct server *s, struct errmsg *e)
{
	struct config *c = s->conf;

	if ((s->services = calloc(c->nservices, sizeof(*s->services))) == NULL)
		return errmsg_set(e, "out of memory");
	for (; s->nservices < c->nservices; s->nservices++)
		if ((s->services[s->nservices] =
		    service_new(c, &c->services[s->nservices], e)) == NULL)
			return -1;
	return 0;
}

/* A service that connects to our stdio must find it there when the time comes. */
static int
check_stdio(const struct server *s, struct errmsg *e)
{
	for (size_t i = 0; i < s->nservices; i++) {
		const struct conf_addrs *connect = &s->services[i]->conf->connect;

		for (size_t k = 0; k < connect->n; k++)
			if (connect->items[k].kind == ADDR_STDIO && stdio_check(e) == -1)
				return -1;
	}
	return 0;
}

/* The tunnel whose accepted side is our stdio, in the first accept lane. */
static int
adopt_stdio(struct server *s, struct errmsg *e)
{
	struct lane *lane = &s->pool->accept[0];
	struct tunnel *t;
	int rfd, wfd;

	for (size_t i = 0; i < s->nservices; i++) {
		const struct conf_addrs *accept = &s->services[i]->conf->accept;

		if (accept->n != 1 || accept->items[0].kind != ADDR_STDIO)
			continue;
		if (stdio_take(&rfd, &wfd, e) == -1)
			return -1;
		pool_take_slot(s->pool);
		if ((t = tunnel_new(lane, s->services[i], rfd, wfd, NULL)) == NULL)
			return errmsg_set(e, "cannot make the tunnel on stdio: %s",
			    strerror(errno));
		t->stdio = true;
	}
	return 0;
}

static int
start(struct server *s, struct errmsg *e)
{
	const struct config *c = s->conf;
	unsigned max = 0;

	if (limits_max_tunnels(c, &max, e) == -1 || make_services(s, e) == -1 ||
	    check_stdio(s, e) == -1 ||
	    listeners_open(&s->listeners, s->services, s->nservices, e) == -1)
		return -1;
	s->pool = pool_new(c->accept_threads > 0 ? c->accept_threads : limits_cpus(),
	    c->worker_threads > 0 ? c->worker_threads : limits_cpus(), max, e);
	if (s->pool == NULL)
		return -1;
	for (size_t i = 0; i < s->pool->naccept; i++)
		if (acceptor_new(&s->pool->accept[i], s->listeners.items, s->listeners.n, e) == -1)
			return -1;
	if (adopt_stdio(s, e) == -1)
		return -1;
	if (logging_open(c, e) == -1)
		return -1;
	if (log_start() == -1)
		return errmsg_set(e, "cannot start a thread: %s", strerror(errno));
	return pool_start(s->pool, e);
}

/* Waits for main's events, at most so long (-1: for ever), and counts the signals. */
static void
wait_event(struct server *s, int ms)
{
	struct pollfd fds[2] = {
		{ .fd = s->signal_fd, .events = POLLIN },
		{ .fd = s->pool->wake_fd, .events = POLLIN },
	};
	uint64_t count;
	ssize_t n;

	if (poll(fds, 2, ms) <= 0)
		return;
	if (fds[1].revents != 0) {
		n = read(s->pool->wake_fd, &count, sizeof(count));
		(void)n; /* nothing to do when another wake-up emptied it */
	}
	while (signals_next(s->signal_fd) != 0)
		s->asked++;
}

static bool
all_paused(const struct pool *p)
{
	for (size_t i = 0; i < p->naccept; i++)
		if (!acceptor_paused(p->accept[i].acceptor))
			return false;
	return true;
}

/* Every lane takes the listeners out of its epoll before one is closed: a socket that
 * another one still watches would live on and swallow connections. */
static void
stop_accepting(struct server *s)
{
	atomic_store(&s->pool->closing, true);
	for (size_t i = 0; i < s->pool->naccept; i++)
		acceptor_ask_pause(s->pool->accept[i].acceptor);
	while (!all_paused(s->pool))
		wait_event(s, 1000);
	listeners_close(&s->listeners);
}

static bool
stdio_begun(const struct server *s)
{
	for (size_t i = 0; i < s->nservices; i++)
		if (atomic_load(&s->services[i]->stdio_taken))
			return true;
	return false;
}

/* Serves until a signal or the end of the tunnel on stdio. */
static void
serve(struct server *s)
{
	bool accepting = true;

	while (s->asked == 0 && atomic_load(&s->pool->stdio_end) == STDIO_OPEN) {
		wait_event(s, -1);
		/* One tunnel on stdio, and that one is there: nobody else is let in. */
		if (accepting && stdio_begun(s)) {
			stop_accepting(s);
			accepting = false;
		}
	}
	if (accepting)
		stop_accepting(s);
}

/* Lets tunnels finish, until the time is over or a second signal. */
static void
drain(struct server *s)
{
	struct pool *p = s->pool;
	uint64_t end = now_ms() + (uint64_t)s->conf->timeout_drain * 1000, now;

	if (atomic_load(&p->live) > 0 && atomic_load(&p->stdio_end) == STDIO_OPEN)
		log_line(LOG_NOTICE, "main", "Stopping: %u tunnels may finish within %u s",
		    atomic_load(&p->live), s->conf->timeout_drain);
	while (s->asked < 2 && atomic_load(&p->live) > 0 && (now = now_ms()) < end &&
	    atomic_load(&p->stdio_end) == STDIO_OPEN)
		wait_event(s, end - now > 60000 ? 60000 : (int)(end - now));
}

/* What a clean tunnel gave to a thread that writes our standard output is still to be
 * read by somebody; after a failure nobody may be reading.  A signal ends the wait.
 * Returns whether all was written. */
static bool
wait_for_stdout(const struct server *s)
{
	bool clean = atomic_load(&s->pool->stdio_end) == STDIO_CLEAN;
	enum stdio_state state = STDIO_WRITING;

	for (int tries = clean ? INT_MAX : STDOUT_TRIES; tries > 0; tries--)
		if ((state = stdio_wait(STDOUT_WAIT_MS)) != STDIO_WRITING ||
		    signals_next(s->signal_fd) != 0)
			break;
	return state == STDIO_WRITTEN;
}

/* Ends what is left.  Returns the exit status. */
static int
finish(struct server *s)
{
	struct pool *p = s->pool;
	bool written;

	pool_stop(p);
	written = wait_for_stdout(s);
	log_line(LOG_NOTICE, "main", "Terminated: %llu tunnels ended, %llu cut",
	    atomic_load(&p->ended), atomic_load(&p->cut));
	return written && atomic_load(&p->stdio_end) != STDIO_ERROR ? 0 : 2;
}

static void
destroy(struct server *s)
{
	if (s->pool != NULL)
		for (size_t i = 0; i < s->pool->naccept; i++)
			acceptor_free(s->pool->accept[i].acceptor);
	pool_free(s->pool);
	for (size_t i = 0; i < s->nservices; i++)
		service_unref(s->services[i]);
	free(s->services);
	listeners_free(&s->listeners);
	if (s->signal_fd != -1)
		close(s->signal_fd);
}

int
server_run(struct config *conf, const struct loader *loader, struct errmsg *e)
{
	struct server s = { .conf = conf, .loader = loader, .signal_fd = -1 };
	int rc = -1;

	log_level(conf->debug);
	if (tls_library_start(e) == -1)
		return -1;
	log_hold();
	if ((s.signal_fd = signals_open(e)) == -1)
		goto out;
	if (start(&s, e) == -1)
		goto out;
	listeners_announce(&s.listeners);
	serve(&s);
	drain(&s);
	rc = finish(&s);
out:
	log_give_up();
	log_stop();
	destroy(&s);
	tls_library_stop();
	return rc;
}
