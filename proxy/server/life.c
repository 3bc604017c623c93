#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "server/daemon.h"
#include "server/heritage.h"
#include "server/life.h"
#include "server/logging.h"
#include "server/pidfile.h"
#include "server/privileges.h"
#include "server/systemd.h"
#include "server/upgrade.h"

static struct {
	struct daemon daemon;
	bool detaches;
	bool settled;
	bool logs, quiet, ready;
	const char *pidfile; /* written; the configuration's */
} life = { .daemon = DAEMON_NONE };

static bool
has_stdio(const struct config *c)
{
	for (size_t i = 0; i < c->nservices; i++) {
		const struct conf_service *s = &c->services[i];

		for (size_t k = 0; k < s->accept.n; k++)
			if (s->accept.items[k].kind == ADDR_STDIO)
				return true;
		for (size_t k = 0; k < s->connect.n; k++)
			if (s->connect.items[k].kind == ADDR_STDIO)
				return true;
	}
	return false;
}

/* A manager that waits for the notice of this process would take a fork for its end; a
 * tunnel on our stdio belongs to whoever started us. */
static bool
is_background(const struct config *c)
{
	return c->foreground == FOREGROUND_NO && !c->inetd && !has_stdio(c) &&
	    (heritage_is() ? heritage_detached() : !systemd_waits());
}

int
life_begin(const struct config *c, struct errmsg *e)
{
	if (systemd_open(e) == -1)
		return -1;
	upgrade_remember();
	if (heritage_open(e) == -1)
		return -1;
	life.detaches = is_background(c);
	if (!life.detaches)
		return 0;
	return daemon_start(&life.daemon, heritage_is(), e);
}

bool
life_detaches(void)
{
	return life.detaches;
}

/* More sockets than accept lines: somebody counts on us to serve there. */
static int
check_sockets(struct errmsg *e)
{
	if (systemd_left() == 0)
		return 0;
	return errmsg_set(e, "the service manager passed %u sockets, but there are only %u accept "
	    "lines: give each ListenStream= of the .socket unit its accept line, in the same "
	    "order", systemd_sockets(), systemd_sockets() - systemd_left());
}

static int
give_up_privileges(const struct config *c, struct errmsg *e)
{
	struct privileges p;
	int rc;

	if (c->chroot != NULL && c->syslog)
		log_find_syslog();
	if (privileges_find(&p, c, e) == -1)
		return -1;
	if (p.user && !p.group && p.uid != 0)
		log_line(LOG_WARNING, "main", "setuid = %s has no entry in the passwd "
		    "database, so the group stays %u: add setgid = GROUP", c->setuid,
		    (unsigned)getgid());
	rc = privileges_drop(&p, e);
	life.settled = privileges_change(&p);
	if (life.settled)
		upgrade_leave_folder();
	privileges_free(&p);
	return rc;
}

/* From here on the log may be elsewhere: who started us is told as well. */
static void
tell_starter(const struct errmsg *why)
{
	if (life.logs && !life.ready && life.quiet)
		dprintf(STDERR_FILENO, "sluss: %s\n", why->text);
}

int
life_settle(const struct config *c, struct errmsg *e)
{
	if (check_sockets(e) == -1 || give_up_privileges(c, e) == -1 ||
	    logging_open(c, e) == -1)
		return -1;
	life.logs = true;
	life.quiet = c->foreground != FOREGROUND_YES;
	return 0;
}

bool
life_settled(void)
{
	return life.settled;
}

int
life_ready(const struct config *c, struct errmsg *e)
{
	/* From here on the process before us has given its place away: what fails is
	 * said, but is no reason to end. */
	bool heir = heritage_is();

	if (heritage_ready(c->pid, e) == -1)
		return -1;
	if (c->pid != NULL && pidfile_write(c->pid, e) == -1) {
		if (!heir)
			return -1;
		log_line(LOG_ERR, "main", "%s", e->text);
	} else {
		life.pidfile = c->pid;
	}
	if (daemon_ready(&life.daemon, e) == -1)
		return -1;
	systemd_ready("Serving");
	life.ready = true;
	return 0;
}

/* Whoever has given up rights asks the helper process, which is in that folder. */
void
life_visit(void)
{
	if (life.detaches && !life.settled)
		upgrade_to_folder();
}

void
life_return(void)
{
	if (life.detaches && !life.settled && chdir("/") == -1)
		log_line(LOG_WARNING, "main", "cannot go to the root folder");
}

void
life_leave(pid_t successor, const char *pidfile)
{
	systemd_hand_over((long)successor);
	if (life.pidfile != NULL && strcmp(life.pidfile, pidfile) != 0)
		pidfile_remove(life.pidfile);
	life.pidfile = NULL;
}

void
life_end(const struct errmsg *why)
{
	if (why != NULL) {
		heritage_failed(why);
		tell_starter(why);
	}
	if (life.pidfile != NULL)
		pidfile_remove(life.pidfile);
	life.pidfile = NULL;
	life.settled = life.detaches = life.logs = life.ready = false;
	daemon_free(&life.daemon);
	heritage_close();
	upgrade_forget();
	systemd_close();
}
