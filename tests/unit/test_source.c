/* tunnel/source: who may come in, how often, how many at once, and what is logged of it. */
#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tunnel/source.h"

#define START 1000000u

static struct sources *table;
static struct conf_service conf;
static char name[] = "web", other_name[] = "mail";
static struct addr_prefix allow[2], deny[2];
static char log_path[64];

static void
begin(void)
{
	int fd;

	strcpy(log_path, "/tmp/sluss-source-XXXXXX");
	ck_assert_int_ne(fd = mkstemp(log_path), -1);
	ck_assert_int_ne(dup2(fd, STDERR_FILENO), -1);
	close(fd);
	ck_assert_ptr_nonnull(table = sources_new());
	conf = (struct conf_service){ .name = name, .per_source_v4 = 32, .per_source_v6 = 64 };
}

static void
end(void)
{
	sources_free(table);
	unlink(log_path);
}

static const char *
logged(void)
{
	static char text[65536];
	int fd = open(log_path, O_RDONLY);
	ssize_t n;

	ck_assert_int_ne(fd, -1);
	ck_assert_int_ge(n = read(fd, text, sizeof(text) - 1), 0);
	text[n] = '\0';
	close(fd);
	return text;
}

static struct addr
address(const char *text)
{
	struct addr a = { .len = sizeof(a.u.in) };

	if (inet_pton(AF_INET, text, &a.u.in.sin_addr) == 1) {
		a.u.in.sin_family = AF_INET;
		return a;
	}
	a.len = sizeof(a.u.in6);
	ck_assert_int_eq(inet_pton(AF_INET6, text, &a.u.in6.sin6_addr), 1);
	a.u.in6.sin6_family = AF_INET6;
	return a;
}

static enum admission
admit_at(const char *text, uint64_t now, struct source **s)
{
	struct addr a = address(text);
	bool say;

	return source_admit(table, &conf, &a, now, s, &say);
}

static enum admission
admit(const char *text, struct source **s)
{
	return admit_at(text, START, s);
}

/* Comes and goes. */
static enum admission
visit(const char *text, uint64_t now)
{
	struct source *s;
	enum admission v = admit_at(text, now, &s);

	source_leave(s);
	return v;
}

START_TEST(no_limits)
{
	struct source *s[1000];

	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(admit("192.0.2.1", &s[i]), SOURCE_ADMITTED);
	for (int i = 0; i < 1000; i++)
		source_leave(s[i]);
}
END_TEST

START_TEST(max_per_source)
{
	struct source *s[4], *none;

	conf.max_per_source = 3;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(admit("192.0.2.1", &s[i]), SOURCE_ADMITTED);
	ck_assert_int_eq(admit("192.0.2.1", &none), SOURCE_CROWDED);
	ck_assert_ptr_null(none);
	/* Another one, and another section's, have places of their own. */
	ck_assert_int_eq(admit("192.0.2.2", &s[3]), SOURCE_ADMITTED);
	source_leave(s[3]);
	conf.name = other_name;
	ck_assert_int_eq(admit("192.0.2.1", &s[3]), SOURCE_ADMITTED);
	source_leave(s[3]);
	conf.name = name;
	/* One leaves, one comes; not two. */
	source_leave(s[1]);
	ck_assert_int_eq(admit("192.0.2.1", &s[1]), SOURCE_ADMITTED);
	ck_assert_int_eq(admit("192.0.2.1", &none), SOURCE_CROWDED);
	for (int i = 0; i < 3; i++)
		source_leave(s[i]);
}
END_TEST

START_TEST(a_prefix_is_one_source)
{
	struct source *s, *none;

	conf.max_per_source = 1;
	conf.per_source_v4 = 24;
	ck_assert_int_eq(admit("192.0.2.1", &s), SOURCE_ADMITTED);
	ck_assert_int_eq(admit("192.0.2.200", &none), SOURCE_CROWDED);
	ck_assert_int_eq(visit("192.0.3.1", START), SOURCE_ADMITTED);
	source_leave(s);
	ck_assert_int_eq(admit("2001:db8::1", &s), SOURCE_ADMITTED);
	ck_assert_int_eq(admit("2001:db8::ffff:1", &none), SOURCE_CROWDED);
	ck_assert_int_eq(visit("2001:db8:0:1::1", START), SOURCE_ADMITTED);
	source_leave(s);
}
END_TEST

/* A reload may change the limit, with tunnels there. */
START_TEST(the_limit_changes)
{
	struct source *s[2], *none;

	conf.max_per_source = 2;
	ck_assert_int_eq(admit("192.0.2.1", &s[0]), SOURCE_ADMITTED);
	ck_assert_int_eq(admit("192.0.2.1", &s[1]), SOURCE_ADMITTED);
	conf.max_per_source = 1;
	ck_assert_int_eq(admit("192.0.2.1", &none), SOURCE_CROWDED);
	source_leave(s[0]);
	ck_assert_int_eq(admit("192.0.2.1", &none), SOURCE_CROWDED);
	source_leave(s[1]);
	ck_assert_int_eq(visit("192.0.2.1", START), SOURCE_ADMITTED);
}
END_TEST

START_TEST(rate)
{
	uint64_t now = START;

	conf.handshake_rate = 5;
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(visit("192.0.2.1", now), SOURCE_ADMITTED);
	ck_assert_int_eq(visit("192.0.2.1", now), SOURCE_HASTY);
	ck_assert_int_eq(visit("192.0.2.2", now), SOURCE_ADMITTED);
	/* One every 200 ms. */
	ck_assert_int_eq(visit("192.0.2.1", now + 199), SOURCE_HASTY);
	ck_assert_int_eq(visit("192.0.2.1", now + 200), SOURCE_ADMITTED);
	ck_assert_int_eq(visit("192.0.2.1", now + 201), SOURCE_HASTY);
	/* A long silence saves up no more than a second's worth. */
	now += 3600000;
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(visit("192.0.2.1", now), SOURCE_ADMITTED);
	ck_assert_int_eq(visit("192.0.2.1", now), SOURCE_HASTY);
	/* The clock of another lane is a little behind: nothing is given for it. */
	ck_assert_int_eq(visit("192.0.2.1", now - 10), SOURCE_HASTY);
	ck_assert_int_eq(visit("192.0.2.1", now + 199), SOURCE_HASTY);
	ck_assert_int_eq(visit("192.0.2.1", now + 200), SOURCE_ADMITTED);
}
END_TEST

START_TEST(steady_rate)
{
	unsigned in = 0;

	conf.handshake_rate = 100;
	for (uint64_t ms = 0; ms < 10000; ms++)
		in += visit("192.0.2.1", START + ms) == SOURCE_ADMITTED;
	/* The first hundred at once, then a hundred a second. */
	ck_assert_uint_ge(in, 1090);
	ck_assert_uint_le(in, 1100);
}
END_TEST

static void
set(struct conf_prefixes *list, struct addr_prefix *items, const char *a, const char *b)
{
	struct errmsg why;

	list->items = items;
	list->n = b != NULL ? 2 : 1;
	ck_assert_int_eq(prefix_parse(a, &items[0], &why), 0);
	if (b != NULL)
		ck_assert_int_eq(prefix_parse(b, &items[1], &why), 0);
}

START_TEST(allow_and_deny)
{
	set(&conf.allow_from, allow, "10.0.0.0/8", "2001:db8::/32");
	ck_assert_int_eq(visit("10.1.2.3", START), SOURCE_ADMITTED);
	ck_assert_int_eq(visit("2001:db8:5::1", START), SOURCE_ADMITTED);
	ck_assert_int_eq(visit("11.1.2.3", START), SOURCE_DENIED);
	ck_assert_int_eq(visit("2001:db9::1", START), SOURCE_DENIED);
	/* What is denied is so although it is allowed. */
	set(&conf.deny_from, deny, "10.1.0.0/16", "::/0");
	ck_assert_int_eq(visit("10.1.2.3", START), SOURCE_DENIED);
	ck_assert_int_eq(visit("10.2.2.3", START), SOURCE_ADMITTED);
	ck_assert_int_eq(visit("2001:db8:5::1", START), SOURCE_DENIED);
	conf.allow_from.n = 0;
	ck_assert_int_eq(visit("192.0.2.1", START), SOURCE_ADMITTED);
	ck_assert_int_eq(visit("10.1.2.3", START), SOURCE_DENIED);
}
END_TEST

START_TEST(unix_sockets_have_no_source)
{
	struct addr a = { .len = sizeof(a.u.un), .u.un.sun_family = AF_UNIX };
	struct source *s;
	bool say;

	conf.max_per_source = 1;
	set(&conf.allow_from, allow, "10.0.0.0/8", NULL);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(source_admit(table, &conf, &a, START, &s, &say),
		    SOURCE_ADMITTED);
		ck_assert_ptr_null(s);
	}
	source_leave(NULL);
	ck_assert(source_may_log(NULL, START));
	ck_assert(!source_is_noisy(NULL, START));
}
END_TEST

/* Lines */

START_TEST(few_lines_then_a_count)
{
	struct source *s;

	ck_assert_int_eq(admit("192.0.2.1", &s), SOURCE_ADMITTED);
	for (int i = 0; i < SOURCE_LINES; i++)
		ck_assert(source_may_log(s, START));
	ck_assert_uint_eq(sources_tell(table, START), 0);
	ck_assert(!source_is_noisy(s, START));
	for (int i = 0; i < 123; i++)
		ck_assert(!source_may_log(s, START + 1));
	ck_assert(source_is_noisy(s, START + SOURCE_PERIOD_MS - 1));
	ck_assert(!source_is_noisy(s, START + SOURCE_PERIOD_MS));
	ck_assert_uint_eq(sources_tell(table, START + 2), START + SOURCE_PERIOD_MS);
	ck_assert_str_eq(logged(), "");
	ck_assert_uint_eq(sources_tell(table, START + SOURCE_PERIOD_MS), 0);
	ck_assert_ptr_nonnull(strstr(logged(), "LOG5[main]: Service [web] 123 more connections from "
	    "192.0.2.1 failed or were refused within 10 seconds\n"));
	/* Told once; and a new period has lines again. */
	ck_assert_uint_eq(sources_tell(table, START + 2 * SOURCE_PERIOD_MS), 0);
	ck_assert(source_may_log(s, START + SOURCE_PERIOD_MS));
	ck_assert_ptr_null(strstr(strstr(logged(), "123 more") + 8, "more"));
	source_leave(s);
}
END_TEST

START_TEST(the_next_period_tells_of_the_last)
{
	struct source *s;

	conf.per_source_v4 = 24;
	ck_assert_int_eq(admit("192.0.2.1", &s), SOURCE_ADMITTED);
	for (int i = 0; i < SOURCE_LINES + 7; i++)
		source_may_log(s, START);
	/* A clock that is behind is no new period. */
	ck_assert(!source_may_log(s, START - 100));
	ck_assert(source_may_log(s, START + SOURCE_PERIOD_MS));
	ck_assert_ptr_nonnull(strstr(logged(), " 8 more connections from 192.0.2.0/24 failed"));
	source_leave(s);
}
END_TEST

START_TEST(refused_ones_count_as_well)
{
	struct addr a = address("192.0.2.1");
	struct source *s;
	unsigned said = 0;
	bool say;

	set(&conf.deny_from, deny, "192.0.2.0/24", NULL);
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(source_admit(table, &conf, &a, START, &s, &say), SOURCE_DENIED);
		said += say;
	}
	ck_assert_uint_eq(said, SOURCE_LINES);
	ck_assert_uint_eq(sources_tell(table, UINT64_MAX), 0);
	ck_assert_ptr_nonnull(strstr(logged(), " 990 more connections from 192.0.2.1 failed"));
}
END_TEST

/* Bounds */

/* More sources than are remembered: nothing is lost of those with tunnels, and what was not
 * logged of one that is forgotten is told. */
START_TEST(the_table_is_bounded)
{
	struct source *here, *s;
	char text[INET6_ADDRSTRLEN];

	conf.max_per_source = 1;
	ck_assert_int_eq(admit("192.0.2.1", &here), SOURCE_ADMITTED);
	ck_assert_int_eq(admit("192.0.2.77", &s), SOURCE_ADMITTED);
	for (int i = 0; i < SOURCE_LINES + 5; i++)
		source_may_log(s, START);
	source_leave(s);
	for (unsigned i = 0; i < 3 * SOURCES_IDLE; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.1", i >> 8, i & 255);
		ck_assert_int_eq(visit(text, START), SOURCE_ADMITTED);
	}
	ck_assert_ptr_nonnull(strstr(logged(), " 5 more connections from 192.0.2.77 failed"));
	ck_assert_int_eq(admit("192.0.2.1", &s), SOURCE_CROWDED);
	source_leave(here);
	ck_assert_int_eq(visit("192.0.2.1", START), SOURCE_ADMITTED);
}
END_TEST

/* The one seen last is forgotten last: its rate holds while others come and go. */
START_TEST(who_comes_again_is_remembered)
{
	char text[INET6_ADDRSTRLEN];

	conf.handshake_rate = 1;
	ck_assert_int_eq(visit("192.0.2.1", START), SOURCE_ADMITTED);
	for (unsigned i = 0; i < 3 * SOURCES_IDLE; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.1", i >> 8, i & 255);
		visit(text, START);
		if (i % 1000 == 0)
			ck_assert_int_eq(visit("192.0.2.1", START), SOURCE_HASTY);
	}
}
END_TEST

#define THREADS 4
#define ROUNDS 20000

static atomic_uint here, most, admitted;

static void *
come_and_go(void *arg)
{
	struct addr a = address(arg);
	struct source *s;
	bool say;

	for (int i = 0; i < ROUNDS; i++) {
		if (source_admit(table, &conf, &a, START, &s, &say) != SOURCE_ADMITTED)
			continue;
		unsigned n = atomic_fetch_add(&here, 1) + 1, m = atomic_load(&most);

		while (n > m && !atomic_compare_exchange_weak(&most, &m, n))
			;
		atomic_fetch_add(&admitted, 1);
		atomic_fetch_sub(&here, 1);
		source_leave(s);
	}
	return NULL;
}

START_TEST(threads)
{
	static char from[] = "192.0.2.1";
	pthread_t t[THREADS];
	struct source *s[2], *none;

	conf.max_per_source = 2;
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, come_and_go, from), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	ck_assert_uint_gt(atomic_load(&admitted), 0);
	ck_assert_uint_le(atomic_load(&most), 2);
	/* Every place was given back, once. */
	ck_assert_int_eq(admit(from, &s[0]), SOURCE_ADMITTED);
	ck_assert_int_eq(admit(from, &s[1]), SOURCE_ADMITTED);
	ck_assert_int_eq(admit(from, &none), SOURCE_CROWDED);
	source_leave(s[0]);
	source_leave(s[1]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("source");
	TCase *tc = tcase_create("source");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, no_limits);
	tcase_add_test(tc, max_per_source);
	tcase_add_test(tc, a_prefix_is_one_source);
	tcase_add_test(tc, the_limit_changes);
	tcase_add_test(tc, rate);
	tcase_add_test(tc, steady_rate);
	tcase_add_test(tc, allow_and_deny);
	tcase_add_test(tc, unix_sockets_have_no_source);
	tcase_add_test(tc, few_lines_then_a_count);
	tcase_add_test(tc, the_next_period_tells_of_the_last);
	tcase_add_test(tc, refused_ones_count_as_well);
	tcase_add_test(tc, the_table_is_bounded);
	tcase_add_test(tc, who_comes_again_is_remembered);
	tcase_add_test(tc, threads);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
