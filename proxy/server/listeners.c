#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "net/sock.h"
#include "server/listeners.h"

static bool
is_unix(const struct place *p)
{
	return p->addr.u.sa.sa_family == AF_UNIX;
}

static int
add_listener(struct listeners *l, int fd, const struct addr *bound, struct service *service,
    struct errmsg *e)
{
	struct listener *items;
	struct place *places;
	struct stat st;

	if ((items = reallocarray(l->items, l->n + 1, sizeof(*items))) != NULL)
		l->items = items;
	if ((places = reallocarray(l->places, l->n + 1, sizeof(*places))) != NULL)
		l->places = places;
	if (items == NULL || places == NULL) {
		close(fd);
		return errmsg_set(e, "out of memory");
	}
	items[l->n] = (struct listener){ .fd = fd, .service = service };
	places += l->n++;
	*places = (struct place){ .addr = *bound };
	if (is_unix(places) && stat(bound->u.un.sun_path, &st) == 0) {
		places->dev = st.st_dev;
		places->ino = st.st_ino;
	}
	return 0;
}

/* Every address that an accept line means. */
static int
listen_on(struct listeners *l, const struct addr_spec *spec, struct service *service,
    struct errmsg *e)
{
	struct addr_list list = { 0 };
	struct addr bound;
	int fd, rc = 0;

	if (spec->kind == ADDR_STDIO)
		return 0;
	if (spec->kind == ADDR_TCP && spec->host == NULL) {
		fd = sock_listen_any(spec->port, &service->setup, &bound, e);
		return fd == -1 ? -1 : add_listener(l, fd, &bound, service, e);
	}
	if (addr_resolve(spec, true, false, &list, e) == -1)
		return -1;
	for (size_t i = 0; i < list.n && rc == 0; i++) {
		fd = sock_listen(&list.items[i], &service->setup, &bound, e);
		rc = fd == -1 ? -1 : add_listener(l, fd, &bound, service, e);
	}
	addr_list_free(&list);
	return rc;
}

int
listeners_open(struct listeners *l, struct service *const *services, size_t nservices,
    struct errmsg *e)
{
	for (size_t i = 0; i < nservices; i++) {
		const struct conf_service *c = services[i]->conf;

		for (size_t k = 0; k < c->accept.n; k++)
			if (listen_on(l, &c->accept.items[k], services[i], e) == -1)
				return errmsg_prefix(e, "Binding service [%s] to %s failed",
				    c->name, c->accept.items[k].text);
	}
	return 0;
}

void
listeners_announce(const struct listeners *l)
{
	char text[ADDR_TEXT];

	for (size_t i = 0; i < l->n; i++)
		log_line(LOG_NOTICE, "main", "Service [%s] (FD=%d) bound to %s",
		    l->items[i].service->conf->name, l->items[i].fd,
		    addr_text(&l->places[i].addr, text));
}

/* Removes a unix socket's file, if it is still the one that we made. */
static void
remove_file(const struct place *p)
{
	struct stat st;

	if (is_unix(p) && lstat(p->addr.u.un.sun_path, &st) == 0 &&
	    st.st_dev == p->dev && st.st_ino == p->ino)
		unlink(p->addr.u.un.sun_path);
}

void
listeners_close(struct listeners *l)
{
	for (size_t i = 0; i < l->n; i++) {
		remove_file(&l->places[i]);
		close(l->items[i].fd);
	}
	l->n = 0;
}

void
listeners_free(struct listeners *l)
{
	listeners_close(l);
	free(l->items);
	free(l->places);
	*l = (struct listeners){ 0 };
}
