#include <stdlib.h>

#include "server/server_priv.h"

int
services_open(struct services *s, struct config *c, struct errmsg *e)
{
	if ((s->items = calloc(c->nservices, sizeof(struct service *))) == NULL)
		return errmsg_set(e, "out of memory");
	for (s->n = 0; s->n < c->nservices; s->n++)
		if ((s->items[s->n] = service_new(c, &c->services[s->n], e)) == NULL) {
			services_close(s);
			return -1;
		}
	return 0;
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
