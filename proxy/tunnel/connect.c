/* Connecting to the target, in an accept lane. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "conf/protocol.h"
#include "net/sock.h"
#include "net/stdio.h"
#include "open_priv.h"
#include "tunnel/exec.h"
#include "tunnel/preface_step.h"
#include "tunnel/trace.h"

/* Whether the peer said where it wants to go (socks, connect), to a section that lets it. */
static bool
peer_chose(const struct tunnel *t)
{
	return protocol_names_target(t->service->conf) && t->opening->wanted.text != NULL &&
	    !t->opening->outcast;
}

const struct addr_spec *
connect_target(const struct tunnel *t)
{
	const struct conf_service *c = t->service->conf;
	size_t first;

	if (t->opening->outcast)
		return &c->redirect.items[0];
	if (peer_chose(t))
		return &t->opening->wanted;
	if (c->connect.n == 0)
		return NULL;
	first = c->failover == FAILOVER_RR ? t->opening->turn % c->connect.n : 0;
	return &c->connect.items[(first + t->opening->tried) % c->connect.n];
}

static const char *
target_text(const struct tunnel *t)
{
	const struct addr_spec *target = connect_target(t);

	return target != NULL ? target->text : "the client's destination";
}

/* With failover = rr a name's addresses take turns, too, each time its line comes first. */
static void
rotate(const struct tunnel *t, struct addr_list *list)
{
	const struct conf_service *c = t->service->conf;
	size_t shift;

	if (c->failover != FAILOVER_RR || list->n < 2 || c->connect.n == 0)
		return;
	for (shift = t->opening->turn / c->connect.n % list->n; shift > 0; shift--) {
		struct addr first = list->items[0];

		memmove(list->items, list->items + 1, (list->n - 1) * sizeof(first));
		list->items[list->n - 1] = first;
	}
}

static void
begin_dial(struct tunnel *t, struct addr_list *list)
{
	rotate(t, list);
	dial_start(&t->opening->dial, t->lane->loop, list, &t->opening->setup,
	    t->service->conf->timeout_connect * 1000, tunnel_wake, t);
}

/* What a peer may choose is no service of this machine or its link, unless connect names it.  Returns
 * false when nothing is left. */
static bool
leave_out_near(struct tunnel *t, struct addr_list *list)
{
	struct opening *o = t->opening;
	size_t n = 0;

	if (!peer_chose(t) || preface_may_go(t->service->conf, o->wanted.text))
		return true;
	for (size_t i = 0; i < list->n; i++)
		if (!preface_is_near(&list->items[i]))
			list->items[n++] = list->items[i];
	list->n = n;
	o->forbidden = n == 0;
	if (o->forbidden)
		errmsg_set(&o->why, "%s is this machine itself or on its link alone, and no connect "
		    "line names it",
		    o->wanted.text);
	return !o->forbidden;
}

/* Connect */

static enum verdict
connected(struct tunnel *t, const char *to)
{
	free(t->to);
	if ((t->to = strdup(to)) == NULL)
		return tunnel_fail(t, REASON_NOMEM);
	trace_connected(t, to);
	tunnel_limit(t, 0);
	return STEP_NEXT;
}

static enum verdict
connected_socket(struct tunnel *t, int fd, const struct addr *a)
{
	char text[ADDR_TEXT];

	endpoint_socket(&t->up, fd);
	return connected(t, addr_text(a, text));
}

static enum verdict
connect_stdio(struct tunnel *t)
{
	struct opening *o = t->opening;
	int rfd, wfd;

	if (atomic_exchange(&t->lane->pool->stdio_taken, true))
		return tunnel_fail(t, REASON_STDIO_TAKEN);
	t->stdio = true;
	if (stdio_take(&rfd, &wfd, &o->why) == -1)
		return tunnel_fail(t, REASON_CONNECT);
	endpoint_plain(&t->up, rfd, wfd);
	pool_wake_main(t->lane->pool);
	return connected(t, "stdio");
}

/* The next connect line, or the end. */
static enum verdict
next_target(struct tunnel *t, enum reason why)
{
	struct opening *o = t->opening;

	if (!o->outcast && !peer_chose(t) && o->tried + 1 < t->service->conf->connect.n) {
		o->tried++;
		return STEP_GO;
	}
	return preface_refuse(t, why);
}

/* An answer came: the tunnel is found by its id, for it may have ended since. */
static void
answer_arrived(struct inbox_msg *m, void *owner)
{
	struct resolve_answer *a = (struct resolve_answer *)m;
	struct lane *lane = owner;
	struct opening **p, *o;
	struct tunnel *t;

	for (p = &lane->askers; *p != NULL && (*p)->tunnel->id != a->id;)
		p = &(*p)->next_asker;
	if ((o = *p) == NULL) {
		resolve_answer_free(a);
		return;
	}
	*p = o->next_asker;
	o->asking = false;
	t = o->tunnel;
	tunnel_limit(t, 0);
	if (a->found && leave_out_near(t, &a->list)) {
		begin_dial(t, &a->list);
	} else if (a->found) {
		t->reason = REASON_RESOLVE;
	} else {
		trace_not_resolved(t, target_text(t), a->why.text);
		errmsg_set(&o->why, "%s: %s", target_text(t), a->why.text);
		t->reason = REASON_RESOLVE;
	}
	resolve_answer_free(a);
	tunnel_wake(t);
}

static enum verdict
ask_resolver(struct tunnel *t)
{
	struct lane *lane = t->lane;
	struct opening *o = t->opening;

	if (resolver_ask(lane->pool->resolver, connect_target(t), loop_inbox(lane->loop), t->id,
	    answer_arrived) == -1)
		return tunnel_fail(t, REASON_NOMEM);
	o->asking = true;
	o->next_asker = lane->askers;
	lane->askers = o;
	tunnel_limit(t, t->service->conf->timeout_busy);
	return STEP_WAIT;
}

/* With transparent = source the target sees the peer itself: its address is bound. */
static void
take_peers_address(struct opening *o)
{
	/* The port is told on, so it stays. */
	o->as_peer = o->peer;
	if (o->as_peer.u.sa.sa_family == AF_INET)
		o->as_peer.u.in.sin_port = 0;
	else if (o->as_peer.u.sa.sa_family == AF_INET6)
		o->as_peer.u.in6.sin6_port = 0;
	o->setup.sources = &o->as_peer;
	o->setup.nsources = 1;
	o->setup.foreign = true;
}

/* With transparent = destination the target is where the peer wanted to go. */
static enum verdict
connect_destination(struct tunnel *t)
{
	struct addr_list list = { .items = malloc(sizeof(*list.items)), .n = 1 };

	if (list.items == NULL)
		return tunnel_fail(t, REASON_NOMEM);
	if (t->down.wire.rfd == -1 || sock_destination(t->down.wire.rfd, list.items) == -1) {
		addr_list_free(&list);
		errmsg_set(&t->opening->why, "the client's destination: %s", errno == ELOOP ?
		    "this very port; a rule of the firewall must redirect to it (transparent = "
		    "destination)" : strerror(errno));
		return tunnel_fail(t, REASON_CONNECT);
	}
	begin_dial(t, &list);
	return STEP_GO;
}

static enum verdict
connect_begin(struct tunnel *t)
{
	const enum conf_transparent transparent = t->service->conf->transparent;
	struct opening *o = t->opening;
	struct addr_list list = { 0 };
	const struct addr_spec *target;

	if ((transparent & TRANSPARENT_SOURCE) != 0)
		take_peers_address(o);
	if ((transparent & TRANSPARENT_DESTINATION) != 0 && !o->outcast)
		return connect_destination(t);
	target = connect_target(t);
	if (target->kind == ADDR_STDIO)
		return connect_stdio(t);
	if (target->kind == ADDR_ECHO) {
		endpoint_echo(&t->up);
		return connected(t, "echo:");
	}
	switch (addr_resolve(target, false, true, &list, &o->why)) {
	case 0:
		if (!leave_out_near(t, &list)) {
			addr_list_free(&list);
			return next_target(t, REASON_TARGET);
		}
		begin_dial(t, &list);
		return STEP_GO;
	case 1:
		return ask_resolver(t);
	default:
		return next_target(t, REASON_RESOLVE);
	}
}

/* In client mode nobody waits for a local program that left already. */
static bool
accepted_side_left(struct tunnel *t)
{
	return !endpoint_is_tls(&t->down) && t->down.wire.to_the_end && !t->stdio &&
	    t->down.wire.rsock && sock_peek(t->down.wire.rfd) == SOCK_ERROR;
}

enum verdict
connect_run(struct tunnel *t)
{
	struct opening *o = t->opening;
	struct addr a;
	int fd, why;

	if (exec_is_target(t->service->conf) && !o->outcast)
		return exec_run(t);
	if (o->asking)
		return STEP_WAIT;
	if (t->reason == REASON_RESOLVE) {
		t->reason = REASON_NONE;
		return next_target(t, o->forbidden ? REASON_TARGET : REASON_RESOLVE);
	}
	if (accepted_side_left(t))
		return tunnel_fail(t, REASON_PLAIN_RESET);
	if (o->dial.loop == NULL)
		return connect_begin(t);
	if ((fd = dial_result(&o->dial, &a, &why)) != -1)
		return connected_socket(t, fd, &a);
	if (why == 0)
		return STEP_WAIT;
	dial_stop(&o->dial);
	trace_not_connected(t, target_text(t), why);
	errmsg_set(&o->why, "%s: %s", target_text(t), strerror(why));
	return next_target(t, REASON_CONNECT);
}

enum verdict
connect_late(struct tunnel *t)
{
	if (t->exec != NULL)
		return exec_late(t);
	errmsg_set(&t->opening->why, "%s: no answer from the resolver", target_text(t));
	return preface_refuse(t, REASON_BUSY_TIMEOUT);
}
