/* A path opened step by step, so that each link is looked at before it is followed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_priv.h"

/* As many as the kernel follows (path_resolution(7)). */
#define LINKS 40

struct walk {
	int dir;             /* where we are */
	char rest[PATH_MAX]; /* what is still to be gone */
	char name[NAME_MAX + 1]; /* the step at hand */
	int links;
	uid_t distrusted;
};

static int
fail(int why)
{
	errno = why;
	return -1;
}

/* Goes to a folder that is open. */
static void
enter(struct walk *w, int fd)
{
	close(w->dir);
	w->dir = fd;
}

/* Sets out on a path. */
static int
set_out(struct walk *w, const char *path)
{
	int fd = open(path[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return -1;
	w->dir = fd;
	if (path[0] == '\0' || strlen(path) >= sizeof(w->rest)) {
		close(fd);
		return fail(path[0] == '\0' ? ENOENT : ENAMETOOLONG);
	}
	strcpy(w->rest, path);
	return 0;
}

/* Takes the next step out of the rest: 1, 0 when there is none, -1 when it is too long. */
static int
next_step(struct walk *w)
{
	char *begin = w->rest + strspn(w->rest, "/");
	size_t n = strcspn(begin, "/");

	if (n == 0)
		return 0;
	if (n >= sizeof(w->name))
		return fail(ENAMETOOLONG);
	memcpy(w->name, begin, n);
	w->name[n] = '\0';
	begin += n;
	begin += strspn(begin, "/");
	memmove(w->rest, begin, strlen(begin) + 1);
	return 1;
}

/* The link's target takes its place in the rest. */
static int
follow(struct walk *w, int fd, const struct stat *st)
{
	char rest[PATH_MAX], target[PATH_MAX];
	ssize_t n;
	int root;

	if (st->st_uid == w->distrusted || ++w->links > LINKS)
		return fail(ELOOP);
	if ((n = readlinkat(fd, "", target, sizeof(target) - 1)) == -1)
		return -1;
	target[n] = '\0';
	strcpy(rest, w->rest);
	if ((size_t)n + 1 + strlen(rest) >= sizeof(w->rest))
		return fail(ENAMETOOLONG);
	memcpy(w->rest, target, (size_t)n);
	w->rest[n] = '/';
	strcpy(w->rest + n + 1, rest);
	if (target[0] != '/')
		return 0;
	if ((root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
		return -1;
	enter(w, root);
	return 0;
}

/* One step: a link is followed, a folder on the way entered, the last thing opened. */
static int
go(struct walk *w, int flags, int *out)
{
	int fd = openat(w->dir, w->name, O_PATH | O_NOFOLLOW | O_CLOEXEC), rc;
	struct stat st;

	if (fd == -1)
		return -1;
	if ((rc = fstat(fd, &st)) == 0 && S_ISLNK(st.st_mode))
		rc = follow(w, fd, &st);
	else if (rc == 0 && w->rest[0] != '\0') {
		enter(w, fd);
		return 0;
	} else if (rc == 0)
		/* A link that was put there just now is not followed either. */
		rc = *out = openat(w->dir, w->name, flags | O_NOFOLLOW);
	close(fd);
	return rc == -1 ? -1 : 0;
}

int
file_walk(const char *path, int flags, uid_t distrusted)
{
	struct walk w = { .distrusted = distrusted };
	int fd = -1, rc, why;

	if (distrusted == (uid_t)-1)
		return open(path, flags);
	if (set_out(&w, path) == -1)
		return -1;
	while (fd == -1 && (rc = next_step(&w)) == 1)
		if (go(&w, flags, &fd) == -1)
			break;
	/* The path may end at a folder that we stand in: "/", or a link to it. */
	if (fd == -1 && rc == 0)
		fd = openat(w.dir, ".", flags);
	why = errno;
	close(w.dir);
	errno = why;
	return fd;
}
