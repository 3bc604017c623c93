/* What a configuration names. */
#include <string.h>

#include "conf/paths.h"

#include "grants_priv.h"

/* Right in the folder, not further down or up. */
static bool
is_in(const char *folder, const char *path)
{
	size_t n = strlen(folder);
	const char *name;

	if (strncmp(path, folder, n) != 0 || path[n] != '/')
		return false;
	name = path + n + 1;
	return *name != '\0' && strchr(name, '/') == NULL && strcmp(name, "..") != 0;
}

static bool
is_file(void *path, const char *named, bool folder)
{
	return folder ? is_in(named, path) : strcmp(named, path) == 0;
}

static bool
is_folder(void *path, const char *named, bool folder)
{
	return folder && strcmp(named, path) == 0;
}

bool
grants_file(const struct config *c, const char *path)
{
	return paths_each(c, is_file, (void *)path);
}

bool
grants_folder(const struct config *c, const char *path)
{
	return paths_each(c, is_folder, (void *)path);
}

int
grants_everywhere(bool six, const char *port, struct addr *a, struct errmsg *e)
{
	char host6[] = "::", host4[] = "0.0.0.0";
	struct addr_spec spec = { .kind = ADDR_TCP, .host = six ? host6 : host4,
		.port = (char *)port, .text = (char *)port };
	struct addr_list list;
	int rc = 0;

	if (addr_resolve(&spec, true, false, &list, e) != 0)
		return -1;
	if (list.n > 0)
		*a = list.items[0];
	else
		rc = errmsg_set(e, "%s: no such address here", spec.host);
	addr_list_free(&list);
	return rc;
}

static bool
same(const struct addr *a, const struct addr *b)
{
	char one[ADDR_TEXT], other[ADDR_TEXT];

	return strcmp(addr_text(a, one), addr_text(b, other)) == 0;
}

static bool
is_everywhere(const struct addr_spec *spec, const struct addr *a)
{
	struct errmsg e;
	struct addr any;

	return grants_everywhere(a->u.sa.sa_family == AF_INET6, spec->port, &any, &e) == 0 &&
	    same(&any, a);
}

static bool
means(const struct addr_spec *spec, const struct addr *a)
{
	struct addr_list list;
	struct errmsg e;
	bool found = false;

	if (spec->kind != ADDR_TCP && spec->kind != ADDR_UNIX)
		return false;
	if (spec->kind == ADDR_TCP && spec->host == NULL)
		return is_everywhere(spec, a);
	if (addr_resolve(spec, true, false, &list, &e) != 0)
		return false;
	for (size_t i = 0; i < list.n && !found; i++)
		found = same(&list.items[i], a);
	addr_list_free(&list);
	return found;
}

const struct conf_service *
grants_place(const struct config *c, const struct addr *a, struct sock_setup *setup)
{
	for (size_t i = 0; i < c->nservices; i++) {
		const struct conf_service *s = &c->services[i];

		for (size_t k = 0; k < s->accept.n; k++) {
			if (!means(&s->accept.items[k], a))
				continue;
			*setup = (struct sock_setup){
				.opts = s->sockopts.items,
				.nopts = s->sockopts.n,
				.foreign = (s->transparent & TRANSPARENT_DESTINATION) != 0,
			};
			return s;
		}
	}
	return NULL;
}
