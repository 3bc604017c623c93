#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define OPENING 32  /* tunnels opened at the same time */
#define SESSIONS 64 /* kept for resumption */
#define OWED 512    /* exchanges that may wait for one tunnel */

/* A tunnel, from the side of who uses it. */
struct user {
	struct conn conn;
	enum { OPENS, ASKED, CLOSES, HELD } state;
	int64_t since;	     /* when the current thing began or was due */
	uint64_t to_send;    /* of the current exchange */
	uint64_t to_receive;
	int64_t due[OWED];   /* exchanges that wait for this tunnel, oldest first */
	unsigned owed;
};

/* The work in hand; there is one at a time. */
static struct {
	const struct client *client;
	bool keep, resume;
	size_t started, done, count;
	size_t resumed;
	struct stats stats;
	uint64_t length, answer;
	size_t next; /* the held tunnel whose turn it is */
	void (*finished)(struct user *);
} work;

static struct user **held;
static size_t held_count;
static SSL_SESSION *sessions[SESSIONS];
static size_t session_count;
static char payload[CHUNK];

static int
session_keep(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	if (session_count == SESSIONS)
		return 0;
	sessions[session_count++] = session;
	return 1;
}

static void user_ready(struct conn *c);

static void
user_open(void)
{
	struct user *u = calloc(1, sizeof(*u));
	SSL_SESSION *session = NULL;

	if (u == NULL)
		fail("out of memory");
	if (work.resume && session_count > 0)
		session = sessions[--session_count];
	work.started++;
	u->since = now();
	conn_init(&u->conn, dial(work.client->port), work.client->ctx, false, session,
		  user_ready);
	SSL_SESSION_free(session);
	user_ready(&u->conn);
}

static void
user_hold(struct user *u)
{
	u->state = HELD;
	held = realloc(held, (held_count + 1) * sizeof(*held));
	if (held == NULL)
		fail("out of memory");
	held[held_count++] = u;
	work.done++;
	if (work.started < work.count)
		user_open();
}

/* The tunnel works: its byte came back. */
static void
user_opened(struct user *u)
{
	stats_add(&work.stats, now() - u->since);
	if (u->conn.ssl != NULL && SSL_session_reused(u->conn.ssl))
		work.resumed++;
	if (work.keep) {
		user_hold(u);
		return;
	}
	u->state = CLOSES;
	conn_finish(&u->conn);
}

static void
user_closed(struct user *u)
{
	conn_fini(&u->conn);
	free(u);
	work.done++;
	if (work.started < work.count)
		user_open();
}

/* What follows a request's head is never looked at, so each piece may be the same. */
static void
exchange_send(struct user *u)
{
	size_t len = u->to_send < CHUNK ? (size_t)u->to_send : CHUNK;

	if (u->to_send > 0)
		u->to_send -= conn_write(&u->conn, payload, len);
	conn_await(&u->conn, u->to_send > 0 || conn_pending(&u->conn));
}

static void
exchange_begin(struct user *u, int64_t since)
{
	struct request head = { 'x', work.length, work.answer };

	memcpy(payload, &head, sizeof(head));
	work.started++;
	u->since = since;
	u->to_send = work.length;
	u->to_receive = work.answer;
	exchange_send(u);
}

static void
exchange_took(struct user *u, size_t n)
{
	errno = 0;
	if (n > u->to_receive)
		fail("more came back than was asked for");
	u->to_receive -= n;
	if (u->to_receive > 0)
		return;
	stats_add(&work.stats, now() - u->since);
	work.done++;
	work.finished(u);
}

static void
user_took(struct user *u, size_t n)
{
	if (u->state == ASKED)
		user_opened(u);
	else if (u->state == HELD)
		exchange_took(u, n);
}

/* A byte goes out as soon as the handshake allows. */
static bool
user_greet(struct user *u)
{
	if (conn_handshake(&u->conn) == 0)
		return false;
	errno = 0;
	if (conn_write(&u->conn, "e", 1) != 1)
		fail("a handshake was not sent at once");
	conn_await(&u->conn, conn_pending(&u->conn));
	u->state = ASKED;
	return true;
}

static void
user_ready(struct conn *c)
{
	struct user *u = (struct user *)c;
	int64_t since = u->since;
	char data[16384];
	int n;

	if (u->state == OPENS && !user_greet(u))
		return;
	if (u->state == HELD)
		exchange_send(u);
	else
		conn_await(c, conn_pending(c));
	/* An answer may be several records, of which the loop sees the first only. */
	do {
		n = conn_read(c, data, sizeof(data));
		if (n > 0)
			user_took(u, (size_t)n);
	} while (n > 0 && u->since == since && u->to_receive > 0);
	if (n == -1 && u->state == CLOSES)
		user_closed(u);
	else if (n == -1) {
		errno = 0;
		fail("a tunnel ended early");
	}
}

static void
work_begin(const struct client *client, size_t count)
{
	work.client = client;
	work.started = work.done = work.resumed = 0;
	work.count = count;
	if (client != NULL && client->ctx != NULL) {
		SSL_CTX_set_session_cache_mode(client->ctx,
			SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(client->ctx, session_keep);
	}
}

/* Opens tunnels until all of the work is done, width at a time. */
static void
work_opens(size_t width)
{
	int64_t begin = now();

	for (size_t i = 0; i < width && work.started < work.count; i++)
		user_open();
	while (work.done < work.count)
		loop_turn(-1);
	printf("count=%zu resumed=%zu seconds=%.6f", work.done, work.resumed,
	       (double)(now() - begin) / 1e9);
	stats_print(&work.stats);
	putchar('\n');
}

void
work_open(const struct client *client, size_t count)
{
	work_begin(client, count);
	work.keep = true;
	work.resume = false;
	work_opens(OPENING);
}

void
work_shake(const struct client *client, size_t width, size_t count, bool resume)
{
	work_begin(client, count);
	work.keep = false;
	work.resume = resume;
	work_opens(width);
}

static int64_t storm_began;

void
work_storm(const struct client *client, size_t width)
{
	work_begin(client, SIZE_MAX);
	work.keep = work.resume = false;
	storm_began = now();
	for (size_t i = 0; i < width; i++)
		user_open();
}

void
work_calm(void)
{
	work.count = work.started;
	while (work.done < work.count)
		loop_turn(-1);
	printf("count=%zu rate=%.1f", work.done,
	       (double)work.done * 1e9 / (double)(now() - storm_began));
	stats_print(&work.stats);
	putchar('\n');
}

void
work_close(void)
{
	work_begin(NULL, held_count);
	for (size_t i = 0; i < held_count; i++) {
		held[i]->state = CLOSES;
		conn_finish(&held[i]->conn);
	}
	work.started = work.count;
	held_count = 0;
	while (work.done < work.count)
		loop_turn(-1);
	puts("ok");
}

static bool
user_busy(const struct user *u)
{
	return u->to_send > 0 || u->to_receive > 0;
}

/* The next tunnel in turn that is free; there always is one. */
static struct user *
next_free(void)
{
	struct user *u;

	do
		u = held[work.next++ % held_count];
	while (user_busy(u));
	return u;
}

static void
exchange_again(struct user *u)
{
	(void)u;
	if (work.started < work.count)
		exchange_begin(next_free(), now());
}

static void
exchange_ask(uint64_t length, uint64_t answer, void (*finished)(struct user *))
{
	errno = 0;
	if (length < sizeof(struct request) || answer == 0)
		fail("requests have a head and are answered");
	if (held_count == 0)
		fail("no tunnel is open");
	work.length = length;
	work.answer = answer;
	work.next = 0;
	work.finished = finished;
}

static void
exchange_print(int64_t begin)
{
	printf("count=%zu seconds=%.6f", work.done, (double)(now() - begin) / 1e9);
	stats_print(&work.stats);
	putchar('\n');
}

void
work_exchange(size_t width, uint64_t length, uint64_t answer, size_t count)
{
	int64_t begin = now();

	work_begin(NULL, count);
	exchange_ask(length, answer, exchange_again);
	for (size_t i = 0; i < width && i < held_count && work.started < count; i++)
		exchange_begin(next_free(), now());
	while (work.done < count)
		loop_turn(-1);
	exchange_print(begin);
}

static void
paced_again(struct user *u)
{
	int64_t since = u->due[0];

	if (u->owed == 0)
		return;
	memmove(u->due, u->due + 1, --u->owed * sizeof(u->due[0]));
	exchange_begin(u, since);
}

static void
paced_due(struct user *u, int64_t when)
{
	if (!user_busy(u)) {
		exchange_begin(u, when);
		return;
	}
	errno = 0;
	if (u->owed == OWED)
		fail("the tunnel cannot keep pace");
	u->due[u->owed++] = when;
}

static int64_t pace, due;

static void
paced_tick(int fd)
{
	uint64_t ticks;

	if (read(fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		fail("timer");
	for (; due <= now() && work.next < work.count; due += pace)
		paced_due(held[work.next++ % held_count], due);
}

void
work_paced(unsigned rate, uint64_t length, uint64_t answer, unsigned milliseconds)
{
	struct itimerspec spec = { 0 };
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	int64_t begin = now();

	work_begin(NULL, (size_t)rate * milliseconds / 1000);
	exchange_ask(length, answer, paced_again);
	pace = INT64_C(1000000000) / rate;
	due = begin + pace;
	spec.it_value.tv_nsec = spec.it_interval.tv_nsec = pace;
	if (timer == -1 || rate < 2 || timerfd_settime(timer, 0, &spec, NULL) == -1)
		fail("timer");
	loop_watch(timer, paced_tick);
	while (work.done < work.count)
		loop_turn(-1);
	loop_unwatch(timer);
	close(timer);
	exchange_print(begin);
}
