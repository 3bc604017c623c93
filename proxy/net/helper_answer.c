/* What the helper does about files and addresses, in its own process. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "net/helper_priv.h"

/* Opens a plain file: what else lies there (a device, a pipe) is not to be touched. */
static int
open_plain(const char *path)
{
	struct stat st;
	int fd, why;

	if ((fd = file_open(path)) == -1)
		return -1;
	errno = EISDIR;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	why = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	close(fd);
	errno = why;
	return -1;
}

static int
write_names(int fd, char **names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t size = strlen(names[i]) + 1;

		if (write(fd, names[i], size) != (ssize_t)size)
			return -1;
	}
	return 0;
}

/* A file in memory with the names in a folder: no descriptor of the folder leaves,
 * through which a chroot could be left. */
static int
list(const char *path)
{
	char **names;
	size_t n;
	int fd, rc, why;

	if (file_names(path, &names, &n) == -1)
		return -1;
	fd = memfd_create("names", MFD_CLOEXEC);
	rc = fd != -1 ? write_names(fd, names, n) : -1;
	why = errno;
	file_names_free(names, n);
	if (rc == 0)
		return fd;
	if (fd != -1)
		close(fd);
	errno = why;
	return -1;
}

/* The path in a message, or NULL. */
static const char *
path_of(const struct helper_message *m)
{
	return m->n > 0 && memchr(m->text, '\0', m->n) == m->text + m->n - 1 ? m->text
									     : NULL;
}

/* Each returns 0 or a descriptor, with what else is to be said in out, or -1 with the
 * message filled and errno set. */

static int
answer_path(
    const struct helper_policy *p, const struct helper_message *m, struct errmsg *e)
{
	bool (*may)(void *, const char *) = m->head.kind == ASK_OPEN ? p->may_open :
	    p->may_list;
	const char *path = path_of(m);
	int fd = -1;

	errno = EPERM;
	if (path != NULL && may != NULL && may(p->arg, path))
		fd = m->head.kind == ASK_OPEN ? open_plain(path) : list(path);
	else
		errno = EPERM;
	if (fd == -1)
		errmsg_set(e, "%s", strerror(errno));
	return fd;
}

/* Of a unix socket's file; nothing else is removed. */
static int
answer_touch(const struct helper_policy *p, const struct helper_message *m,
    struct stat *st, struct errmsg *e)
{
	const char *path = path_of(m);
	int rc = -1;

	errno = EPERM;
	if (path != NULL && p->may_touch != NULL && p->may_touch(p->arg, path))
		rc = lstat(path, st);
	if (rc == 0 && m->head.kind == ASK_UNLINK) {
		rc = -1;
		errno = EPERM;
		if (S_ISSOCK(st->st_mode))
			rc = unlink(path);
	}
	return rc == 0 ? 0 : errmsg_set(e, "%s", strerror(errno));
}

static int
answer_listen(const struct helper_policy *p, const struct helper_message *m,
    struct addr *bound, struct errmsg *e)
{
	struct addr a;

	if (m->n == sizeof(a))
		memcpy(&a, m->text, sizeof(a));
	if (m->n != sizeof(a) || a.len > sizeof(a.u) || p->listen == NULL) {
		errno = EPERM;
		return errmsg_set(e, "this helper process does not listen");
	}
	return p->listen(p->arg, &a, m->head.value != 0, bound, e);
}

static int
answer_renew(const struct helper_policy *p, struct errmsg *e)
{
	errno = EINVAL;
	if (p->renew == NULL)
		return errmsg_set(e, "there is nothing to renew");
	return p->renew(p->arg, e);
}

void
helper_answer(int sock, const struct helper_policy *p, struct helper_message *m)
{
	const bool brings = m->head.kind != ASK_RENEW && m->head.kind != ASK_LSTAT &&
	    m->head.kind != ASK_UNLINK;
	struct helper_head head = { .kind = ANSWER };
	struct errmsg e = { .text = "" };
	union {
		struct addr bound;
		struct stat st;
	} out = { 0 };
	size_t n = 0;
	int fd;

	switch (m->head.kind) {
	case ASK_LISTEN:
		fd = answer_listen(p, m, &out.bound, &e);
		n = sizeof(out.bound);
		break;
	case ASK_LSTAT:
	case ASK_UNLINK:
		fd = answer_touch(p, m, &out.st, &e);
		n = sizeof(out.st);
		break;
	case ASK_RENEW:
		fd = answer_renew(p, &e);
		break;
	default:
		fd = answer_path(p, m, &e);
	}
	if (fd == -1) {
		head.value = errno != 0 ? errno : EIO;
		helper_send(sock, &head, e.text, strlen(e.text), NULL, 0, 0);
		return;
	}
	helper_send(sock, &head, &out, n, &fd, brings, 0);
	if (brings)
		close(fd);
}
