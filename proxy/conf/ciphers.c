#include "conf/ciphers.h"

int
ciphers_tls12(const char *text, struct conf_strings *list, struct errmsg *why)
{
	(void)list;
	return errmsg_set(why, "\"%.128s\": not built yet", text);
}

int
ciphers_tls13(const char *text, struct conf_strings *list, struct errmsg *why)
{
	(void)list;
	return errmsg_set(why, "\"%.128s\": not built yet", text);
}

int
ciphers_groups(const char *text, struct conf_strings *list, struct errmsg *why)
{
	(void)list;
	return errmsg_set(why, "\"%.128s\": not built yet", text);
}
