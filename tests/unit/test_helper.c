/* net/helper: a process that starts programs and opens what was named. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"
#include "net/helper_priv.h"
#include "net/sock.h"

#define PATIENCE_MS 30000

static struct helper *helper;
static char folder[] = "/tmp/sluss-helper-XXXXXX";
static struct helper_news news;

/* What the policy allows. */
static struct {
	char file[64], list[64], extra[64];
	uint16_t port;
	bool renewed, renewal_fails;
} rules;

static bool
may_open(void *arg, const char *path)
{
	/* No assertion here: what Check writes to is closed in the helper. */
	return arg == &rules && (strcmp(path, rules.file) == 0 ||
	    (rules.renewed && strcmp(path, rules.extra) == 0));
}

static bool
may_list(void *arg, const char *path)
{
	(void)arg;
	return strcmp(path, rules.list) == 0;
}

static int
listen_there(void *arg, const struct addr *a, bool overlaps, struct addr *bound,
    struct errmsg *e)
{
	const struct sock_setup setup = { .overlaps = overlaps };

	(void)arg;
	if (a->u.sa.sa_family == AF_INET && a->u.in.sin_port == htons(rules.port))
		return sock_listen(a, &setup, bound, e);
	errno = EPERM;
	return errmsg_set(e, "not there");
}

static int
renew(void *arg, struct errmsg *e)
{
	(void)arg;
	if (rules.renewal_fails)
		return errmsg_set(e, "line 7 is wrong");
	rules.renewed = true;
	return 0;
}

static int
drop(void *arg, struct errmsg *e)
{
	(void)arg;
	if (getenv("DROP_FAILS") != NULL)
		return errmsg_set(e, "privileges stick");
	return setenv("unused", "", 1);
}

static struct helper_policy policy = { .arg = &rules,
	.may_open = may_open,
	.may_list = may_list,
	.may_touch = may_open,
	.listen = listen_there,
	.renew = renew,
	.drop = drop,
	.owner = (uid_t)-1 };

static void
start(void)
{
	struct errmsg e;

	helper = helper_start(&policy, &e);
	ck_assert_msg(helper != NULL, "%s", e.text);
}

static void
setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(rules.file, sizeof(rules.file), "%s/named", folder);
	snprintf(rules.extra, sizeof(rules.extra), "%s/named-later", folder);
	snprintf(rules.list, sizeof(rules.list), "%s", folder);
	start();
}

static void
teardown(void)
{
	char command[64];

	helper_stop(helper);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
}

static void
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void
wait_for(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
}

/* The next that a program's descriptor tells. */
static enum helper_event
next(int fd)
{
	enum helper_event ev;

	do {
		wait_for(fd);
	} while ((ev = helper_next(fd, &news)) == HELPER_SILENT);
	return ev;
}

/* Everything until the end; the descriptor is closed. */
static char *
read_all(int fd)
{
	static char text[65536];
	size_t n = 0;
	ssize_t got;

	for (;;) {
		wait_for(fd);
		got = read(fd, text + n, sizeof(text) - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	text[n] = '\0';
	close(fd);
	return text;
}

static int
ask_shell(const char *script, const char *const *env, bool pty, int *data)
{
	const char *const argv[] = { "shell", "-c", script, NULL };
	static const char *const none[] = { NULL };
	const struct helper_program p = { .path = "/bin/sh", .argv = argv,
		.env = env != NULL ? env : none, .pty = pty };
	int pair[2] = { -1, -1 }, fd;

	if (!pty)
		ck_assert_int_eq(
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	fd = helper_spawn(helper, &p, pair[1]);
	ck_assert_int_ne(fd, -1);
	if (!pty)
		close(pair[1]);
	*data = pair[0];
	return fd;
}

/* Runs a script whose output is returned; its status is checked to be 0. */
static char *
shell(const char *script, const char *const *env)
{
	char *text;
	int data, fd = ask_shell(script, env, false, &data);

	ck_assert_int_eq(next(fd), HELPER_STARTED);
	text = read_all(data);
	ck_assert_int_eq(next(fd), HELPER_EXITED);
	ck_assert_int_eq(news.status, 0);
	close(fd);
	return text;
}

START_TEST(program_talks_and_ends)
{
	char answer[6] = "", text[64];
	int data,
	    fd = ask_shell("read x; echo \"<$x>\"; cat; exit 3", NULL, false, &data);
	pid_t pid;

	ck_assert_int_eq(next(fd), HELPER_STARTED);
	pid = news.pid;
	ck_assert_int_eq(news.pty, -1);
	ck_assert_int_eq(kill(pid, 0), 0);
	ck_assert_int_eq(write(data, "abc\nrest", 8), 8);
	ck_assert_int_eq(recv(data, answer, 6, MSG_WAITALL), 6);
	ck_assert_int_eq(memcmp(answer, "<abc>\n", 6), 0);
	shutdown(data, SHUT_WR);
	ck_assert_str_eq(read_all(data), "rest");
	ck_assert_int_eq(next(fd), HELPER_EXITED);
	ck_assert_int_eq(news.pid, pid);
	ck_assert_str_eq(helper_status_text(news.status, text, sizeof(text)),
	    "exited with status 3");
	ck_assert_int_eq(next(fd), HELPER_GONE);
	ck_assert_int_eq(kill(pid, 0), -1);
	ck_assert_int_eq(errno, ESRCH);
	close(fd);
}
END_TEST

START_TEST(program_cannot_be_started)
{
	const char *const argv[] = { "x", NULL }, *const env[] = { NULL };
	struct helper_program p = { .path = folder, .argv = argv, .env = env };
	static const char *const why[] = { "Permission denied",
		"No such file or directory" };
	int fd;

	if (_i == 1)
		p.path = "/nonexistent/program";
	fd = helper_spawn(helper, &p, STDERR_FILENO);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(next(fd), HELPER_FAILED);
	ck_assert_str_eq(news.why.text, why[_i]);
	ck_assert_int_eq(next(fd), HELPER_GONE);
	close(fd);
}
END_TEST

START_TEST(failed_drop_starts_nothing)
{
	const char *const env[] = { NULL };
	int data, fd;

	helper_stop(helper);
	setenv("DROP_FAILS", "1", 1);
	start();
	fd = ask_shell("echo here", env, false, &data);
	ck_assert_int_eq(next(fd), HELPER_FAILED);
	ck_assert_str_eq(news.why.text, "privileges stick");
	ck_assert_str_eq(read_all(data), "");
	close(fd);
}
END_TEST

START_TEST(environment_is_added_to)
{
	static const char *const env[] = { "NEW=1=2", "PATH=/bin:/usr/bin", "TWICE=a",
		"TWICE=b", "KEPTX=other", "GONE", NULL };

	helper_stop(helper);
	setenv("KEPT", "yes", 1);
	setenv("GONE", "no", 1);
	setenv("NOTIFY_SOCKET", "/run/x", 1);
	setenv("LISTEN_FDS", "1", 1);
	start();
	ck_assert_str_eq(shell("echo \"$NEW $PATH $TWICE $KEPT\"; env | grep -c TWICE; "
	    "env | grep -c -e NOTIFY -e LISTEN -e GONE; :", env),
	    "1=2 /bin:/usr/bin b yes\n1\n0\n");
}
END_TEST

START_TEST(child_begins_clean)
{
	struct rlimit rl, want;
	char *text, line[64];

	helper_stop(helper);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &want);
	want.rlim_cur = 100;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &want), 0);
	ck_assert_int_ne(open("/dev/null", O_RDONLY), -1); /* not close-on-exec */
	start();
	rl = want;
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	text = shell("cat /proc/self/status; echo Files: $(ulimit -Sn) $(ulimit -Hn); "
	    "echo Session: $(cut -d' ' -f6 /proc/$$/stat) $$; echo Open:; ls /proc/$$/fd",
	    NULL);
	ck_assert_ptr_nonnull(strstr(text, "SigBlk:\t0000000000000000"));
	ck_assert_msg(strstr(text, "SigIgn:\t0000000000000000") != NULL, "%s", text);
	ck_assert_ptr_nonnull(strstr(text, "Files: 100 "));
	ck_assert_ptr_nonnull(strstr(text, "\nOpen:\n0\n1\n2\n"));
	ck_assert_int_eq(sscanf(strstr(text, "Session: "), "Session: %31s %31s", line,
	    line + 32), 2);
	ck_assert_str_eq(line, line + 32);
}
END_TEST

/* It closes a program's socket right after the last word, and then has 0, 1, 2, its socket,
 * its epoll and its signals. */
static void
wait_until_bare(void)
{
	char command[160];

	snprintf(command, sizeof(command),
	    "i=0; until test $(ls /proc/%d/fd | wc -l) = 6; do "
	    "i=$((i + 1)); test $i != 300 || exit 1; sleep 0.1; done",
	    (int)helper_pid(helper));
	ck_assert_int_eq(system(command), 0);
}

START_TEST(helper_keeps_nothing)
{
	char path[64], command[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)helper_pid(helper));
	/* It has named itself and dropped its descriptors once it answers. */
	ck_assert_str_eq(shell("echo ok", NULL), "ok\n");
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(fgets(command, sizeof(command), f));
	fclose(f);
	ck_assert_str_eq(command, "sluss-helper\n");
	wait_until_bare();
}
END_TEST

START_TEST(terminal)
{
	struct termios t;
	char *text;
	int data,
	    fd = ask_shell(
		"tty; stty size; read x; echo \"got $x\" >&2", NULL, true, &data);
	int master;

	ck_assert_int_eq(next(fd), HELPER_STARTED);
	master = news.pty;
	ck_assert_int_ne(master, -1);
	ck_assert_int_ne(fcntl(master, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(master, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(tcgetattr(master, &t), 0);
	ck_assert(t.c_lflag & ICANON);
	ck_assert_int_eq(write(master, "word\n", 5), 5);
	text = read_all(master);
	ck_assert_ptr_nonnull(strstr(text, "/dev/pts/"));
	ck_assert_ptr_nonnull(strstr(text, "24 80\r\n"));
	ck_assert_ptr_nonnull(strstr(text, "got word\r\n"));
	ck_assert_int_eq(next(fd), HELPER_EXITED);
	ck_assert_int_eq(news.status, 0);
	close(fd);
}
END_TEST

START_TEST(hangup)
{
	char text[64];
	int data, fd = ask_shell("exec sleep 1000", NULL, _i == 1, &data);

	ck_assert_int_eq(next(fd), HELPER_STARTED);
	helper_hangup(fd, -1);
	ck_assert_int_eq(next(fd), HELPER_EXITED);
	ck_assert_str_eq(helper_status_text(news.status, text, sizeof(text)),
	    "was ended by signal 1 (Hangup)");
	close(fd);
}
END_TEST

/* What stands at the end of its input is closed behind the signal. */
START_TEST(hangup_before_the_end)
{
	char up[3], got[8];
	int data, fd, err[2];

	ck_assert_int_eq(pipe(err), 0);
	helper_stop(helper);
	dup2(err[1], STDERR_FILENO);
	start();
	for (int i = 0; i < 50; i++) {
		fd = ask_shell("trap 'hup=1' HUP; echo up; while read x; do :; done; "
		    "echo \"<$hup>\" >&2", NULL, false, &data);
		ck_assert_int_eq(next(fd), HELPER_STARTED);
		ck_assert_int_eq(recv(data, up, 3, MSG_WAITALL), 3);
		helper_hangup(fd, data);
		close(data);
		ck_assert_int_eq(next(fd), HELPER_EXITED);
		close(fd);
		memset(got, 0, sizeof(got));
		ck_assert_int_gt(read(err[0], got, sizeof(got) - 1), 0);
		ck_assert_str_eq(got, "<1>\n");
	}
}
END_TEST

/* The read end that sees EOF when the last process that has the other end is gone. */
START_TEST(hangup_then_close_then_stop)
{
	int data, fd = ask_shell("echo up; exec sleep 1000", NULL, false, &data);
	char up[3];

	ck_assert_int_eq(next(fd), HELPER_STARTED);
	ck_assert_int_eq(recv(data, up, 3, MSG_WAITALL), 3);
	helper_hangup(fd, -1);
	close(fd);
	if (_i == 1) {
		helper_stop(helper);
		helper = NULL;
	}
	ck_assert_str_eq(read_all(data), "");
}
END_TEST

START_TEST(many_programs_no_zombies)
{
	int fds[200], data[200];
	char command[256];

	for (int i = 0; i < 200; i++)
		fds[i] = ask_shell("exit 7", NULL, i % 4 == 0, &data[i]);
	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(next(fds[i]), HELPER_STARTED);
		if (news.pty != -1)
			close(news.pty);
		else
			close(data[i]);
		ck_assert_int_eq(next(fds[i]), HELPER_EXITED);
		ck_assert_int_ne(news.status, 0);
		close(fds[i]);
	}
	wait_until_bare();
	snprintf(command, sizeof(command), "! ps --ppid %d -o stat= | grep Z",
	    (int)helper_pid(helper));
	ck_assert_int_eq(system(command), 0);
}
END_TEST

/* A helper that does not get its turn: askers are told to come again, and get it all
 * later. */
START_TEST(busy_helper)
{
	static int fds[20000], data[20000];
	const char *const argv[] = { "true", NULL };
	static char big[20000] = "A=";
	const char *const env[] = { big, NULL };
	const struct helper_program p = { .path = "/bin/true", .argv = argv, .env = env };
	int n;

	memset(big + 2, 'a', sizeof(big) - 3);
	kill(helper_pid(helper), SIGSTOP);
	for (n = 0; n < 200; n++) {
		int pair[2];

		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		fds[n] = helper_spawn(helper, &p, pair[1]);
		close(pair[1]);
		data[n] = pair[0];
		if (fds[n] == -1)
			break;
	}
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_gt(n, 1);
	close(data[n]);
	kill(helper_pid(helper), SIGCONT);
	for (int i = 0; i < n; i++) {
		ck_assert_int_eq(next(fds[i]), HELPER_STARTED);
		ck_assert_int_eq(next(fds[i]), HELPER_EXITED);
		close(fds[i]);
		close(data[i]);
	}
}
END_TEST

START_TEST(too_long_for_a_message)
{
	static char big[200000];
	const char *const argv[] = { "x", big, NULL }, *const env[] = { NULL };
	const struct helper_program p = { .path = "/bin/true", .argv = argv, .env = env };

	memset(big, 'a', sizeof(big) - 1);
	ck_assert_int_eq(helper_spawn(helper, &p, STDERR_FILENO), -1);
	ck_assert_int_eq(errno, E2BIG);
}
END_TEST

START_TEST(killed_helper)
{
	struct errmsg e;
	const char *const argv[] = { "true", NULL }, *const env[] = { NULL };
	const struct helper_program p = { .path = "/bin/true", .argv = argv, .env = env };
	int data, fd = ask_shell("exec sleep 1000", NULL, false, &data);
	pid_t pid;

	ck_assert_int_eq(next(fd), HELPER_STARTED);
	pid = news.pid;
	ck_assert(!helper_died(helper));
	kill(helper_pid(helper), SIGKILL);
	ck_assert_int_eq(next(fd), HELPER_GONE);
	close(fd);
	kill(-pid, SIGKILL);
	for (int i = 0; i < PATIENCE_MS && !helper_died(helper); i++)
		poll(NULL, 0, 1);
	ck_assert_int_eq(helper_fd(helper), -1);
	ck_assert(!helper_died(helper));
	ck_assert_int_eq(kill(helper_pid(helper), 0), -1);
	/* A request that it did not live to take is lost, and that is told. */
	while ((fd = helper_spawn(helper, &p, STDERR_FILENO)) != -1) {
		ck_assert_int_eq(next(fd), HELPER_GONE);
		close(fd);
	}
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_int_eq(helper_open(helper, rules.file), -1);
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_int_eq(helper_renew(helper, &e), -1);
	ck_assert_str_eq(e.text, "the helper process: Broken pipe");
	close(data);
}
END_TEST

/* The grandparent learns of the helper's end by its copy of a pipe. */
START_TEST(dies_with_its_parent)
{
	int pipes[2], status;
	pid_t middle;
	struct pollfd p;

	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	ck_assert_int_eq(pipe(pipes), 0);
	if ((middle = fork()) == 0) {
		pid_t pid;

		start();
		pid = helper_pid(helper);
		if (write(pipes[1], &pid, sizeof(pid)) != sizeof(pid))
			_exit(1);
		pause();
	}
	p = (struct pollfd){ .fd = pipes[0], .events = POLLIN };
	ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
	{
		pid_t pid;

		ck_assert_int_eq(read(pipes[0], &pid, sizeof(pid)), sizeof(pid));
		kill(middle, SIGKILL);
		ck_assert_int_eq(waitpid(middle, &status, 0), middle);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	}
}
END_TEST

START_TEST(opens_what_was_named)
{
	char *const other = rules.extra;
	int fd;

	write_file(rules.file, "secret");
	write_file(other, "other");
	ck_assert_int_eq(helper_open(helper, other), -1);
	ck_assert_int_eq(errno, EPERM);
	fd = helper_open(helper, rules.file);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_str_eq(read_all(fd), "secret");
	unlink(rules.file);
	ck_assert_int_eq(helper_open(helper, rules.file), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(mkdir(rules.file, 0700), 0);
	ck_assert_int_eq(helper_open(helper, rules.file), -1);
	ck_assert_int_eq(errno, EISDIR);
	rmdir(rules.file);
	ck_assert_int_eq(mkfifo(rules.file, 0600), 0);
	ck_assert_int_eq(helper_open(helper, rules.file), -1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

START_TEST(lists_what_was_named)
{
	char **names;
	size_t n;

	ck_assert_int_eq(helper_names(helper, "/", &names, &n), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(helper_names(helper, folder, &names, &n), 0);
	ck_assert_uint_eq(n, 0);
	file_names_free(names, n);
	write_file(rules.file, "");
	write_file(rules.extra, "");
	ck_assert_int_eq(helper_names(helper, folder, &names, &n), 0);
	ck_assert_uint_eq(n, 2);
	qsort(names, n, sizeof(*names), by_text);
	ck_assert_str_eq(names[0], "named");
	ck_assert_str_eq(names[1], "named-later");
	file_names_free(names, n);
}
END_TEST

static int
source_open(void *arg, const char *path)
{
	return helper_open(arg, path);
}

static int
source_names(void *arg, const char *path, char ***names, size_t *n)
{
	return helper_names(arg, path, names, n);
}

START_TEST(source_of_files)
{
	const struct file_source source = { source_open, source_names, helper };
	char **names;
	size_t n;
	int fd;

	write_file(rules.file, "text");
	file_ask(&source);
	ck_assert_int_eq(file_open("/etc/passwd"), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_ne(fd = file_open(rules.file), -1);
	ck_assert_str_eq(read_all(fd), "text");
	ck_assert_int_eq(file_names(folder, &names, &n), 0);
	ck_assert_uint_eq(n, 1);
	file_names_free(names, n);
	file_ask(NULL);
	ck_assert_int_ne(fd = file_open("/etc/passwd"), -1);
	close(fd);
	ck_assert_int_eq(file_names(rules.file, &names, &n), -1);
	ck_assert_int_eq(errno, ENOTDIR);
}
END_TEST

START_TEST(listens_where_it_may)
{
	const struct sock_setup plain = { 0 };
	struct addr a = { .len = sizeof(a.u.in) }, bound, peer;
	struct errmsg e;
	bool pending;
	int fd, c;

	a.u.in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(1),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	ck_assert_int_eq(helper_listen(helper, &a, false, &bound, &e), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_str_eq(e.text, "not there");
	a.u.in.sin_port = 0;
	fd = helper_listen(helper, &a, false, &bound, &e);
	ck_assert_msg(fd != -1, "%s", e.text);
	ck_assert_uint_ne(bound.u.in.sin_port, 0);
	c = sock_connect(&bound, &plain, &pending);
	ck_assert_int_ne(c, -1);
	wait_for(fd);
	ck_assert_int_ne(sock_accept(fd, &peer), -1);
	a.u.in.sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1 is nobody's */
	ck_assert_int_eq(helper_listen(helper, &a, false, &bound, &e), -1);
	ck_assert_int_eq(errno, EADDRNOTAVAIL);
	ck_assert_str_eq(e.text, "192.0.2.1:0: Cannot assign requested address");
}
END_TEST

START_TEST(touches_sockets_only)
{
	const struct sock_setup plain = { 0 };
	struct addr a = { .len = sizeof(a.u.un) }, bound;
	struct errmsg e;
	struct stat st;
	int fd;

	write_file(rules.extra, "");
	ck_assert_int_eq(helper_lstat(helper, rules.extra, &st), -1);
	ck_assert_int_eq(errno, EPERM);
	write_file(rules.file, "");
	ck_assert_int_eq(helper_unlink(helper, rules.file), -1);
	ck_assert_int_eq(errno, EPERM);
	unlink(rules.file);
	ck_assert_int_eq(helper_lstat(helper, rules.file, &st), -1);
	ck_assert_int_eq(errno, ENOENT);
	a.u.un.sun_family = AF_UNIX;
	strcpy(a.u.un.sun_path, rules.file);
	ck_assert_int_ne(fd = sock_listen(&a, &plain, &bound, &e), -1);
	ck_assert_int_eq(helper_lstat(helper, rules.file, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_int_eq(helper_unlink(helper, rules.file), 0);
	ck_assert_int_eq(lstat(rules.file, &st), -1);
	close(fd);
}
END_TEST

START_TEST(renewal)
{
	struct errmsg e;
	int fd;

	write_file(rules.extra, "new");
	ck_assert_int_eq(helper_renew(helper, &e), 0);
	ck_assert_int_ne(fd = helper_open(helper, rules.extra), -1);
	ck_assert_str_eq(read_all(fd), "new");
	helper_stop(helper);
	rules.renewal_fails = true;
	start();
	ck_assert_int_eq(helper_renew(helper, &e), -1);
	ck_assert_str_eq(e.text, "line 7 is wrong");
	ck_assert_int_eq(helper_open(helper, rules.extra), -1);
}
END_TEST

/* Requests that no version of ours makes: nothing is done, and the helper lives. */
START_TEST(malformed_requests)
{
	static const struct {
		struct helper_head head;
		const char *text;
		size_t n, nfds;
	} bad[] = {
		{ { .kind = ASK_OPEN }, "", 0, 0 },
		{ { .kind = ASK_OPEN }, "no end", 6, 0 },
		{ { .kind = ASK_OPEN }, "two\0ends", 9, 0 },
		{ { .kind = ASK_NAMES }, "", 0, 0 },
		{ { .kind = ASK_LISTEN }, "short", 5, 0 },
		{ { .kind = ASK_LSTAT }, "no end", 6, 0 },
		{ { .kind = ASK_UNLINK }, "", 0, 0 },
		{ { .kind = 4711 }, "what", 5, 0 },
		{ { .kind = ASK_SPAWN, .nargs = 1 }, "a\0b", 4, 0 },
		{ { .kind = ASK_SPAWN, .nargs = 1 }, "a\0b", 4, 1 },
		{ { .kind = ASK_SPAWN, .nargs = 1, .value = SPAWN_PTY }, "a\0b", 4, 2 },
		{ { .kind = ASK_SPAWN, .nargs = 2 }, "a\0b", 4, 2 },
		{ { .kind = ASK_SPAWN, .nargs = UINT32_MAX, .nenv = UINT32_MAX }, "a\0b",
		    4, 2 },
		{ { .kind = ASK_SPAWN, .nenv = 1 }, "a\0b", 3, 2 },
		{ { .kind = ASK_SPAWN }, "", 0, 2 },
	};
	struct rlimit nofile;
	int pair[2], own[2], fds[2], status;
	struct helper_head head;
	char text[2048];
	size_t n, nfds;
	pid_t pid;

	getrlimit(RLIMIT_NOFILE, &nofile);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	if ((pid = fork()) == 0)
		helper_main(pair[1], &policy, &nofile);
	close(pair[1]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, own), 0);
		fds[0] = own[1];
		fds[1] = STDERR_FILENO;
		ck_assert_int_eq(helper_send(pair[0], &bad[i].head, bad[i].text, bad[i].n,
		    fds, bad[i].nfds, 0), 0);
		close(own[1]);
		if (bad[i].head.kind != ASK_SPAWN) {
			ck_assert_int_eq(helper_receive(pair[0], &head, text,
					     sizeof(text), &n, fds, &nfds, 0),
			    1);
			ck_assert_uint_eq(nfds, 0);
			ck_assert_int_ne(head.value, 0);
		} else if (bad[i].nfds > 0) {
			ck_assert_int_eq(next(own[0]), HELPER_FAILED);
		}
		close(own[0]);
	}
	ck_assert_int_eq(send(pair[0], "x", 1, 0), 1);
	head = (struct helper_head){ .kind = ASK_RENEW };
	ck_assert_int_eq(helper_send(pair[0], &head, NULL, 0, NULL, 0, 0), 0);
	ck_assert_int_eq(
	    helper_receive(pair[0], &head, text, sizeof(text), &n, fds, &nfds, 0), 1);
	ck_assert_int_eq(head.value, 0);
	close(pair[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("helper");
	TCase *tc = tcase_create("helper");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, program_talks_and_ends);
	tcase_add_loop_test(tc, program_cannot_be_started, 0, 2);
	tcase_add_test(tc, failed_drop_starts_nothing);
	tcase_add_test(tc, environment_is_added_to);
	tcase_add_test(tc, child_begins_clean);
	tcase_add_test(tc, helper_keeps_nothing);
	tcase_add_test(tc, terminal);
	tcase_add_loop_test(tc, hangup, 0, 2);
	tcase_add_test(tc, hangup_before_the_end);
	tcase_add_loop_test(tc, hangup_then_close_then_stop, 0, 2);
	tcase_add_test(tc, many_programs_no_zombies);
	tcase_add_test(tc, busy_helper);
	tcase_add_test(tc, too_long_for_a_message);
	tcase_add_test(tc, killed_helper);
	tcase_add_test(tc, dies_with_its_parent);
	tcase_add_test(tc, opens_what_was_named);
	tcase_add_test(tc, lists_what_was_named);
	tcase_add_test(tc, source_of_files);
	tcase_add_test(tc, listens_where_it_may);
	tcase_add_test(tc, touches_sockets_only);
	tcase_add_test(tc, renewal);
	tcase_add_test(tc, malformed_requests);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
