#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A connection that a tunnel made. */
struct service {
	struct conn conn;
	struct request head; /* the first got bytes of it are there */
	size_t got;
	uint64_t missing; /* of the request, behind the head */
	uint64_t owed;	  /* of the answer */
};

static SSL_CTX *backend_ctx;
static int listener = -1;
static char scratch[CHUNK];
static const char zeros[CHUNK];

/* Whether the answer is all sent, as far as we can see. */
static bool
service_answer(struct service *s)
{
	while (s->owed > 0) {
		size_t len = s->owed < CHUNK ? (size_t)s->owed : CHUNK;
		size_t n = conn_write(&s->conn, zeros, len);

		if (n == 0)
			break;
		s->owed -= n;
	}
	conn_await(&s->conn, s->owed > 0 || conn_pending(&s->conn));
	return s->owed == 0;
}

static void
service_asked(struct service *s)
{
	s->got = 0;
	s->owed += s->head.answer;
	(void)service_answer(s);
}

/* Takes what belongs to a request's head; returns how many bytes that was. */
static size_t
service_head(struct service *s, const char *data, size_t len)
{
	size_t rest = sizeof(s->head) - s->got;
	size_t n = len < rest ? len : rest;

	if (s->got == 0 && data[0] == 'e') {
		(void)conn_write(&s->conn, "e", 1);
		return 1;
	}
	memcpy((char *)&s->head + s->got, data, n);
	s->got += n;
	if (s->got < sizeof(s->head))
		return n;
	if (s->head.kind != 'x' || s->head.length < sizeof(s->head)) {
		errno = 0;
		fail("the backend did not get what was sent");
	}
	s->missing = s->head.length - sizeof(s->head);
	if (s->missing == 0)
		service_asked(s);
	return n;
}

static size_t
service_body(struct service *s, size_t len)
{
	size_t n = len < s->missing ? len : (size_t)s->missing;

	s->missing -= n;
	if (s->missing == 0)
		service_asked(s);
	return n;
}

static void
service_take(struct service *s, const char *data, size_t len)
{
	while (len > 0) {
		size_t n = s->missing > 0 ? service_body(s, len)
					  : service_head(s, data, len);

		data += n;
		len -= n;
	}
}

static void
service_ready(struct conn *c)
{
	struct service *s = (struct service *)c;
	int n;

	if (c->ssl != NULL && !SSL_is_init_finished(c->ssl) && conn_handshake(c) == 0)
		return;
	if (!service_answer(s))
		return;
	while ((n = conn_read(c, scratch, sizeof(scratch))) > 0) {
		service_take(s, scratch, (size_t)n);
		if (c->ssl == NULL && n < (int)sizeof(scratch))
			return;
	}
	if (n == -1) {
		conn_finish(c);
		conn_fini(c);
		free(s);
	}
}

static void
backend_accept(int fd)
{
	int accepted;

	while ((accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		struct service *s = calloc(1, sizeof(*s));

		if (s == NULL)
			fail("out of memory");
		conn_init(&s->conn, accepted, backend_ctx, true, NULL, service_ready);
	}
	if (errno != EAGAIN && errno != ECONNABORTED)
		fail("accept");
}

int
backend_listen(SSL_CTX *ctx)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);

	backend_ctx = ctx;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (listener == -1 || bind(listener, (struct sockaddr *)&sin, len) == -1 ||
	    listen(listener, 4096) == -1 ||
	    getsockname(listener, (struct sockaddr *)&sin, &len) == -1)
		fail("cannot listen");
	loop_watch(listener, backend_accept);
	return ntohs(sin.sin_port);
}
