#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel_priv.h"

/* Begins a message: what is written to stderr never begins so. */
#define MARK '\001'

int
channel_pair(int fds[2])
{
	static const struct timeval patience = { .tv_sec = 10 };

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == -1)
		return -1;
	setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return 0;
}

/* Room for one descriptor, aligned as the kernel wants it. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static void
put_fd(struct msghdr *msg, union control *control, int fd)
{
	struct cmsghdr *c;

	memset(control, 0, sizeof(*control));
	msg->msg_control = control->bytes;
	msg->msg_controllen = sizeof(control->bytes);
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

int
channel_send(int sock, int pass, const char *fmt, ...)
{
	char text[CHANNEL_TEXT];
	struct iovec iov = { .iov_base = text };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	va_list ap;
	int n;

	text[0] = MARK;
	va_start(ap, fmt);
	n = vsnprintf(text + 1, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -1;
	iov.iov_len = 1 + strlen(text + 1);
	if (pass != -1)
		put_fd(&msg, &control, pass);
	while (sendmsg(sock, &msg, MSG_NOSIGNAL) == -1)
		if (errno != EINTR)
			return -1;
	return 0;
}

static int
got_fd(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int fd = -1;

	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

enum channel_packet
channel_take(int sock, int wait_ms, char text[CHANNEL_TEXT], int *passed)
{
	struct iovec iov = { .iov_base = text, .iov_len = CHANNEL_TEXT - 1 };
	union control control;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };
	struct pollfd p = { .fd = sock, .events = POLLIN };
	ssize_t n;

	*passed = -1;
	if (poll(&p, 1, wait_ms) <= 0)
		return CHANNEL_NONE;
	n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	/* The other end closed with something unread: that is told once, and first. */
	if (n == -1 && errno == ECONNRESET)
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return CHANNEL_NONE;
	if (n <= 0)
		return CHANNEL_END;
	*passed = got_fd(&msg);
	text[n] = '\0';
	if (text[0] != MARK)
		return CHANNEL_STDERR;
	memmove(text, text + 1, (size_t)n);
	return CHANNEL_MESSAGE;
}
