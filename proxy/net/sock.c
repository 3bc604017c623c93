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

/* Of the kernel's headers linux/netfilter_ipv4.h and ip6_tables.h, which cannot be included
 * beside netinet/in.h. */
#define ORIGINAL_DST 80

static const int on = 1;
static const struct sock_setup plain = { 0 };

/* Whether somebody answers on the unix socket of this name. */
static bool
unix_is_live(const struct addr *a)
{
	bool pending, live;
	int fd;

	fd = sock_connect(a, &plain, &pending);
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

/* Lets a socket have addresses that are none of this machine's; needs CAP_NET_ADMIN. */
static int
make_transparent(int fd, sa_family_t family)
{
	if (family == AF_INET6)
		return setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof(on));
	return setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on));
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

void
sock_overlap(int fd, bool may)
{
	const int value = may;

	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, sizeof(value));
}

int
sock_listen(const struct addr *a, const struct sock_setup *how, struct addr *bound,
    struct errmsg *e)
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
	if (how->overlaps)
		sock_overlap(fd, true);
	/* For TPROXY; behind a redirecting rule it works without. */
	if (how->foreign)
		make_transparent(fd, (sa_family_t)family);
	sock_tune(fd);
	if (sockopt_apply(fd, 'a', how->opts, how->nopts, e) == -1) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	if (bind(fd, &a->u.sa, a->len) == -1 || listen(fd, BACKLOG) == -1)
		return listen_failed(fd, a, e);
	bound->len = sizeof(bound->u);
	if (getsockname(fd, &bound->u.sa, &bound->len) == -1)
		return listen_failed(fd, a, e);
	return fd;
}

int
sock_listen_any(const char *port, const struct sock_setup *how, struct addr *bound,
    struct errmsg *e)
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
		fd = list.n == 0 ? -1 : sock_listen(&list.items[0], how, bound, e);
		addr_list_free(&list);
		if (fd == -1 && errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)
			break;
	}
	return fd;
}

int
sock_accept(int fd, struct addr *peer)
{
	int c;

	peer->len = sizeof(peer->u);
	c = accept4(fd, &peer->u.sa, &peer->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (c != -1)
		addr_unmap(peer);
	return c;
}

static int
bind_source(int fd, sa_family_t family, const struct sock_setup *how)
{
	for (size_t i = 0; i < how->nsources; i++) {
		const struct addr *a = &how->sources[i];

		if (a->u.sa.sa_family != family)
			continue;
		if (how->foreign && make_transparent(fd, family) == -1)
			return -1;
		/* The port is chosen when connecting, so that targets do not share the range. */
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
		return bind(fd, &a->u.sa, a->len);
	}
	errno = EADDRNOTAVAIL;
	return -1;
}

static int
set_up(int fd, sa_family_t family, const struct sock_setup *how)
{
	struct errmsg e;

	sock_tune(fd);
	if (sockopt_apply(fd, 'r', how->opts, how->nopts, &e) == -1)
		return -1;
	return family == AF_UNIX || how->nsources == 0 ? 0 : bind_source(fd, family, how);
}

int
sock_local(int fd, struct addr *local)
{
	local->len = sizeof(local->u);
	if (getsockname(fd, &local->u.sa, &local->len) == -1)
		return -1;
	addr_unmap(local);
	return 0;
}

static bool
same_host(const struct addr *a, const struct addr *b)
{
	if (a->u.sa.sa_family != b->u.sa.sa_family)
		return false;
	return a->u.sa.sa_family == AF_INET ?
	    a->u.in.sin_addr.s_addr == b->u.in.sin_addr.s_addr :
	    memcmp(&a->u.in6.sin6_addr, &b->u.in6.sin6_addr, sizeof(a->u.in6.sin6_addr)) == 0;
}

/* To an own address the kernel goes from that very address; nothing is sent. */
bool
sock_is_own(const struct addr *a)
{
	struct addr to = *a, from;
	bool own = false;
	int fd;

	addr_unmap(&to);
	if (to.u.sa.sa_family == AF_INET)
		to.u.in.sin_port = htons(9);
	else if (to.u.sa.sa_family == AF_INET6)
		to.u.in6.sin6_port = htons(9);
	else
		return true;
	if ((fd = socket(to.u.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		return true;
	if (connect(fd, &to.u.sa, to.len) == 0 && sock_local(fd, &from) == 0)
		own = same_host(&from, &to);
	close(fd);
	return own;
}

int
sock_connect(const struct addr *a, const struct sock_setup *how, bool *pending)
{
	int fd, why;

	fd = socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	*pending = false;
	if (set_up(fd, a->u.sa.sa_family, how) == -1)
		goto err;
	if (connect(fd, &a->u.sa, a->len) == 0)
		return fd;
	if (errno == EINPROGRESS || errno == EINTR) {
		*pending = true;
		return fd;
	}
err:
	why = errno;
	close(fd);
	errno = why;
	return -1;
}

/* Whether the address is one of this machine's: only such can be bound just so. */
static bool
is_ours(const struct addr *a)
{
	struct addr any_port = *a;
	bool ours;
	int fd;

	if (a->u.sa.sa_family == AF_INET)
		any_port.u.in.sin_port = 0;
	else
		any_port.u.in6.sin6_port = 0;
	if ((fd = socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return true;
	ours = bind(fd, &any_port.u.sa, any_port.len) == 0;
	close(fd);
	return ours;
}

int
sock_destination(int fd, struct addr *a)
{
	int redirected;

	a->len = sizeof(a->u);
	if (getsockname(fd, &a->u.sa, &a->len) == -1)
		return -1;
	if (a->u.sa.sa_family == AF_UNIX) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	addr_unmap(a);
	if (a->u.sa.sa_family == AF_INET)
		redirected = getsockopt(fd, IPPROTO_IP, ORIGINAL_DST, &a->u.in, &a->len);
	else
		redirected = getsockopt(fd, IPPROTO_IPV6, ORIGINAL_DST, &a->u.in6, &a->len);
	if (redirected == 0 || !is_ours(a))
		return 0;
	errno = ELOOP;
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
