#include "server/grants.h"
#include "server/privileges.h"

/* What the helper knows, in its own copy of our memory. */
static struct {
	struct config *conf;
	struct privileges less; /* what a program is left with */
} grants;

static bool
has_programs(const struct config *c)
{
	for (size_t i = 0; i < c->nservices; i++)
		if (c->services[i].exec != NULL)
			return true;
	return false;
}

/* In the child that becomes a program. */
static int
drop(void *arg, struct errmsg *e)
{
	(void)arg;
	return privileges_drop(&grants.less, e);
}

int
grants_start(struct config *c, struct helper **helper, struct errmsg *e)
{
	struct helper_policy policy = {
		.owner = (uid_t)-1,
		/* Where our stderr is the log's, it is not the peer's. */
		.stderr_is_peer = c->foreground != FOREGROUND_YES,
	};

	*helper = NULL;
	if (!has_programs(c))
		return 0;
	if (privileges_find(&grants.less, c, e) == -1)
		return -1;
	grants.conf = c;
	grants.less.transparent = false;
	if (privileges_change(&grants.less)) {
		policy.drop = drop;
		policy.owner = grants.less.user ? grants.less.uid : (uid_t)-1;
	}
	*helper = helper_start(&policy, e);
	privileges_free(&grants.less);
	return *helper != NULL ? 0 : -1;
}
