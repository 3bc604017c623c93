/*
 * relay record PORT FILE
 *     Listens on a free port of 127.0.0.1, prints "bound to 127.0.0.1:N", and
 *     serves one connection after another until SIGTERM (exit 0): each is joined to
 *     127.0.0.1:PORT, and what passes is appended to FILE.up (towards PORT) and
 *     to FILE.down (back).
 *
 * relay send PORT
 *     Connects to 127.0.0.1:PORT, sends standard input and then the end, and
 *     writes what comes back to standard output.
 *
 * Both directions move at once. An end is passed on as an end; an error in one
 * direction ends the connection. Exit status: 0 after both directions of "send"
 * ended properly, otherwise 1 after a message on standard error; "record" goes on
 * after a connection that broke, but not when PORT cannot be reached.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK 262144

/* One direction: data[at] to data[end] is read but not yet written. */
struct stream {
	int from, to;
	int copy; /* what passes is written there too, unless -1 */
	bool ended;
	size_t at, end;
	char data[CHUNK];
};

static struct stream streams[2];

static void
fail(const char *what)
{
	fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Sockets must not block, or the two directions would wait for each other. */
static int
socket_tune(int fd)
{
	int on = 1, flags = fcntl(fd, F_GETFL);

	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1)
		fail("cannot set up a socket");
	return fd;
}

static struct sockaddr_in
loopback(const char *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	char *end;
	unsigned long n = strtoul(port, &end, 10);

	if (end == port || *end != '\0' || n > UINT16_MAX) {
		errno = EINVAL;
		fail(port);
	}
	sin.sin_port = htons((uint16_t)n);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sin;
}

static int
dial(const char *port)
{
	struct sockaddr_in to = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1)
		fail("cannot connect");
	return socket_tune(fd);
}

/* Whether a call failed only because it would have to wait. */
static bool
not_now(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static void
record(int fd, const char *data, size_t len)
{
	ssize_t n;

	for (; fd != -1 && len > 0; data += n, len -= (size_t)n)
		if ((n = write(fd, data, len)) == -1)
			fail("cannot record");
}

/* Reads, when everything read before is written. Returns 0, or -1 for an error. */
static int
stream_read(struct stream *s)
{
	ssize_t n = read(s->from, s->data, sizeof(s->data));

	if (n == -1)
		return not_now() ? 0 : -1;
	record(s->copy, s->data, (size_t)n);
	s->at = 0;
	s->end = (size_t)n;
	if (n == 0) {
		s->ended = true;
		/* Standard output is no socket; it ends when we exit. */
		if (shutdown(s->to, SHUT_WR) == -1 && errno != ENOTSOCK)
			return -1;
	}
	return 0;
}

static int
stream_write(struct stream *s)
{
	ssize_t n = write(s->to, s->data + s->at, s->end - s->at);

	if (n == -1)
		return not_now() ? 0 : -1;
	s->at += (size_t)n;
	return 0;
}

/* Moves both streams to their ends. Returns 0, or -1 with errno set. */
static int
join(void)
{
	struct pollfd fds[2];
	struct stream *s;
	int i;

	while (!streams[0].ended || !streams[1].ended) {
		for (i = 0; i < 2; i++) {
			s = &streams[i];
			fds[i].fd = s->ended ? -1 : s->at < s->end ? s->to : s->from;
			fds[i].events = s->at < s->end ? POLLOUT : POLLIN;
			fds[i].revents = 0;
		}
		if (poll(fds, 2, -1) == -1 && errno != EINTR)
			return -1;
		for (i = 0; i < 2; i++) {
			s = &streams[i];
			if (fds[i].fd == -1 || fds[i].revents == 0)
				continue;
			if ((s->at < s->end ? stream_write(s) : stream_read(s)) == -1)
				return -1;
		}
	}
	return 0;
}

static void
stream_start(struct stream *s, int from, int to, int copy)
{
	s->from = from;
	s->to = to;
	s->copy = copy;
	s->ended = false;
	s->at = s->end = 0;
}

static int
copy_open(const char *file, const char *suffix)
{
	char path[4096];
	int fd, n = snprintf(path, sizeof(path), "%s%s", file, suffix);

	if (n < 0 || (size_t)n >= sizeof(path))
		errno = ENAMETOOLONG;
	else if ((fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) != -1)
		return fd;
	fail(file);
	return -1;
}

static void
relay_record(const char *port, const char *file)
{
	struct sockaddr_in here = loopback("0");
	socklen_t len = sizeof(here);
	int copy_up = copy_open(file, ".up"), copy_down = copy_open(file, ".down");
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int down, up;

	if (listening == -1 || bind(listening, (struct sockaddr *)&here, len) == -1 ||
	    listen(listening, 16) == -1 ||
	    getsockname(listening, (struct sockaddr *)&here, &len) == -1)
		fail("cannot listen");
	printf("bound to 127.0.0.1:%d\n", ntohs(here.sin_port));
	if (fflush(stdout) == EOF)
		fail("cannot print the port");
	for (;;) {
		if ((down = accept(listening, NULL, NULL)) == -1)
			fail("cannot accept");
		socket_tune(down);
		up = dial(port);
		stream_start(&streams[0], down, up, copy_up);
		stream_start(&streams[1], up, down, copy_down);
		if (join() == -1)
			fprintf(stderr, "relay: connection broke: %s\n", strerror(errno));
		close(down);
		close(up);
	}
}

static void
relay_send(const char *port)
{
	int fd = dial(port);

	stream_start(&streams[0], STDIN_FILENO, fd, -1);
	stream_start(&streams[1], fd, STDOUT_FILENO, -1);
	if (join() == -1)
		fail("the connection broke");
}

/* The kernel closes what is open. */
static void
stop(int sig)
{
	(void)sig;
	_exit(0);
}

int
main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, stop);
	if (argc == 4 && strcmp(argv[1], "record") == 0)
		relay_record(argv[2], argv[3]);
	else if (argc == 3 && strcmp(argv[1], "send") == 0)
		relay_send(argv[2]);
	else {
		fprintf(stderr, "usage: relay record PORT FILE | relay send PORT\n");
		return 1;
	}
	return 0;
}
