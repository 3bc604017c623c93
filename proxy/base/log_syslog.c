/* The syslog daemon's datagram socket (RFC 3164, as libc speaks it), in our own hands: libc
 * would block for as long as the daemon does. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log_priv.h"

#define PATH "/dev/log"

/* How long a daemon that is busy is waited for. */
#define BUSY_MS 200

/* Connected before a chroot; -1: it was not asked for. */
static int found = -1;

static int
try_connect(const char *path, size_t size)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd;

	memcpy(un.sun_path, path, size);
	if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		return -1;
	if (connect(fd, (const struct sockaddr *)&un, sizeof(un)) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

void
log_find_syslog(void)
{
	if (found == -1)
		found = try_connect(PATH, sizeof(PATH));
}

static int
look_for(struct log_syslog *s)
{
	s->fd = try_connect(s->path, sizeof(s->path));
	if (s->fd == -1 && found != -1 && strcmp(s->path, PATH) == 0)
		s->fd = fcntl(found, F_DUPFD_CLOEXEC, 0);
	return s->fd == -1 ? -1 : 0;
}

void
log_syslog_open(struct log_syslog *s, const struct log_config *c)
{
	*s = (struct log_syslog){ .fd = -1, .facility = c->facility };
	snprintf(s->ident, sizeof(s->ident), "%s", c->ident != NULL ? c->ident : "sluss");
	snprintf(s->path, sizeof(s->path), "%s", c->syslog_path != NULL ? c->syslog_path : PATH);
	look_for(s);
}

void
log_syslog_close(struct log_syslog *s)
{
	if (s->fd != -1)
		close(s->fd);
	s->fd = -1;
}

/* Returns 0 or the errno. */
static int
hand_over(const struct log_syslog *s, const char *line, size_t n)
{
	struct pollfd pfd = { .fd = s->fd, .events = POLLOUT };

	if (send(s->fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL) != -1)
		return 0;
	if (errno != EAGAIN || poll(&pfd, 1, BUSY_MS) != 1)
		return errno;
	return send(s->fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL) != -1 ? 0 : errno;
}

/* One that is gone is looked for again, once a second at most. */
static int
find_again(struct log_syslog *s, time_t now)
{
	int why;

	if (now < s->again)
		return ENOTCONN;
	log_syslog_close(s);
	if (look_for(s) == 0)
		return 0;
	why = errno;
	s->again = now + 1;
	return why;
}

/* Ours are answers to the operator; syslog's are put on everybody's terminal. */
static int
priority(const struct log_syslog *s, const struct log_record *r)
{
	return s->facility | (r->level == LOG_EMERG ? LOG_NOTICE : r->level);
}

int
log_syslog_put(struct log_syslog *s, const struct log_record *r)
{
	char line[128 + LOG_LINE_BYTES], stamp[32], bare[LOG_LINE_BYTES];
	struct tm tm;
	int n, why;

	localtime_r(&r->at.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &tm);
	n = snprintf(line, sizeof(line), "<%d>%s %s: %.*s", priority(s, r), stamp,
	    s->ident, (int)log_text_bare(r, bare), bare);
	if (n < 0)
		return EINVAL;
	if (s->fd != -1) {
		why = hand_over(s, line, (size_t)n);
		if (why == 0 || why == EAGAIN)
			return why;
	}
	if ((why = find_again(s, r->at.tv_sec)) != 0)
		return why;
	return hand_over(s, line, (size_t)n);
}
