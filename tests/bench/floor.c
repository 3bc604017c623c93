/*
 * floor PORT
 *
 * The least that a tunnel can cost: a forwarder without TLS, one thread, one epoll
 * loop, read() and write() of up to 256 KiB from one buffer. Listens on a free port
 * of 127.0.0.1, prints "bound PORT", and joins each connection to 127.0.0.1:PORT.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK 262144

/* One end of a joined pair, and what it has read that the other did not take yet. */
struct end {
	int fd;
	struct end *other;
	uint32_t events;
	bool ended; /* nothing more comes from here */
	char *rest; /* malloced, rest_len bytes */
	size_t rest_len;
	struct end *next_dead; /* of pairs that await their end; in the first of two */
};

static int loop, listener;
static struct sockaddr_in target;
static struct end *dead;
static char buffer[CHUNK];

static void
check(int result, const char *what)
{
	if (result != -1)
		return;
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
end_await(struct end *e)
{
	bool reads = !e->ended && e->rest == NULL;
	uint32_t events = (reads ? EPOLLIN : 0U) | (e->other->rest ? EPOLLOUT : 0U);
	struct epoll_event event = { .events = events, .data.ptr = e };

	if (events != e->events)
		check(epoll_ctl(loop, EPOLL_CTL_MOD, e->fd, &event), "epoll_ctl");
	e->events = events;
}

static void
pair_close(struct end *e)
{
	struct end *pair = e < e->other ? e : e->other;

	close(pair[0].fd);
	close(pair[1].fd);
	pair[0].fd = pair[1].fd = -1;
	pair->next_dead = dead;
	dead = pair;
}

/* An event of the same turn may still point to a pair that was closed. */
static void
pairs_free(void)
{
	struct end *pair;

	while ((pair = dead) != NULL) {
		dead = pair->next_dead;
		free(pair[0].rest);
		free(pair[1].rest);
		free(pair);
	}
}

/* Keeps what the other side did not take. */
static void
rest_keep(struct end *e, const char *data, size_t len)
{
	char *rest = NULL;

	if (len > 0 && (rest = malloc(len)) == NULL)
		check(-1, "malloc");
	if (len > 0)
		memcpy(rest, data, len);
	free(e->rest);
	e->rest = rest;
	e->rest_len = len;
}

/* Hands data on; false when the other side is gone. */
static bool
end_pass(struct end *e, const char *data, size_t len)
{
	ssize_t n = send(e->other->fd, data, len, 0);

	if (n == -1 && errno != EAGAIN)
		return false;
	n = n == -1 ? 0 : n;
	rest_keep(e, data + n, len - (size_t)n);
	return true;
}

static bool
end_read(struct end *e)
{
	ssize_t n = recv(e->fd, buffer, sizeof(buffer), 0);

	if (n == -1)
		return errno == EAGAIN;
	if (n > 0)
		return end_pass(e, buffer, (size_t)n);
	e->ended = true;
	(void)shutdown(e->other->fd, SHUT_WR);
	return !e->other->ended;
}

static void
end_ready(struct end *e, uint32_t events)
{
	struct end *other = e->other;
	bool fine = true;

	if (e->fd == -1)
		return;
	if (events & EPOLLOUT && other->rest != NULL)
		fine = end_pass(other, other->rest, other->rest_len);
	if (fine && events & (EPOLLIN | EPOLLHUP | EPOLLERR) && e->rest == NULL)
		fine = end_read(e);
	if (!fine) {
		pair_close(e);
		return;
	}
	end_await(e);
	end_await(other);
}

static void
end_add(struct end *e, int fd, struct end *other)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = e };
	int on = 1;

	*e = (struct end){ .fd = fd, .other = other, .events = EPOLLIN };
	check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), "TCP_NODELAY");
	check(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

static void
take(void)
{
	int in = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	int out = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct end *pair = calloc(2, sizeof(*pair));

	check(in, "accept");
	check(pair == NULL ? -1 : out, "socket");
	if (connect(out, (struct sockaddr *)&target, sizeof(target)) == -1 &&
	    errno != EINPROGRESS)
		check(-1, "connect");
	end_add(&pair[0], in, &pair[1]);
	end_add(&pair[1], out, &pair[0]);
}

static int
listen_any(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct epoll_event event = { .events = EPOLLIN };
	socklen_t len = sizeof(sin);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	check(listener, "socket");
	check(bind(listener, (struct sockaddr *)&sin, len), "bind");
	check(listen(listener, 4096), "listen");
	check(getsockname(listener, (struct sockaddr *)&sin, &len), "getsockname");
	check(epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event), "epoll_ctl");
	return ntohs(sin.sin_port);
}

static void
turn(void)
{
	struct epoll_event events[64];
	int n = epoll_wait(loop, events, 64, -1);

	check(n == -1 && errno != EINTR ? -1 : 0, "epoll_wait");
	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr == NULL)
			take();
		else
			end_ready(events[i].data.ptr, events[i].events);
	}
	pairs_free();
}

int
main(int argc, char **argv)
{
	if (argc != 2)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	target.sin_family = AF_INET;
	target.sin_port = htons((uint16_t)atoi(argv[1]));
	target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	loop = epoll_create1(0);
	check(loop, "epoll_create1");
	printf("bound %d\n", listen_any());
	fflush(stdout);
	for (;;)
		turn();
}
