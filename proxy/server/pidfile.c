#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/pidfile.h"

/* Behind the name of the file that becomes the pid file. */
#define SUFFIX ".new"

static int
failed(const char *path, const char *what, struct errmsg *e)
{
	return errmsg_set(e, "pid: cannot %s %s: %s", what, path, strerror(errno));
}

/* A device or a folder is no place for it, and rename() would replace a device. */
static int
check_place(const char *path, struct errmsg *e)
{
	struct stat st;

	if (lstat(path, &st) == -1 || S_ISREG(st.st_mode) || S_ISLNK(st.st_mode))
		return 0;
	return errmsg_set(e, "pid: %s exists and is not a file: choose another name", path);
}

/* What a crashed process left under the name is removed, once. */
static int
open_new(const char *path)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd;

	fd = open(path, flags, 0644);
	if (fd == -1 && errno == EEXIST && unlink(path) == 0)
		fd = open(path, flags, 0644);
	return fd;
}

static int
write_pid(int fd)
{
	char text[24];
	int n;

	n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	errno = ENOSPC; /* of a write that took a part */
	return write(fd, text, (size_t)n) == n ? 0 : -1;
}

int
pidfile_write(const char *path, struct errmsg *e)
{
	char temp[PATH_MAX];
	int fd;

	if ((size_t)snprintf(temp, sizeof(temp), "%s" SUFFIX, path) >= sizeof(temp))
		return errmsg_set(e, "pid: the name is too long: %.128s", path);
	if (check_place(path, e) == -1)
		return -1;
	if ((fd = open_new(temp)) == -1)
		return failed(temp, "make", e);
	if (write_pid(fd) == -1) {
		failed(temp, "write", e);
		goto err;
	}
	close(fd);
	fd = -1;
	if (rename(temp, path) == -1) {
		failed(path, "write", e);
		goto err;
	}
	return 0;

err:
	if (fd != -1)
		close(fd);
	unlink(temp);
	return -1;
}

void
pidfile_remove(const char *path)
{
	char text[24];
	ssize_t n;
	int fd;

	if ((fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)) == -1)
		return;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return;
	text[n] = '\0';
	if (strtol(text, NULL, 10) == (long)getpid())
		unlink(path);
}
