#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "net/sock.h"
#include "tunnel/endpoint.h"

/* Replies to control records that may wait while the peer does not read: a peer
 * that asks on and on and never reads must not make us hold more. */
#define CONTROL_RESERVE 4096
#define CONTROL_LIMIT (CONTROL_RESERVE + 2 * BATCH_MIN)

/* Echo holds as much as a plain side's stash may. */
#define ECHO_ROOM ((size_t)64 * 1024)

int
stage_init(struct stage *s)
{
	*s = (struct stage){ 0 };
	/* A batch, what completes a record begun before it, and one to never be full. */
	s->plain_cap = TLS_LEAD + BATCH_MAX;
	s->cipher_out_cap = tls_out_room(s->plain_cap);
	s->memory = malloc(TLS_LEAD + s->plain_cap);
	s->cipher_out = malloc(s->cipher_out_cap);
	if (s->memory == NULL || s->cipher_out == NULL) {
		stage_free(s);
		return -1;
	}
	s->plain = s->memory + TLS_LEAD;
	s->cipher_in = s->plain + TLS_LEAD;
	return 0;
}

void
stage_free(struct stage *s)
{
	free(s->memory);
	free(s->cipher_out);
	tls_spares_free(&s->spares);
	*s = (struct stage){ 0 };
}

/* Plain */

/* What was given back comes first. */
bool
endpoint_read_again(struct endpoint *ep, struct stage *st, size_t want, size_t *n)
{
	if (ep->unread.len == 0)
		return false;
	*n = ep->unread.len < want ? ep->unread.len : want;
	memcpy(st->plain, buf_head(&ep->unread), *n);
	buf_consume(&ep->unread, *n);
	return true;
}

static enum iores
plain_read(struct endpoint *ep, struct stage *st, size_t want, size_t *n)
{
	if (endpoint_read_again(ep, st, want, n))
		return IO_OK;
	return wire_read(&ep->wire, st->plain, want, n);
}

static enum iores
plain_write(struct endpoint *ep, struct stage *st, const uint8_t *p, size_t n)
{
	(void)st;
	return wire_write(&ep->wire, p, n);
}

static enum iores
any_flush(struct endpoint *ep)
{
	enum iores r = wire_flush(&ep->wire);

	if (ep->wire.stash.len == 0)
		ep->control = 0;
	return r;
}

static enum iores
plain_finish(struct endpoint *ep, struct stage *st)
{
	(void)st;
	ep->finished = true;
	return wire_finish(&ep->wire);
}

static size_t
any_unsent(const struct endpoint *ep)
{
	return wire_unsent(&ep->wire);
}

static const struct endpoint_ops plain_ops = {
	plain_read, plain_write, any_flush, plain_finish, any_unsent,
};

/* TLS */

static struct tls_io
tls_io_on(struct stage *st)
{
	return (struct tls_io){ .out = st->cipher_out, .out_cap = st->cipher_out_cap,
		.spares = &st->spares };
}

/* Replies that reading produced: KeyUpdates, alerts. */
static enum iores
tls_send_control(struct endpoint *ep, const struct tls_io *io)
{
	enum iores r;

	/* After our close_notify nothing may follow it. */
	if (io->out_len == 0 || ep->finished)
		return IO_OK;
	r = wire_write(&ep->wire, io->out, io->out_len);
	ep->control += io->out_len;
	if (ep->control > ep->wire.stash.len)
		ep->control = ep->wire.stash.len;
	return ep->control > CONTROL_LIMIT ? IO_NOMEM : r;
}

/* Ciphertext for the next decryptions: what was read ahead, else from the kernel. */
static enum iores
tls_fetch(struct endpoint *ep, struct stage *st, size_t want, struct tls_io *io)
{
	enum iores r;

	if (ep->ahead.len > 0) {
		io->in = buf_head(&ep->ahead);
		io->in_len = ep->ahead.len;
		return IO_OK;
	}
	/* A peer that does not read must not be given a whole batch of replies. */
	if (ep->wire.stash.len > 0 && want > BATCH_MIN)
		want = BATCH_MIN;
	r = wire_read(&ep->wire, st->cipher_in, want, &io->in_len);
	io->in = st->cipher_in;
	return r == IO_EOF ? IO_TRUNCATED : r;
}

/* Keeps the ciphertext that was not used up. */
static enum iores
tls_keep(struct endpoint *ep, const struct stage *st, const struct tls_io *io)
{
	if (ep->ahead.len > 0) {
		buf_consume(&ep->ahead, ep->ahead.len - io->in_len);
		return IO_OK;
	}
	assert(io->in_len == 0 || (io->in >= st->cipher_in &&
	    io->in + io->in_len <= st->cipher_in + BATCH_MAX));
	return buf_append(&ep->ahead, io->in, io->in_len) == 0 ? IO_OK : IO_NOMEM;
}

/* Decrypts all of it, as far as it fits. */
static enum iores
tls_decrypt(struct endpoint *ep, struct stage *st, struct tls_io *io, size_t *n)
{
	enum iores r;
	size_t got;

	for (*n = 0; *n < st->plain_cap; *n += got) {
		r = tls_session_read(ep->tls, io, st->plain + *n, st->plain_cap - *n, &got);
		if (r != IO_OK)
			return r;
	}
	return IO_OK;
}

static enum iores
tls_read(struct endpoint *ep, struct stage *st, size_t want, size_t *n)
{
	struct tls_io io = tls_io_on(st);
	enum iores r, sent;

	*n = 0;
	if (endpoint_read_again(ep, st, want, n))
		return IO_OK;
	if (ep->held != IO_OK)
		return ep->held;
	if (ep->control > CONTROL_RESERVE && any_flush(ep) == IO_WANT)
		return IO_WANT;
	if ((r = tls_fetch(ep, st, want, &io)) != IO_OK)
		return r;
	r = tls_decrypt(ep, st, &io, n);
	if (r == IO_OK || r == IO_WANT) {
		if (tls_keep(ep, st, &io) != IO_OK)
			return IO_NOMEM;
		r = IO_OK;
	}
	sent = tls_send_control(ep, &io);
	if (sent == IO_NOMEM)
		r = IO_NOMEM;
	ep->held = r;
	return *n > 0 ? IO_OK : r;
}

static enum iores
tls_write(struct endpoint *ep, struct stage *st, const uint8_t *p, size_t n)
{
	struct tls_io io = tls_io_on(st);
	enum iores r;

	assert(!ep->finished);
	if (p == st->plain) {
		io.out = st->memory;
		io.out_cap = TLS_LEAD + st->plain_cap;
	}
	if ((r = tls_session_write(ep->tls, &io, p, n)) != IO_OK)
		return r;
	return wire_write(&ep->wire, io.out, io.out_len);
}

static enum iores
tls_finish(struct endpoint *ep, struct stage *st)
{
	struct tls_io io = tls_io_on(st);
	enum iores r;

	if (!ep->finished) {
		ep->finished = true;
		if ((r = tls_session_finish(ep->tls, &io)) != IO_OK ||
		    (r = wire_write(&ep->wire, io.out, io.out_len)) != IO_OK)
			return r;
	}
	return wire_finish(&ep->wire);
}

static const struct endpoint_ops tls_ops = {
	tls_read, tls_write, any_flush, tls_finish, any_unsent,
};

/* Echo */

static enum iores
echo_read(struct endpoint *ep, struct stage *st, size_t want, size_t *n)
{
	*n = ep->ahead.len < want ? ep->ahead.len : want;
	if (*n == 0)
		return ep->finished ? IO_EOF : IO_WANT;
	memcpy(st->plain, buf_head(&ep->ahead), *n);
	buf_consume(&ep->ahead, *n);
	return IO_OK;
}

static enum iores
echo_write(struct endpoint *ep, struct stage *st, const uint8_t *p, size_t n)
{
	(void)st;
	return buf_append(&ep->ahead, p, n) == 0 ? IO_OK : IO_NOMEM;
}

static enum iores
echo_flush(struct endpoint *ep)
{
	return ep->ahead.len < ECHO_ROOM ? IO_OK : IO_WANT;
}

static enum iores
echo_finish(struct endpoint *ep, struct stage *st)
{
	(void)st;
	ep->finished = true;
	return IO_OK;
}

static size_t
echo_unsent(const struct endpoint *ep)
{
	(void)ep;
	return 0;
}

static const struct endpoint_ops echo_ops = {
	echo_read, echo_write, echo_flush, echo_finish, echo_unsent,
};

void
endpoint_plain(struct endpoint *ep, int rfd, int wfd)
{
	*ep = (struct endpoint){ .ops = &plain_ops };
	wire_init(&ep->wire, rfd, wfd);
}

void
endpoint_socket(struct endpoint *ep, int fd)
{
	*ep = (struct endpoint){ .ops = &plain_ops };
	wire_socket(&ep->wire, fd);
}

void
endpoint_tls(struct endpoint *ep, int fd, struct tls_session *s)
{
	*ep = (struct endpoint){ .ops = &tls_ops, .tls = s };
	wire_socket(&ep->wire, fd);
}

void
endpoint_upgrade(struct endpoint *ep)
{
	assert(ep->tls != NULL && ep->ops == &plain_ops);
	ep->ops = &tls_ops;
	ep->ahead = ep->unread;
	ep->unread = (struct buf){ 0 };
}

int
endpoint_unread(struct endpoint *ep, const uint8_t *p, size_t n)
{
	struct buf all = { 0 };

	if (buf_append(&all, p, n) == -1)
		return -1;
	if (ep->unread.len > 0 &&
	    buf_append(&all, buf_head(&ep->unread), ep->unread.len) == -1) {
		buf_free(&all);
		return -1;
	}
	buf_free(&ep->unread);
	ep->unread = all;
	return 0;
}

void
endpoint_echo(struct endpoint *ep)
{
	*ep = (struct endpoint){ .ops = &echo_ops };
	wire_init(&ep->wire, -1, -1);
}

bool
endpoint_is_tls(const struct endpoint *ep)
{
	return ep->ops == &tls_ops;
}

bool
endpoint_is_echo(const struct endpoint *ep)
{
	return ep->ops == &echo_ops;
}

enum iores
endpoint_handshake(struct endpoint *ep, struct stage *st)
{
	struct tls_io io = tls_io_on(st);
	enum iores r, sent;

	/* Once: a handshake takes all that it is given unless it ends. */
	io.in = ep->ahead.len > 0 ? buf_head(&ep->ahead) : NULL;
	io.in_len = ep->ahead.len;
	r = tls_session_handshake(ep->tls, &io);
	buf_consume(&ep->ahead, ep->ahead.len - io.in_len);
	while (r == IO_WANT) {
		r = wire_read(&ep->wire, st->cipher_in, BATCH_MIN, &io.in_len);
		if (r != IO_OK)
			break;
		io.in = st->cipher_in;
		r = tls_session_handshake(ep->tls, &io);
	}
	sent = wire_write(&ep->wire, io.out, io.out_len);
	if (r != IO_OK)
		return r;
	if (ep->ahead.len == 0 && buf_append(&ep->ahead, io.in, io.in_len) == -1)
		return IO_NOMEM;
	return sent;
}

enum iores
endpoint_refuse(struct endpoint *ep, struct stage *st, enum trust_verdict v,
    const struct errmsg *why, bool tell)
{
	struct tls_io io = tls_io_on(st);

	tls_session_refuse(ep->tls, v, why, tell, &io);
	return wire_write(&ep->wire, io.out, io.out_len);
}

static void
endpoint_free(struct endpoint *ep)
{
	tls_session_free(ep->tls);
	buf_free(&ep->ahead);
	buf_free(&ep->unread);
	*ep = (struct endpoint){ .ops = NULL };
}

void
endpoint_close(struct endpoint *ep)
{
	if (ep->ops == NULL)
		return;
	wire_close(&ep->wire);
	endpoint_free(ep);
}

void
endpoint_reset(struct endpoint *ep)
{
	if (ep->ops == NULL)
		return;
	wire_reset(&ep->wire);
	endpoint_free(ep);
}
