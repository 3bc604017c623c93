#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/run.h"
#include "conf/load.h"
#include "conf/value.h"
#include "run_priv.h"
#include "server/server.h"

static void
say(void *arg, int level, const char *text)
{
	(void)arg;
	log_line(level, RUN_ID, "%s", text);
}

static const struct conf_report to_log = { .say = say };

/* A reload must find the file wherever the program has gone; a pipe has no such path. */
static char *
whole_path(const char *path, char *whole)
{
	if (realpath(path, whole) == NULL)
		snprintf(whole, PATH_MAX, "%s", path);
	return whole;
}

struct config *
run_load(const char *path)
{
	char whole[PATH_MAX];

	return config_load(whole_path(path, whole), &to_log);
}

/* The file again, for a reload; what is wrong with it is in the log already. */
static struct config *
load_again(void *arg, struct errmsg *e)
{
	struct config *config = config_load(arg, &to_log);

	if (config == NULL)
		errmsg_set(e, "Configuration failed");
	return config;
}

/* Takes over the configuration; NULL: it was refused. */
static int
run(struct config *config, char *path)
{
	const struct loader loader = { load_again, path };
	struct errmsg e;
	int rc;

	if (config == NULL) {
		log_line(LOG_ERR, RUN_ID, "Configuration failed");
		log_give_up();
		return 1;
	}
	if ((rc = server_run(config, &loader, &e)) == -1) {
		log_line(LOG_ERR, RUN_ID, "%s", e.text);
		log_give_up();
	} else if (config->inetd) {
		rc = 0; /* whoever started us does not ask how it ended */
	}
	config_free(config);
	return rc == -1 ? 1 : rc;
}

int
cmd_run_file(const char *path)
{
	char whole[PATH_MAX];

	log_hold();
	return run(config_load(whole_path(path, whole), &to_log), whole);
}

/* What came through the descriptor is not to be had again: as with stunnel, a reload looks for a
 * file of that name. */
int
cmd_run_fd(char *number)
{
	struct errmsg e;
	unsigned fd;

	if (value_number(number, "as a descriptor", 0, INT_MAX, &fd, &e) == -1) {
		log_line(LOG_ERR, RUN_ID, "-fd: %s", e.text);
		return 1;
	}
	log_hold();
	return run(config_load_fd((int)fd, number, &to_log), number);
}

const char *
run_default(const char *called)
{
	static const char *const paths[] = { SYSCONFDIR "/stunnel/stunnel.conf",
		SYSCONFDIR "/sluss/sluss.conf" };

	if (strcmp(called, "stunnel") == 0 && access(paths[0], F_OK) == 0)
		return paths[0];
	return paths[1];
}
