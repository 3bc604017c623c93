#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/asking.h"

/* Longer than the asked gives its successor. */
#define PATIENCE_MS 120000

int
asking_signal(void)
{
	return SIGRTMIN;
}

/* The abstract name of the asker's socket; returns its length. */
static socklen_t
name_of(pid_t asker, struct sockaddr_un *un)
{
	int n;

	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	n = snprintf(un->sun_path + 1, sizeof(un->sun_path) - 1, "sluss-upgrade-%ld",
	    (long)asker);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

int
asking_open(struct errmsg *e)
{
	struct sockaddr_un un;
	socklen_t len = name_of(getpid(), &un);
	int fd;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1 || bind(fd, (struct sockaddr *)&un, len) == -1 || listen(fd, 8) == -1) {
		errmsg_set(e, "cannot listen for the answer: %s", strerror(errno));
		if (fd != -1)
			close(fd);
		return -1;
	}
	return fd;
}

/* Everything that the process says; one who is another says nothing. */
static int
read_answer(int fd, pid_t process, char *text, size_t cap)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	size_t have = 0;
	ssize_t n = 0;
	int c;

	if ((c = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) == -1)
		return -1;
	if (getsockopt(c, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && who.pid == process)
		while (have < cap - 1 && (n = read(c, text + have, cap - 1 - have)) > 0)
			have += (size_t)n;
	close(c);
	text[have] = '\0';
	return have > 0 ? 0 : -1;
}

static pid_t
understand(const char *text, struct errmsg *e)
{
	long pid;

	if (sscanf(text, "ready %ld", &pid) == 1)
		return (pid_t)pid;
	return errmsg_set(e, "%s", text);
}

pid_t
asking_ask(int fd, pid_t process, struct errmsg *e)
{
	struct errmsg answer;
	struct pollfd fds[2] = { { .fd = fd, .events = POLLIN }, { .events = POLLIN } };
	pid_t rc = -1;
	int n;

	if ((fds[1].fd = (int)syscall(SYS_pidfd_open, process, 0)) == -1 ||
	    kill(process, asking_signal()) == -1) {
		errmsg_set(e, "cannot ask process %ld: %s", (long)process, strerror(errno));
		goto out;
	}
	errmsg_set(e, "process %ld does not answer", (long)process);
	while ((n = poll(fds, 2, PATIENCE_MS)) > 0 || (n == -1 && errno == EINTR)) {
		if (n > 0 && fds[0].revents != 0 &&
		    read_answer(fd, process, answer.text, sizeof(answer.text)) == 0) {
			rc = understand(answer.text, e);
			break;
		}
		if (n > 0 && fds[0].revents == 0 && fds[1].revents != 0) {
			errmsg_set(e, "process %ld ended", (long)process);
			break;
		}
	}
out:
	if (fds[1].fd != -1)
		close(fds[1].fd);
	return rc;
}

void
asking_answer(pid_t asker, pid_t successor, const struct errmsg *why)
{
	char text[sizeof(why->text) + 32];
	struct sockaddr_un un;
	socklen_t len = name_of(asker, &un);
	int fd, n;

	if (asker <= 0 ||
	    (fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) == -1)
		return;
	n = why != NULL ? snprintf(text, sizeof(text), "%s", why->text) :
	    snprintf(text, sizeof(text), "ready %ld", (long)successor);
	if (connect(fd, (struct sockaddr *)&un, len) == 0 && n > 0)
		send(fd, text, (size_t)n, MSG_NOSIGNAL);
	close(fd);
}
