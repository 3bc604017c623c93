#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/output_priv.h"

int
output_init(struct output *o, const char *name, const char *suffix, struct errmsg *why)
{
	*o = (struct output){ .temp_made = false };
	snprintf(o->path, sizeof(o->path), "%s%s", name, suffix);
	if (snprintf(o->temp, sizeof(o->temp), "%s%s.XXXXXX", name, suffix) >=
	    (int)sizeof(o->temp))
		return errmsg_set(why, "NAME is too long for a path: give a shorter one");
	return 0;
}

int
output_check(const struct output *o, bool force, struct errmsg *why)
{
	struct stat st;

	if (lstat(o->path, &st) == -1)
		return 0; /* what else may be wrong shows when it is made */
	if (!S_ISREG(st.st_mode))
		return errmsg_set(why,
		    "%s exists and is not a regular file: remove it or give another NAME",
		    o->path);
	if (!force)
		return errmsg_set(why,
		    "%s exists: give another NAME, or --force to replace NAME.pem and "
		    "NAME.crt",
		    o->path);
	return 0;
}

static int
write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t n = write(fd, text, left);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		text += n;
		left -= (size_t)n;
	}
	return 0;
}

static int
fill(int fd, mode_t mode, const char *const *texts, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (write_all(fd, texts[i]) == -1)
			return -1;
	if (fchmod(fd, mode) == -1)
		return -1;
	return fsync(fd);
}

int
output_write(
    struct output *o, mode_t mode, const char *const *texts, size_t n, struct errmsg *why)
{
	int fd = mkostemp(o->temp, O_CLOEXEC), error = 0;

	if (fd == -1)
		return errmsg_set(why,
		    "cannot make files for NAME \"%.*s\": %s: give a NAME in a folder "
		    "that exists and is yours to write",
		    (int)(strrchr(o->path, '.') - o->path), o->path, strerror(errno));
	o->temp_made = true;
	if (fill(fd, mode, texts, n) == -1)
		error = errno;
	if (close(fd) == -1 && error == 0)
		error = errno;
	if (error != 0)
		return errmsg_set(why, "cannot write %s: %s", o->temp, strerror(error));
	return 0;
}

/* Takes the name, in one step with the test that nobody has it. */
static int
reserve(struct output *o, struct errmsg *why)
{
	int fd = open(o->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd == -1)
		return errmsg_set(why, "cannot make %s: %s", o->path, strerror(errno));
	o->reserved = true;
	close(fd);
	return 0;
}

static int
move(struct output *o, struct errmsg *why)
{
	if (rename(o->temp, o->path) == -1)
		return errmsg_set(
		    why, "cannot rename %s to %s: %s", o->temp, o->path, strerror(errno));
	o->temp_made = false;
	return 0;
}

/* Makes the renames last.  A file system that cannot do so is no reason to fail. */
static void
sync_folder(const char *path)
{
	char copy[PATH_MAX]; /* dirname() writes into it */
	int fd;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return;
	fsync(fd);
	close(fd);
}

int
output_publish(struct output *files, size_t n, bool force, struct errmsg *why)
{
	size_t i;

	for (i = 0; i < n && !force; i++)
		if (reserve(&files[i], why) == -1)
			return -1;
	for (i = 0; i < n; i++)
		if (move(&files[i], why) == -1)
			return -1;
	for (i = 0; i < n; i++)
		files[i].reserved = false;
	sync_folder(files[0].path);
	return 0;
}

void
output_discard(struct output *files, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (files[i].temp_made)
			unlink(files[i].temp);
		if (files[i].reserved)
			unlink(files[i].path);
	}
}
