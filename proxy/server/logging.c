#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "server/logging.h"

static int
open_log(const struct config *c, bool to_stderr, bool overwrite, struct errmsg *e)
{
	const struct log_config log = {
		.to_stderr = to_stderr,
		.file = c->output,
		.overwrite = overwrite,
		.json = c->log_format == LOG_FORMAT_JSON,
		.to_syslog = c->syslog,
		.facility = c->facility,
		/* A link named stunnel has stunnel's name there, too. */
		.ident = c->ident != NULL ? c->ident : program_invocation_short_name,
	};
	int rc = log_open(&log, e);

	if (rc == 0)
		log_level(c->debug);
	return rc;
}

int
logging_open(const struct config *c, struct errmsg *e)
{
	return open_log(c, c->foreground == FOREGROUND_YES, c->log_mode == LOG_OVERWRITE, e);
}

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

int
logging_change(const struct config *first, const struct config *now,
    const struct config *next, struct errmsg *e)
{
	if (same(now->output, next->output) && same(now->ident, next->ident) &&
	    now->log_format == next->log_format && now->syslog == next->syslog &&
	    now->facility == next->facility) {
		log_level(next->debug);
		return 0;
	}
	return open_log(next, first->foreground == FOREGROUND_YES,
	    next->log_mode == LOG_OVERWRITE && !same(now->output, next->output), e);
}
