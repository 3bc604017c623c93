/* base/file: a walk gives what open() gives, but that no link of one user is followed. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static char folder[] = "/tmp/sluss-walk-XXXXXX";

static void
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void
make_link(const char *target, const char *path)
{
	ck_assert_int_eq(symlink(target, path), 0);
}

/* The folder that all paths of the tests begin in. */
static void
setup(void)
{
	char to[PATH_MAX], text[16], next[16];

	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	ck_assert_int_eq(mkdir("d", 0700), 0);
	ck_assert_int_eq(mkdir("d/e", 0700), 0);
	write_file("f", "f");
	write_file("d/e/g", "g");
	make_link("f", "to-f");
	make_link("d", "to-d");
	make_link("d//e/", "to-e");
	make_link("../../f", "d/e/up");
	make_link("to-d/e/up", "chain");
	make_link("nowhere", "dangling");
	make_link("round", "round");
	make_link("/", "root");
	snprintf(to, sizeof(to), "%s/d/e/g", folder);
	make_link(to, "absolute");
	for (int i = 0; i < 41; i++) {
		snprintf(text, sizeof(text), "n%d", i);
		snprintf(next, sizeof(next), "n%d", i + 1);
		make_link(i == 40 ? "f" : next, text);
	}
}

static void
teardown(void)
{
	char command[64];

	file_distrust((uid_t)-1);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
}

/* Whether there is a link in the path, and all others. */
static const struct {
	const char *path;
	bool link;
} paths[] = {
	{ "f", false }, { "./f", false }, { "d/e/g", false }, { "d//e/./g", false },
	{ "d/e/../../f", false }, { "/", false }, { ".", false }, { "d", false },
	{ "d/", false }, { "", false }, { "nothing", false }, { "f/g", false },
	{ "d/nothing/f", false }, { "/dev/null", false },
	{ "to-f", true }, { "to-d/e/g", true }, { "to-e/g", true }, { "to-d", true },
	{ "to-d/", true }, { "d/e/up", true }, { "chain", true }, { "dangling", true },
	{ "round", true }, { "root", true }, { "root/dev/null", true }, { "absolute", true },
	{ "n0", true }, { "n1", true }, { "to-d/../f", true }, { "to-d/nothing", true },
};

static const char *
absolute(const char *path)
{
	static char text[PATH_MAX];

	snprintf(text, sizeof(text), "%s/%s", folder, path);
	return text;
}

/* Both descriptors are of the same thing, or there is the same error. */
static void
assert_same(const char *path, int a, int why_a, int b, int why_b)
{
	struct stat sa, sb;

	ck_assert_msg((a == -1) == (b == -1), "%s: open %s, walk %s", path,
	    a == -1 ? strerror(why_a) : "works", b == -1 ? strerror(why_b) : "works");
	if (a == -1) {
		ck_assert_msg(why_a == why_b, "%s: %s, %s", path, strerror(why_a),
		    strerror(why_b));
		return;
	}
	ck_assert_int_eq(fstat(a, &sa), 0);
	ck_assert_int_eq(fstat(b, &sb), 0);
	ck_assert_msg(sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev, "%s", path);
	ck_assert_int_eq(fcntl(b, F_GETFD), FD_CLOEXEC);
	close(a);
	close(b);
}

static void
compare(const char *path)
{
	int a, b, why;

	errno = 0;
	a = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	why = errno;
	b = file_open_here(path);
	assert_same(path, a, why, b, errno);
}

START_TEST(like_open)
{
	file_distrust(geteuid() + 1);
	compare(paths[_i].path);
	if (paths[_i].path[0] != '/' && paths[_i].path[0] != '\0')
		compare(absolute(paths[_i].path));
}
END_TEST

START_TEST(no_link_of_that_user)
{
	int fd;

	file_distrust(geteuid());
	if (!paths[_i].link) {
		compare(paths[_i].path);
		return;
	}
	fd = file_open_here(paths[_i].path);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(errno, ELOOP);
}
END_TEST

START_TEST(folders)
{
	char **names;
	size_t n;

	file_distrust(geteuid());
	ck_assert_int_eq(file_names("d", &names, &n), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(names[0], "e");
	file_names_free(names, n);
	ck_assert_int_eq(file_names("to-d", &names, &n), -1);
	ck_assert_int_eq(errno, ELOOP);
	ck_assert_int_eq(file_names("f", &names, &n), -1);
	ck_assert_int_eq(errno, ENOTDIR);
	file_distrust(geteuid() + 1);
	ck_assert_int_eq(file_names("to-d", &names, &n), 0);
	file_names_free(names, n);
}
END_TEST

START_TEST(too_long)
{
	char path[PATH_MAX + 10];

	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	file_distrust(geteuid());
	compare(path);
	path[NAME_MAX + 1] = '\0';
	compare(path);
}
END_TEST

#define N(a) ((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	Suite *suite = suite_create("file_walk");
	TCase *tc = tcase_create("file_walk");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, like_open, 0, N(paths));
	tcase_add_loop_test(tc, no_link_of_that_user, 0, N(paths));
	tcase_add_test(tc, folders);
	tcase_add_test(tc, too_long);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
