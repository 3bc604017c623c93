#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define LINE_MAX_BYTES 2048
#define QUEUE_BYTES (256 * 1024)
#define STOP_WAIT_MS 2000

static atomic_int level = LOG_NOTICE;

/* Lines that wait for the writer: a ring of whole lines, each ended by '\n'. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	pthread_t thread;
	bool running;
	bool stopping;
	size_t head, used;
	unsigned long dropped;
	char ring[QUEUE_BYTES];
} queue = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.filled = PTHREAD_COND_INITIALIZER,
};

void
log_level(int max)
{
	atomic_store(&level, max);
}

bool
log_wants(int at)
{
	return at <= atomic_load_explicit(&level, memory_order_relaxed);
}

/* The stamp, the level and the id. */
static size_t
line_prefix(char *line, size_t cap, int at, const char *id)
{
	struct tm tm;
	time_t now = time(NULL);
	int n;

	localtime_r(&now, &tm);
	n = snprintf(line, cap, "%04d.%02d.%02d %02d:%02d:%02d LOG%d[%s]: ",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
	    tm.tm_sec, at, id);
	return n < 0 ? 0 : (size_t)n < cap ? (size_t)n : cap - 1;
}

/* Control characters could forge lines or drive a terminal. */
static void
line_clean(char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '.';
}

/* Waits for room when stderr is non-blocking; another failure loses the rest. */
static void
write_all(const char *p, size_t n)
{
	ssize_t w;

	while (n > 0) {
		w = write(STDERR_FILENO, p, n);
		if (w >= 0) {
			p += w;
			n -= (size_t)w;
		} else if (errno == EAGAIN) {
			struct pollfd pfd = { .fd = STDERR_FILENO, .events = POLLOUT };
			poll(&pfd, 1, 1000);
		} else if (errno != EINTR) {
			return;
		}
	}
}

/* Called with the lock held. */
static void
queue_put(const char *line, size_t len)
{
	size_t tail, first;

	if (len > QUEUE_BYTES - queue.used) {
		queue.dropped++;
		return;
	}
	tail = (queue.head + queue.used) % QUEUE_BYTES;
	first = len < QUEUE_BYTES - tail ? len : QUEUE_BYTES - tail;
	memcpy(queue.ring + tail, line, first);
	memcpy(queue.ring, line + first, len - first);
	queue.used += len;
	pthread_cond_signal(&queue.filled);
}

/* Called with the lock held: says how much was lost, once there is room. */
static void
queue_report_dropped(void)
{
	char line[160];
	unsigned long n = queue.dropped;
	size_t len;

	if (n == 0 || queue.used > QUEUE_BYTES / 2)
		return;
	len = line_prefix(line, sizeof(line), LOG_WARNING, "main");
	len += (size_t)snprintf(line + len, sizeof(line) - len,
	    "%lu log lines dropped: stderr did not take them in time\n", n);
	queue.dropped = 0;
	queue_put(line, len);
}

static void *
queue_writer(void *arg)
{
	char chunk[16384];
	size_t n;

	(void)arg;
	pthread_mutex_lock(&queue.lock);
	for (;;) {
		while (queue.used == 0 && !queue.stopping)
			pthread_cond_wait(&queue.filled, &queue.lock);
		if (queue.used == 0)
			break;
		n = queue.used;
		if (n > QUEUE_BYTES - queue.head)
			n = QUEUE_BYTES - queue.head;
		if (n > sizeof(chunk))
			n = sizeof(chunk);
		memcpy(chunk, queue.ring + queue.head, n);
		queue.head = (queue.head + n) % QUEUE_BYTES;
		queue.used -= n;
		queue_report_dropped();
		pthread_mutex_unlock(&queue.lock);
		write_all(chunk, n);
		pthread_mutex_lock(&queue.lock);
	}
	/* Nothing is left; the next line is written by its own caller. */
	queue.running = false;
	pthread_mutex_unlock(&queue.lock);
	return NULL;
}

int
log_start(void)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_mutex_lock(&queue.lock);
	queue.stopping = false;
	rc = pthread_create(&queue.thread, NULL, queue_writer, NULL);
	queue.running = rc == 0;
	pthread_mutex_unlock(&queue.lock);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0) {
		errno = rc;
		return -1;
	}
	return 0;
}

void
log_stop(void)
{
	struct timespec until;
	bool running;

	pthread_mutex_lock(&queue.lock);
	running = queue.running;
	queue.stopping = true;
	pthread_cond_signal(&queue.filled);
	pthread_mutex_unlock(&queue.lock);
	if (!running)
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_WAIT_MS / 1000;
	/* A writer stuck in write() is left to die with the process. */
	pthread_timedjoin_np(queue.thread, NULL, &until);
}

void
log_line(int at, const char *id, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES + 1];
	va_list ap;
	size_t len;
	int n;

	if (!log_wants(at))
		return;
	len = line_prefix(line, sizeof(line), at, id);
	va_start(ap, fmt);
	n = vsnprintf(line + len, sizeof(line) - len, fmt, ap);
	va_end(ap);
	if (n > 0)
		len += (size_t)n;
	if (len > LINE_MAX_BYTES - 1)
		len = LINE_MAX_BYTES - 1;
	line_clean(line, len);
	line[len++] = '\n';
	pthread_mutex_lock(&queue.lock);
	if (queue.running)
		queue_put(line, len);
	else
		write_all(line, len);
	pthread_mutex_unlock(&queue.lock);
}
