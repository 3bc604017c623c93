#include "conf/sslopt.h"

int
sslopt_set(struct conf_service *s, const char *text, struct errmsg *why)
{
	(void)s;
	return errmsg_set(why, "\"%.128s\": not built yet", text);
}

void
sslopt_list(FILE *out)
{
	(void)out;
}
