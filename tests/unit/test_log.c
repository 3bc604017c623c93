/* base/log: what a line looks like, and that a stderr nobody reads delays nobody. */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define TEXT_MAX ((size_t)32 * 1024 * 1024)
#define LINE_BYTES 2048
#define STAMP "[0-9]{4}\\.[0-9]{2}\\.[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} "

/* Our end of the pipe that stands in for stderr, and what came out of it. */
static int err_fd;
static char *text;
static size_t text_len;

/* Each test is a process of its own, so that stderr can be replaced. */
static void
take_stderr(void)
{
	int pair[2];

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe(pair), 0);
	ck_assert_int_ne(dup2(pair[1], STDERR_FILENO), -1);
	close(pair[1]);
	err_fd = pair[0];
	ck_assert_int_ne(fcntl(err_fd, F_SETFL, O_NONBLOCK), -1);
	ck_assert_ptr_nonnull(text = malloc(TEXT_MAX));
	text[0] = '\0';
}

/* Reads until nothing came for so long; returns the whole text. */
static const char *
read_stderr(int quiet_ms)
{
	struct pollfd pfd = { .fd = err_fd, .events = POLLIN };
	ssize_t n;

	while (poll(&pfd, 1, quiet_ms) == 1) {
		n = read(err_fd, text + text_len, TEXT_MAX - 1 - text_len);
		if (n <= 0)
			break;
		text_len += (size_t)n;
	}
	text[text_len] = '\0';
	return text;
}

static void
assert_like(const char *have, const char *pattern)
{
	regex_t re;

	ck_assert_int_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&re, have, 0, NULL, 0) != 0)
		ck_abort_msg("\"%s\" is not like \"%s\"", have, pattern);
	regfree(&re);
}

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

START_TEST(format)
{
	take_stderr();
	log_line(LOG_NOTICE, "main", "hello %d%s", 7, "!");
	log_line(LOG_ERR, "42", "bad");
	assert_like(read_stderr(0),
	    "^" STAMP "LOG5\\[main\\]: hello 7!\n" STAMP "LOG3\\[42\\]: bad\n$");
}
END_TEST

START_TEST(local_time)
{
	time_t before, stamp;
	struct tm tm = { .tm_isdst = -1 };

	take_stderr();
	setenv("TZ", "XYZ-5:45", 1);
	tzset();
	before = time(NULL);
	log_line(LOG_NOTICE, "main", "now");
	ck_assert_ptr_nonnull(strptime(read_stderr(0), "%Y.%m.%d %H:%M:%S", &tm));
	stamp = mktime(&tm);
	ck_assert_int_ge(stamp, before);
	ck_assert_int_le(stamp, time(NULL));
}
END_TEST

START_TEST(level_filter)
{
	take_stderr();
	ck_assert(log_wants(LOG_NOTICE));
	ck_assert(!log_wants(LOG_INFO));
	log_line(LOG_INFO, "main", "not by default");
	log_level(LOG_INFO);
	ck_assert(log_wants(LOG_INFO));
	ck_assert(!log_wants(LOG_DEBUG));
	log_line(LOG_INFO, "main", "now");
	log_line(LOG_DEBUG, "main", "never");
	log_level(LOG_ERR);
	log_line(LOG_WARNING, "main", "no more");
	log_line(LOG_CRIT, "main", "always");
	assert_like(read_stderr(0),
	    "^" STAMP "LOG6\\[main\\]: now\n" STAMP "LOG2\\[main\\]: always\n$");
}
END_TEST

/* A peer that puts control characters into a name must not forge a line. */
START_TEST(control_characters)
{
	char all[256];

	take_stderr();
	for (int c = 1; c < 256; c++)
		all[c - 1] = (char)c;
	all[255] = '\0';
	log_line(LOG_NOTICE, "a\nb", "%s", all);
	read_stderr(0);
	ck_assert_ptr_eq(strchr(text, '\n'), text + text_len - 1);
	for (size_t i = 0; i + 1 < text_len; i++)
		ck_assert((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
	assert_like(text, "LOG5\\[a\\.b\\]: \\.{31} !\"#");
	/* What is not ASCII stays: names are in UTF-8. */
	log_line(LOG_NOTICE, "main", "r\xc3\xa4ksm\xc3\xb6rg\xc3\xa5s");
	ck_assert_ptr_nonnull(
	    strstr(read_stderr(0), "r\xc3\xa4ksm\xc3\xb6rg\xc3\xa5s\n"));
}
END_TEST

START_TEST(long_lines_are_cut)
{
	static char big[5000];

	take_stderr();
	memset(big, 'x', sizeof(big) - 1);
	log_line(LOG_NOTICE, "main", "%s", big);
	read_stderr(0);
	ck_assert_uint_eq(text_len, LINE_BYTES);
	ck_assert_ptr_eq(strchr(text, '\n'), text + LINE_BYTES - 1);
	/* An id has no bound of its own. */
	text_len = 0;
	log_line(LOG_NOTICE, big, "y");
	read_stderr(0);
	ck_assert_uint_eq(text_len, LINE_BYTES);
	ck_assert_ptr_eq(strchr(text, '\n'), text + LINE_BYTES - 1);
}
END_TEST

/* A line that just fits is whole; one byte more costs one byte. */
START_TEST(cut_is_exact)
{
	static char fill[LINE_BYTES];
	size_t prefix;

	take_stderr();
	log_line(LOG_NOTICE, "main", "%s", "");
	read_stderr(0);
	prefix = text_len - 1;
	memset(fill, 'x', LINE_BYTES - 1 - prefix);
	fill[LINE_BYTES - 2 - prefix] = 'L';
	text_len = 0;
	log_line(LOG_NOTICE, "main", "%s", fill);
	read_stderr(0);
	ck_assert_uint_eq(text_len, LINE_BYTES);
	ck_assert_int_eq(text[LINE_BYTES - 2], 'L');
	text_len = 0;
	log_line(LOG_NOTICE, "main", "x%s", fill);
	read_stderr(0);
	ck_assert_uint_eq(text_len, LINE_BYTES);
	ck_assert_int_eq(text[LINE_BYTES - 2], 'x');
}
END_TEST

START_TEST(written_at_once_before_start)
{
	take_stderr();
	log_line(LOG_NOTICE, "main", "first");
	assert_like(read_stderr(0), "first\n$");
}
END_TEST

START_TEST(stop_writes_what_is_queued)
{
	take_stderr();
	log_stop(); /* never started */
	ck_assert_int_eq(log_start(), 0);
	for (int i = 0; i < 100; i++)
		log_line(LOG_NOTICE, "main", "line %d", i);
	log_stop();
	assert_like(read_stderr(0), "line 0\n.*line 99\n$");
	/* Afterwards a line is written at once again, and all can begin anew. */
	log_line(LOG_NOTICE, "main", "behind");
	assert_like(read_stderr(0), "line 99\n[^\n]*behind\n$");
	ck_assert_int_eq(log_start(), 0);
	log_line(LOG_NOTICE, "main", "again");
	log_stop();
	assert_like(read_stderr(0), "behind\n[^\n]*again\n$");
}
END_TEST

/* The number of lines like "... load NUMBER xxx…", all whole and in ascending order. */
static unsigned
count_load(unsigned *last)
{
	char *line = text, *end, *load;
	unsigned n = 0, number;

	for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*end = '\0';
		if ((load = strstr(line, "load ")) == NULL)
			continue;
		ck_assert_int_eq(sscanf(load, "load %u", &number), 1);
		if (n > 0 && number <= *last)
			ck_abort_msg("line %u after line %u", number, *last);
		ck_assert_uint_eq(strlen(strchr(load, 'x')), 100);
		*last = number;
		n++;
	}
	ck_assert_msg(*line == '\0', "half a line at the end");
	return n;
}

static unsigned
count_dropped(void)
{
	const char *p = text;
	unsigned sum = 0, n;

	while ((p = strstr(p, "LOG4[main]: ")) != NULL) {
		p += strlen("LOG4[main]: ");
		if (sscanf(p, "%u log lines dropped", &n) == 1)
			sum += n;
	}
	return sum;
}

/* Far more than queue and pipe hold, while nobody reads. */
START_TEST(blocked_stderr_delays_nobody)
{
	const unsigned lines = 50000;
	char fill[101];
	unsigned seen, dropped, last = 0;
	double start;

	memset(fill, 'x', 100);
	fill[100] = '\0';
	take_stderr();
	ck_assert_int_eq(log_start(), 0);
	start = seconds();
	for (unsigned i = 0; i < lines; i++)
		log_line(LOG_NOTICE, "main", "load %u %s", i, fill);
	ck_assert_msg(seconds() - start < 20, "logging was held up");
	read_stderr(1000);
	/* There is room again: the loss has been told already. */
	dropped = count_dropped();
	ck_assert_uint_gt(dropped, 0);
	log_line(LOG_NOTICE, "main", "load %u %s", lines, fill);
	log_stop();
	read_stderr(0);
	seen = count_load(&last);
	ck_assert_uint_eq(last, lines);
	ck_assert_uint_eq(seen + dropped, lines + 1);
	/* A few seconds' worth was kept. */
	ck_assert_uint_gt(seen, 1000);
}
END_TEST

START_TEST(stop_gives_up_on_a_blocked_stderr)
{
	double start;

	take_stderr();
	ck_assert_int_eq(log_start(), 0);
	for (int i = 0; i < 20000; i++)
		log_line(LOG_NOTICE, "main", "%d", i);
	start = seconds();
	log_stop();
	ck_assert_msg(seconds() - start > 1, "stop did not wait");
	ck_assert_msg(seconds() - start < 20, "stop hangs");
}
END_TEST

START_TEST(gone_stderr_is_survived)
{
	take_stderr();
	close(err_fd);
	log_line(LOG_NOTICE, "main", "to nobody");
	ck_assert_int_eq(log_start(), 0);
	for (int i = 0; i < 1000; i++)
		log_line(LOG_NOTICE, "main", "to nobody");
	log_stop();
	close(STDERR_FILENO);
	log_line(LOG_NOTICE, "main", "to nothing");
}
END_TEST

/* stderr may be shared with somebody who made it non-blocking. */
START_TEST(nonblocking_stderr_loses_nothing)
{
	char fill[101];
	unsigned last = 0;

	memset(fill, 'x', 100);
	fill[100] = '\0';
	take_stderr();
	ck_assert_int_ne(fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK), -1);
	ck_assert_int_eq(log_start(), 0);
	/* More than a pipe holds, less than pipe and queue. */
	for (unsigned i = 0; i < 1200; i++)
		log_line(LOG_NOTICE, "main", "load %u %s", i, fill);
	read_stderr(1000);
	log_stop();
	read_stderr(0);
	ck_assert_uint_eq(count_load(&last), 1200);
}
END_TEST

#define TALKERS 4
/* All of it fits the queue: nothing may be dropped. */
#define EACH 1500

static atomic_uint talking;

static void *
talk(void *arg)
{
	const char *name = arg;

	for (int i = 0; i < EACH; i++)
		log_line(LOG_NOTICE, name, "%d", i);
	atomic_fetch_sub(&talking, 1);
	return NULL;
}

static void *
collect(void *arg)
{
	struct pollfd pfd = { .fd = err_fd, .events = POLLIN };
	ssize_t n;

	while (poll(&pfd, 1, 20000) == 1) {
		n = read(err_fd, text + text_len, TEXT_MAX - 1 - text_len);
		if (n <= 0)
			break;
		text_len += (size_t)n;
	}
	text[text_len] = '\0';
	return arg;
}

/* Whether each talker's lines all came, whole, in its order. */
static void
assert_all_came(void)
{
	unsigned next[TALKERS] = { 0 }, number;
	char *line, *end, who;

	for (line = text; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*end = '\0';
		if (sscanf(line, "%*s %*s LOG5[%c]: %u", &who, &number) != 2 ||
		    who < 'a' || who >= 'a' + TALKERS)
			ck_abort_msg("odd line \"%s\"", line);
		if (number != next[who - 'a']++)
			ck_abort_msg("talker %c: line %u, wanted %u", who, number,
			    next[who - 'a'] - 1);
	}
	for (int i = 0; i < TALKERS; i++)
		ck_assert_uint_eq(next[i], EACH);
}

/*
 * Several threads log; meanwhile the log is started and stopped (_i times at most): a
 * line goes the one way or the other, but not astray.
 */
START_TEST(threads_talk)
{
	static char names[TALKERS][2] = { "a", "b", "c", "d" };
	pthread_t talkers[TALKERS], collector;
	unsigned rounds = 0;

	take_stderr();
	ck_assert_int_eq(pthread_create(&collector, NULL, collect, NULL), 0);
	atomic_store(&talking, TALKERS);
	for (int i = 0; i < TALKERS; i++)
		ck_assert_int_eq(pthread_create(&talkers[i], NULL, talk, names[i]), 0);
	while (_i > 0 && atomic_load(&talking) > 0 && rounds++ < (unsigned)_i) {
		ck_assert_int_eq(log_start(), 0);
		log_stop();
	}
	for (int i = 0; i < TALKERS; i++)
		pthread_join(talkers[i], NULL);
	log_stop();
	close(STDERR_FILENO);
	pthread_join(collector, NULL);
	assert_all_came();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("log");
	TCase *tc = tcase_create("log");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, format);
	tcase_add_test(tc, local_time);
	tcase_add_test(tc, level_filter);
	tcase_add_test(tc, control_characters);
	tcase_add_test(tc, long_lines_are_cut);
	tcase_add_test(tc, cut_is_exact);
	tcase_add_test(tc, written_at_once_before_start);
	tcase_add_test(tc, stop_writes_what_is_queued);
	tcase_add_test(tc, blocked_stderr_delays_nobody);
	tcase_add_test(tc, stop_gives_up_on_a_blocked_stderr);
	tcase_add_test(tc, gone_stderr_is_survived);
	tcase_add_test(tc, nonblocking_stderr_loses_nothing);
	tcase_add_loop_test(tc, threads_talk, 0, 1);
	tcase_add_loop_test(tc, threads_talk, 200, 201);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
