/* Reads a client's hello, and finds the section that serves it by the name in it. */
#include <string.h>
#include <syslog.h>

#include "open_priv.h"
#include "tunnel/source.h"
#include "tunnel/trace.h"

static enum verdict
left(struct tunnel *t, enum iores why)
{
	t->down.orderly = true;
	errmsg_set(&t->opening->why, "the peer %s during the handshake",
	    why == IO_EOF ? "closed the connection" : "reset the connection");
	return tunnel_fail(t, t->down.unread.len > 0 ? REASON_HANDSHAKE : REASON_PROBE);
}

/* From here on it is a tunnel of that section; where it came from and counts stays. */
static void
move_to(struct tunnel *t, struct service *s)
{
	struct service *before = t->service;

	t->service = service_ref(s);
	service_unref(before);
	t->opening->setup = s->setup;
	t->opening->turn = atomic_fetch_add_explicit(&s->turns, 1, memory_order_relaxed);
}

/* The lists of the section that listens were heeded before the name was known.  A unix
 * socket of this machine is guarded by its file. */
static bool
is_denied(const struct tunnel *t)
{
	const struct opening *o = t->opening;

	if (o->peer.len == 0 || (o->peer.u.sa.sa_family == AF_UNIX && !o->preface.has_source))
		return false;
	return source_is_denied(t->service->conf, &o->peer);
}

/* A hello that makes no sense is refused by the section that listens. */
static enum verdict
choose(struct tunnel *t)
{
	struct service *s;
	struct hello h;

	if (t->service->nnamed == 0 || !hello_parse(&t->opening->hello, &h))
		return STEP_NEXT;
	strcpy(t->opening->name, h.name);
	s = service_for_name(t->service, h.name);
	tunnel_log(t, LOG_DEBUG, "SNI: \"%s\" is for section [%s]", h.name, s->conf->name);
	if (s == t->service)
		return STEP_NEXT;
	move_to(t, s);
	if (!is_denied(t))
		return STEP_NEXT;
	errmsg_set(&t->opening->why, "%s", admission_text(SOURCE_DENIED));
	return tunnel_fail(t, REASON_SOURCE);
}

/* What was read stays where the session finds it. */
static enum verdict
read_on(struct tunnel *t)
{
	struct endpoint *ep = &t->down;
	uint8_t *in = t->lane->stage.cipher_in;
	size_t n;
	enum iores r = wire_read(&ep->wire, in, BATCH_MIN, &n);

	if (r == IO_WANT)
		return STEP_WAIT;
	if (r != IO_OK)
		return left(t, r);
	return buf_append(&ep->unread, in, n) == 0 ? STEP_GO : tunnel_fail(t, REASON_NOMEM);
}

enum verdict
hello_run(struct tunnel *t)
{
	const struct buf *in = &t->down.unread;
	struct opening *o = t->opening;

	if (t->service->nnamed == 0 && !tls_context_reads_hello(t->service->tls))
		return STEP_NEXT;
	if (!o->heard_hello) {
		o->heard_hello = true;
		o->by_name = t->service->nnamed > 0;
		tunnel_limit(t, t->service->conf->timeout_busy);
	}
	switch (hello_read(&o->hello, in->data != NULL ? buf_head(in) : NULL, in->len)) {
	case HELLO_MORE:
		return read_on(t);
	case HELLO_NOMEM:
		return tunnel_fail(t, REASON_NOMEM);
	case HELLO_WHOLE:
		return choose(t);
	case HELLO_ELSE:
		break;
	}
	hello_free(&o->hello);
	return STEP_NEXT;
}

enum verdict
hello_late(struct tunnel *t)
{
	errmsg_set(&t->opening->why, "not finished within %u seconds; %s",
	    t->service->conf->timeout_busy,
	    t->down.unread.len > 0 ? "the peer began it" : "the peer said nothing");
	return tunnel_fail(t, REASON_BUSY_TIMEOUT);
}
