#include <stdlib.h>

#include "base/log.h"
#include "server/asking.h"
#include "server/grants.h"
#include "server/life.h"
#include "server/server_priv.h"


/* What a successor may need to become ready: it reads all files, and looks up names. */
#define READY_MS 60000

static struct upgrade *
begin(struct server *s, struct errmsg *e)
{
	struct upgrade_socket *sockets;
	struct upgrade *u;

	if ((sockets = calloc(s->listeners.n + 1, sizeof(*sockets))) == NULL) {
		errmsg_set(e, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < s->listeners.n; i++) {
		const struct place *p = &s->listeners.items[i];

		sockets[i] = (struct upgrade_socket){ .wanted = p->wanted,
			.service = p->service->conf->name, .fd = p->fd, .managed = p->managed };
	}
	u = upgrade_begin(sockets, s->listeners.n, life_detaches(),
	    life_settled() ? grants_succeed : NULL, s->helper, e);
	free(sockets);
	return u;
}

static void
failed(struct succession *u, const struct errmsg *why)
{
	log_line(LOG_ERR, "main", "Upgrade failed: %s", why->text);
	asking_answer(u->asker, -1, why);
	upgrade_free(u->upgrade);
	u->upgrade = NULL;
}

void
succession_ask(struct server *s, const char *why_not, uint64_t now)
{
	struct succession *u = &s->succession;
	struct errmsg e;

	u->asked = false;
	if (u->upgrade != NULL)
		why_not = "one is under way";
	if (why_not != NULL) {
		errmsg_set(&e, "upgrade ignored: %s", why_not);
		log_line(LOG_NOTICE, "main", "Upgrade ignored: %s", why_not);
		asking_answer(u->asking, -1, &e);
		return;
	}
	u->asker = u->asking;
	if ((u->upgrade = begin(s, &e)) == NULL) {
		failed(u, &e);
		return;
	}
	u->until = now + READY_MS;
	log_line(LOG_NOTICE, "main", "Upgrade: a new process starts");
}

int
succession_fd(const struct succession *u)
{
	return u->upgrade == NULL || u->successor != 0 ? -1 : upgrade_fd(u->upgrade);
}

int
succession_wait(const struct succession *u, uint64_t now)
{
	if (u->upgrade == NULL || u->successor != 0)
		return -1;
	return u->until > now ? (int)(u->until - now) : 0;
}

bool
succession_look(struct succession *u, uint64_t now)
{
	struct errmsg e;

	if (u->upgrade == NULL || u->successor != 0)
		return u->successor != 0;
	switch (upgrade_next(u->upgrade, now >= u->until, &u->successor, &e)) {
	case UPGRADE_WAIT:
		return false;
	case UPGRADE_READY:
		log_line(LOG_NOTICE, "main", "Upgrade: process %ld serves from here on",
		    (long)u->successor);
		life_leave(u->successor, upgrade_pidfile(u->upgrade));
		return true;
	case UPGRADE_FAILED:
		break;
	}
	failed(u, &e);
	return false;
}

void
succession_finish(struct succession *u)
{
	struct errmsg e;

	if (u->successor != 0) {
		upgrade_go(u->upgrade);
		asking_answer(u->asker, u->successor, NULL);
		upgrade_free(u->upgrade);
		u->upgrade = NULL;
	} else if (u->upgrade != NULL) {
		errmsg_set(&e, "this process is stopping");
		failed(u, &e);
	}
}
