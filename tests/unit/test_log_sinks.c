/* base/log: files, syslog, JSON, lines kept while starting, speakers with a level of theirs. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

#define STAMP "[0-9]{4}\\.[0-9]{2}\\.[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} "
#define PATIENCE_MS 20000

static char folder[64];
static struct errmsg why;
static char got[65536];

/* Each test is a process of its own; stderr becomes a file in its folder. */
static void
begin(void)
{
	strcpy(folder, "/tmp/sluss-log-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	signal(SIGPIPE, SIG_IGN);
}

static const char *
path(const char *name)
{
	static char text[4][128];
	static int i;

	snprintf(text[i % 4], sizeof(text[0]), "%s/%s", folder, name);
	return text[i++ % 4];
}

static void
take_stderr(void)
{
	int fd = open(path("stderr"), O_WRONLY | O_CREAT | O_APPEND, 0600);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_ne(dup2(fd, STDERR_FILENO), -1);
	close(fd);
}

static void
end(void)
{
	static const char *const names[] = { "stderr", "log", "log.1", "other", "socket" };

	log_stop();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(path(names[i]));
	ck_assert_int_eq(rmdir(folder), 0);
}

static const char *
contents(const char *name)
{
	int fd = open(path(name), O_RDONLY);
	ssize_t n;

	ck_assert_msg(fd != -1, "%s: %s", name, strerror(errno));
	ck_assert_int_ge(n = read(fd, got, sizeof(got) - 1), 0);
	got[n] = '\0';
	close(fd);
	return got;
}

static bool
like(const char *have, const char *pattern)
{
	regex_t re;
	bool hit;

	ck_assert_int_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	hit = regexec(&re, have, 0, NULL, 0) == 0;
	regfree(&re);
	return hit;
}

static void
assert_like(const char *have, const char *pattern)
{
	ck_assert_msg(like(have, pattern), "\"%s\" is not like \"%s\"", have, pattern);
}

/* The writer takes its time. */
static void
wait_like(const char *name, const char *pattern)
{
	for (int ms = 0; ms < PATIENCE_MS && !like(contents(name), pattern); ms += 5)
		usleep(5000);
	assert_like(contents(name), pattern);
}

static void
open_log(struct log_config c)
{
	ck_assert_msg(log_open(&c, &why) == 0, "%s", why.text);
}

START_TEST(file_alone)
{
	struct stat st;

	take_stderr();
	umask(0);
	open_log((struct log_config){ .file = path("log") });
	log_line(LOG_NOTICE, "main", "in a file");
	assert_like(contents("log"), "^" STAMP "LOG5\\[main\\]: in a file\n$");
	ck_assert_str_eq(contents("stderr"), "");
	ck_assert_int_eq(stat(path("log"), &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0640);
}
END_TEST

START_TEST(file_and_stderr)
{
	take_stderr();
	open_log((struct log_config){ .file = path("log"), .to_stderr = true });
	ck_assert_int_eq(log_start(), 0);
	log_line(LOG_NOTICE, "main", "twice");
	log_stop();
	assert_like(contents("log"), "^" STAMP "LOG5\\[main\\]: twice\n$");
	assert_like(contents("stderr"), "^" STAMP "LOG5\\[main\\]: twice\n$");
}
END_TEST

START_TEST(neither)
{
	take_stderr();
	open_log((struct log_config){ .json = true });
	log_line(LOG_ERR, "main", "to nobody");
	ck_assert_str_eq(contents("stderr"), "");
}
END_TEST

START_TEST(append_and_overwrite)
{
	take_stderr();
	open_log((struct log_config){ .file = path("log") });
	log_line(LOG_NOTICE, "main", "one");
	open_log((struct log_config){ .file = path("log") });
	log_line(LOG_NOTICE, "main", "two");
	assert_like(contents("log"), "one\n.*two\n$");
	open_log((struct log_config){ .file = path("log"), .overwrite = true });
	log_line(LOG_NOTICE, "main", "three");
	assert_like(contents("log"), "^[^\n]*three\n$");
	/* Opening anew loses nothing. */
	ck_assert_int_eq(log_reopen(&why), 0);
	log_line(LOG_NOTICE, "main", "four");
	assert_like(contents("log"), "^[^\n]*three\n[^\n]*four\n$");
}
END_TEST

/* As logrotate does it; the writer goes over to the new file (_i: with a writer). */
START_TEST(reopen_after_rename)
{
	take_stderr();
	open_log((struct log_config){ .file = path("log") });
	if (_i == 1)
		ck_assert_int_eq(log_start(), 0);
	log_line(LOG_NOTICE, "main", "before");
	wait_like("log", "before\n$");
	ck_assert_int_eq(rename(path("log"), path("log.1")), 0);
	log_line(LOG_NOTICE, "main", "still there");
	wait_like("log.1", "before\n.*still there\n$");
	ck_assert_int_eq(log_reopen(&why), 0);
	log_line(LOG_NOTICE, "main", "behind");
	wait_like("log", "^[^\n]*behind\n$");
	assert_like(contents("log.1"), "still there\n$");
}
END_TEST

START_TEST(what_cannot_be_opened)
{
	struct log_config c = { .file = path("none/log") };

	take_stderr();
	open_log((struct log_config){ .file = path("log") });
	ck_assert_int_eq(log_open(&c, &why), -1);
	assert_like(why.text, "^output = .*/none/log: No such file or directory$");
	log_line(LOG_NOTICE, "main", "goes on");
	assert_like(contents("log"), "goes on\n$");
	/* A folder in the way of the reopening. */
	ck_assert_int_eq(rename(path("log"), path("log.1")), 0);
	ck_assert_int_eq(mkdir(path("log"), 0700), 0);
	ck_assert_int_eq(log_reopen(&why), -1);
	log_line(LOG_NOTICE, "main", "and on");
	assert_like(contents("log.1"), "goes on\n.*and on\n$");
	ck_assert_int_eq(rmdir(path("log")), 0);
}
END_TEST

START_TEST(standard_output)
{
	int fd;

	take_stderr();
	ck_assert_int_ne(fd = open(path("other"), O_WRONLY | O_CREAT, 0600), -1);
	ck_assert_int_ne(dup2(fd, STDOUT_FILENO), -1);
	open_log((struct log_config){ .file = "/dev/stdout" });
	log_line(LOG_NOTICE, "main", "to stdout");
	assert_like(contents("other"), "^" STAMP "LOG5\\[main\\]: to stdout\n$");
	/* A socket has no name in /dev. */
	ck_assert_int_ne(fd = socket(AF_UNIX, SOCK_DGRAM, 0), -1);
	ck_assert_int_ne(dup2(fd, STDOUT_FILENO), -1);
	open_log((struct log_config){ .file = "/dev/stdout" });
	log_line(LOG_NOTICE, "main", "to nobody");
}
END_TEST

/* A full disk: what was lost is told once there is room, and no line is half. */
START_TEST(full_disk)
{
	int fd;

	take_stderr();
	ck_assert_int_ne(fd = open("/dev/full", O_WRONLY), -1);
	ck_assert_int_ne(dup2(fd, STDOUT_FILENO), -1);
	open_log((struct log_config){ .file = "/dev/stdout", .to_stderr = true });
	log_line(LOG_NOTICE, "main", "one");
	log_line(LOG_NOTICE, "main", "two");
	assert_like(contents("stderr"), "one\n.*two\n$");
	ck_assert_int_eq(symlink("/dev/full", path("log")), 0);
	open_log((struct log_config){ .file = path("log") });
	log_line(LOG_NOTICE, "main", "three");
	log_line(LOG_NOTICE, "main", "four");
	log_stop();
}
END_TEST

/* A file-size limit is such a disk that has room again. */
START_TEST(room_again)
{
	int pair[2];
	char c;

	take_stderr();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	ck_assert_int_ne(dup2(pair[0], STDOUT_FILENO), -1);
	close(pair[0]);
	ck_assert_int_eq(shutdown(STDOUT_FILENO, SHUT_WR), 0);
	open_log((struct log_config){ .file = "/dev/stdout" });
	log_line(LOG_NOTICE, "main", "one");
	log_line(LOG_NOTICE, "main", "two");
	/* The very descriptor works again: no reopening, which would forget. */
	for (int fd = 3; fd < 64; fd++) {
		struct stat a, b;

		if (fd != pair[1] && fstat(fd, &a) == 0 && fstat(STDOUT_FILENO, &b) == 0 &&
		    a.st_ino == b.st_ino && a.st_dev == b.st_dev) {
			int file = open(path("log"), O_WRONLY | O_CREAT | O_APPEND, 0600);

			ck_assert_int_ne(dup2(file, fd), -1);
			close(file);
		}
	}
	log_line(LOG_NOTICE, "main", "three");
	assert_like(contents("log"), "^" STAMP "LOG4\\[main\\]: 2 log lines lost: /dev/stdout: "
	    "Broken pipe\n" STAMP "LOG5\\[main\\]: three\n$");
	ck_assert_int_eq(read(pair[1], &c, 1), 0);
}
END_TEST

/* Of all lines of a file, those with the word. */
static int
count_lines(const char *name, const char *word)
{
	FILE *f = fopen(path(name), "r");
	char line[512];
	int n = 0;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, word) != NULL;
	fclose(f);
	return n;
}

/* What came through a pipe so far. */
static size_t
drain(int fd, char *to, size_t n, size_t cap)
{
	ssize_t got_now;

	while ((got_now = read(fd, to + n, cap - 1 - n)) > 0)
		n += (size_t)got_now;
	to[n] = '\0';
	return n;
}

/* A pipe that nobody reads costs its own lines only, and tells how many once it is read. */
START_TEST(one_of_two_is_stuck)
{
	static char all[1 << 20];
	char fill[101];
	int pair[2], lost = 0, seen = 0, number;
	size_t n;

	memset(fill, 'x', 100);
	fill[100] = '\0';
	ck_assert_int_eq(pipe(pair), 0);
	ck_assert_int_ne(dup2(pair[1], STDERR_FILENO), -1);
	close(pair[1]);
	ck_assert_int_ne(fcntl(pair[0], F_SETFL, O_NONBLOCK), -1);
	open_log((struct log_config){ .file = path("log"), .to_stderr = true });
	ck_assert_int_eq(log_start(), 0);
	/* A thousand lines fit the queue, half of them the pipe. */
	for (int round = 1; round <= 4; round++) {
		for (int i = 0; i < 1000; i++)
			log_line(LOG_NOTICE, "main", "line %d %s", i, fill);
		for (int ms = 0; ms < PATIENCE_MS &&
		    count_lines("log", "]: line ") < 1000 * round; ms += 20)
			usleep(20000);
		ck_assert_int_eq(count_lines("log", "]: line "), 1000 * round);
	}
	n = drain(pair[0], all, 0, sizeof(all));
	log_line(LOG_NOTICE, "main", "behind");
	log_stop();
	drain(pair[0], all, n, sizeof(all));
	for (const char *p = all; (p = strstr(p, "LOG")) != NULL; p++)
		if (sscanf(p, "LOG4[main]: %d log lines lost: stderr", &number) == 1)
			lost += number;
		else if (sscanf(p, "LOG5[main]: line %d x", &number) == 1)
			seen++;
	ck_assert_int_gt(lost, 0);
	ck_assert_ptr_nonnull(strstr(all, "LOG5[main]: behind\n"));
	/* One that was torn is both. */
	ck_assert_int_ge(seen + lost, 4000);
	ck_assert_int_le(seen + lost, 4001);
	close(pair[0]);
}
END_TEST

/* Syslog */

static int
listen_syslog(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	strcpy(un.sun_path, path("socket"));
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static const char *
hear(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	ssize_t n;

	ck_assert_int_eq(poll(&pfd, 1, PATIENCE_MS), 1);
	ck_assert_int_ge(n = recv(fd, got, sizeof(got) - 1, 0), 0);
	got[n] = '\0';
	return got;
}

#define SYSLOG_STAMP "[A-Z][a-z]{2} [ 123][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} "

START_TEST(syslog_lines)
{
	int fd = listen_syslog();

	take_stderr();
	open_log((struct log_config){ .to_syslog = true, .facility = LOG_AUTHPRIV,
	    .ident = "stunnel", .syslog_path = path("socket"), .json = true });
	log_line(LOG_NOTICE, "17", "hello\nworld");
	/* authpriv is 10: 10 * 8 + 5. */
	assert_like(hear(fd), "^<85>" SYSLOG_STAMP "stunnel: LOG5\\[17\\]: hello\\.world$");
	open_log((struct log_config){ .to_syslog = true, .facility = LOG_DAEMON,
	    .syslog_path = path("socket") });
	log_line(LOG_ERR, "main", "bad");
	assert_like(hear(fd), "^<27>" SYSLOG_STAMP "sluss: LOG3\\[main\\]: bad$");
	ck_assert_str_eq(contents("stderr"), "");
}
END_TEST

/* The daemon is not there yet; then it is; then it is another one. */
START_TEST(syslog_comes_and_goes)
{
	int fd;

	take_stderr();
	open_log((struct log_config){ .to_syslog = true, .to_stderr = true,
	    .facility = LOG_DAEMON, .syslog_path = path("socket") });
	log_line(LOG_NOTICE, "main", "one");
	log_line(LOG_NOTICE, "main", "two");
	assert_like(contents("stderr"), "one\n.*two\n$");
	fd = listen_syslog();
	sleep(2); /* it is not looked for at every line */
	log_line(LOG_NOTICE, "main", "three");
	assert_like(hear(fd), "LOG5\\[main\\]: three$");
	assert_like(hear(fd), "LOG4\\[main\\]: 2 log lines lost: syslog: ");
	close(fd);
	unlink(path("socket"));
	fd = listen_syslog();
	log_line(LOG_NOTICE, "main", "four");
	assert_like(hear(fd), "LOG5\\[main\\]: four$");
	close(fd);
}
END_TEST

/* Nobody reads it: its queue is full, and the other sink gets every line. */
START_TEST(syslog_that_hangs)
{
	int fd = listen_syslog();

	take_stderr();
	open_log((struct log_config){ .to_syslog = true, .file = path("log"),
	    .facility = LOG_DAEMON, .syslog_path = path("socket") });
	ck_assert_int_eq(log_start(), 0);
	for (int i = 0; i < 20; i++)
		log_line(LOG_NOTICE, "main", "line %d.", i);
	wait_like("log", "line 19\\.\n$");
	close(fd);
}
END_TEST

/* JSON */

START_TEST(json)
{
	struct log_speaker who = { .id = "7", .service = "my \"web\"", .level = -1 };

	take_stderr();
	setenv("TZ", "XYZ-5:45", 1);
	open_log((struct log_config){ .to_stderr = true, .file = path("log"), .json = true });
	log_line(LOG_NOTICE, "main", "plain");
	assert_like(contents("log"), "^\\{\"time\":\"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:"
	    "[0-9]{2}\\.[0-9]{3}\\+05:45\",\"level\":\"notice\",\"id\":\"main\","
	    "\"text\":\"plain\"\\}\n$");
	assert_like(contents("stderr"), "\"text\":\"plain\"\\}\n$");
	log_say(&who, LOG_ERR, "a\\b \"c\"\td\x7f");
	assert_like(contents("log"), "\"level\":\"err\",\"id\":\"7\",\"service\":\"my \\\\\"web"
	    "\\\\\"\",\"text\":\"a\\\\\\\\b \\\\\"c\\\\\"\\\\u0009d\\\\u007f\"\\}\n$");
}
END_TEST

static const struct {
	const char *text, *json;
} encodings[] = {
	{ "r\xc3\xa4ka", "r\xc3\xa4ka" },
	{ "\xe2\x82\xac \xf0\x9f\x9a\xa2", "\xe2\x82\xac \xf0\x9f\x9a\xa2" },
	{ "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" },
	{ "a\xff" "b\x80", "a\\ufffdb\\ufffd" },
	{ "\xc3", "\\ufffd" },               /* ends early */
	{ "\xe2\x82x", "\\ufffd\\ufffdx" },
	{ "\xc0\xaf", "\\ufffd\\ufffd" },    /* longer than need be */
	{ "\xe0\x80\xaf", "\\ufffd\\ufffd\\ufffd" },
	{ "\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd" }, /* a surrogate */
	{ "\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd" },
	{ "\x01\x1f", "\\u0001\\u001f" },
};

START_TEST(json_encoding)
{
	char want[128];

	open_log((struct log_config){ .file = path("log"), .json = true });
	log_line(LOG_NOTICE, "main", "%s", encodings[_i].text);
	snprintf(want, sizeof(want), "\"text\":\"%s\"}\n", encodings[_i].json);
	ck_assert_ptr_nonnull(strstr(contents("log"), want));
}
END_TEST

/* All that a line may hold, in its longest form. */
START_TEST(json_long)
{
	static char big[5000];

	memset(big, 1, sizeof(big) - 1);
	open_log((struct log_config){ .file = path("log"), .json = true });
	log_line(LOG_NOTICE, big, "%s", big);
	contents("log");
	ck_assert_uint_gt(strlen(got), (size_t)2 * 6 * 2048);
	ck_assert_str_eq(got + strlen(got) - 9, "\\u0001\"}\n");
}
END_TEST

/* Starting */

START_TEST(held_lines_go_to_the_sinks)
{
	take_stderr();
	log_hold();
	log_line(LOG_NOTICE, "main", "early");
	log_line(LOG_DEBUG, "main", "early detail");
	log_line(LOG_INFO, "main", "early info");
	ck_assert_str_eq(contents("stderr"), "");
	log_level(LOG_INFO); /* now the configuration is known */
	open_log((struct log_config){ .file = path("log") });
	assert_like(contents("log"), "^" STAMP "LOG5\\[main\\]: early\n" STAMP
	    "LOG6\\[main\\]: early info\n$");
	log_line(LOG_NOTICE, "main", "late");
	assert_like(contents("log"), "early info\n.*late\n$");
	ck_assert_str_eq(contents("stderr"), "");
}
END_TEST

START_TEST(held_lines_of_a_failed_start)
{
	take_stderr();
	log_hold();
	log_level(LOG_DEBUG);
	log_line(LOG_CRIT, "main", "crit");
	log_line(LOG_ERR, "main", "err");
	log_line(LOG_WARNING, "main", "warning");
	log_line(LOG_NOTICE, "main", "notice");
	log_line(LOG_INFO, "main", "info\033");
	log_line(LOG_DEBUG, "main", "debug");
	log_give_up();
	ck_assert_str_eq(contents("stderr"), "[*] crit\n[!] err\n[:] warning\n[.] notice\n"
	    "[ ] info.\n[ ] debug\n");
	log_line(LOG_NOTICE, "main", "as ever");
	assert_like(contents("stderr"), "debug\n" STAMP "LOG5\\[main\\]: as ever\n$");
	log_give_up(); /* nothing is held */
	assert_like(contents("stderr"), "as ever\n$");
}
END_TEST

/* More than is kept: the first lines are what matters, and the loss is told. */
START_TEST(held_lines_are_bounded)
{
	take_stderr();
	log_hold();
	for (int i = 0; i < 50000; i++)
		log_line(LOG_NOTICE, "main", "line %d", i);
	open_log((struct log_config){ .file = path("log") });
	ck_assert_int_eq(log_start(), 0);
	log_line(LOG_NOTICE, "main", "late");
	log_stop();
	assert_like(contents("log"), "^[^\n]*line 0\n");
}
END_TEST

START_TEST(speakers)
{
	struct log_speaker quiet = { .id = "1", .level = LOG_ERR };
	struct log_speaker chatty = { .id = "2", .level = LOG_DEBUG };
	struct log_speaker usual = { .id = "3", .level = -1 };

	take_stderr();
	log_level(LOG_NOTICE);
	ck_assert(!log_speaker_wants(&quiet, LOG_WARNING));
	ck_assert(log_speaker_wants(&quiet, LOG_ERR));
	ck_assert(log_speaker_wants(&chatty, LOG_DEBUG));
	ck_assert(log_speaker_wants(&usual, LOG_NOTICE));
	ck_assert(!log_speaker_wants(&usual, LOG_INFO));
	log_say(&quiet, LOG_WARNING, "no");
	log_say(&chatty, LOG_DEBUG, "yes %d", 1);
	log_say(&usual, LOG_INFO, "no");
	log_say(&usual, LOG_NOTICE, "yes %d", 2);
	assert_like(contents("stderr"),
	    "^" STAMP "LOG7\\[2\\]: yes 1\n" STAMP "LOG5\\[3\\]: yes 2\n$");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("log_sinks");
	TCase *tc = tcase_create("log_sinks");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, file_alone);
	tcase_add_test(tc, file_and_stderr);
	tcase_add_test(tc, neither);
	tcase_add_test(tc, append_and_overwrite);
	tcase_add_loop_test(tc, reopen_after_rename, 0, 2);
	tcase_add_test(tc, what_cannot_be_opened);
	tcase_add_test(tc, standard_output);
	tcase_add_test(tc, full_disk);
	tcase_add_test(tc, room_again);
	tcase_add_test(tc, one_of_two_is_stuck);
	tcase_add_test(tc, syslog_lines);
	tcase_add_test(tc, syslog_comes_and_goes);
	tcase_add_test(tc, syslog_that_hangs);
	tcase_add_test(tc, json);
	tcase_add_loop_test(tc, json_encoding, 0,
	    (int)(sizeof(encodings) / sizeof(encodings[0])));
	tcase_add_test(tc, json_long);
	tcase_add_test(tc, held_lines_go_to_the_sinks);
	tcase_add_test(tc, held_lines_of_a_failed_start);
	tcase_add_test(tc, held_lines_are_bounded);
	tcase_add_test(tc, speakers);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
