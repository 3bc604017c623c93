/* Lists of application protocols (RFC 7301). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lists_priv.h"

/* So long is a name at most. */
#define PROTOCOL_BYTES 255

/* Nobody speaks more, and the list must fit into a hello. */
#define PROTOCOLS_MOST 64

static bool
has(const struct conf_strings *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->items[i], name) == 0)
			return true;
	return false;
}

/* One name between commas, without the blanks around it. */
static int
add(const char *p, size_t n, struct conf_strings *list, struct errmsg *why)
{
	char name[PROTOCOL_BYTES + 1];

	while (n > 0 && isblank((unsigned char)*p))
		p++, n--;
	while (n > 0 && isblank((unsigned char)p[n - 1]))
		n--;
	if (n == 0)
		return errmsg_set(why, "a name is empty: give protocols with commas between, as "
		    "h2,http/1.1");
	if (n > PROTOCOL_BYTES)
		return errmsg_set(why, "\"%.32s...\" has %zu characters: a protocol's name has %d "
		    "at most", p, n, PROTOCOL_BYTES);
	memcpy(name, p, n);
	name[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if (!isgraph((unsigned char)name[i]))
			return errmsg_set(why, "\"%.64s\" is no protocol's name: give letters, digits "
			    "and signs without blanks, as http/1.1", name);
	if (has(list, name))
		return errmsg_set(why, "%s is named twice: leave one of them out", name);
	if (list->n == PROTOCOLS_MOST)
		return errmsg_set(why, "these are more than %d protocols", PROTOCOLS_MOST);
	return list_add_string(name, text_any, list, why);
}

int
list_add_protocols(const char *text, struct conf_strings *list, struct errmsg *why)
{
	const size_t before = list->n;

	for (;;) {
		size_t n = strcspn(text, ",");

		if (add(text, n, list, why) == -1)
			break;
		if (text[n] == '\0')
			return 0;
		text += n + 1;
	}
	while (list->n > before)
		free(list->items[--list->n]);
	return -1;
}
