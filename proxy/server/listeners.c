#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "net/sock.h"
#include "server/listeners.h"

#include "place_priv.h"

/* "*:443" is a socket of both families. */
static bool
is_everywhere(const char *wanted, const char *bound)
{
	return strncmp(wanted, "*:", 2) == 0 && strncmp(bound, "[::]:", 5) == 0 &&
	    strcmp(wanted + 2, bound + 5) == 0;
}

/* Whether the socket listens where it is wanted.  Of several with a port of the system's
 * choice each service keeps its own. */
static bool
serves(const struct place *p, const char *wanted, const struct service *service)
{
	char bound[ADDR_TEXT];

	/* Binding to foreign addresses is decided before. */
	if (!place_stands(p) || p->service->setup.foreign != service->setup.foreign)
		return false;
	addr_text(&p->addr, bound);
	if (strcmp(bound, wanted) == 0 || is_everywhere(wanted, bound))
		return true;
	return strcmp(p->wanted, wanted) == 0 &&
	    strcmp(p->service->conf->name, service->conf->name) == 0;
}

static struct place *
find(struct listeners *now, const char *wanted, const struct service *service)
{
	for (size_t i = 0; i < now->n; i++)
		if (!now->items[i].shared && !now->items[i].leaves &&
		    serves(&now->items[i], wanted, service))
			return &now->items[i];
	return NULL;
}

/* Room for one more, which is all zero but not counted yet. */
static struct place *
place_new(struct listeners *l)
{
	struct place *items;

	if ((items = reallocarray(l->items, l->n + 1, sizeof(*items))) == NULL)
		return NULL;
	l->items = items;
	items[l->n] = (struct place){ .fd = -1 };
	return &items[l->n];
}

/* The socket is in both tables from here on. */
static void
share(struct place *p, struct place *old, struct service *service)
{
	old->shared = true;
	*p = *old;
	p->service = service;
	p->retune = !sockopt_same(old->service->setup.opts, old->service->setup.nopts,
	    service->setup.opts, service->setup.nopts, 'a');
}

/* Those of the port that are not wanted any more, as far as we know yet, are still there when the
 * new one is bound: no connection is refused.  Whether there is one. */
static bool
make_room(struct listeners *now, const char *wanted)
{
	bool made = false;

	for (size_t i = 0; i < now->n; i++) {
		struct place *p = &now->items[i];

		if (p->shared || p->leaves || !place_has_port(p, wanted))
			continue;
		sock_overlap(p->fd, true);
		p->leaves = made = true;
	}
	return made;
}

static int
open_new(struct place *p, struct listeners *now, const struct addr *addr, const char *port,
    struct errmsg *e)
{
	if (place_open(p, addr, port, e) == 0)
		return 0;
	if (errno != EADDRINUSE || !make_room(now, p->wanted))
		return -1;
	p->overlaps = true;
	return place_open(p, addr, port, e);
}

static int
add(struct listeners *next, struct listeners *now, struct service *service,
    const struct addr *addr, const char *port, struct errmsg *e)
{
	struct place *p, *old;
	char wanted[ADDR_TEXT];

	if (addr == NULL)
		snprintf(wanted, sizeof(wanted), "*:%s", port);
	else
		addr_text(addr, wanted);
	if ((p = place_new(next)) == NULL)
		return errmsg_set(e, "out of memory");
	if ((old = find(now, wanted, service)) != NULL) {
		share(p, old, service);
		next->n++;
		return 0;
	}
	p->service = service;
	memcpy(p->wanted, wanted, sizeof(wanted));
	if (open_new(p, now, addr, port, e) == -1)
		return -1;
	next->n++;
	return 0;
}

/* A socket that the service manager opened for this line, at the start or before.  Returns 1 when
 * there is none. */
static int
add_managed(struct listeners *next, struct listeners *now, struct service *service,
    const struct addr_spec *spec, struct errmsg *e)
{
	struct place *p;

	if ((p = place_new(next)) == NULL)
		return errmsg_set(e, "out of memory");
	for (size_t i = 0; i < now->n; i++)
		if (!now->items[i].shared && place_is_managed(&now->items[i], spec, service)) {
			share(p, &now->items[i], service);
			next->n++;
			return 0;
		}
	p->service = service;
	switch (place_take_managed(p, spec, e)) {
	case 0:
		next->n++;
		return 0;
	case 1:
		return 1;
	}
	return -1;
}

/* Every address that an accept line means. */
static int
add_all(struct listeners *next, struct listeners *now, struct service *service,
    const struct addr_spec *spec, struct errmsg *e)
{
	struct addr_list list = { 0 };
	int rc;

	if (spec->kind == ADDR_STDIO)
		return 0;
	if ((rc = add_managed(next, now, service, spec, e)) != 1)
		return rc;
	if (spec->kind == ADDR_TCP && spec->host == NULL)
		return add(next, now, service, NULL, spec->port, e);
	if (addr_resolve(spec, true, false, &list, e) == -1)
		return -1;
	rc = 0;
	for (size_t i = 0; i < list.n && rc == 0; i++)
		rc = add(next, now, service, &list.items[i], NULL, e);
	addr_list_free(&list);
	return rc;
}

int
listeners_open(struct listeners *next, struct listeners *now,
    struct service *const *services, size_t nservices, struct errmsg *e)
{
	for (size_t i = 0; i < nservices; i++) {
		const struct conf_service *c = services[i]->conf;

		for (size_t k = 0; k < c->accept.n; k++)
			if (add_all(next, now, services[i], &c->accept.items[k], e) == -1) {
				listeners_abandon(next, now);
				/* What programs around stunnel look for. */
				if (services[i]->config->files.n > 0)
					log_line(LOG_ERR, "main", "Binding service [%s] failed",
					    c->name);
				return errmsg_prefix(e, "Binding service [%s] to %s failed",
				    c->name, c->accept.items[k].text);
			}
	}
	return 0;
}

/* Closes those that no other table has, and frees the table. */
static void
drop(struct listeners *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (!l->items[i].shared)
			place_close(&l->items[i]);
	free(l->items);
	*l = (struct listeners){ 0 };
}

static void
stay(struct place *p)
{
	if (p->leaves)
		sock_overlap(p->fd, false);
	p->shared = p->leaves = false;
}

void
listeners_abandon(struct listeners *next, struct listeners *now)
{
	drop(next);
	for (size_t i = 0; i < now->n; i++)
		stay(&now->items[i]);
}

void
listeners_replace(struct listeners *now, struct listeners *next)
{
	drop(now);
	*now = *next;
	*next = (struct listeners){ 0 };
	for (size_t i = 0; i < now->n; i++)
		place_settle(&now->items[i]);
}

struct listening *
listeners_view(const struct listeners *l)
{
	struct listening *view;

	if ((view = listening_new(l->n)) == NULL)
		return NULL;
	for (size_t i = 0; i < l->n; i++)
		view->items[i] = (struct listener){ .fd = l->items[i].fd,
			.service = service_ref(l->items[i].service) };
	return view;
}

void
listeners_announce(const struct listeners *l)
{
	char text[ADDR_TEXT];

	for (size_t i = 0; i < l->n; i++)
		if (!l->items[i].shared)
			log_line(LOG_NOTICE, "main", "Service [%s] (FD=%d) bound to %s",
			    l->items[i].service->conf->name, l->items[i].fd,
			    addr_text(&l->items[i].addr, text));
}

void
listeners_leave(struct listeners *l)
{
	for (size_t i = 0; i < l->n; i++)
		l->items[i].managed = true;
}

void
listeners_close(struct listeners *l)
{
	for (size_t i = 0; i < l->n; i++)
		l->items[i].shared = false;
	drop(l);
}
