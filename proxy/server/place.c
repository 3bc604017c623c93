#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "net/sock.h"
#include "server/grants.h"
#include "server/heritage.h"
#include "server/systemd.h"

#include "place_priv.h"

static bool
is_unix(const struct place *p)
{
	return p->addr.u.sa.sa_family == AF_UNIX;
}

/* Whether the socket's file is still the one that we made. */
static bool
has_file(const struct place *p)
{
	struct stat st;

	return grants_lstat(p->addr.u.un.sun_path, &st) == 0 && st.st_dev == p->dev &&
	    st.st_ino == p->ino;
}

bool
place_stands(const struct place *p)
{
	return !is_unix(p) || p->managed || has_file(p);
}

void
place_close(const struct place *p)
{
	if (is_unix(p) && !p->managed && has_file(p))
		grants_unlink(p->addr.u.un.sun_path);
	close(p->fd);
}

/* Notes whose file it is. */
static void
remember_file(struct place *p)
{
	struct stat st;

	if (is_unix(p) && grants_lstat(p->addr.u.un.sun_path, &st) == 0) {
		p->dev = st.st_dev;
		p->ino = st.st_ino;
	}
}

/* Whether the socket, which somebody else opened, is one to accept on; finds its
 * address. */
static int
check_adopted(struct place *p, struct errmsg *e)
{
	int listens = 0, type = 0;
	socklen_t len = sizeof(int);

	p->addr.len = sizeof(p->addr.u);
	if (getsockname(p->fd, &p->addr.u.sa, &p->addr.len) == -1 ||
	    getsockopt(p->fd, SOL_SOCKET, SO_TYPE, &type, &len) == -1 ||
	    getsockopt(p->fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == -1)
		return errmsg_set(e, "descriptor %d is no socket: %s", p->fd, strerror(errno));
	if (type != SOCK_STREAM || !listens)
		return errmsg_set(e, "descriptor %d is no socket that listens for streams: in "
		    "the .socket unit use ListenStream= and Accept=no", p->fd);
	if (fcntl(p->fd, F_SETFL, O_RDWR | O_NONBLOCK) == -1)
		return errmsg_set(e, "descriptor %d: %s", p->fd, strerror(errno));
	return 0;
}

static int
open_anew(struct place *p, const struct addr *addr, const char *port, struct errmsg *e)
{
	const struct conf_service *c = p->service->conf;
	struct sock_setup how = p->service->setup;

	how.overlaps = p->overlaps;
	p->fd = grants_listen(addr, port, c, &how, &p->addr, e);
	if (p->fd == -1)
		return -1;
	remember_file(p);
	return 0;
}

int
place_open(struct place *p, const struct addr *addr, const char *port, struct errmsg *e)
{
	p->fd = heritage_take(p->wanted, p->service->conf->name, &p->managed);
	if (p->fd == -1)
		return open_anew(p, addr, port, e);
	if (check_adopted(p, e) == -1) {
		close(p->fd);
		return -1;
	}
	remember_file(p);
	return 0;
}

static in_port_t
port_of(const struct place *p)
{
	switch (p->addr.u.sa.sa_family) {
	case AF_INET:
		return p->addr.u.in.sin_port;
	case AF_INET6:
		return p->addr.u.in6.sin6_port;
	}
	return 0;
}

bool
place_has_port(const struct place *p, const char *wanted)
{
	const char *colon = strrchr(wanted, ':');
	char *end;
	unsigned long port;

	if (colon == NULL || port_of(p) == 0)
		return false;
	port = strtoul(colon + 1, &end, 10);
	return *end == '\0' && end != colon + 1 && port == ntohs(port_of(p));
}

void
place_settle(struct place *p)
{
	const struct sock_setup *how = &p->service->setup;
	struct errmsg e;

	if (p->overlaps)
		sock_overlap(p->fd, false);
	if (p->retune && sockopt_apply(p->fd, 'a', how->opts, how->nopts, &e) == -1)
		log_line(LOG_WARNING, "main", "Service [%s]: %s", p->service->conf->name, e.text);
	p->shared = p->overlaps = p->retune = false;
}

/* What stands for the address of a line that the service manager serves. */
static void
managed_name(const struct addr_spec *spec, char name[ADDR_TEXT])
{
	snprintf(name, ADDR_TEXT, "systemd:%s", spec->text);
}

bool
place_is_managed(const struct place *p, const struct addr_spec *spec,
    const struct service *service)
{
	char name[ADDR_TEXT];

	managed_name(spec, name);
	return p->managed && strcmp(p->wanted, name) == 0 &&
	    strcmp(p->service->conf->name, service->conf->name) == 0;
}

int
place_take_managed(struct place *p, const struct addr_spec *spec, struct errmsg *e)
{
	managed_name(spec, p->wanted);
	p->fd = heritage_take(p->wanted, p->service->conf->name, &p->managed);
	if (p->fd == -1 && (p->fd = systemd_take()) != -1)
		sock_tune(p->fd);
	if (p->fd == -1)
		return 1;
	p->managed = true;
	if (check_adopted(p, e) == -1) {
		close(p->fd);
		return -1;
	}
	return 0;
}
