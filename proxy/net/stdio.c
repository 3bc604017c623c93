#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "net/stdio.h"

#define RELAY_BYTES 65536

/* The thread that writes our standard output, where there is one. */
static pthread_t writer;
static bool writer_runs;

/* What a relaying thread copies from and to; its own. */
struct relay {
	int from, to;
	bool reading; /* for the loop; else for our standard output */
};

/* Copies until the end or an error of either side, then ends both.  Returns NULL when
 * all that came was written. */
static void *
relay(void *arg)
{
	static char failed;
	uint8_t chunk[RELAY_BYTES];
	void *result = NULL;
	const struct relay r = *(struct relay *)arg;
	ssize_t n, put;

	free(arg);
	for (;;) {
		n = read(r.from, chunk, sizeof(chunk));
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		for (ssize_t done = 0; done < n; done += put) {
			put = write(r.to, chunk + done, (size_t)(n - done));
			if (put == -1 && errno == EINTR)
				put = 0;
			if (put == -1) {
				result = &failed;
				goto out;
			}
		}
	}
	/* relay_start() left a byte there: closed with it unread, the loop sees a reset
	 * instead of an end. */
	if (n == 0 && r.reading && read(r.to, chunk, 1) == -1)
		result = &failed;
out:
	close(r.from);
	close(r.to);
	return result;
}

/* A descriptor for the loop, behind which a thread blocks in our place. */
static int
relay_start(int fd, bool reading, struct errmsg *e)
{
	int pair[2], rc;
	struct relay *r;
	pthread_t thread;
	sigset_t all, old;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return errmsg_set(e, "cannot make a socket pair: %s", strerror(errno));
	if ((r = malloc(sizeof(*r))) == NULL) {
		close(pair[0]);
		close(pair[1]);
		return errmsg_set(e, "out of memory");
	}
	*r = reading ? (struct relay){ fd, pair[1], true } : (struct relay){ pair[1], fd, false };
	rc = reading && write(pair[0], "", 1) != 1 ? errno : 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (rc == 0)
		rc = pthread_create(&thread, NULL, relay, r);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0) {
		free(r);
		close(pair[0]);
		close(pair[1]);
		return errmsg_set(e, "cannot start a thread: %s", strerror(rc));
	}
	if (reading) {
		pthread_detach(thread);
	} else {
		writer = thread;
		writer_runs = true;
	}
	return pair[0];
}

/* Whether the descriptor is open the way it is to be used. */
static bool
is_usable(int std, bool reading)
{
	int flags = fcntl(std, F_GETFL);

	return flags != -1 && (flags & O_ACCMODE) != (reading ? O_WRONLY : O_RDONLY);
}

static int
check(int std, bool reading, struct errmsg *e)
{
	if (is_usable(std, reading))
		return 0;
	return errmsg_set(e, "standard %s is closed; it is one end of this tunnel",
	    reading ? "input" : "output");
}

int
stdio_check(struct errmsg *e)
{
	return check(STDIN_FILENO, true, e) == -1 ? -1 : check(STDOUT_FILENO, false, e);
}

/* Files, folders and devices such as /dev/null do not make one wait, and are asked as
 * they are; so are sockets, which can be asked not to. */
static bool
never_blocks(int std, const struct stat *st)
{
	return !S_ISFIFO(st->st_mode) && !isatty(std);
}

/* Another descriptor of ours for what stands at 0 or 1. */
static int
take(int std, bool reading, struct errmsg *e)
{
	char path[32];
	struct stat st;
	int fd;

	if (check(std, reading, e) == -1 || fstat(std, &st) == -1)
		return -1;
	if (!never_blocks(std, &st)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", std);
		fd = open(path, (reading ? O_RDONLY : O_WRONLY) | O_NONBLOCK | O_CLOEXEC |
		    O_NOCTTY);
		if (fd != -1)
			return fd;
	}
	fd = fcntl(std, F_DUPFD_CLOEXEC, 3);
	if (fd == -1)
		return errmsg_set(e, "cannot duplicate standard %s: %s",
		    reading ? "input" : "output", strerror(errno));
	if (never_blocks(std, &st))
		return fd;
	return relay_start(fd, reading, e);
}

static bool
same_socket(void)
{
	struct stat a, b;

	return fstat(STDIN_FILENO, &a) == 0 && fstat(STDOUT_FILENO, &b) == 0 &&
	    S_ISSOCK(a.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int
stdio_take(int *rfd, int *wfd, struct errmsg *e)
{
	int null;

	if ((*rfd = take(STDIN_FILENO, true, e)) == -1)
		return -1;
	*wfd = *rfd;
	if (!same_socket() && (*wfd = take(STDOUT_FILENO, false, e)) == -1) {
		close(*rfd);
		return -1;
	}
	if ((null = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1)
		return errmsg_set(e, "/dev/null: %s", strerror(errno));
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	close(null);
	return 0;
}

enum stdio_state
stdio_wait(unsigned ms)
{
	struct timespec until;
	void *result;

	if (!writer_runs)
		return STDIO_WRITTEN;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (until.tv_nsec + (long)ms * 1000000) / 1000000000;
	until.tv_nsec = (until.tv_nsec + (long)ms * 1000000) % 1000000000;
	if (pthread_timedjoin_np(writer, &result, &until) != 0)
		return STDIO_WRITING;
	writer_runs = false;
	return result == NULL ? STDIO_WRITTEN : STDIO_LOST;
}
