/* server/filewatch, server/changes: which events concern a path, and when they are at rest. */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/options.h"
#include "server/changes.h"
#include "server/filewatch.h"

static char dir[] = "/tmp/sluss-filewatch-XXXXXX";
static struct filewatch *w;

/* A path in the test's folder; good until four calls later. */
static const char *
in(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	snprintf(path, PATH_MAX, "%s/%s", dir, name);
	return path;
}

static void
put(const char *name, const char *text)
{
	FILE *f = fopen(in(name), "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

static void
move(const char *from, const char *to)
{
	ck_assert_int_eq(rename(in(from), in(to)), 0);
}

static void
begin(void)
{
	struct errmsg e;

	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_ptr_nonnull(w = filewatch_new(&e));
}

static void
end(void)
{
	char command[PATH_MAX + 16];

	filewatch_free(w);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void
watch_file(const char *path)
{
	filewatch_begin(w, false);
	filewatch_file(w, path);
	filewatch_end(w);
}

static void
watch_folder(const char *path)
{
	filewatch_begin(w, false);
	filewatch_folder(w, path);
	filewatch_end(w);
}

/* Each event is told once. */
static void
assert_changed(void)
{
	ck_assert(filewatch_changed(w));
	ck_assert(!filewatch_changed(w));
}

START_TEST(test_file)
{
	put("a", "1");
	watch_file(in("a"));
	ck_assert(!filewatch_changed(w));
	put("a", "2");
	assert_changed();
	put("b", "3");
	ck_assert(!filewatch_changed(w));
	move("b", "a");
	assert_changed();
	ck_assert_int_eq(chmod(in("a"), 0600), 0);
	assert_changed();
	move("a", "c");
	assert_changed();
	put("c", "4");
	ck_assert(!filewatch_changed(w));
	move("c", "a");
	assert_changed();
	ck_assert_int_eq(unlink(in("a")), 0);
	assert_changed();
}
END_TEST

/* What is missing may come, step by step. */
START_TEST(test_missing)
{
	watch_file(in("x/y/a"));
	put("a", "1");
	ck_assert(!filewatch_changed(w));
	ck_assert_int_eq(mkdir(in("x"), 0700), 0);
	assert_changed();
	watch_file(in("x/y/a"));
	ck_assert_int_eq(mkdir(in("x/y"), 0700), 0);
	assert_changed();
	watch_file(in("x/y/a"));
	put("x/y/a", "1");
	assert_changed();
}
END_TEST

START_TEST(test_links)
{
	ck_assert_int_eq(mkdir(in("1"), 0700), 0);
	ck_assert_int_eq(mkdir(in("2"), 0700), 0);
	put("1/a", "1");
	put("2/a", "2");
	ck_assert_int_eq(symlink("1", in("now")), 0);
	ck_assert_int_eq(symlink(in("now/a"), in("a")), 0);
	watch_file(in("a"));
	put("2/a", "3");
	ck_assert(!filewatch_changed(w));
	put("1/a", "4");
	assert_changed();
	ck_assert_int_eq(symlink("2", in("next")), 0);
	ck_assert(!filewatch_changed(w));
	move("next", "now");
	assert_changed();
	watch_file(in("a"));
	put("1/a", "5");
	ck_assert(!filewatch_changed(w));
	put("2/a", "6");
	assert_changed();
	ck_assert_int_eq(unlink(in("a")), 0);
	assert_changed();
}
END_TEST

START_TEST(test_loop_of_links)
{
	ck_assert_int_eq(symlink("b", in("a")), 0);
	ck_assert_int_eq(symlink("a", in("b")), 0);
	watch_file(in("a"));
	ck_assert_int_eq(unlink(in("b")), 0);
	assert_changed();
}
END_TEST

START_TEST(test_folder)
{
	ck_assert_int_eq(mkdir(in("d"), 0700), 0);
	ck_assert_int_eq(symlink("d", in("l")), 0);
	watch_folder(in("l"));
	ck_assert(!filewatch_changed(w));
	put("d/x", "1");
	assert_changed();
	put("other", "1");
	ck_assert(!filewatch_changed(w));
	ck_assert_int_eq(unlink(in("d/x")), 0);
	assert_changed();
	move("d", "e");
	assert_changed();
}
END_TEST

START_TEST(test_forgotten)
{
	put("a", "1");
	ck_assert_int_eq(mkdir(in("d"), 0700), 0);
	put("d/b", "1");
	filewatch_begin(w, false);
	filewatch_file(w, in("a"));
	filewatch_file(w, in("d/b"));
	filewatch_end(w);
	put("d/b", "2");
	assert_changed();
	watch_file(in("a"));
	put("d/b", "3");
	ck_assert(!filewatch_changed(w));
	put("a", "2");
	assert_changed();
}
END_TEST

/* What may not be looked at any more is watched on. */
START_TEST(test_kept)
{
	put("a", "1");
	ck_assert_int_eq(mkdir(in("d"), 0700), 0);
	put("d/b", "1");
	watch_file(in("d/b"));
	for (int i = 0; i < 3; i++) {
		filewatch_begin(w, true);
		filewatch_file(w, in("a"));
		filewatch_end(w);
		put("d/b", "2");
		assert_changed();
		put("a", "2");
		assert_changed();
	}
	ck_assert_int_eq(unlink(in("d/b")), 0);
	ck_assert_int_eq(rmdir(in("d")), 0);
	assert_changed();
	watch_file(in("a"));
	put("a", "3");
	assert_changed();
}
END_TEST

START_TEST(test_odd_paths)
{
	char *longest = malloc(3 * PATH_MAX);
	char name[NAME_MAX + 2];

	ck_assert_ptr_nonnull(longest);
	memset(longest, 'a', 3 * PATH_MAX - 1);
	longest[3 * PATH_MAX - 1] = '\0';
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	filewatch_begin(w, false);
	filewatch_file(w, longest);
	filewatch_file(w, name);
	filewatch_file(w, "");
	filewatch_file(w, "/");
	filewatch_file(w, in("nothing/../x"));
	filewatch_file(w, in("//./a"));
	filewatch_end(w);
	put("a", "1");
	assert_changed();
	free(longest);
}
END_TEST

/* Changes */

static struct config *
config_of(const char *reload)
{
	struct errmsg e;
	struct config *c = config_new("x", false, &e);

	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(options_set(c, &c->services[0], "cert", in("cert"), &e), 0);
	ck_assert_int_eq(options_set(c, &c->services[0], "CAfile", in("ca"), &e), 0);
	c->reload_on_change = strcmp(reload, "yes") == 0;
	ck_assert_ptr_nonnull(c->files.items = malloc(sizeof(char *)));
	ck_assert_ptr_nonnull(c->files.items[0] = strdup(in("conf")));
	c->files.n = 1;
	return c;
}

START_TEST(test_rest)
{
	struct config *conf = config_of("yes");
	struct changes c = { 0 };
	uint64_t now = 1000, begun;
	const char *names[] = { "conf", "cert", "ca" };

	changes_follow(&c, conf, false);
	ck_assert_int_ne(changes_fd(&c), -1);
	for (size_t i = 0; i < 3; i++) {
		changes_look(&c, now);
		ck_assert_int_eq(changes_wait(&c, now), -1);
		put(names[i], "1");
		changes_look(&c, now);
		ck_assert_int_gt(changes_wait(&c, now), 0);
		now += (uint64_t)changes_wait(&c, now);
		ck_assert_int_eq(changes_wait(&c, now), 0);
		/* What came before it is read with it. */
		put(names[i], "2");
		changes_take(&c);
		changes_look(&c, now);
		ck_assert_int_eq(changes_wait(&c, now), -1);
	}
	/* A file that changes all the time is read now and then all the same. */
	for (begun = now; changes_wait(&c, now) != 0; now += 100) {
		put("cert", "3");
		changes_look(&c, now);
		ck_assert_uint_lt(now - begun, 60000);
	}
	ck_assert_uint_gt(now - begun, 1000);
	changes_close(&c);
	config_free(conf);
}
END_TEST

/* What changed between the reading and the watching is a change, too. */
START_TEST(test_missed)
{
	struct config *conf = config_of("yes");
	struct changes c = { 0 };

	put("cert", "1");
	changes_follow(&c, conf, false);
	ck_assert_int_eq(changes_wait(&c, 1000), -1);
	usleep(50000);
	put("conf", "1");
	changes_follow(&c, conf, false);
	ck_assert_int_eq(changes_wait(&c, 1000), 0);
	changes_take(&c);
	clock_gettime(CLOCK_REALTIME, &conf->begun);
	changes_follow(&c, conf, false);
	ck_assert_int_eq(changes_wait(&c, 1000), -1);
	changes_close(&c);
	config_free(conf);
}
END_TEST

START_TEST(test_unwanted)
{
	struct config *yes = config_of("yes"), *no = config_of("no");
	struct changes c = { 0 };

	changes_follow(&c, no, false);
	ck_assert_int_eq(changes_fd(&c), -1);
	changes_look(&c, 1);
	ck_assert_int_eq(changes_wait(&c, 1), -1);
	changes_take(&c);
	changes_follow(&c, yes, false);
	put("cert", "1");
	changes_look(&c, 2);
	ck_assert_int_ne(changes_wait(&c, 2), -1);
	changes_follow(&c, no, false);
	ck_assert_int_eq(changes_wait(&c, 2), -1);
	ck_assert_int_eq(changes_fd(&c), -1);
	config_free(yes);
	config_free(no);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("filewatch");
	TCase *tc = tcase_create("filewatch");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, test_file);
	tcase_add_test(tc, test_missing);
	tcase_add_test(tc, test_links);
	tcase_add_test(tc, test_loop_of_links);
	tcase_add_test(tc, test_folder);
	tcase_add_test(tc, test_forgotten);
	tcase_add_test(tc, test_kept);
	tcase_add_test(tc, test_odd_paths);
	tcase_add_test(tc, test_rest);
	tcase_add_test(tc, test_missed);
	tcase_add_test(tc, test_unwanted);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
