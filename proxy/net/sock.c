#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/sock.h"

/* The kernel cuts it to net.core.somaxconn. */
#define BACKLOG 65535

static const int on = 1;

/* Whether somebody answers on the unix socket of this name. */
static bool
unix_is_live(const struct addr *a)
{
	bool pending, live;
	int fd;

	fd = sock_connect(a, &pending);
	/* A full backlog (EAGAIN) has an owner; only a refusal proves there is none. */
	live = fd != -1 || errno != ECONNREFUSED;
	if (fd != -1)
		close(fd);
	return live;
}

/* Removes a socket file that a crashed process left.  Returns 0 when the name is
 * free now. */
static int
unix_clear(const struct addr *a, struct errmsg *e)
{
	const char *path = a->u.un.sun_path;
	struct stat st;

	if (lstat(path, &st) == -1)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return errmsg_set(e, "%s exists and is not a socket; "
		    "choose another path or remove it", path);
	if (unix_is_live(a))
		return errmsg_set(e, "%s: Address already in use; another "
		    "process listens there", path);
	if (unlink(path) == -1)
		return errmsg_set(e, "cannot remove the stale socket %s: %s", path,
		    strerror(errno));
	return 0;
}

static int
listen_failed(int fd, const struct addr *a, struct errmsg *e)
{
	char text[ADDR_TEXT];
	int why = errno;

	if (fd != -1)
		close(fd);
	errno = why;
	return errmsg_set(e, "%s: %s", addr_text(a, text), strerror(why));
}

int
sock_listen(const struct addr *a, struct addr *bound, struct errmsg *e)
{
	const int off = 0;
	int fd, family = a->u.sa.sa_family;

	if (family == AF_UNIX && unix_clear(a, e) == -1)
		return -1;
	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return listen_failed(-1, a, e);
	if (family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, &a->u.sa, a->len) == -1 || listen(fd, BACKLOG) == -1)
		return listen_failed(fd, a, e);
	bound->len = sizeof(bound->u);
	if (getsockname(fd, &bound->u.sa, &bound->len) == -1)
		return listen_failed(fd, a, e);
	return fd;
}

int
sock_listen_any(const char *port, struct addr *bound, struct errmsg *e)
{
	char host6[] = "::", host4[] = "0.0.0.0";
	struct addr_spec spec = { .kind = ADDR_TCP, .port = (char *)port };
	struct addr_list list;
	int fd = -1;

	for (int family = 0; family < 2 && fd == -1; family++) {
		spec.host = family == 0 ? host6 : host4;
		spec.text = spec.port;
		if (addr_resolve(&spec, true, false, &list, e) != 0)
			continue;
		fd = list.n == 0 ? -1 : sock_listen(&list.items[0], bound, e);
		addr_list_free(&list);
		if (fd == -1 && errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)
			break;
	}
	return fd;
}

/* A listener for both families shows IPv4 as IPv6; people and rules mean IPv4. */
static void
unmap(struct addr *a)
{
	const struct sockaddr_in6 six = a->u.in6;

	if (six.sin6_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&six.sin6_addr))
		return;
	a->len = sizeof(a->u.in);
	a->u.in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = six.sin6_port };
	memcpy(&a->u.in.sin_addr, &six.sin6_addr.s6_addr[12], sizeof(a->u.in.sin_addr));
}

int
sock_accept(int fd, struct addr *peer)
{
	int c;

	peer->len = sizeof(peer->u);
	c = accept4(fd, &peer->u.sa, &peer->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (c != -1)
		unmap(peer);
	return c;
}

int
sock_connect(const struct addr *a, bool *pending)
{
	int fd, why;

	fd = socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	*pending = false;
	if (connect(fd, &a->u.sa, a->len) == 0)
		return fd;
	if (errno == EINPROGRESS || errno == EINTR) {
		*pending = true;
		return fd;
	}
	why = errno;
	close(fd);
	errno = why;
	return -1;
}

int
sock_outcome(int fd)
{
	socklen_t len = sizeof(int);
	int why = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) == -1)
		return errno;
	return why;
}

void
sock_tune(int fd)
{
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
}

bool
sock_is(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

int
sock_unsent(int fd)
{
	int n = 0;

	return ioctl(fd, SIOCOUTQ, &n) == 0 ? n : 0;
}

void
sock_reset(int fd)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

enum sock_state
sock_peek(int fd)
{
	char byte;
	ssize_t n;

	n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n > 0)
		return SOCK_BYTES;
	if (n == 0)
		return SOCK_END;
	return errno == EAGAIN || errno == EINTR ? SOCK_SILENT : SOCK_ERROR;
}
