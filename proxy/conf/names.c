#include "names_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
names_add(struct conf_strings *list, const char *name, struct errmsg *why)
{
	char **items = reallocarray(list->items, list->n + 1, sizeof(*items));

	if (items == NULL)
		return errmsg_set(why, "out of memory");
	list->items = items;
	if ((items[list->n] = strdup(name)) == NULL)
		return errmsg_set(why, "out of memory");
	list->n++;
	return 0;
}

bool
names_have(const struct conf_strings *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->items[i], name) == 0)
			return true;
	return false;
}

void
names_free(struct conf_strings *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct conf_strings){ 0 };
}

void
names_replace(struct conf_strings *to, struct conf_strings *from)
{
	names_free(to);
	*to = *from;
	*from = (struct conf_strings){ 0 };
}

void
names_text_add(struct names_text *t, const char *name, size_t n)
{
	size_t used = strlen(t->text);

	t->n++;
	if (n > 64)
		n = 64;
	if (t->full)
		return;
	/* Room for what says that there was more. */
	t->full = used + n + 8 > sizeof(t->text);
	snprintf(t->text + used, sizeof(t->text) - used, "%s%.*s", used > 0 ? ", " : "",
	    t->full ? 3 : (int)n, t->full ? "…" : name);
}
