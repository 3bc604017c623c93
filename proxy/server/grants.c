#include "server/grants.h"

/* What the helper knows; its own copy of our memory holds the configuration. */
static struct {
	struct config *conf;
} grants;

static bool
needs_helper(const struct config *c)
{
	for (size_t i = 0; i < c->nservices; i++)
		if (c->services[i].exec != NULL)
			return true;
	return false;
}

int
grants_start(struct config *c, struct helper **helper, struct errmsg *e)
{
	const struct helper_policy policy = {
		.arg = &grants,
		.owner = (uid_t)-1,
		/* Where our stderr is the log's, it is not the peer's. */
		.stderr_is_peer = c->foreground != FOREGROUND_YES,
	};

	*helper = NULL;
	grants.conf = c;
	if (!needs_helper(c))
		return 0;
	*helper = helper_start(&policy, e);
	return *helper != NULL ? 0 : -1;
}
