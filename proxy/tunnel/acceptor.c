#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "net/sock.h"
#include "tunnel/acceptor.h"
#include "tunnel/crowd.h"
#include "tunnel/trace.h"
#include "tunnel/tunnel.h"

/* Waiting for descriptors that the process or the system lacks, in milliseconds. */
#define PACE_FIRST 5
#define PACE_LAST 1000

struct port {
	struct watch watch;
	struct acceptor *acceptor;
	struct listener *listener;
};

/* The lane's share of a set of listeners. */
struct ports {
	struct listening *listening;
	struct port port[];
};

struct acceptor {
	struct lane *lane;
	struct ports *ports; /* NULL: none */
	struct ports *next;  /* main's, until it says to move */
	bool waits;          /* for a slot, until a message or a move ends it */
	atomic_bool parked;  /* the same, and nobody has sent that message yet */
	atomic_bool moved;   /* main may ask again */
	unsigned pace;       /* the last wait for descriptors; 0: none needed */
	struct loop_timer timer;
	struct inbox_msg unpark, move;
};

#define OF(type, member, p) ((type *)((char *)(p) - offsetof(type, member)))

static void port_ready(struct watch *, uint32_t);

static struct ports *
ports_new(struct acceptor *a, struct listening *l)
{
	struct ports *p;

	if ((p = calloc(1, sizeof(*p) + l->n * sizeof(p->port[0]))) == NULL)
		return NULL;
	p->listening = listening_ref(l);
	for (size_t i = 0; i < l->n; i++) {
		p->port[i].acceptor = a;
		p->port[i].listener = &l->items[i];
		p->port[i].watch.fd = -1;
		p->port[i].watch.ready = port_ready;
	}
	return p;
}

static void
ports_free(struct ports *p)
{
	if (p == NULL)
		return;
	listening_unref(p->listening);
	free(p);
}

static size_t
count(const struct acceptor *a)
{
	return a->ports != NULL ? a->ports->listening->n : 0;
}

static void
stop_listening(struct acceptor *a)
{
	for (size_t i = 0; i < count(a); i++)
		loop_unwatch(a->lane->loop, &a->ports->port[i].watch);
}

static int
listen_again(struct acceptor *a)
{
	for (size_t i = 0; i < count(a); i++) {
		struct port *p = &a->ports->port[i];

		if (p->watch.fd == -1 && loop_watch(a->lane->loop, &p->watch,
		    p->listener->fd, EPOLLIN | EPOLLEXCLUSIVE) == -1)
			return -1;
	}
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
listen_or_pace(struct acceptor *a)
{
	if (listen_again(a) == -1)
		pace(a, strerror(errno));
}

static void
pace_over(struct loop_timer *timer)
{
	listen_or_pace(OF(struct acceptor, timer, timer));
}

/* False when a message that says so is under way: the node cannot be sent twice, so the
 * acceptor must not park anew before it has arrived. */
static bool
stops_waiting(struct acceptor *a)
{
	if (a->waits && !atomic_exchange(&a->parked, false))
		return false;
	a->waits = false;
	return true;
}

static void
park(struct acceptor *a)
{
	stop_listening(a);
	a->waits = true;
	atomic_store(&a->parked, true);
	/* One given back just now found nobody parked. */
	if (pool_has_slot(a->lane->pool) && stops_waiting(a))
		listen_or_pace(a);
	else
		crowd_make_room(a->lane);
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
	a->waits = false;
	listen_or_pace(a);
}

/* Whether the peer may come in; if so *source counts it.  What stands behind a PROXY
 * header is not known yet. */
static bool
admits(struct acceptor *a, struct service *s, const struct addr *peer,
    struct source **source)
{
	char text[ADDR_TEXT];
	enum admission v;
	bool say;

	*source = NULL;
	if (s->conf->proxy_in)
		return true;
	v = source_admit(a->lane->pool->sources, s->conf, peer, loop_now(a->lane->loop), source,
	    &say);
	if (v == SOURCE_ADMITTED)
		return true;
	if (say)
		log_line(LOG_NOTICE, "main", "Service [%s] refused connection from %s: %s",
		    s->conf->name, addr_text(peer, text), admission_text(v));
	else
		report_later(a->lane);
	return false;
}

/* What was accepted becomes a tunnel; it holds a slot. */
static void
take(struct acceptor *a, struct service *s, int fd, const struct addr *peer)
{
	const struct conf_sockopts *opts = &s->conf->sockopts;
	struct source *source;
	char text[ADDR_TEXT];
	struct tunnel *t;
	struct errmsg e;

	if (!admits(a, s, peer, &source)) {
		sock_reset(fd);
		pool_free_slot(a->lane->pool);
		return;
	}
	if (sockopt_apply(fd, 'l', opts->items, opts->n, &e) == -1)
		log_line(LOG_WARNING, "main", "Service [%s] connection from %s: %s",
		    s->conf->name, addr_text(peer, text), e.text);
	if ((t = tunnel_new(a->lane, s, fd, fd, peer)) != NULL) {
		t->source = source;
		/* With proxyIn it is not known yet from where. */
		if (!s->conf->proxy_in)
			trace_accepted(t);
		return;
	}
	source_leave(source);
	log_line(LOG_ERR, "main", "out of memory for a connection from %s",
	    addr_text(peer, text));
}

static void
accept_one(struct acceptor *a, struct port *p)
{
	struct pool *pool = a->lane->pool;
	struct addr peer;
	int fd;

	if (!pool_take_slot(pool)) {
		park(a);
		return;
	}
	fd = sock_accept(p->listener->fd, &peer);
	if (fd != -1) {
		a->pace = 0;
		take(a, p->listener->service, fd, &peer);
		return;
	}
	fd = errno;
	pool_free_slot(pool);
	if (fd == EMFILE || fd == ENFILE || fd == ENOBUFS || fd == ENOMEM)
		pace(a, strerror(fd));
	/* Others are of that one connection: it is gone already (accept(2)). */
}

static void
port_ready(struct watch *w, uint32_t events)
{
	struct port *p = OF(struct port, watch, w);

	(void)events;
	/* One a turn: to ask for another that is not there costs more than the turn, and
	 * what was let in before goes on in between. */
	if (w->fd != -1)
		accept_one(p->acceptor, p);
}

static void
move_to(struct acceptor *a, struct ports *ports)
{
	stop_listening(a);
	loop_timer_cancel(a->lane->loop, &a->timer);
	ports_free(a->ports);
	a->ports = ports;
	if (stops_waiting(a))
		listen_or_pace(a);
}

void
acceptor_stop(struct acceptor *a)
{
	move_to(a, NULL);
}

static void
move_arrived(struct inbox_msg *m, void *owner)
{
	struct acceptor *a = OF(struct acceptor, move, m);
	struct ports *ports = a->next;

	(void)owner;
	a->next = NULL;
	move_to(a, ports);
	/* On this word main closes what is left out. */
	atomic_store(&a->moved, true);
	pool_wake_main(a->lane->pool);
}

int
acceptor_prepare(struct acceptor *a, struct listening *l, struct errmsg *e)
{
	a->next = ports_new(a, l);
	return a->next != NULL ? 0 : errmsg_set(e, "out of memory");
}

void
acceptor_forget(struct acceptor *a)
{
	ports_free(a->next);
	a->next = NULL;
}

void
acceptor_move(struct acceptor *a)
{
	atomic_store(&a->moved, false);
	inbox_push(loop_inbox(a->lane->loop), &a->move);
}

bool
acceptor_moved(const struct acceptor *a)
{
	return atomic_load(&a->moved);
}

int
acceptor_new(struct lane *lane, struct listening *l, struct errmsg *e)
{
	struct acceptor *a;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		goto err0;
	a->lane = lane;
	a->timer.due = pace_over;
	a->unpark.deliver = unpark_arrived;
	a->move.deliver = move_arrived;
	if ((a->ports = ports_new(a, l)) == NULL)
		goto err1;
	if (listen_again(a) == -1)
		goto err2;
	lane->acceptor = a;
	return 0;

err2:
	ports_free(a->ports);
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
	ports_free(a->ports);
	ports_free(a->next);
	free(a);
}
