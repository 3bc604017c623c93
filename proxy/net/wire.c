#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sock.h"
#include "net/wire.h"

#define NEAR_END (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)
#define IN_EVENTS (EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET)

static void
begin(struct wire *w, int rfd, int wfd, bool rsock, bool wsock)
{
	*w = (struct wire){ .rfd = rfd, .wfd = wfd, .rsock = rsock, .wsock = wsock };
	w->readable = w->writable = true;
	w->in.fd = w->out.fd = -1;
}

void
wire_init(struct wire *w, int rfd, int wfd)
{
	bool rsock = rfd != -1 && sock_is(rfd);

	begin(w, rfd, wfd, rsock, wfd == rfd ? rsock : wfd != -1 && sock_is(wfd));
}

void
wire_socket(struct wire *w, int fd)
{
	begin(w, fd, fd, true, true);
}

/* A reset is known at once, not at the next write: there may be none, and the
 * kernel goes on counting bytes that nobody will take. */
static void
note_error(struct wire *w, uint32_t events)
{
	if (!(events & EPOLLERR))
		return;
	w->broken = true;
	w->readable = w->writable = true;
	buf_free(&w->stash);
}

static void
in_ready(struct watch *in, uint32_t events)
{
	struct wire *w = (struct wire *)((char *)in - offsetof(struct wire, in));

	if (events & (EPOLLIN | NEAR_END))
		w->readable = true;
	/* Urgent data ends a read early, so a short one does not mean empty. */
	if (events & NEAR_END)
		w->to_the_end = true;
	if (w->rfd == w->wfd && (events & (EPOLLOUT | EPOLLHUP)))
		w->writable = true;
	note_error(w, events);
	w->wake(w->owner);
}

static void
out_ready(struct watch *out, uint32_t events)
{
	struct wire *w = (struct wire *)((char *)out - offsetof(struct wire, out));

	w->writable = true;
	note_error(w, events);
	w->wake(w->owner);
}

/* A regular file is always ready and cannot be watched: it needs no watch. */
static int
watch_one(struct loop *l, struct watch *watch, int fd, uint32_t events)
{
	if (fd == -1 || loop_watch(l, watch, fd, events) == 0)
		return 0;
	return errno == EPERM ? 0 : -1;
}

int
wire_join(struct wire *w, struct loop *l, void (*wake)(void *), void *owner)
{
	w->loop = l;
	w->wake = wake;
	w->owner = owner;
	w->in.ready = in_ready;
	w->out.ready = out_ready;
	/* Room would be told at once, of every socket, and woke us for nothing. */
	w->hears_room = w->rfd != w->wfd || !w->writable;
	if (w->rfd == w->wfd)
		return watch_one(l, &w->in, w->rfd, IN_EVENTS | (w->hears_room ? EPOLLOUT : 0));
	if (watch_one(l, &w->in, w->rfd, IN_EVENTS) == -1)
		return -1;
	if (watch_one(l, &w->out, w->wfd, EPOLLOUT | EPOLLET) == -1) {
		loop_unwatch(l, &w->in);
		return -1;
	}
	return 0;
}

void
wire_await(struct wire *w)
{
	if (w->in.fd != -1 && w->rsock && !w->broken)
		w->readable = false;
}

void
wire_leave(struct wire *w, struct loop *l)
{
	loop_unwatch(l, &w->in);
	loop_unwatch(l, &w->out);
	w->loop = NULL;
}

enum iores
wire_read(struct wire *w, void *p, size_t cap, size_t *n)
{
	ssize_t got;

	*n = 0;
	if (w->rfd == -1)
		return IO_EOF;
	if (!w->readable)
		return IO_WANT;
	do {
		got = w->rsock ? recv(w->rfd, p, cap, MSG_DONTWAIT) :
		    read(w->rfd, p, cap);
	} while (got == -1 && errno == EINTR);
	if (got > 0) {
		*n = (size_t)got;
		if (*n < cap && w->rsock && !w->to_the_end)
			w->readable = false;
		return IO_OK;
	}
	if (got == 0)
		return w->broken ? IO_RESET : IO_EOF;
	if (errno == EAGAIN) {
		w->readable = false;
		return w->broken ? IO_RESET : IO_WANT;
	}
	/* The kernel says so once; asked again it would say that all is over. */
	w->broken = true;
	return IO_RESET;
}

/* The kernel takes no more for now. */
static void
wait_for_room(struct wire *w)
{
	w->writable = false;
	if (w->hears_room || w->loop == NULL || w->in.fd == -1)
		return;
	loop_rewatch(w->loop, &w->in, IN_EVENTS | EPOLLOUT);
	w->hears_room = true;
}

/* What the kernel takes now; IO_WANT when it took less than all. */
static enum iores
wire_push(struct wire *w, const uint8_t *p, size_t n, size_t *done)
{
	ssize_t put;

	*done = 0;
	if (w->broken || w->wfd == -1)
		return IO_RESET;
	while (*done < n && w->writable) {
		put = w->wsock ?
		    send(w->wfd, p + *done, n - *done, MSG_DONTWAIT | MSG_NOSIGNAL) :
		    write(w->wfd, p + *done, n - *done);
		if (put >= 0) {
			*done += (size_t)put;
		} else if (errno == EAGAIN) {
			wait_for_room(w);
		} else if (errno != EINTR) {
			w->broken = true;
			w->readable = true;
			buf_free(&w->stash);
			return IO_RESET;
		}
	}
	return *done < n ? IO_WANT : IO_OK;
}

enum iores
wire_write(struct wire *w, const void *p, size_t n)
{
	size_t done = 0;
	enum iores r;

	if (n == 0)
		return IO_OK;
	assert(!w->fin_wanted);
	if (w->broken)
		return IO_RESET;
	if (w->stash.len == 0) {
		r = wire_push(w, p, n, &done);
		if (r != IO_WANT)
			return r;
	}
	return buf_append(&w->stash, (const uint8_t *)p + done, n - done) == 0 ?
	    IO_OK : IO_NOMEM;
}

/* Ends our direction; a pipe's end is its close. */
static enum iores
wire_fin(struct wire *w)
{
	w->fin_sent = true;
	if (w->wfd == -1)
		return IO_OK;
	if (w->wsock) {
		if (shutdown(w->wfd, SHUT_WR) == -1) {
			w->broken = true;
			w->readable = true;
			return IO_RESET;
		}
		return IO_OK;
	}
	/* The number may soon be another's. */
	if (w->loop != NULL)
		loop_unwatch(w->loop, &w->out);
	close(w->wfd);
	w->wfd = -1;
	return IO_OK;
}

enum iores
wire_flush(struct wire *w)
{
	size_t done;
	enum iores r;

	if (w->broken)
		return IO_RESET;
	if (w->stash.len > 0) {
		r = wire_push(w, buf_head(&w->stash), w->stash.len, &done);
		if (r == IO_RESET)
			return r;
		buf_consume(&w->stash, done);
		if (r == IO_WANT)
			return r;
	}
	if (w->fin_wanted && !w->fin_sent)
		return wire_fin(w);
	return IO_OK;
}

enum iores
wire_finish(struct wire *w)
{
	w->fin_wanted = true;
	return wire_flush(w);
}

size_t
wire_unsent(const struct wire *w)
{
	if (w->broken || w->wfd == -1)
		return 0;
	return w->stash.len + (w->wsock ? (size_t)sock_unsent(w->wfd) : 0);
}

static void
wire_drop(struct wire *w, void (*closer)(int))
{
	assert(w->in.fd == -1 && w->out.fd == -1);
	if (w->rfd != -1)
		closer(w->rfd);
	if (w->wfd != -1 && w->wfd != w->rfd)
		closer(w->wfd);
	w->rfd = w->wfd = -1;
	buf_free(&w->stash);
}

static void
close_fd(int fd)
{
	close(fd);
}

void
wire_close(struct wire *w)
{
	wire_drop(w, close_fd);
}

void
wire_reset(struct wire *w)
{
	wire_drop(w, sock_reset);
}
