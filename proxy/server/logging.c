#include "base/log.h"
#include "server/logging.h"

int
logging_open(const struct config *c, struct errmsg *e)
{
	const struct log_config log = {
		.to_stderr = c->foreground == FOREGROUND_YES,
		.file = c->output,
		.overwrite = c->log_mode == LOG_OVERWRITE,
		.json = c->log_format == LOG_FORMAT_JSON,
		.to_syslog = c->syslog,
		.facility = c->facility,
		.ident = c->ident,
	};
	int rc = log_open(&log, e);

	if (rc == 0)
		log_level(c->debug);
	return rc;
}
