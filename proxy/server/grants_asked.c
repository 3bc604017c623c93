/* What loading a configuration asked for: its own files, and the folders that it includes. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#include "grants_priv.h"

static struct grants_list files, folders;

bool
grants_list_has(const struct grants_list *l, const char *path)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->items[i], path) == 0)
			return true;
	return false;
}

/* One that finds no memory is not granted. */
void
grants_list_add(struct grants_list *l, const char *path)
{
	char **items;

	if (grants_list_has(l, path) ||
	    (items = reallocarray(l->items, l->n + 1, sizeof(*items))) == NULL)
		return;
	l->items = items;
	if ((l->items[l->n] = strdup(path)) != NULL)
		l->n++;
}

void
grants_list_free(struct grants_list *l)
{
	while (l->n > 0)
		free(l->items[--l->n]);
	free(l->items);
	*l = (struct grants_list){ 0 };
}

static int
noting_open(void *arg, const char *path)
{
	(void)arg;
	grants_list_add(&files, path);
	return file_open_here(path);
}

static int
noting_names(void *arg, const char *path, char ***names, size_t *n)
{
	(void)arg;
	grants_list_add(&folders, path);
	return file_names_here(path, names, n);
}

void
grants_note(bool begin)
{
	static const struct file_source noting = { .open = noting_open,
		.names = noting_names };

	if (begin) {
		grants_list_free(&files);
		grants_list_free(&folders);
	}
	file_ask(begin ? &noting : NULL);
}

bool
grants_asked_file(const char *path)
{
	return grants_list_has(&files, path);
}

bool
grants_asked_folder(const char *path)
{
	return grants_list_has(&folders, path);
}
