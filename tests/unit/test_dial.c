/* tunnel/dial: several addresses, the race between them, time limits, full backlogs. */
#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tunnel/dial.h"

#define FILLERS 8
#define STAGGER_MS 250

static struct loop *loop;
static struct dial dial;
static struct sock_setup how; /* nothing but the defaults */
static int woken;
static char folder[64];

static void
wake(void *owner)
{
	ck_assert_ptr_eq(owner, &dial);
	woken++;
	loop_quit(loop);
}

static void
begin(void)
{
	ck_assert_ptr_nonnull(loop = loop_new(16));
}

static void
end(void)
{
	loop_free(loop);
}

static uint64_t
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int
count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void
turn_late(struct loop_timer *t)
{
	(void)t;
	loop_quit(loop);
}

/* Runs the loop until it woke us, or for so long. */
static void
turn(unsigned ms)
{
	struct loop_timer t = { .due = turn_late };

	loop_timer_set(loop, &t, loop_now(loop) + ms);
	loop_run(loop, NULL);
	loop_timer_cancel(loop, &t);
}

/* Addresses to dial. */

static struct addr_list list;

static void
add(const struct sockaddr *sa, socklen_t len)
{
	list.items = realloc(list.items, (list.n + 1) * sizeof(*list.items));
	ck_assert_ptr_nonnull(list.items);
	list.items[list.n] = (struct addr){ .len = len };
	memcpy(&list.items[list.n++].u, sa, len);
}

/* A socket bound to a port of loopback, added to the addresses. */
static int
add_bound(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	add((struct sockaddr *)&sin, len);
	return fd;
}

/* A listening socket. */
static int
add_listener(int backlog)
{
	int fd = add_bound();

	ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

/* A port at which nobody listens: bound, so that no other program can get it, until this
 * test's process ends. */
static void
add_refusing(void)
{
	add_bound();
}

/* An address for which connect() itself fails. */
static void
add_impossible(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(1) };

	sin.sin_addr.s_addr = inet_addr("224.0.0.1");
	add((struct sockaddr *)&sin, sizeof(sin));
}

/* An address that never answers: a listener whose backlog is full. */
static int
add_silent(void)
{
	int fd = add_listener(0), filler;
	const struct addr *a = &list.items[list.n - 1];

	for (int i = 0; i < FILLERS; i++) {
		filler = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(filler, &a->u.sa, a->len);
	}
	return fd;
}

static int
add_unix(bool listening)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = -1;

	snprintf(un.sun_path, sizeof(un.sun_path), "%s/s", folder);
	if (listening) {
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
		ck_assert_int_eq(listen(fd, 0), 0);
	}
	add((struct sockaddr *)&un, sizeof(un));
	return fd;
}

/* Fills the backlog; returns the number of connections that wait in it. */
static int
fill_unix(void)
{
	const struct addr *a = &list.items[list.n - 1];
	int fd, n = 0;

	while (n < FILLERS) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(fd, &a->u.sa, a->len) == -1) {
			ck_assert_int_eq(errno, EAGAIN);
			close(fd);
			return n;
		}
		n++;
	}
	ck_abort_msg("the backlog is never full");
	return n;
}

static void
unlink_unix(void)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/s", folder);
	unlink(path);
}

/* Dials as a tunnel does: asks at once, then whenever woken.  Returns dial_result(). */
static int
run(unsigned limit_ms, struct addr *addr, int *why)
{
	int fd, before;

	dial_start(&dial, loop, &list, &how, limit_ms, wake, &dial);
	ck_assert_ptr_null(list.items);
	for (;;) {
		before = woken;
		fd = dial_result(&dial, addr, why);
		if (fd != -1 || *why != 0)
			break;
		for (int i = 0; i < 2000 && woken == before; i++)
			turn(10);
		ck_assert_msg(woken > before, "never woken");
	}
	return fd;
}

/* The port that a socket is bound or connected to. */
static int
port_of(int fd, bool far)
{
	struct sockaddr_in sin = { 0 };
	socklen_t len = sizeof(sin);

	if (far)
		ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&sin, &len), 0);
	else
		ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	return ntohs(sin.sin_port);
}

static void
assert_reached(int fd, int listener, const struct addr *a)
{
	struct sockaddr_in sin;

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(port_of(fd, true), port_of(listener, false));
	memcpy(&sin, &a->u, sizeof(sin));
	ck_assert_int_eq(ntohs(sin.sin_port), port_of(listener, false));
}

START_TEST(connects)
{
	int listener, fd, why, before;
	struct addr a;

	begin();
	listener = add_listener(8);
	before = count_fds();
	fd = run(10000, &a, &why);
	assert_reached(fd, listener, &a);
	ck_assert_int_eq(why, 0);
	ck_assert_int_eq(count_fds(), before + 1);
	/* It is in working order and in no loop. */
	ck_assert_int_eq(write(fd, "x", 1), 1);
	woken = 0;
	turn(50);
	ck_assert_int_eq(woken, 0);
	dial_stop(&dial);
	ck_assert_int_eq(count_fds(), before + 1);
	end();
}
END_TEST

START_TEST(refused)
{
	int why, before;
	struct addr a;

	begin();
	add_refusing();
	before = count_fds();
	ck_assert_int_eq(run(10000, &a, &why), -1);
	ck_assert_int_eq(why, ECONNREFUSED);
	ck_assert_int_eq(count_fds(), before);
	/* Asked again it says the same. */
	ck_assert_int_eq(dial_result(&dial, &a, &why), -1);
	ck_assert_int_eq(why, ECONNREFUSED);
	dial_stop(&dial);
	dial_stop(&dial);
	end();
}
END_TEST

START_TEST(impossible)
{
	int why, before;
	struct addr a;

	begin();
	add_impossible();
	before = count_fds();
	ck_assert_int_eq(run(10000, &a, &why), -1);
	ck_assert_int_eq(why, ENETUNREACH);
	ck_assert_int_eq(count_fds(), before);
	dial_stop(&dial);
	end();
}
END_TEST

START_TEST(no_addresses)
{
	struct addr a;
	int why;

	begin();
	ck_assert_int_eq(run(10000, &a, &why), -1);
	ck_assert_int_eq(why, EHOSTUNREACH);
	dial_stop(&dial);
	end();
}
END_TEST

/* After a refusal the next address is tried at once, not at the next stagger. */
START_TEST(refusals_cost_no_time)
{
	uint64_t start = clock_ms();
	struct addr a;
	int listener, fd, why;

	begin();
	for (int i = 0; i < 40; i++)
		add_refusing();
	listener = add_listener(8);
	fd = run(10000, &a, &why);
	assert_reached(fd, listener, &a);
	/* Forty staggers are ten seconds. */
	ck_assert_uint_lt(clock_ms() - start, 40 * STAGGER_MS * 9 / 10);
	end();
}
END_TEST

/* A silent address holds up the next one for 250 ms, and loses the race. */
START_TEST(silent_address_is_overtaken)
{
	uint64_t start;
	struct addr a;
	int listener, fd, why, before;

	begin();
	add_silent();
	listener = add_listener(8);
	before = count_fds();
	start = loop_now(loop);
	fd = run(20000, &a, &why);
	assert_reached(fd, listener, &a);
	ck_assert_uint_ge(clock_ms() - start, STAGGER_MS - 5);
	ck_assert_uint_lt(clock_ms() - start, 10000);
	/* The loser is closed. */
	ck_assert_int_eq(count_fds(), before + 1);
	end();
}
END_TEST

/* A failure, late or at once, is no reason to wait either, though an earlier address is
 * still silent. */
START_TEST(refusals_behind_a_silent_one)
{
	uint64_t start;
	struct addr a;
	int listener, fd, why;

	begin();
	add_silent();
	for (int i = 0; i < 60; i++)
		_i == 0 ? add_refusing() : add_impossible();
	listener = add_listener(8);
	start = loop_now(loop);
	fd = run(20000, &a, &why);
	assert_reached(fd, listener, &a);
	/* One stagger for the silent one; one for each of the others would be fifteen seconds. */
	ck_assert_uint_lt(clock_ms() - start, 10000);
	end();
}
END_TEST

/* Two silent ones in front: each costs one stagger. */
START_TEST(staggers_add_up)
{
	uint64_t start;
	struct addr a;
	int listener, fd, why;

	begin();
	add_silent();
	add_silent();
	listener = add_listener(8);
	start = loop_now(loop);
	fd = run(20000, &a, &why);
	assert_reached(fd, listener, &a);
	ck_assert_uint_ge(clock_ms() - start, 2 * STAGGER_MS - 5);
	ck_assert_uint_lt(clock_ms() - start, 10000);
	end();
}
END_TEST

/* The first address is still in the race after the second one began. */
START_TEST(slow_first_address_can_win)
{
	struct addr a = { 0 };
	int first, before, fd = -1, why = 0;

	begin();
	first = add_silent();
	add_silent();
	before = count_fds();
	dial_start(&dial, loop, &list, &how, 20000, wake, &dial);
	ck_assert_int_eq(dial_result(&dial, &a, &why), -1);
	for (int i = 0; i < 8; i++) {
		turn(50);
		ck_assert_int_eq(dial_result(&dial, &a, &why), -1);
		ck_assert_int_eq(why, 0);
	}
	ck_assert_int_eq(count_fds(), before + 2);
	/* Now there is room in the first one's backlog; the kernel asks again in a second. */
	for (int i = 0; i < 2; i++)
		ck_assert_int_ne(close(accept(first, NULL, NULL)), -1);
	for (int i = 0; i < 1000 && fd == -1 && why == 0; i++) {
		turn(20);
		fd = dial_result(&dial, &a, &why);
	}
	assert_reached(fd, first, &a);
	end();
}
END_TEST

START_TEST(time_limit)
{
	uint64_t start;
	struct addr a;
	int why, before;

	begin();
	add_silent();
	before = count_fds();
	start = loop_now(loop);
	ck_assert_int_eq(run(300, &a, &why), -1);
	ck_assert_int_eq(why, ETIMEDOUT);
	ck_assert_uint_ge(clock_ms() - start, 295);
	ck_assert_uint_lt(clock_ms() - start, 15000);
	ck_assert_int_eq(count_fds(), before);
	dial_stop(&dial);
	end();
}
END_TEST

/* The limit is each attempt's own: the last address gets it whole. */
START_TEST(time_limit_of_each)
{
	uint64_t start;
	struct addr a;
	int why;

	begin();
	add_silent();
	add_silent();
	start = loop_now(loop);
	ck_assert_int_eq(run(400, &a, &why), -1);
	ck_assert_int_eq(why, ETIMEDOUT);
	ck_assert_uint_ge(clock_ms() - start, STAGGER_MS + 400 - 5);
	ck_assert_uint_lt(clock_ms() - start, 15000);
	dial_stop(&dial);
	end();
}
END_TEST

/* More addresses than may be dialled at once: the others wait for a place. */
START_TEST(only_so_many_at_once)
{
	int listener, before, most = 0, fd = -1, why = 0;
	struct addr a;

	begin();
	for (int i = 0; i < DIAL_AT_ONCE; i++)
		add_silent();
	listener = add_listener(8);
	before = count_fds();
	dial_start(&dial, loop, &list, &how, DIAL_AT_ONCE * STAGGER_MS, wake, &dial);
	for (int i = 0; i < 1000 && fd == -1 && why == 0; i++) {
		turn(20);
		if (count_fds() - before > most)
			most = count_fds() - before;
		fd = dial_result(&dial, &a, &why);
	}
	assert_reached(fd, listener, &a);
	ck_assert_int_eq(most, DIAL_AT_ONCE);
	ck_assert_int_eq(count_fds(), before + 1);
	end();
}
END_TEST

START_TEST(stopped_midway)
{
	int before;

	begin();
	add_silent();
	add_silent();
	before = count_fds();
	dial_start(&dial, loop, &list, &how, 20000, wake, &dial);
	for (int i = 0; i < 6; i++) {
		struct addr a;
		int why;

		turn(60);
		ck_assert_int_eq(dial_result(&dial, &a, &why), -1);
	}
	ck_assert_int_eq(count_fds(), before + 2);
	dial_stop(&dial);
	ck_assert_int_eq(count_fds(), before);
	woken = 0;
	turn(300);
	ck_assert_int_eq(woken, 0);
	end();
}
END_TEST

START_TEST(never_started)
{
	struct dial d = { 0 };

	dial_stop(&d);
}
END_TEST

START_TEST(unix_socket)
{
	int listener, fd, why;
	struct addr a;

	begin();
	listener = add_unix(true);
	fd = run(10000, &a, &why);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(a.u.sa.sa_family, AF_UNIX);
	ck_assert_int_ne(accept(listener, NULL, NULL), -1);
	unlink_unix();
	end();
}
END_TEST

START_TEST(unix_socket_missing)
{
	struct addr a;
	int why;

	begin();
	add_unix(false);
	ck_assert_int_eq(run(10000, &a, &why), -1);
	ck_assert_int_eq(why, ENOENT);
	dial_stop(&dial);
	end();
}
END_TEST

START_TEST(unix_socket_stale)
{
	struct addr a;
	int why;

	begin();
	close(add_unix(true));
	ck_assert_int_eq(run(10000, &a, &why), -1);
	ck_assert_int_eq(why, ECONNREFUSED);
	dial_stop(&dial);
	unlink_unix();
	end();
}
END_TEST

/* A unix socket with a full backlog says EAGAIN: it is asked again until there is room. */
START_TEST(unix_backlog_full_for_a_while)
{
	int listener, waiting, fd = -1, why = 0, turns = 0;
	struct addr a;

	begin();
	listener = add_unix(true);
	waiting = fill_unix();
	dial_start(&dial, loop, &list, &how, 20000, wake, &dial);
	for (int i = 0; i < 5; i++) {
		turn(30);
		ck_assert_int_eq(dial_result(&dial, &a, &why), -1);
		ck_assert_int_eq(why, 0);
	}
	/* It is patient, not busy. */
	woken = 0;
	for (uint64_t start = clock_ms(); clock_ms() - start < 200; turns++) {
		turn(100);
		ck_assert_int_eq(dial_result(&dial, &a, &why), -1);
	}
	ck_assert_int_le(woken, 100);
	while (waiting-- > 0)
		ck_assert_int_ne(close(accept(listener, NULL, NULL)), -1);
	for (int i = 0; i < 1000 && fd == -1 && why == 0; i++) {
		turn(20);
		fd = dial_result(&dial, &a, &why);
	}
	ck_assert_int_ne(fd, -1);
	unlink_unix();
	end();
}
END_TEST

START_TEST(unix_backlog_full_for_ever)
{
	uint64_t start;
	struct addr a;
	int why;

	begin();
	add_unix(true);
	fill_unix();
	start = loop_now(loop);
	ck_assert_int_eq(run(300, &a, &why), -1);
	ck_assert_int_eq(why, EAGAIN);
	ck_assert_uint_ge(clock_ms() - start, 295);
	ck_assert_uint_lt(clock_ms() - start, 15000);
	dial_stop(&dial);
	unlink_unix();
	end();
}
END_TEST

START_TEST(stopped_while_a_backlog_is_full)
{
	begin();
	add_unix(true);
	fill_unix();
	dial_start(&dial, loop, &list, &how, 20000, wake, &dial);
	turn(50);
	dial_stop(&dial);
	woken = 0;
	turn(100);
	ck_assert_int_eq(woken, 0);
	unlink_unix();
	end();
}
END_TEST

/* No descriptors left: an error, and nothing half open. */
START_TEST(out_of_descriptors)
{
	struct rlimit limit;
	struct addr a;
	int why;

	begin();
	add_listener(8);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 64;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while (dup(0) != -1)
		;
	ck_assert_int_eq(run(10000, &a, &why), -1);
	ck_assert_int_eq(why, EMFILE);
	dial_stop(&dial);
	end();
}
END_TEST

int
main(void)
{
	const char *tmp = getenv("TMPDIR");
	Suite *suite = suite_create("dial");
	TCase *tc = tcase_create("dial");
	SRunner *runner;
	int failed;

	snprintf(folder, sizeof(folder), "%.40s/dial.XXXXXX", tmp == NULL ? "/tmp" : tmp);
	if (mkdtemp(folder) == NULL) {
		perror(folder);
		return 1;
	}
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, connects);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, impossible);
	tcase_add_test(tc, no_addresses);
	tcase_add_test(tc, refusals_cost_no_time);
	tcase_add_test(tc, silent_address_is_overtaken);
	tcase_add_loop_test(tc, refusals_behind_a_silent_one, 0, 2);
	tcase_add_test(tc, staggers_add_up);
	tcase_add_test(tc, slow_first_address_can_win);
	tcase_add_test(tc, time_limit);
	tcase_add_test(tc, time_limit_of_each);
	tcase_add_test(tc, only_so_many_at_once);
	tcase_add_test(tc, stopped_midway);
	tcase_add_test(tc, never_started);
	tcase_add_test(tc, unix_socket);
	tcase_add_test(tc, unix_socket_missing);
	tcase_add_test(tc, unix_socket_stale);
	tcase_add_test(tc, unix_backlog_full_for_a_while);
	tcase_add_test(tc, unix_backlog_full_for_ever);
	tcase_add_test(tc, stopped_while_a_backlog_is_full);
	tcase_add_test(tc, out_of_descriptors);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	unlink_unix();
	rmdir(folder);
	return failed != 0;
}
