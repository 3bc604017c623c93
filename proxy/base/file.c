#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#include "file_priv.h"

static const struct file_source *source;
static uid_t distrusted = (uid_t)-1;

void
file_ask(const struct file_source *s)
{
	source = s;
}

void
file_distrust(uid_t user)
{
	distrusted = user;
}

int
file_open(const char *path)
{
	if (source != NULL)
		return source->open(source->arg, path);
	return file_open_here(path);
}

int
file_open_here(const char *path)
{
	return file_walk(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, distrusted);
}

void
file_names_free(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

static int
add_name(char ***names, size_t *n, const char *name)
{
	char **more;

	if ((more = reallocarray(*names, *n + 1, sizeof(*more))) == NULL)
		return -1;
	*names = more;
	if ((more[*n] = strdup(name)) == NULL)
		return -1;
	++*n;
	return 0;
}

static int
read_names(DIR *dir, char ***names, size_t *n)
{
	const struct dirent *d;

	for (;;) {
		errno = 0;
		if ((d = readdir(dir)) == NULL)
			return errno == 0 ? 0 : -1;
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 &&
		    add_name(names, n, d->d_name) == -1)
			return -1;
	}
}

int
file_names(const char *path, char ***names, size_t *n)
{
	if (source != NULL)
		return source->names(source->arg, path, names, n);
	return file_names_here(path, names, n);
}

int
file_names_here(const char *path, char ***names, size_t *n)
{
	DIR *dir;
	int fd, rc, why;

	*names = NULL;
	*n = 0;
	if ((fd = file_walk(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, distrusted)) == -1)
		return -1;
	if ((dir = fdopendir(fd)) == NULL) {
		close(fd);
		return -1;
	}
	rc = read_names(dir, names, n);
	why = errno;
	closedir(dir);
	if (rc == 0)
		return 0;
	file_names_free(*names, *n);
	*names = NULL;
	*n = 0;
	errno = why;
	return -1;
}
