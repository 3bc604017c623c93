#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "net/sock.h"
#include "tunnel/acceptor.h"
#include "tunnel/tunnel.h"

/* Connections that one event may bring, so that handshakes under way get their turn. */
#define ACCEPTS 32

/* Waiting for descriptors that the process or the system lacks, in milliseconds. */
#define PACE_FIRST 5
#define PACE_LAST 1000

struct port {
	struct watch watch;
	struct acceptor *acceptor;
	struct listener *listener;
};

struct acceptor {
	struct lane *lane;
	struct port *ports;
	size_t n;
	atomic_bool parked;  /* waits for a slot */
	atomic_bool paused;  /* for good */
	unsigned pace;       /* the last wait for descriptors; 0: none needed */
	struct loop_timer timer;
	struct inbox_msg unpark, pause;
};

#define OF(type, member, p) ((type *)((char *)(p) - offsetof(type, member)))

static void port_ready(struct watch *, uint32_t);

static void
stop_listening(struct acceptor *a)
{
	for (size_t i = 0; i < a->n; i++)
		loop_unwatch(a->lane->loop, &a->ports[i].watch);
}

static int
listen_again(struct acceptor *a)
{
	if (atomic_load(&a->paused))
		return 0;
	for (size_t i = 0; i < a->n; i++)
		if (a->ports[i].watch.fd == -1 &&
		    loop_watch(a->lane->loop, &a->ports[i].watch, a->ports[i].listener->fd,
		    EPOLLIN | EPOLLEXCLUSIVE) == -1)
			return -1;
	return 0;
}

/* Comes back after a while. */
static void
pace(struct acceptor *a, const char *why)
{
	stop_listening(a);
	if (a->pace == 0)
		log_line(LOG_WARNING, "main", "cannot accept: %s; trying again until it "
		    "works (raise the limit on open files or lower --maxtunnels)", why);
	a->pace = a->pace == 0 ? PACE_FIRST : 2 * a->pace;
	if (a->pace > PACE_LAST)
		a->pace = PACE_LAST;
	loop_timer_set(a->lane->loop, &a->timer, loop_now(a->lane->loop) + a->pace);
}

static void
pace_over(struct loop_timer *timer)
{
	struct acceptor *a = OF(struct acceptor, timer, timer);

	if (listen_again(a) == -1)
		pace(a, strerror(errno));
}

static void
park(struct acceptor *a)
{
	stop_listening(a);
	atomic_store(&a->parked, true);
	/* One given back just now found nobody parked. */
	if (atomic_load(&a->lane->pool->live) < a->lane->pool->max_tunnels &&
	    atomic_exchange(&a->parked, false) && listen_again(a) == -1)
		pace(a, strerror(errno));
}

bool
acceptor_unpark(struct acceptor *a)
{
	if (!atomic_load(&a->parked) || !atomic_exchange(&a->parked, false))
		return false;
	inbox_push(loop_inbox(a->lane->loop), &a->unpark);
	return true;
}

static void
unpark_arrived(struct inbox_msg *m, void *owner)
{
	struct acceptor *a = OF(struct acceptor, unpark, m);

	(void)owner;
	if (listen_again(a) == -1)
		pace(a, strerror(errno));
}

/* What was accepted becomes a tunnel; it holds a slot. */
static void
take(struct acceptor *a, struct service *s, int fd, const struct addr *peer)
{
	const struct conf_sockopts *opts = &s->conf->sockopts;
	char text[ADDR_TEXT];
	struct errmsg e;

	sock_tune(fd);
	if (sockopt_apply(fd, 'l', opts->items, opts->n, &e) == -1)
		log_line(LOG_WARNING, "main", "Service [%s] connection from %s: %s",
		    s->conf->name, addr_text(peer, text), e.text);
	if (tunnel_new(a->lane, s, fd, fd, peer) == NULL)
		log_line(LOG_ERR, "main", "out of memory for a connection from %s",
		    addr_text(peer, text));
}

/* Returns false when no more should be tried now. */
static bool
accept_one(struct acceptor *a, struct port *p)
{
	struct pool *pool = a->lane->pool;
	struct addr peer;
	int fd;

	if (!pool_take_slot(pool)) {
		park(a);
		return false;
	}
	fd = sock_accept(p->listener->fd, &peer);
	if (fd != -1) {
		a->pace = 0;
		take(a, p->listener->service, fd, &peer);
		return true;
	}
	fd = errno;
	pool_free_slot(pool);
	if (fd == EMFILE || fd == ENFILE || fd == ENOBUFS || fd == ENOMEM)
		pace(a, strerror(fd));
	/* Others are of that one connection: it is gone already (accept(2)). */
	return fd != EAGAIN && fd != EMFILE && fd != ENFILE && fd != ENOBUFS && fd != ENOMEM;
}

static void
port_ready(struct watch *w, uint32_t events)
{
	struct port *p = OF(struct port, watch, w);

	(void)events;
	for (int i = 0; i < ACCEPTS && w->fd != -1; i++)
		if (!accept_one(p->acceptor, p))
			break;
}

void
acceptor_pause(struct acceptor *a)
{
	atomic_store(&a->parked, false);
	stop_listening(a);
	loop_timer_cancel(a->lane->loop, &a->timer);
	/* Main closes the listeners on this word. */
	atomic_store(&a->paused, true);
}

static void
pause_arrived(struct inbox_msg *m, void *owner)
{
	struct acceptor *a = OF(struct acceptor, pause, m);

	(void)owner;
	acceptor_pause(a);
	pool_wake_main(a->lane->pool);
}

void
acceptor_ask_pause(struct acceptor *a)
{
	inbox_push(loop_inbox(a->lane->loop), &a->pause);
}

bool
acceptor_paused(const struct acceptor *a)
{
	return atomic_load(&a->paused);
}

int
acceptor_new(struct lane *lane, struct listener *listeners, size_t n, struct errmsg *e)
{
	struct acceptor *a;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		goto err0;
	if ((a->ports = calloc(n + 1, sizeof(*a->ports))) == NULL)
		goto err1;
	a->lane = lane;
	a->n = n;
	a->timer.due = pace_over;
	a->unpark.deliver = unpark_arrived;
	a->pause.deliver = pause_arrived;
	for (size_t i = 0; i < n; i++) {
		a->ports[i].acceptor = a;
		a->ports[i].listener = &listeners[i];
		a->ports[i].watch.fd = -1;
		a->ports[i].watch.ready = port_ready;
	}
	if (listen_again(a) == -1)
		goto err2;
	lane->acceptor = a;
	return 0;

err2:
	free(a->ports);
err1:
	free(a);
err0:
	return errmsg_set(e, "cannot listen in a thread: %s", strerror(errno));
}

void
acceptor_free(struct acceptor *a)
{
	if (a == NULL)
		return;
	free(a->ports);
	free(a);
}
