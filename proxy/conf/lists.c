#include <stdlib.h>
#include <string.h>

#include "lists_priv.h"

int
text_replace(char **field, const char *value, struct errmsg *why)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return errmsg_set(why, "out of memory");
	free(*field);
	*field = copy;
	return 0;
}

int
text_any(const char *value, char **field, struct errmsg *why)
{
	return text_replace(field, value, why);
}

/* Makes a list one item longer.  Returns the new place for its items, or NULL. */
static void *
longer(void *items, size_t n, size_t size, struct errmsg *why)
{
	void *p = reallocarray(items, n + 1, size);

	if (p == NULL)
		errmsg_set(why, "out of memory");
	return p;
}

int
list_add_string(const char *value, int (*read)(const char *, char **, struct errmsg *),
    struct conf_strings *list, struct errmsg *why)
{
	char **items;

	if ((items = longer(list->items, list->n, sizeof(*items), why)) == NULL)
		return -1;
	list->items = items;
	items[list->n] = NULL;
	if (read(value, &items[list->n], why) == -1)
		return -1;
	list->n++;
	return 0;
}

int
list_add_addr(const char *value, struct conf_addrs *list, struct errmsg *why)
{
	struct addr_spec *items;

	if ((items = longer(list->items, list->n, sizeof(*items), why)) == NULL)
		return -1;
	list->items = items;
	if (addr_parse(value, &items[list->n], why) == -1)
		return -1;
	list->n++;
	return 0;
}

int
list_add_prefix(const char *value, struct conf_prefixes *list, struct errmsg *why)
{
	struct addr_prefix *items;

	if ((items = longer(list->items, list->n, sizeof(*items), why)) == NULL)
		return -1;
	list->items = items;
	if (prefix_parse(value, &items[list->n], why) == -1)
		return -1;
	list->n++;
	return 0;
}

int
list_add_sockopt(const char *value, struct conf_sockopts *list, struct errmsg *why)
{
	struct sockopt *items;

	if ((items = longer(list->items, list->n, sizeof(*items), why)) == NULL)
		return -1;
	list->items = items;
	if (sockopt_parse(value, &items[list->n], why) == -1)
		return -1;
	list->n++;
	return 0;
}

void
list_free_strings(struct conf_strings *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct conf_strings){ 0 };
}

void
list_free_addrs(struct conf_addrs *list)
{
	for (size_t i = 0; i < list->n; i++)
		addr_spec_free(&list->items[i]);
	free(list->items);
	*list = (struct conf_addrs){ 0 };
}

/* A list whose items own nothing. */
void
list_free_plain(void *field)
{
	struct conf_strings *list = field;

	_Static_assert(sizeof(*list) == sizeof(struct conf_prefixes) &&
	    sizeof(*list) == sizeof(struct conf_sockopts), "lists are alike");
	free(list->items);
	*list = (struct conf_strings){ 0 };
}

int
text_copy(char **to, const char *from)
{
	*to = from == NULL ? NULL : strdup(from);
	return from == NULL || *to != NULL ? 0 : -1;
}

int
list_copy_strings(struct conf_strings *to, const struct conf_strings *from)
{
	struct errmsg why;

	*to = (struct conf_strings){ 0 };
	for (size_t i = 0; i < from->n; i++)
		if (list_add_string(from->items[i], text_any, to, &why) == -1) {
			list_free_strings(to);
			return -1;
		}
	return 0;
}

int
list_copy_addrs(struct conf_addrs *to, const struct conf_addrs *from)
{
	struct errmsg why;

	*to = (struct conf_addrs){ 0 };
	for (size_t i = 0; i < from->n; i++)
		if (list_add_addr(from->items[i].text, to, &why) == -1) {
			list_free_addrs(to);
			return -1;
		}
	return 0;
}

/* A list whose items own nothing. */
int
list_copy_plain(void *to, const void *from, size_t size)
{
	const struct conf_strings *src = from;
	struct conf_strings list = { 0 };

	if (src->n > 0) {
		if ((list.items = reallocarray(NULL, src->n, size)) == NULL)
			return -1;
		memcpy(list.items, src->items, src->n * size);
		list.n = src->n;
	}
	memcpy(to, &list, sizeof(list));
	return 0;
}
