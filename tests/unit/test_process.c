/* What a process tells those around it: channel, heritage, pid file, privileges, manager. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "conf/options.h"
#include "server/channel_priv.h"
#include "server/heritage.h"
#include "server/pidfile.h"
#include "server/privileges.h"
#include "server/systemd.h"
#include "server/upgrade.h"

static struct errmsg e;
static char dir[64];

static void
begin(void)
{
	snprintf(dir, sizeof(dir), "/tmp/sluss-process-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
end(void)
{
	char command[128];

	heritage_close();
	systemd_close();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static const char *
in_dir(const char *name)
{
	static char path[2][128];
	static unsigned i;

	i ^= 1;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

/* The channel. */

START_TEST(test_channel)
{
	char text[CHANNEL_TEXT], long_text[2 * CHANNEL_TEXT];
	int fds[2], fd, null = open("/dev/null", O_RDONLY);
	struct stat a, b;

	ck_assert_int_eq(channel_pair(fds), 0);
	ck_assert_int_eq(channel_take(fds[1], 0, text, &fd), CHANNEL_NONE);
	ck_assert_int_eq(channel_send(fds[0], null, "socket %s", "x"), 0);
	ck_assert_int_eq(channel_take(fds[1], 0, text, &fd), CHANNEL_MESSAGE);
	ck_assert_str_eq(text, "socket x");
	ck_assert_int_eq(fstat(fd, &a), 0);
	ck_assert_int_eq(fstat(null, &b), 0);
	ck_assert(a.st_rdev == b.st_rdev);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	/* One that is too long is cut. */
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	ck_assert_int_eq(channel_send(fds[0], -1, "%s", long_text), 0);
	ck_assert_int_eq(channel_take(fds[1], 0, text, &fd), CHANNEL_MESSAGE);
	ck_assert_uint_eq(strlen(text), CHANNEL_TEXT - 2);
	ck_assert_int_eq(fd, -1);
	close(fds[0]);
	ck_assert_int_eq(channel_take(fds[1], 0, text, &fd), CHANNEL_END);
	close(fds[1]);
	close(null);
}
END_TEST

/* Last words arrive even from one who did not read what was said to him. */
START_TEST(test_channel_last_words)
{
	char text[CHANNEL_TEXT];
	int fds[2], fd;

	ck_assert_int_eq(channel_pair(fds), 0);
	ck_assert_int_eq(channel_send(fds[0], -1, "never read"), 0);
	ck_assert_int_eq(write(fds[1], "why", 3), 3);
	close(fds[1]);
	ck_assert_int_eq(channel_take(fds[0], 0, text, &fd), CHANNEL_STDERR);
	ck_assert_str_eq(text, "why");
	ck_assert_int_eq(channel_take(fds[0], 0, text, &fd), CHANNEL_END);
	close(fds[0]);
}
END_TEST

/* Heritage. */

static int
leave(bool whole)
{
	static const char *const names[] = { "socket 127.0.0.1:0\na", "socket 127.0.0.1:0\nb",
		"socket 127.0.0.1:443\na", "managed systemd:443\na", "nonsense" };
	char number[16];
	int fds[2];

	ck_assert_int_eq(channel_pair(fds), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fd = dup(0);

		ck_assert_int_eq(channel_send(fds[0], fd, "%s", names[i]), 0);
		close(fd);
	}
	if (whole)
		ck_assert_int_eq(channel_send(fds[0], -1, "end"), 0);
	else
		shutdown(fds[0], SHUT_RDWR);
	snprintf(number, sizeof(number), "%d", fds[1]);
	setenv(CHANNEL_VARIABLE, number, 1);
	return fds[0];
}

static int
taken(const char *wanted, const char *service, bool managed_then)
{
	bool managed = !managed_then;
	int fd = heritage_take(wanted, service, &managed);

	if (fd != -1) {
		ck_assert_int_eq(managed, managed_then);
		close(fd);
	}
	return fd;
}

START_TEST(test_heritage)
{
	int other = leave(true);

	ck_assert_int_eq(heritage_open(&e), 0);
	ck_assert_ptr_null(getenv(CHANNEL_VARIABLE));
	ck_assert(heritage_is());
	ck_assert(!heritage_detached());
	/* A port of the system's choice is a service's own, each once. */
	ck_assert_int_eq(taken("127.0.0.1:0", "c", false), -1);
	ck_assert_int_ne(taken("127.0.0.1:0", "b", false), -1);
	ck_assert_int_eq(taken("127.0.0.1:0", "b", false), -1);
	/* Another port may change its service. */
	ck_assert_int_ne(taken("127.0.0.1:443", "c", false), -1);
	ck_assert_int_ne(taken("systemd:443", "a", true), -1);
	ck_assert_int_eq(taken("nonsense", "", false), -1);
	close(other);
	/* Who left it has died: it is ours. */
	ck_assert_int_eq(heritage_ready("/run/pid", &e), 0);
	ck_assert(!heritage_is());
}
END_TEST

START_TEST(test_heritage_stop)
{
	char text[CHANNEL_TEXT], ready[64];
	int fd, other = leave(true);

	ck_assert_int_eq(heritage_open(&e), 0);
	ck_assert_int_eq(channel_send(other, -1, "stop"), 0);
	ck_assert_int_eq(heritage_ready("/run/pid", &e), -1);
	ck_assert_int_eq(channel_take(other, 0, text, &fd), CHANNEL_MESSAGE);
	snprintf(ready, sizeof(ready), "ready %ld /run/pid", (long)getpid());
	ck_assert_str_eq(text, ready);
	close(other);
}
END_TEST

START_TEST(test_heritage_broken)
{
	int other = leave(false);

	ck_assert_int_eq(heritage_open(&e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "did not hand over"));
	close(other);
	heritage_close();
	setenv(CHANNEL_VARIABLE, "9999", 1);
	ck_assert_int_eq(heritage_open(&e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "unset it"));
}
END_TEST

/* The upgrade, towards a successor that is scripted. */

static int successor = -1;

static int
start(void *arg, int fd, struct errmsg *why)
{
	if (arg != NULL)
		return errmsg_set(why, "not today");
	successor = dup(fd);
	return 0;
}

static struct upgrade *
upgrade(void)
{
	const struct upgrade_socket one = { .wanted = "127.0.0.1:0", .service = "a", .fd = 0 };
	char text[CHANNEL_TEXT];
	struct upgrade *u;
	int fd;

	upgrade_remember();
	ck_assert_ptr_null(upgrade_begin(&one, 1, true, start, dir, &e));
	ck_assert_str_eq(e.text, "not today");
	ck_assert_ptr_nonnull(u = upgrade_begin(&one, 1, true, start, NULL, &e));
	ck_assert_int_eq(channel_take(successor, 0, text, &fd), CHANNEL_MESSAGE);
	ck_assert_str_eq(text, "stderr");
	close(fd);
	ck_assert_int_eq(channel_take(successor, 0, text, &fd), CHANNEL_MESSAGE);
	ck_assert_str_eq(text, "detached");
	ck_assert_int_eq(channel_take(successor, 0, text, &fd), CHANNEL_MESSAGE);
	ck_assert_str_eq(text, "socket 127.0.0.1:0\na");
	close(fd);
	ck_assert_int_eq(channel_take(successor, 0, text, &fd), CHANNEL_MESSAGE);
	ck_assert_str_eq(text, "end");
	return u;
}

/* What it hears last. */
static void
hears(const char *word)
{
	char text[CHANNEL_TEXT];
	int fd;

	ck_assert_int_eq(channel_take(successor, 0, text, &fd), CHANNEL_MESSAGE);
	ck_assert_str_eq(text, word);
	ck_assert_int_eq(channel_take(successor, 0, text, &fd), CHANNEL_END);
	close(successor);
	upgrade_forget();
}

START_TEST(test_upgrade_ready)
{
	struct upgrade *u = upgrade();
	pid_t pid = 0;

	ck_assert_int_eq(upgrade_next(u, false, &pid, &e), UPGRADE_WAIT);
	ck_assert_int_eq(channel_send(successor, -1, "ready 4711 /run/a pid"), 0);
	ck_assert_int_eq(upgrade_next(u, false, &pid, &e), UPGRADE_READY);
	ck_assert_int_eq(pid, 4711);
	ck_assert_str_eq(upgrade_pidfile(u), "/run/a pid");
	upgrade_go(u);
	upgrade_free(u);
	hears("go");
}
END_TEST

START_TEST(test_upgrade_failed)
{
	struct upgrade *u = upgrade();
	pid_t pid = 0;

	ck_assert_int_eq(channel_send(successor, -1, "failed no such file"), 0);
	ck_assert_int_eq(upgrade_next(u, false, &pid, &e), UPGRADE_FAILED);
	ck_assert_ptr_nonnull(strstr(e.text, "cannot serve: no such file"));
	upgrade_free(u);
	hears("stop");
}
END_TEST

/* One that hangs is sent away once it was waited for enough. */
START_TEST(test_upgrade_hangs)
{
	struct upgrade *u = upgrade();
	pid_t pid = 0;

	ck_assert_int_eq(upgrade_next(u, false, &pid, &e), UPGRADE_WAIT);
	ck_assert_int_eq(upgrade_next(u, true, &pid, &e), UPGRADE_FAILED);
	ck_assert_ptr_nonnull(strstr(e.text, "does not become ready"));
	upgrade_free(u);
	hears("stop");
}
END_TEST

/* Of many words the last are kept, as one line. */
START_TEST(test_upgrade_words)
{
	struct upgrade *u = upgrade();
	char line[200];
	pid_t pid = 0;

	for (int i = 0; i < 20; i++) {
		snprintf(line, sizeof(line), "%0150d\n", i);
		ck_assert_int_eq(write(successor, line, strlen(line)), (ssize_t)strlen(line));
		ck_assert_int_eq(upgrade_next(u, false, &pid, &e), UPGRADE_WAIT);
	}
	close(successor);
	ck_assert_int_eq(upgrade_next(u, false, &pid, &e), UPGRADE_FAILED);
	ck_assert_ptr_nonnull(strstr(e.text, "00018;0"));
	ck_assert_str_eq(e.text + strlen(e.text) - 3, "019");
	ck_assert_ptr_null(strchr(e.text, '\n'));
	ck_assert_uint_lt(strlen(e.text), 1200);
	upgrade_free(u);
	upgrade_forget();
}
END_TEST

/* The pid file. */

static void
put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

START_TEST(test_pidfile)
{
	const char *path = in_dir("pid");
	char text[32] = "", own[32];
	FILE *f;

	put(path, "999999999\n");
	ck_assert_int_eq(pidfile_write(path, &e), 0);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
	fclose(f);
	snprintf(own, sizeof(own), "%ld\n", (long)getpid());
	ck_assert_str_eq(text, own);
	pidfile_remove(path);
	ck_assert_int_eq(access(path, F_OK), -1);
	put(path, "999999999\n");
	pidfile_remove(path);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(pidfile_write(dir, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "is not a file"));
	ck_assert_int_eq(pidfile_write("/dev/null", &e), -1);
	ck_assert_int_eq(pidfile_write("/none/pid", &e), -1);
}
END_TEST

/* A pipe under the name must not hold up the end. */
START_TEST(test_pidfile_pipe)
{
	const char *path = in_dir("pid");

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	pidfile_remove(path);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(pidfile_write(path, &e), -1);
}
END_TEST

/* Privileges. */

static const struct {
	const char *user, *group, *wrong;
	bool has_user, has_group;
} privileges[] = {
	{ NULL, NULL, NULL, false, false },
	{ "root", NULL, NULL, true, true },
	{ "0", NULL, NULL, true, true },
	{ "54321", NULL, NULL, true, false },
	{ "54321", "54322", NULL, true, true },
	{ NULL, "root", NULL, false, true },
	{ "no-such-one", NULL, "no user", false, false },
	{ NULL, "no-such-one", "no group", false, false },
	{ "4294967295", NULL, "no user", false, false },
	{ "99999999999999999999", NULL, "no user", false, false },
	{ "-1", NULL, "no user", false, false },
	{ "12x", NULL, "no user", false, false },
};

START_TEST(test_privileges)
{
	struct config *c = config_empty(PROFILE_STUNNEL, &e);
	struct privileges p;
	int rc;

	ck_assert_ptr_nonnull(c);
	if (privileges[_i].user != NULL)
		ck_assert_int_eq(options_set(c, NULL, "setuid", privileges[_i].user, &e), 0);
	if (privileges[_i].group != NULL)
		ck_assert_int_eq(options_set(c, NULL, "setgid", privileges[_i].group, &e), 0);
	rc = privileges_find(&p, c, &e);
	if (privileges[_i].wrong != NULL) {
		ck_assert_int_eq(rc, -1);
		ck_assert_ptr_nonnull(strstr(e.text, privileges[_i].wrong));
	} else {
		ck_assert_int_eq(rc, 0);
		ck_assert_int_eq(p.user, privileges[_i].has_user);
		ck_assert_int_eq(p.group, privileges[_i].has_group);
		ck_assert_int_eq(privileges_change(&p), p.user || p.group);
		if (privileges[_i].group != NULL)
			ck_assert(p.ngroups == 1 && p.groups[0] == p.gid);
		privileges_free(&p);
	}
	config_free(c);
}
END_TEST

/* What stands in the place of a socket is not given away, but the socket is. */
START_TEST(test_give)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char folder[] = "/tmp/sluss-give-XXXXXX", other[64], owner[24];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(owner, sizeof(owner), "%u", (unsigned)geteuid());
	snprintf(un.sun_path, sizeof(un.sun_path), "%s/socket", folder);
	snprintf(other, sizeof(other), "%s/other", folder);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	ck_assert_int_eq(privileges_give(un.sun_path, owner, NULL, &e), 0);
	ck_assert_int_eq(link(un.sun_path, other), 0);
	ck_assert_int_eq(privileges_give(other, owner, NULL, &e), -1);
	unlink(other);
	ck_assert_int_eq(symlink(un.sun_path, other), 0);
	ck_assert_int_eq(privileges_give(other, owner, NULL, &e), -1);
	unlink(other);
	close(open(other, O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(privileges_give(other, owner, NULL, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "cannot give"));
	unlink(other);
	unlink(un.sun_path);
	rmdir(folder);
	close(fd);
}
END_TEST

/* The service manager's variables. */

START_TEST(test_manager_none)
{
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_PID", "1", 1);
	setenv("WATCHDOG_USEC", "nonsense", 1);
	setenv("SYSTEMD_EXEC_PID", "", 1);
	ck_assert_int_eq(systemd_open(&e), 0);
	ck_assert_uint_eq(systemd_sockets(), 0);
	ck_assert_int_eq(systemd_take(), -1);
	ck_assert_uint_eq(systemd_watchdog_ms(), 0);
	ck_assert(!systemd_waits());
	ck_assert_ptr_null(systemd_environment()[0]);
	ck_assert_ptr_null(getenv("LISTEN_FDS"));
	ck_assert_ptr_null(getenv("WATCHDOG_USEC"));
	systemd_ready("nobody hears it");
}
END_TEST

static const char *const wrong_fds[] = { "100000", "4000" };

START_TEST(test_manager_wrong)
{
	char pid[24];

	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	setenv("LISTEN_FDS", wrong_fds[_i], 1);
	setenv("LISTEN_PID", pid, 1);
	ck_assert_int_eq(systemd_open(&e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, wrong_fds[_i]));
}
END_TEST

START_TEST(test_manager)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char text[1024], want[64];
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	ssize_t n;

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", in_dir("notify"));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	setenv("NOTIFY_SOCKET", un.sun_path, 1);
	setenv("WATCHDOG_USEC", "3000000", 1);
	ck_assert_int_eq(systemd_open(&e), 0);
	ck_assert_uint_eq(systemd_watchdog_ms(), 3000);
	ck_assert_ptr_nonnull(systemd_environment()[1]);
	systemd_ready("well");
	n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	snprintf(want, sizeof(want), "READY=1\nMAINPID=%ld\nSTATUS=well\n", (long)getpid());
	ck_assert_str_eq(text, want);
	systemd_hand_over(17);
	n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	text[n > 0 ? n : 0] = '\0';
	ck_assert_str_eq(text, "MAINPID=17\n");
	/* From here on it is another one's to speak. */
	systemd_stopping("unheard");
	ck_assert_int_eq(recv(fd, text, sizeof(text), MSG_DONTWAIT), -1);
	ck_assert_uint_eq(systemd_watchdog_ms(), 0);
	close(fd);
}
END_TEST

#define N(a) ((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	Suite *s = suite_create("process");
	TCase *tc = tcase_create("process");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, test_channel);
	tcase_add_test(tc, test_channel_last_words);
	tcase_add_test(tc, test_heritage);
	tcase_add_test(tc, test_heritage_stop);
	tcase_add_test(tc, test_heritage_broken);
	tcase_add_test(tc, test_upgrade_ready);
	tcase_add_test(tc, test_upgrade_failed);
	tcase_add_test(tc, test_upgrade_hangs);
	tcase_add_test(tc, test_upgrade_words);
	tcase_add_test(tc, test_pidfile);
	tcase_add_test(tc, test_pidfile_pipe);
	tcase_add_loop_test(tc, test_privileges, 0, N(privileges));
	tcase_add_test(tc, test_give);
	tcase_add_test(tc, test_manager_none);
	tcase_add_loop_test(tc, test_manager_wrong, 0, N(wrong_fds));
	tcase_add_test(tc, test_manager);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
