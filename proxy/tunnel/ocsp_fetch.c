#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sock.h"
#include "ocsp_priv.h"

#define OF(type, member, p) ((type *)((char *)(p) - offsetof(type, member)))

#define TYPE_REQUEST "application/ocsp-request"
#define TYPE_ANSWER "application/ocsp-response"

static const struct sock_setup plain_setup;

static void
wake(void *arg)
{
	struct ocsp_fetch *f = arg;

	loop_post(f->loop, &f->task);
}

static void
socket_ready(struct watch *w, uint32_t events)
{
	(void)events;
	wake(OF(struct ocsp_fetch, watch, w));
}

static void
timer_due(struct loop_timer *timer)
{
	struct ocsp_fetch *f = OF(struct ocsp_fetch, timer, timer);

	f->late = true;
	wake(f);
}

void
ocsp_fetch_stop(struct ocsp_fetch *f)
{
	if (f->loop == NULL)
		return;
	dial_stop(&f->dial);
	loop_timer_cancel(f->loop, &f->timer);
	loop_unpost(f->loop, &f->task);
	if (f->fd != -1) {
		loop_unwatch(f->loop, &f->watch);
		close(f->fd);
	}
	free(f->out);
	free(f->in);
	f->out = f->in = NULL;
	f->fd = -1;
	f->id = 0;
	f->loop = NULL;
}

static void
fail(struct ocsp_fetch *f, const struct errmsg *why)
{
	ocsp_fetch_stop(f);
	f->done(f, NULL, 0, why);
}

static void
fail_by(struct ocsp_fetch *f, const char *what, int why)
{
	struct errmsg e;

	errmsg_set(&e, "%s: %s", what, strerror(why));
	fail(f, &e);
}

static void
succeed(struct ocsp_fetch *f, const char *body, size_t n)
{
	char *in = f->in;

	f->in = NULL;
	ocsp_fetch_stop(f);
	f->done(f, (const unsigned char *)body, n, NULL);
	free(in);
}

/* Returns false when it failed. */
static bool
send_more(struct ocsp_fetch *f)
{
	ssize_t n;

	while (f->sent < f->out_len) {
		n = send(f->fd, f->out + f->sent, f->out_len - f->sent, MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			return true;
		if (n == -1) {
			fail_by(f, "cannot send", errno);
			return false;
		}
		f->sent += (size_t)n;
	}
	return true;
}

/* Room for one byte more than any answer may have. */
static int
grow(struct ocsp_fetch *f)
{
	const size_t most = HTTP_ANSWER_HEAD + OCSP_ANSWER_MOST + 8;
	size_t cap = f->in_cap == 0 ? 4096 : 2 * f->in_cap;
	char *p;

	if (cap > most)
		cap = most;
	if (f->in_len < f->in_cap || cap == f->in_cap)
		return 0;
	if ((p = realloc(f->in, cap)) == NULL)
		return -1;
	f->in = p;
	f->in_cap = cap;
	return 0;
}

/* Looks at what has come.  Returns true when more is wanted. */
static bool
look(struct ocsp_fetch *f, bool ended)
{
	const char *body;
	struct errmsg e;
	size_t n;

	switch (http_answer(f->in, f->in_len, ended, TYPE_ANSWER, OCSP_ANSWER_MOST, &body, &n, &e)) {
	case HTTP_MORE:
		return true;
	case HTTP_DONE:
		succeed(f, body, n);
		return false;
	default:
		fail(f, &e);
		return false;
	}
}

static void
receive_more(struct ocsp_fetch *f)
{
	ssize_t n;

	do {
		if (grow(f) == -1) {
			fail_by(f, "its answer", ENOMEM);
			return;
		}
		n = recv(f->fd, f->in + f->in_len, f->in_cap - f->in_len, 0);
		if (n == -1 && errno == EAGAIN)
			return;
		if (n == -1 && errno != EINTR) {
			fail_by(f, "no answer", errno);
			return;
		}
		f->in_len += n > 0 ? (size_t)n : 0;
	} while (n == -1 || look(f, n == 0));
}

/* Connected: from now on the socket is watched by us. */
static bool
take_socket(struct ocsp_fetch *f)
{
	struct addr a;
	int why, fd = dial_result(&f->dial, &a, &why);

	if (fd == -1 && why == 0)
		return false;
	f->dialling = false;
	if (fd == -1) {
		fail_by(f, "cannot connect", why);
		return false;
	}
	f->fd = fd;
	f->watch.ready = socket_ready;
	if (loop_watch(f->loop, &f->watch, fd, EPOLLIN | EPOLLOUT | EPOLLET) == -1) {
		fail_by(f, "cannot connect", errno);
		return false;
	}
	return true;
}

static void
run(struct task *task)
{
	struct ocsp_fetch *f = OF(struct ocsp_fetch, task, task);
	struct errmsg e;

	if (f->late) {
		errmsg_set(&e, "no answer within %u seconds (TIMEOUTocsp)", f->seconds);
		fail(f, &e);
		return;
	}
	if (f->dialling && !take_socket(f))
		return;
	if (f->fd != -1 && send_more(f))
		receive_more(f);
}

static void
begin_dial(struct ocsp_fetch *f, struct addr_list *list)
{
	f->dialling = true;
	dial_start(&f->dial, f->loop, list, &plain_setup, f->seconds * 1000, wake, f);
	loop_post(f->loop, &f->task);
}

void
ocsp_fetch_found(struct ocsp_fetch *f, struct resolve_answer *a)
{
	f->id = 0;
	if (a->found)
		begin_dial(f, &a->list);
	else
		fail(f, &a->why);
}

static int
find_address(struct ocsp_fetch *f, struct resolver *resolver, uint64_t id,
    void (*deliver)(struct inbox_msg *, void *), struct errmsg *e)
{
	char text[sizeof(f->url.host) + sizeof(f->url.port)];
	struct addr_spec spec = { .kind = ADDR_TCP, .host = f->url.host, .port = f->url.port,
		.text = text };
	struct addr_list list;

	/* It is what the resolver reads. */
	snprintf(text, sizeof(text), "%s:%s", f->url.host, f->url.port);
	switch (addr_resolve(&spec, false, true, &list, e)) {
	case 0:
		begin_dial(f, &list);
		return 0;
	case 1:
		f->id = id;
		if (resolver_ask(resolver, &spec, loop_inbox(f->loop), id, deliver) == 0)
			return 0;
		return errmsg_set(e, "out of memory");
	default:
		return -1;
	}
}

/* The head and the body of what is sent. */
static int
write_request(struct ocsp_fetch *f, const unsigned char *request, size_t n)
{
	size_t head;

	if ((f->out = malloc(HTTP_HEAD_MOST + n)) == NULL)
		return -1;
	head = http_post(&f->url, TYPE_REQUEST, n, f->out);
	memcpy(f->out + head, request, n);
	f->out_len = head + n;
	return 0;
}

int
ocsp_fetch_start(struct ocsp_fetch *f, struct loop *l, struct resolver *resolver, const char *url,
    const unsigned char *request, size_t n, unsigned seconds, uint64_t id,
    void (*deliver)(struct inbox_msg *, void *), struct errmsg *e)
{
	*f = (struct ocsp_fetch){ .done = f->done, .fd = -1, .seconds = seconds };
	f->watch.fd = -1;
	f->task.run = run;
	f->timer.due = timer_due;
	if (http_url_parse(url, &f->url, e) == -1)
		return -1;
	f->loop = l;
	if (write_request(f, request, n) == -1) {
		errmsg_set(e, "out of memory");
		goto err;
	}
	loop_timer_set(l, &f->timer, loop_now(l) + (uint64_t)seconds * 1000);
	if (find_address(f, resolver, id, deliver, e) == -1)
		goto err;
	return 0;

err:
	ocsp_fetch_stop(f);
	return -1;
}
