#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log_priv.h"

#define STOP_WAIT_MS 2000

static atomic_int level = LOG_NOTICE;
static atomic_bool held;

/* Those that log_open() made last: freed only when it is called again. */
static const struct log_sinks *latest;

/* Records that wait for the writer, or for log_open(). */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	pthread_t thread;
	bool running;
	bool stopping;
	unsigned long dropped;
	struct log_sinks *sinks; /* the writer's while it runs; NULL: those for the start */
	struct log_sinks *next;  /* what it is to go over to */
	struct log_ring ring;
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

bool
log_speaker_wants(const struct log_speaker *who, int at)
{
	return who->level == -1 ? log_wants(at) : at <= who->level;
}

static struct log_sinks *
sinks(void)
{
	if (queue.sinks == NULL)
		queue.sinks = log_sinks_first();
	return queue.sinks;
}

/* Called with the lock held. */
static void
queue_put(const struct log_record *r)
{
	if (log_ring_put(&queue.ring, r))
		pthread_cond_signal(&queue.filled);
	else
		queue.dropped++;
}

/* Called with the lock held: says how much was lost, once there is room. */
static void
queue_report_dropped(void)
{
	char text[96];
	struct log_record r = { .level = LOG_WARNING, .id = "main", .service = "", .text = text };
	unsigned long n = queue.dropped;

	if (n == 0 || queue.ring.used > LOG_RING_BYTES / 2)
		return;
	snprintf(text, sizeof(text), "%lu log lines dropped: nobody took them in time", n);
	clock_gettime(CLOCK_REALTIME, &r.at);
	queue.dropped = 0;
	queue_put(&r);
}

/* Goes over to new sinks, in the thread that writes; called with the lock held. */
static void
queue_switch(void)
{
	struct log_sinks *old = sinks();

	queue.sinks = queue.next;
	queue.next = NULL;
	pthread_mutex_unlock(&queue.lock);
	log_sinks_free(old);
	pthread_mutex_lock(&queue.lock);
}

/* Writes without the lock, so that whoever logs meanwhile need not wait. */
static void
queue_write(const struct log_record *r)
{
	struct log_sinks *to = sinks();
	bool last = queue.ring.used == 0;

	pthread_mutex_unlock(&queue.lock);
	log_sinks_put(to, r);
	/* Many lines at once, but none waits for others to come. */
	if (last)
		log_sinks_flush(to);
	pthread_mutex_lock(&queue.lock);
}

static void *
queue_writer(void *arg)
{
	char space[LOG_SPACE_BYTES];
	struct log_record r;

	(void)arg;
	pthread_mutex_lock(&queue.lock);
	for (;;) {
		while (queue.ring.used == 0 && queue.next == NULL && !queue.stopping)
			pthread_cond_wait(&queue.filled, &queue.lock);
		if (queue.next != NULL)
			queue_switch();
		if (log_ring_take(&queue.ring, &r, space)) {
			queue_report_dropped();
			queue_write(&r);
		} else if (queue.stopping) {
			break;
		}
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

/* For who waits at the start; stderr alone. */
static void
write_held(const struct log_record *r)
{
	static struct log_stream err = { .fd = STDERR_FILENO, .alone = true };
	char line[LOG_LINE_BYTES];

	log_stream_put(&err, line, log_text_held(r, line));
	log_stream_flush(&err, NULL, 0);
	err.lost = 0;
}

/* Writes what is held, to the sinks or as a failed start does; with the lock. */
static void
queue_release(bool to_sinks)
{
	char space[LOG_SPACE_BYTES];
	struct log_record r;

	atomic_store(&held, false);
	while (log_ring_take(&queue.ring, &r, space))
		if (!log_wants(r.level))
			continue;
		else if (to_sinks)
			log_sinks_put(sinks(), &r);
		else
			write_held(&r);
	log_sinks_flush(sinks());
}

void
log_hold(void)
{
	pthread_mutex_lock(&queue.lock);
	atomic_store(&held, !queue.running);
	pthread_mutex_unlock(&queue.lock);
}

void
log_give_up(void)
{
	pthread_mutex_lock(&queue.lock);
	if (atomic_load(&held))
		queue_release(false);
	pthread_mutex_unlock(&queue.lock);
}

/* The writer goes over when it comes to it: it may be inside a write(). */
static void
log_adopt(struct log_sinks *new)
{
	struct log_sinks *unused;

	tzset();
	latest = new;
	pthread_mutex_lock(&queue.lock);
	unused = queue.next;
	queue.next = new;
	pthread_cond_signal(&queue.filled);
	if (!queue.running)
		queue_switch();
	if (atomic_load(&held))
		queue_release(true);
	pthread_mutex_unlock(&queue.lock);
	if (unused != NULL)
		log_sinks_free(unused);
}

int
log_open(const struct log_config *c, struct errmsg *e)
{
	struct log_sinks *new = log_sinks_new(c, e);

	if (new == NULL)
		return -1;
	log_adopt(new);
	return 0;
}

int
log_reopen(struct errmsg *e)
{
	struct log_sinks *new = log_sinks_again(latest != NULL ? latest : log_sinks_first(), e);

	if (new == NULL)
		return -1;
	log_adopt(new);
	return 0;
}

static void
queue_say(int at, const struct log_speaker *who, const char *fmt, va_list ap)
{
	char text[LOG_LINE_BYTES + 1];
	struct log_record r = { .level = at, .id = who->id, .text = text,
	    .service = who->service != NULL ? who->service : "" };

	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &r.at);
	pthread_mutex_lock(&queue.lock);
	if (queue.running || atomic_load(&held)) {
		queue_put(&r);
	} else {
		log_sinks_put(sinks(), &r);
		log_sinks_flush(sinks());
	}
	pthread_mutex_unlock(&queue.lock);
}

void
log_say(const struct log_speaker *who, int at, const char *fmt, ...)
{
	va_list ap;

	if (!log_speaker_wants(who, at) && !atomic_load(&held))
		return;
	va_start(ap, fmt);
	queue_say(at, who, fmt, ap);
	va_end(ap);
}

void
log_line(int at, const char *id, const char *fmt, ...)
{
	struct log_speaker who = { .id = id, .level = -1 };
	va_list ap;

	if (!log_wants(at) && !atomic_load(&held))
		return;
	va_start(ap, fmt);
	queue_say(at, &who, fmt, ap);
	va_end(ap);
}
