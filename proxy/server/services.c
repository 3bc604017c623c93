#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "conf/sni.h"
#include "server/server_priv.h"
#include "tunnel/stapling.h"

/* The one of the same name, or NULL; among equals, which names may be, the one of the same place. */
static const struct service *
find(const struct services *now, const struct conf_service *c, size_t place)
{
	const struct service *found = NULL;

	for (size_t i = 0; i < now->n; i++)
		if (strcmp(now->items[i]->conf->name, c->name) == 0 &&
		    (found == NULL || i == place))
			found = now->items[i];
	return found;
}

static struct service *
of_section(const struct services *s, const struct conf_service *section)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->items[i]->conf == section)
			return s->items[i];
	return NULL;
}

/* Those that are chosen by name are given to the one that listens for them. */
static int
give_names(const struct services *s, const struct config *c, struct errmsg *e)
{
	const struct conf_service *section;
	struct service *primary;

	for (size_t i = 0; i < s->n; i++) {
		section = s->items[i]->conf;
		if (!sni_is_named(section))
			continue;
		primary = of_section(s, sni_primary(c, section));
		if (service_name(primary, sni_pattern(section), s->items[i]) == -1)
			return errmsg_set(e, "out of memory");
	}
	return 0;
}

int
services_open(struct services *s, const struct services *now, struct config *c,
    struct errmsg *e)
{
	bool failed = false;

	s->n = 0;
	if ((s->items = calloc(c->nservices, sizeof(struct service *))) == NULL)
		return errmsg_set(e, "out of memory");
	for (size_t i = 0; i < c->nservices; i++) {
		const struct conf_service *section = &c->services[i];
		struct service *made;
		struct errmsg why;

		if ((made = service_new(c, section, find(now, section, i), &why)) != NULL) {
			s->items[s->n++] = made;
			continue;
		}
		/* All that is wrong is told: the last by the caller. */
		if (failed)
			log_line(LOG_ERR, "main", "%s", e->text);
		failed = true;
		*e = why;
		config_prefix(c, section, e);
	}
	if (!failed && give_names(s, c, e) == 0)
		return 0;
	services_close(s);
	return -1;
}

void
services_staple(const struct services *s, struct pool *p)
{
	for (size_t i = 0; i < s->n; i++)
		stapling_fetch(p->ocsp, s->items[i]);
}

void
services_close(struct services *s)
{
	for (size_t i = 0; i < s->n; i++)
		service_unref(s->items[i]);
	free(s->items);
	*s = (struct services){ 0 };
}

static bool
has_sessions(const struct services *s, const struct session_pool *p)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->items[i]->sessions == p)
			return true;
	return false;
}

void
services_retire(const struct services *now, const struct services *next)
{
	for (size_t i = 0; i < now->n; i++)
		if (now->items[i]->sessions != NULL && !has_sessions(next, now->items[i]->sessions))
			session_pool_close(now->items[i]->sessions);
}

static bool
has_stdio(const struct conf_addrs *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].kind == ADDR_STDIO)
			return true;
	return false;
}

bool
services_accept_stdio(const struct services *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (has_stdio(&s->items[i]->conf->accept))
			return true;
	return false;
}

bool
services_connect_stdio(const struct services *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (has_stdio(&s->items[i]->conf->connect))
			return true;
	return false;
}
