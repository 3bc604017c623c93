#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/prompt.h"
#include "cmd/check.h"
#include "cmd/run.h"
#include "conf/options.h"
#include "dump_priv.h"
#include "net/addr.h"
#include "run_priv.h"
#include "server/limits.h"
#include "server/privileges.h"
#include "tls/library.h"
#include "tls/passphrase.h"
#include "tunnel/service.h"

/* Reports about a section. */
static int
say(const struct config *c, const struct conf_service *s, struct errmsg *e)
{
	config_prefix(c, s, e);
	log_line(LOG_ERR, RUN_ID, "%s", e->text);
	return -1;
}

/* Names to listen on must be known at the start. */
static int
check_accept(const struct config *c, const struct conf_service *s)
{
	struct addr_list list;
	struct errmsg e;
	int rc = 0;

	for (size_t i = 0; i < s->accept.n; i++) {
		if (s->accept.items[i].kind != ADDR_TCP)
			continue;
		if (addr_resolve(&s->accept.items[i], true, false, &list, &e) == 0) {
			addr_list_free(&list);
			continue;
		}
		errmsg_prefix(&e, "accept");
		rc = say(c, s, &e);
	}
	return rc;
}

static int
check_exec(const struct config *c, const struct conf_service *s)
{
	struct errmsg e;

	if (s->exec == NULL || access(s->exec, X_OK) == 0)
		return 0;
	errmsg_set(&e, "exec: %s cannot be run: %s", s->exec, strerror(errno));
	return say(c, s, &e);
}

/* Reads the section's files. */
static int
check_files(struct config *c, const struct conf_service *s)
{
	struct service *service;
	struct errmsg e;

	if ((service = service_new(c, s, NULL, &e)) == NULL)
		return say(c, s, &e);
	service_unref(service);
	return 0;
}

static int
check_limits(const struct config *c)
{
	struct errmsg e;
	unsigned max;

	if (limits_max_tunnels(c, &max, &e) == 0)
		return 0;
	log_line(LOG_ERR, RUN_ID, "%s", e.text);
	return -1;
}

static int
check_owner(const struct config *c, const struct conf_service *s)
{
	/* Whom to become, or who is to own a socket: both are the same question. */
	const struct config wanted = { .setuid = s->setuid, .setgid = s->setgid };
	struct privileges p;
	struct errmsg e;

	if (privileges_find(&p, &wanted, &e) == -1)
		return say(c, s, &e);
	privileges_free(&p);
	return 0;
}

static int
check_user(const struct config *c)
{
	struct privileges p;
	struct errmsg e;

	if (privileges_find(&p, c, &e) == -1) {
		log_line(LOG_ERR, RUN_ID, "%s", e.text);
		return -1;
	}
	privileges_free(&p);
	return 0;
}

static int
check_root(const char *root)
{
	struct stat st;

	if (root == NULL || (stat(root, &st) == 0 && S_ISDIR(st.st_mode)))
		return 0;
	log_line(LOG_ERR, RUN_ID, "chroot: %s is no folder", root);
	return -1;
}

static int
check_service(struct config *c, const struct conf_service *s)
{
	return check_accept(c, s) | check_exec(c, s) | check_owner(c, s) |
	    check_files(c, s);
}

/* Everything that is wrong is said, not only the first. */
static int
check(struct config *c)
{
	struct errmsg e;
	int rc = check_limits(c) | check_user(c) | check_root(c->chroot);

	if (tls_library_start(&e) == -1) {
		log_line(LOG_ERR, RUN_ID, "%s", e.text);
		return -1;
	}
	tls_passphrase_from(prompt_secret);
	for (size_t i = 0; i < c->nservices; i++)
		rc |= check_service(c, &c->services[i]);
	if (rc == 0)
		dump_config(stdout, c);
	tls_library_stop();
	return rc;
}

int
cmd_check(int argc, char **argv)
{
	struct config *config;
	int rc = -1;

	if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
		fputs(
		    "Usage: sluss check [CONFIG]\n\n"
		    "Does all that a start would but for listening, and prints the effective\n"
		    "configuration with the dates of the certificates.\n",
		    argc == 2 && strcasecmp(argv[1], "--help") == 0 ? stdout : stderr);
		return argc == 2 && strcasecmp(argv[1], "--help") == 0 ? 0 : 1;
	}
	log_hold();
	if ((config = run_load(argc == 2 ? argv[1] : run_default("sluss"))) != NULL)
		rc = check(config);
	config_free(config);
	if (rc != 0)
		log_line(LOG_ERR, RUN_ID, "Configuration failed");
	log_give_up();
	return rc == 0 ? 0 : 1;
}
