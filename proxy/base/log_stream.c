/* A descriptor that takes lines: what to do when it does not. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "log_priv.h"

/* How long a sink among others is waited for, until it is found to be stuck; and what a
 * pipe takes without blocking when it takes anything. */
#define STUCK_MS 1000
#define PAGE ((size_t)4096)

static bool
takes_more(struct log_stream *st)
{
	struct pollfd pfd = { .fd = st->fd, .events = POLLOUT };

	if (st->alone)
		return true;
	st->stuck = poll(&pfd, 1, st->stuck ? 0 : STUCK_MS) == 0;
	return !st->stuck;
}

/* Somebody may have made it non-blocking. */
static bool
wait_for_room(const struct log_stream *st)
{
	struct pollfd pfd = { .fd = st->fd, .events = POLLOUT };

	return st->alone && poll(&pfd, 1, STUCK_MS) != -1;
}

/* Writes what it takes.  Returns the bytes left, with st->why when there are any. */
static size_t
push(struct log_stream *st, const char *p, size_t n)
{
	ssize_t w;

	while (n > 0) {
		st->why = EAGAIN;
		if (!takes_more(st))
			break;
		w = write(st->fd, p, st->alone || n < PAGE ? n : PAGE);
		if (w > 0) {
			p += w;
			n -= (size_t)w;
			st->torn = p[-1] != '\n';
		} else if (w == -1 && errno != EINTR && (errno != EAGAIN || !wait_for_room(st))) {
			st->why = errno;
			break;
		}
	}
	return n;
}

static unsigned long
lines(const char *p, size_t n)
{
	unsigned long found = 0;

	for (const char *end = p + n; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		found++;
	return found;
}

void
log_stream_flush(struct log_stream *st, const char *note, size_t notelen)
{
	size_t left = st->used;
	unsigned long before = st->lost;

	/* What was lost is told in front of the first line that goes through again. */
	if (before == 0 || ((!st->torn || push(st, "\n", 1) == 0) &&
	    push(st, note, notelen) == 0)) {
		st->lost = 0;
		left = push(st, st->chunk, st->used);
	}
	st->lost += lines(st->chunk + st->used - left, left);
	st->used = 0;
}

void
log_stream_put(struct log_stream *st, const char *line, size_t n)
{
	memcpy(st->chunk + st->used, line, n);
	st->used += n;
}
