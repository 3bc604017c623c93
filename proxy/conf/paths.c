#include "conf/paths.h"

#include <string.h>
#include <unistd.h>

const char *
paths_cas(const char *value)
{
	static const char *const files[] = {
		"/etc/ssl/certs/ca-certificates.crt", /* Debian, Arch, Gentoo */
		"/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
		"/etc/ssl/ca-bundle.pem",             /* SUSE */
		"/etc/ssl/cert.pem",                  /* Alpine */
	};

	if (strcmp(value, "system") != 0)
		return value;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (access(files[i], F_OK) == 0)
			return files[i];
	return NULL;
}

static bool
each(const struct conf_strings *list, bool folders, paths_fn *ask, void *arg)
{
	for (size_t i = 0; i < list->n; i++)
		if (ask(arg, list->items[i], folders))
			return true;
	return false;
}

static bool
each_cas(const struct conf_strings *list, paths_fn *ask, void *arg)
{
	for (size_t i = 0; i < list->n; i++) {
		const char *file = paths_cas(list->items[i]);

		if (file != NULL && ask(arg, file, false))
			return true;
	}
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
	return each(&s->cert, false, ask, arg) || each(&s->key, false, ask, arg) ||
	    one(s->key_pass, ask, arg) || one(s->ticket_key_file, ask, arg) ||
	    one(s->psk_secrets, ask, arg) ||
	    each(&s->ocsp_staple, false, ask, arg) ||
	    each(&s->peer, false, ask, arg) || each_cas(&s->cafile, ask, arg) ||
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
