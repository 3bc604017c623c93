/* Lists of rules. */
#include <stdlib.h>
#include <string.h>

#include "conf/rule.h"
#include "lists_priv.h"

static int
append(const char *text, const struct conf_mark *at, struct conf_rules *list, struct errmsg *why)
{
	struct conf_rule *items = reallocarray(list->items, list->n + 1, sizeof(*items));

	if (items == NULL)
		return errmsg_set(why, "out of memory");
	list->items = items;
	if ((items[list->n].text = strdup(text)) == NULL)
		return errmsg_set(why, "out of memory");
	items[list->n++].at = *at;
	return 0;
}

int
list_add_rule(const char *text, bool deny, const struct conf_mark *at, struct conf_rules *list,
    struct errmsg *why)
{
	struct rule *r = rule_parse(text, deny, why);
	int rc = r == NULL ? -1 : append(r->text, at, list, why);

	free(r);
	return rc;
}

int
list_copy_rules(struct conf_rules *to, const struct conf_rules *from)
{
	struct errmsg why;

	*to = (struct conf_rules){ 0 };
	for (size_t i = 0; i < from->n; i++)
		if (append(from->items[i].text, &from->items[i].at, to, &why) == -1) {
			list_free_rules(to);
			return -1;
		}
	return 0;
}

void
list_free_rules(struct conf_rules *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i].text);
	free(list->items);
	*list = (struct conf_rules){ 0 };
}
