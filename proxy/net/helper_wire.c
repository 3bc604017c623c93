#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/helper_priv.h"

/* Descriptors of a message, in the kernel's packing. */
union packed {
	struct cmsghdr head;
	char room[CMSG_SPACE(HELPER_FDS * sizeof(int))];
};

int
helper_send(int sock, const struct helper_head *head, const void *text, size_t n,
    const int *fds, size_t nfds, int flags)
{
	struct iovec iov[2] = {
		{ .iov_base = (void *)head, .iov_len = sizeof(*head) },
		{ .iov_base = (void *)text, .iov_len = n },
	};
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	union packed p;
	ssize_t sent;

	if (nfds > 0) {
		memset(&p, 0, sizeof(p));
		m.msg_control = &p;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		p.head.cmsg_level = SOL_SOCKET;
		p.head.cmsg_type = SCM_RIGHTS;
		p.head.cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(&p.head), fds, nfds * sizeof(int));
	}
	do {
		sent = sendmsg(sock, &m, flags | MSG_NOSIGNAL);
	} while (sent == -1 && errno == EINTR);
	if (sent != -1)
		return 0;
	if (errno == ECONNRESET || errno == ENOTCONN)
		errno = EPIPE;
	/* Too many descriptors under way: the helper has not taken them yet. */
	if (errno == ETOOMANYREFS || errno == ENOBUFS)
		errno = EAGAIN;
	return -1;
}

static void
take_fds(struct msghdr *m, int *fds, size_t *nfds)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);

	*nfds = 0;
	if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return;
	*nfds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(c), *nfds * sizeof(int));
}

int
helper_receive(int sock, struct helper_head *head, void *text, size_t cap, size_t *n,
    int *fds, size_t *nfds, int flags)
{
	struct iovec iov[2] = {
		{ .iov_base = head, .iov_len = sizeof(*head) },
		{ .iov_base = text, .iov_len = cap },
	};
	union packed p;
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2, .msg_control = &p,
		.msg_controllen = sizeof(p) };
	ssize_t got;

	*nfds = 0;
	do {
		got = recvmsg(sock, &m, flags | MSG_CMSG_CLOEXEC);
	} while (got == -1 && errno == EINTR);
	if (got == 0 || (got == -1 && errno == ECONNRESET))
		return 0;
	if (got == -1)
		return -1;
	take_fds(&m, fds, nfds);
	if ((size_t)got >= sizeof(*head) && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		*n = (size_t)got - sizeof(*head);
		return 1;
	}
	while (*nfds > 0)
		close(fds[--*nfds]);
	errno = m.msg_flags & MSG_CTRUNC ? EMFILE : EBADMSG;
	return -1;
}
