#include "conf/paths.h"

static bool
each(const struct conf_strings *list, bool folders, paths_fn *ask, void *arg)
{
	for (size_t i = 0; i < list->n; i++)
		if (ask(arg, list->items[i], folders))
			return true;
	return false;
}

static bool
one(const char *path, paths_fn *ask, void *arg)
{
	return path != NULL && ask(arg, path, false);
}

static bool
of_service(const struct conf_service *s, paths_fn *ask, void *arg)
{
	return one(s->cert, ask, arg) || one(s->key, ask, arg) ||
	    one(s->key_pass, ask, arg) ||
	    each(&s->peer, false, ask, arg) || each(&s->cafile, false, ask, arg) ||
	    each(&s->capath, true, ask, arg) || each(&s->crlfile, false, ask, arg) ||
	    each(&s->crlpath, true, ask, arg);
}

bool
paths_each(const struct config *c, paths_fn *ask, void *arg)
{
	if (each(&c->files, false, ask, arg) || each(&c->folders, true, ask, arg))
		return true;
	for (size_t i = 0; i < c->nservices; i++)
		if (of_service(&c->services[i], ask, arg))
			return true;
	return false;
}
