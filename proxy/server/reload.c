#include <string.h>

#include "base/log.h"
#include "net/stdio.h"
#include "server/grants.h"
#include "server/life.h"
#include "server/limits.h"
#include "server/logging.h"
#include "server/server_priv.h"
#include "server/systemd.h"
#include "tunnel/acceptor.h"
#include "tunnel/recheck.h"

/* What is built aside. */
struct next {
	struct config *conf;
	struct services services;
	struct listeners listeners;
	struct starters_change *starters;
	struct roster *roster;
	unsigned max_tunnels;
};

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* What was done once, at the start, stays as it is. */
static void
warn_of_the_unchangeable(const struct config *first, const struct config *c)
{
	const struct {
		const char *name;
		bool same;
	} rows[] = {
		{ "accel", first->accel == c->accel },
		{ "chroot", same(first->chroot, c->chroot) },
		{ "foreground", first->foreground == c->foreground },
		{ "pid", same(first->pid, c->pid) },
		{ "setuid", same(first->setuid, c->setuid) },
		{ "setgid", same(first->setgid, c->setgid) },
		{ "acceptThreads", first->accept_threads == c->accept_threads },
		{ "workerThreads", first->worker_threads == c->worker_threads },
		{ "acceptNice", first->accept_nice == c->accept_nice },
		{ "affinity", first->affinity == c->affinity },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!rows[i].same)
			log_line(LOG_WARNING, "main", "%s has changed: that takes effect "
			    "at the next start, not by a reload", rows[i].name);
}

static int
check_stdio(const struct services *services, struct errmsg *e)
{
	if (services_accept_stdio(services))
		return errmsg_set(e, "accept = - has come: our standard input and output "
		    "can be accepted at a start only");
	return services_connect_stdio(services) ? stdio_check(e) : 0;
}

static int
prepare_acceptors(struct server *s, struct next *next, struct errmsg *e)
{
	struct listening *view;
	struct pool *p = s->pool;
	size_t i;

	if ((view = listeners_view(&next->listeners)) == NULL)
		return errmsg_set(e, "out of memory");
	for (i = 0; i < p->naccept; i++)
		if (acceptor_prepare(p->accept[i].acceptor, view, e) == -1)
			break;
	listening_unref(view);
	return i == p->naccept ? 0 : -1;
}

static void
forget_acceptors(struct server *s)
{
	for (size_t i = 0; i < s->pool->naccept; i++)
		acceptor_forget(s->pool->accept[i].acceptor);
}

/* The helper must know first what it is to open; but who can say best what is wrong with the file
 * is the loader. */
static struct config *
load(struct server *s, struct errmsg *e)
{
	struct config *conf;
	struct errmsg why;
	int rc = grants_renew(&why);

	if ((conf = s->loader->load(s->loader->arg, e)) == NULL || rc == 0) {
		if (rc == -1)
			errmsg_set(e, "%s", why.text);
		return conf;
	}
	config_free(conf);
	errmsg_set(e, "the helper process did not take the configuration: %s", why.text);
	return NULL;
}

static int
build(struct server *s, struct next *next, struct errmsg *e)
{
	if ((next->conf = load(s, e)) == NULL)
		goto err0;
	/* Behind a changed root our paths lead elsewhere; what is watched stays. */
	if (s->first->chroot == NULL)
		changes_follow(&s->changes, next->conf, life_settled());
	if (grants_check(next->conf, s->helper, e) == -1 ||
	    limits_max_tunnels(next->conf, &next->max_tunnels, e) == -1 ||
	    services_open(&next->services, &s->services, next->conf, e) == -1)
		goto err1;
	if (check_stdio(&next->services, e) == -1 ||
	    listeners_open(&next->listeners, &s->listeners, next->services.items,
	    next->services.n, e) == -1)
		goto err2;
	if (prepare_acceptors(s, next, e) == -1)
		goto err3;
	next->starters = starters_prepare(&s->starters, s->pool, next->services.items,
	    next->services.n, e);
	next->roster = roster_new(next->services.items, next->services.n, e);
	if (next->starters == NULL || next->roster == NULL ||
	    logging_change(s->first, s->conf, next->conf, e) == -1)
		goto err3;
	return 0;

err3:
	roster_unref(next->roster);
	starters_abandon(next->starters);
	forget_acceptors(s);
	listeners_abandon(&next->listeners, &s->listeners);
err2:
	services_close(&next->services);
err1:
	config_free(next->conf);
err0:
	return -1;
}

/* Nothing can fail any more. */
static void
commit(struct server *s, struct next *next)
{
	warn_of_the_unchangeable(s->first, next->conf);
	atomic_store(&s->pool->max_tunnels, next->max_tunnels);
	server_move_acceptors(s->pool);
	starters_commit(&s->starters, next->starters);
	recheck_tunnels(s->pool, next->roster);
	services_staple(&next->services, s->pool);
	listeners_announce(&next->listeners);
	listeners_replace(&s->listeners, &next->listeners);
	services_retire(&s->services, &next->services);
	services_close(&s->services);
	s->services = next->services;
	config_free(s->conf);
	s->conf = next->conf;
}

void
server_reload(struct server *s)
{
	struct next next = { 0 };
	struct errmsg e;

	changes_take(&s->changes);
	systemd_reloading();
	if (build(s, &next, &e) == -1) {
		errmsg_prefix(&e, "Reload failed, the old configuration stays");
		log_line(LOG_ERR, "main", "%s", e.text);
		systemd_ready(e.text);
		return;
	}
	commit(s, &next);
	systemd_ready("Serving");
	log_line(LOG_NOTICE, "main", "Configuration reloaded");
}
