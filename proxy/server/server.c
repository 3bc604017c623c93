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
#include "base/prompt.h"
#include "net/stdio.h"
#include "server/asking.h"
#include "server/grants.h"
#include "server/heritage.h"
#include "server/life.h"
#include "server/limits.h"
#include "server/server_priv.h"
#include "server/signals.h"
#include "server/systemd.h"
#include "tls/accel.h"
#include "tls/library.h"
#include "tls/passphrase.h"
#include "tunnel/acceptor.h"
#include "tunnel/list.h"
#include "tunnel/trace.h"
#include "tunnel/tunnel.h"

/* How often and how long to wait for standard output after a failure. */
#define STDOUT_TRIES 20
#define STDOUT_WAIT_MS 100

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* The tunnel whose accepted side is our stdio, in the first accept lane. */
static int
adopt_stdio(struct server *s, struct errmsg *e)
{
	struct lane *lane = &s->pool->accept[0];
	struct tunnel *t;
	int rfd, wfd;

	for (size_t i = 0; i < s->services.n; i++) {
		const struct conf_addrs *accept = &s->services.items[i]->conf->accept;

		if (accept->n != 1 || accept->items[0].kind != ADDR_STDIO)
			continue;
		if (stdio_take(&rfd, &wfd, e) == -1)
			return -1;
		pool_take_slot(s->pool);
		if ((t = tunnel_new(lane, s->services.items[i], rfd, wfd, NULL)) == NULL)
			return errmsg_set(e, "cannot make the tunnel on stdio: %s",
			    strerror(errno));
		t->stdio = true;
		trace_accepted(t);
	}
	return 0;
}

/* The lanes and their acceptors, none running yet. */
static int
make_lanes(struct server *s, unsigned max, struct errmsg *e)
{
	const struct config *c = s->conf;
	struct listening *view;
	int rc = 0;

	s->pool = pool_new(c->accept_threads > 0 ? c->accept_threads : limits_cpus(),
	    c->worker_threads > 0 ? c->worker_threads : limits_cpus(), limits_tunnels(), e);
	if (s->pool == NULL)
		return -1;
	s->pool->helper = s->helper;
	s->pool->accept_nice = (int)c->accept_nice;
	s->pool->affinity = c->affinity;
	atomic_store(&s->pool->max_tunnels, max);
	if ((view = listeners_view(&s->listeners)) == NULL)
		return errmsg_set(e, "out of memory");
	for (size_t i = 0; i < s->pool->naccept && rc == 0; i++)
		rc = acceptor_new(&s->pool->accept[i], view, e);
	listening_unref(view);
	return rc;
}

/* What is wrong with a file ends in words that others wait for.  The process that is to be replaced
 * gets the reason itself. */
static int
refuse(const struct server *s, struct errmsg *e)
{
	if (s->conf->files.n == 0 || heritage_is())
		return -1;
	log_line(LOG_ERR, "main", "%s", e->text);
	return errmsg_set(e, "Configuration failed");
}

static int
start(struct server *s, struct errmsg *e)
{
	const struct services no_services = { 0 };
	struct starters_change *starters;
	struct listeners none = { 0 };
	unsigned max;

	changes_follow(&s->changes, s->conf, false);
	if (grants_start(s->conf, s->loader, &s->helper, e) == -1 ||
	    limits_max_tunnels(s->conf, &max, e) == -1)
		return -1;
	if (services_open(&s->services, &no_services, s->conf, e) == -1)
		return refuse(s, e);
	if (s->conf->files.n > 0)
		log_line(LOG_NOTICE, "main", "Configuration successful");
	/* It must be there when the time comes. */
	if (services_connect_stdio(&s->services) && stdio_check(e) == -1)
		return -1;
	if (listeners_open(&s->listeners, &none, s->services.items, s->services.n, e) == -1 ||
	    make_lanes(s, max, e) == -1 || adopt_stdio(s, e) == -1 ||
	    life_settle(s->conf, e) == -1)
		return -1;
	grants_settle(s->helper);
	if (log_start() == -1)
		return errmsg_set(e, "cannot start a thread: %s", strerror(errno));
	starters = starters_prepare(&s->starters, s->pool, s->services.items, s->services.n, e);
	if (starters == NULL)
		return -1;
	if (pool_start(s->pool, e) == -1) {
		starters_abandon(starters);
		return -1;
	}
	services_staple(&s->services, s->pool);
	log_line(LOG_INFO, "main", "%s", accel_text());
	listeners_announce(&s->listeners);
	if (s->conf->files.n > 0)
		log_line(LOG_INFO, "main", "Accepting new connections");
	if (life_ready(s->conf, e) == -1) {
		starters_abandon(starters);
		pool_stop(s->pool);
		return -1;
	}
	starters_commit(&s->starters, starters);
	return 0;
}

static void
take_signals(struct server *s)
{
	pid_t sender;
	int sig;

	while ((sig = signals_next(s->signal_fd, &sender)) != 0)
		switch (sig) {
		case SIGHUP:
			s->reload = true;
			break;
		case SIGUSR1:
			s->reopen = true;
			break;
		case SIGUSR2:
			s->list = true;
			break;
		default:
			if (sig != asking_signal()) {
				s->ends++;
				break;
			}
			s->succession.asked = true;
			s->succession.asking = sender;
		}
}

/* The shorter of two waits; -1 is for ever. */
static int
sooner(int a, int b)
{
	return a == -1 || (b != -1 && b < a) ? b : a;
}

/* Waits for main's events, at most so long (-1: for ever), and takes the signals. */
static void
wait_event(struct server *s, int ms)
{
	struct pollfd fds[5] = {
		{ .fd = s->signal_fd, .events = POLLIN },
		{ .fd = s->pool->wake_fd, .events = POLLIN },
		{ .fd = changes_fd(&s->changes), .events = POLLIN },
		{ .fd = succession_fd(&s->succession), .events = POLLIN },
		{ .fd = helper_fd(s->helper) },
	};
	uint64_t now = now_ms();

	ms = sooner(ms, changes_wait(&s->changes, now));
	ms = sooner(ms, succession_wait(&s->succession, now));
	ms = sooner(ms, ebb_turn(&s->pool->ebb, atomic_load(&s->pool->live), now));
	poll(fds, 5, sooner(ms, watchdog_turn(&s->watchdog, s->pool, now)));
	pool_main_woke(s->pool);
	take_signals(s);
	if (helper_died(s->helper))
		log_line(LOG_ERR, "main", "The helper process has died: no program starts, and what "
		    "needs privileges fails, until sluss is started again");
	life_visit();
	changes_look(&s->changes, now_ms());
	life_return();
	if (changes_wait(&s->changes, now_ms()) == 0)
		s->reload = true;
}

static bool
all_moved(const struct pool *p)
{
	for (size_t i = 0; i < p->naccept; i++)
		if (!acceptor_moved(p->accept[i].acceptor))
			return false;
	return true;
}

void
server_move_acceptors(struct pool *p)
{
	struct pollfd pfd = { .fd = p->wake_fd, .events = POLLIN };

	for (size_t i = 0; i < p->naccept; i++)
		acceptor_move(p->accept[i].acceptor);
	while (!all_moved(p)) {
		poll(&pfd, 1, 1000);
		pool_main_woke(p);
	}
}

static void
stop_accepting(struct server *s)
{
	atomic_store(&s->pool->closing, true);
	changes_close(&s->changes);
	server_move_acceptors(s->pool);
	listeners_close(&s->listeners);
}

/* Why a reload would be for nothing; NULL: it would not. */
static const char *
why_not(const struct server *s)
{
	if (s->ends > 0 || s->succession.successor != 0)
		return "stopping";
	if (services_accept_stdio(&s->services) || atomic_load(&s->pool->stdio_taken))
		return "the tunnel on stdio is the only one";
	return NULL;
}

static void
reopen_log(void)
{
	struct errmsg e;

	if (log_reopen(&e) == -1)
		log_line(LOG_ERR, "main", "Log not reopened: %s", e.text);
	else
		log_line(LOG_NOTICE, "main", "Log reopened");
}

static void
reload(struct server *s)
{
	life_visit();
	server_reload(s);
	life_return();
}

static void
take_requests(struct server *s)
{
	const char *why = why_not(s);

	if (s->reopen)
		reopen_log();
	if (s->list)
		list_tunnels(s->pool);
	if (s->reload && why != NULL)
		log_line(LOG_NOTICE, "main", "Reload ignored: %s", why);
	else if (s->reload)
		reload(s);
	if (s->succession.asked)
		succession_ask(s, why, now_ms());
	s->reload = s->reopen = s->list = false;
}

/* Serves until a signal or the end of the tunnel on stdio. */
static void
serve(struct server *s)
{
	bool accepting = true;

	while (s->ends == 0 && atomic_load(&s->pool->stdio_end) == STDIO_OPEN) {
		wait_event(s, -1);
		if (succession_look(&s->succession, now_ms())) {
			listeners_leave(&s->listeners);
			break;
		}
		take_requests(s);
		/* One tunnel on stdio, and that one is there: nobody else is let in. */
		if (accepting && atomic_load(&s->pool->stdio_taken)) {
			stop_accepting(s);
			accepting = false;
		}
	}
	systemd_stopping("Stopping");
	if (accepting)
		stop_accepting(s);
	succession_finish(&s->succession);
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
	while (s->ends < 2 && atomic_load(&p->live) > 0 && (now = now_ms()) < end &&
	    atomic_load(&p->stdio_end) == STDIO_OPEN) {
		wait_event(s, end - now > 60000 ? 60000 : (int)(end - now));
		take_requests(s);
	}
}

/* What a clean tunnel gave to a thread that writes our standard output is still to be
 * read by somebody; after a failure nobody may be reading.  A signal ends the wait.
 * Returns whether all was written. */
static bool
wait_for_stdout(struct server *s)
{
	bool clean = atomic_load(&s->pool->stdio_end) == STDIO_CLEAN;
	enum stdio_state state = STDIO_WRITING;
	unsigned ends = s->ends;

	for (int tries = clean ? INT_MAX : STDOUT_TRIES; tries > 0; tries--) {
		state = stdio_wait(STDOUT_WAIT_MS);
		take_signals(s);
		if (state != STDIO_WRITING || s->ends != ends)
			break;
	}
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
	starters_free(&s->starters);
	pool_free(s->pool);
	changes_close(&s->changes);
	grants_end(s->helper);
	listeners_close(&s->listeners);
	services_close(&s->services);
	config_free(s->conf);
	config_free(s->first);
	if (s->signal_fd != -1)
		close(s->signal_fd);
}

int
server_run(struct config *conf, const struct loader *loader, struct errmsg *e)
{
	struct server s = { .loader = loader, .signal_fd = -1 };
	int rc = -1;

	log_level(conf->debug);
	log_hold();
	if (life_begin(conf, e) == -1 || tls_library_start(e) == -1) {
		life_end(e);
		return -1;
	}
	accel_start(conf->accel == ACCEL_AUTO);
	s.first = config_ref(conf);
	s.conf = config_ref(conf);
	if ((s.signal_fd = signals_open(e)) == -1)
		goto out;
	/* Whoever starts us can type; nobody sits there later, or where we take another's place. */
	tls_passphrase_from(heritage_is() ? NULL : prompt_secret);
	if (start(&s, e) == -1)
		goto out;
	tls_passphrase_from(NULL);
	serve(&s);
	drain(&s);
	rc = finish(&s);
out:
	log_stop();
	destroy(&s);
	life_end(rc == -1 ? e : NULL);
	tls_library_stop();
	return rc;
}
