#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/daemon.h"

/* A child that ended before it was ready has said why, unless a signal ended it. */
static int
status_of(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) == -1)
		if (errno != EINTR)
			return 1;
	if (WIFSIGNALED(status)) {
		fprintf(stderr, "sluss: signal %d ended it while it started\n",
		    WTERMSIG(status));
		return 1;
	}
	return WEXITSTATUS(status) == 0 ? 1 : WEXITSTATUS(status);
}

static void __attribute__((noreturn))
parent_waits(int fd, pid_t child)
{
	char byte;
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n == -1 && errno == EINTR);
	/* Not exit(): what stands in stdio's buffers is the child's, too. */
	_exit(n == 1 ? 0 : status_of(child));
}

static int
fork_off(struct daemon *d, struct errmsg *e)
{
	int fds[2];
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) == -1)
		return errmsg_set(e, "cannot make a pipe: %s", strerror(errno));
	fflush(NULL);
	if ((child = fork()) == -1) {
		errmsg_set(e, "cannot fork: %s", strerror(errno));
		close(fds[0]);
		close(fds[1]);
		return -1;
	}
	if (child != 0) {
		close(fds[1]);
		parent_waits(fds[0], child);
	}
	close(fds[0]);
	d->tell_fd = fds[1];
	setsid();
	return 0;
}

int
daemon_start(struct daemon *d, bool follow, struct errmsg *e)
{
	*d = (struct daemon)DAEMON_NONE;
	d->detach = true;
	if ((d->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1)
		return errmsg_set(e, "cannot open /dev/null: %s", strerror(errno));
	if (!follow && fork_off(d, e) == -1) {
		daemon_free(d);
		return -1;
	}
	return 0;
}

int
daemon_ready(struct daemon *d, struct errmsg *e)
{
	const char byte = 0;
	int rc = 0;

	if (!d->detach)
		return 0;
	if (chdir("/") == -1)
		return errmsg_set(e, "cannot go to the root folder: %s", strerror(errno));
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(d->null_fd, fd);
	if (d->tell_fd != -1 && write(d->tell_fd, &byte, 1) != 1)
		rc = errmsg_set(e, "the process that started us is gone");
	if (rc == 0)
		daemon_free(d);
	return rc;
}

void
daemon_free(struct daemon *d)
{
	if (d->null_fd != -1)
		close(d->null_fd);
	if (d->tell_fd != -1)
		close(d->tell_fd);
	*d = (struct daemon)DAEMON_NONE;
}
