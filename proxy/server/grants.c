#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "server/grants.h"
#include "server/life.h"
#include "server/privileges.h"
#include "server/upgrade.h"

#include "grants_priv.h"

/* What the helper knows, in its own copy of our memory. */
static struct {
	struct config *conf;
	const struct loader *loader;
	struct privileges less; /* what a program is left with */
	struct grants_list sockets; /* paths that it has ever named */
} grants;

/* Whom main asks; NULL: the kernel. */
static struct helper *asked;

static bool
has_programs(const struct config *c)
{
	for (size_t i = 0; i < c->nservices; i++)
		if (c->services[i].exec != NULL)
			return true;
	return false;
}

/* In the helper */

/* In the child that becomes a program. */
static int
drop(void *arg, struct errmsg *e)
{
	(void)arg;
	return privileges_drop(&grants.less, e);
}

static bool
may_open(void *arg, const char *path)
{
	(void)arg;
	return grants_asked_file(path) || grants_file(grants.conf, path);
}

static bool
may_list(void *arg, const char *path)
{
	(void)arg;
	return grants_asked_folder(path) || grants_folder(grants.conf, path);
}

static bool
may_touch(void *arg, const char *path)
{
	(void)arg;
	return grants_list_has(&grants.sockets, path);
}

/* Listens, and gives a socket's file to whom the section says. */
static int
open_place(const struct addr *a, const struct conf_service *c, const struct sock_setup *how,
    struct addr *bound, struct errmsg *e)
{
	int fd = sock_listen(a, how, bound, e);

	if (fd == -1 || a->u.sa.sa_family != AF_UNIX ||
	    (c->setuid == NULL && c->setgid == NULL))
		return fd;
	if (privileges_give(a->u.un.sun_path, c->setuid, c->setgid, e) == 0)
		return fd;
	unlink(a->u.un.sun_path);
	close(fd);
	errno = EINVAL;
	return -1;
}

static int
listen_there(void *arg, const struct addr *a, bool overlaps, struct addr *bound,
    struct errmsg *e)
{
	const struct conf_service *c;
	struct sock_setup how;
	char text[ADDR_TEXT];

	(void)arg;
	if ((c = grants_place(grants.conf, a, &how)) == NULL) {
		errno = EPERM;
		return errmsg_set(e, "%s: the configuration names no such address",
		    addr_text(a, text));
	}
	how.overlaps = overlaps;
	return open_place(a, c, &how, bound, e);
}

static void
note_sockets(void)
{
	for (size_t i = 0; i < grants.conf->nservices; i++) {
		const struct conf_addrs *accept = &grants.conf->services[i].accept;

		for (size_t k = 0; k < accept->n; k++)
			if (accept->items[k].kind == ADDR_UNIX)
				grants_list_add(&grants.sockets, accept->items[k].path);
	}
}

static int
renew(void *arg, struct errmsg *e)
{
	struct config *c;

	(void)arg;
	grants_note(true);
	c = grants.loader->load(grants.loader->arg, e);
	grants_note(false);
	if (c == NULL) {
		errno = EINVAL;
		return -1;
	}
	config_free(grants.conf);
	grants.conf = c;
	note_sockets();
	return 0;
}

/* In a child: the configuration names no program that could be meant by anybody else. */
static void
succeed(void *arg, int fd)
{
	(void)arg;
	upgrade_become(fd);
}

/* In main */

int
grants_start(struct config *c, const struct loader *loader, struct helper **helper,
    struct errmsg *e)
{
	struct helper_policy policy = {
		.owner = (uid_t)-1,
		.folder = life_detaches() ? "/" : NULL,
		/* Where our stderr is the log's, it is not the peer's. */
		.stderr_is_peer = c->foreground != FOREGROUND_YES,
	};
	bool less;

	*helper = NULL;
	if (privileges_find(&grants.less, c, e) == -1)
		return -1;
	less = privileges_change(&grants.less);
	if (!less && !has_programs(c)) {
		privileges_free(&grants.less);
		return 0;
	}
	grants.conf = c;
	grants.loader = loader;
	grants.less.transparent = false;
	if (less) {
		policy.drop = drop;
		policy.owner = grants.less.user ? grants.less.uid : (uid_t)-1;
		policy.may_open = may_open;
		policy.may_list = may_list;
		policy.may_touch = may_touch;
		policy.listen = listen_there;
		policy.renew = renew;
		note_sockets();
		policy.succeed = succeed;
	}
	*helper = helper_start(&policy, e);
	privileges_free(&grants.less);
	grants_list_free(&grants.sockets);
	return *helper != NULL ? 0 : -1;
}

int
grants_check(const struct config *c, const struct helper *helper, struct errmsg *e)
{
	if (helper != NULL || !has_programs(c))
		return 0;
	return errmsg_set(e, "exec has come: the process that starts programs is made at a start "
	    "only, so restart");
}

static int
ask_open(void *arg, const char *path)
{
	return helper_open(arg, path);
}

static int
ask_names(void *arg, const char *path, char ***names, size_t *n)
{
	return helper_names(arg, path, names, n);
}

void
grants_settle(struct helper *helper)
{
	static struct file_source source = { .open = ask_open, .names = ask_names };

	if (helper == NULL || !life_settled())
		return;
	asked = source.arg = helper;
	file_ask(&source);
}

int
grants_renew(struct errmsg *e)
{
	return asked != NULL ? helper_renew(asked, e) : 0;
}

/* Every address of the machine: both families, or what it has of them. */
static int
ask_everywhere(const char *port, bool overlaps, struct addr *bound, struct errmsg *e)
{
	struct addr a;
	int fd = -1;

	for (int family = 0; family < 2 && fd == -1; family++) {
		if (grants_everywhere(family == 0, port, &a, e) == -1)
			continue;
		fd = helper_listen(asked, &a, overlaps, bound, e);
		if (fd == -1 && errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)
			break;
	}
	return fd;
}

int
grants_listen(const struct addr *a, const char *port, const struct conf_service *c,
    const struct sock_setup *how, struct addr *bound, struct errmsg *e)
{
	if (asked != NULL)
		return a != NULL ? helper_listen(asked, a, how->overlaps, bound, e) :
		    ask_everywhere(port, how->overlaps, bound, e);
	return a != NULL ? open_place(a, c, how, bound, e) :
	    sock_listen_any(port, how, bound, e);
}

int
grants_lstat(const char *path, struct stat *st)
{
	return asked != NULL ? helper_lstat(asked, path, st) : lstat(path, st);
}

int
grants_unlink(const char *path)
{
	return asked != NULL ? helper_unlink(asked, path) : unlink(path);
}

int
grants_succeed(void *helper, int fd, struct errmsg *e)
{
	return helper_succeed(helper, fd, e);
}

void
grants_end(struct helper *helper)
{
	file_ask(NULL);
	asked = NULL;
	helper_stop(helper);
}
