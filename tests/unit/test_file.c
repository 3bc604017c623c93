/* conf/file: from text to lines, sections and pairs.  What the reader is told is written down as
 * a transcript, a line a call. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/file.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static char transcript[1 << 20];
static unsigned short files;

static void
note(const char *fmt, ...)
{
	const size_t used = strlen(transcript);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(transcript + used, sizeof(transcript) - used, fmt, ap);
	va_end(ap);
}

static unsigned short
opened(void *arg, const char *path)
{
	ck_assert_ptr_eq(arg, transcript);
	note("+%s\n", strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path);
	return files++;
}

static void
section(void *arg, const struct file_place *at, const char *name)
{
	ck_assert_ptr_eq(arg, transcript);
	note("%u:%u [%s]\n", at->file, at->line, name);
}

static void
option(void *arg, const struct file_place *at, const char *key, const char *value)
{
	ck_assert_ptr_eq(arg, transcript);
	note("%u:%u <%s> <%s>\n", at->file, at->line, key, value);
}

static void
error(void *arg, const struct file_place *at, const char *why)
{
	ck_assert_ptr_eq(arg, transcript);
	note("%u:%u \"%.70s\": %s\n", at->file, at->line, at->text != NULL ? at->text : "",
	    why);
}

static const struct file_reader reader = { transcript, opened, section, option, error,
	NULL };

static void
setup(void)
{
	transcript[0] = '\0';
	files = 0;
}

static void
read_bytes(const char *text, size_t n)
{
	int fd = memfd_create("conf", MFD_CLOEXEC);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, n), (ssize_t)n);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	file_read_fd(fd, "x", &reader);
	/* It was closed. */
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}

#define NO_EQUALS "there is no = between an option and its value"
#define NO_BRACKET "the section's name has no ] at the end of the line"

/* The rules of a line, one after the other. */
static const struct {
	const char *text, *transcript;
} lines[] = {
	{ "", "" },
	{ "\n\n  \t \n", "" },
	{ "a=b", "0:1 <a> <b>\n" },
	{ "\xef\xbb\xbf" "a=b\n", "0:1 <a> <b>\n" },
	{ "\xef\xbb\xbf; c\n", "" },
	{ "\n\xef\xbb\xbf" "a=b\n", "0:2 <\xef\xbb\xbf" "a> <b>\n" },
	{ "a=b\r\n[s]\r\nc = d\r\n", "0:1 <a> <b>\n0:2 [s]\n0:3 <c> <d>\n" },
	{ "# c\n; c\n \t# c = d\n;[s]\n", "" },
	{ "a=b ; no comment\n", "0:1 <a> <b ; no comment>\n" },
	{ "a=b # no comment\n", "0:1 <a> <b # no comment>\n" },
	{ "[s] ; c\n", "0:1 \"[s] ; c\": " NO_BRACKET "\n" },
	{ "  a \t=\t b c  \n", "0:1 <a> <b c>\n" },
	{ "a=\"b\"\n", "0:1 <a> <\"b\">\n" },
	{ "a='b\\\nc=d\n", "0:1 <a> <'b\\>\n0:2 <c> <d>\n" },
	{ "a=b=c==\n", "0:1 <a> <b=c==>\n" },
	{ "a=\n", "0:1 <a> <>\n" },
	{ "=b\n", "0:1 <> <b>\n" },
	{ "AcCePt = 1\n", "0:1 <AcCePt> <1>\n" },
	{ "[ my service ]\n", "0:1 [ my service ]\n" },
	{ "   [s]   \n", "0:1 [s]\n" },
	{ "[]\n[]\n[s]\n[s]\n", "0:1 []\n0:2 []\n0:3 [s]\n0:4 [s]\n" },
	{ "[192.0.2.1:443]\n[[a]]\n[a=b]\n", "0:1 [192.0.2.1:443]\n0:2 [[a]]\n0:3 [a=b]\n" },
	{ "[\n", "0:1 \"[\": " NO_BRACKET "\n" },
	{ "[s\na=b\n", "0:1 \"[s\": " NO_BRACKET "\n0:2 <a> <b>\n" },
	{ "[s=t\n", "0:1 <[s> <t>\n" },
	{ "accept 443\n]\n", "0:1 \"accept 443\": " NO_EQUALS "\n0:2 \"]\": " NO_EQUALS "\n" },
	{ "a=b\n\n\nc=d", "0:1 <a> <b>\n0:4 <c> <d>\n" },
	{ "a=\xc3\xa4\n", "0:1 <a> <\xc3\xa4>\n" },
};

START_TEST(line_rules)
{
	read_bytes(lines[_i].text, strlen(lines[_i].text));
	ck_assert_int_eq(strncmp(transcript, "+x\n", 3), 0);
	ck_assert_str_eq(transcript + 3, lines[_i].transcript);
}
END_TEST

START_TEST(byte_zero)
{
	static const char text[] = "a=b\0c\nd=e\n";

	read_bytes(text, sizeof(text) - 1);
	ck_assert_str_eq(transcript,
	    "+x\n0:1 \"a=bc\": there is a byte 0 in the line\n0:2 <d> <e>\n");
}
END_TEST

/* 16 KiB are a line, a byte more is not; what follows is read. */
START_TEST(long_lines)
{
	static char text[FILE_LINE_MAX + 64];
	char *p;

	memset(text, 'v', sizeof(text));
	memcpy(text, "a=", 2);
	strcpy(text + FILE_LINE_MAX, "\nb=c\n");
	read_bytes(text, strlen(text));
	ck_assert_ptr_nonnull(p = strchr(transcript, 'v'));
	ck_assert_uint_eq(strspn(p, "v"), FILE_LINE_MAX - 2);
	ck_assert_ptr_nonnull(strstr(transcript, "0:2 <b> <c>\n"));

	setup();
	memset(text, 'v', FILE_LINE_MAX + 1);
	strcpy(text + FILE_LINE_MAX + 1, "\nb=c\n");
	read_bytes(text, strlen(text));
	ck_assert_ptr_nonnull(
	    strstr(transcript, "vvv\": the line is longer than 16384 bytes\n0:2 <b> <c>\n"));
}
END_TEST

/*
 * Files and folders.
 */

static char folder[64];

static void
make_folder(void)
{
	setup();
	strcpy(folder, "/tmp/sluss-file-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void
remove_folder(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static const char *
path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
put(const char *name, const char *fmt, ...)
{
	FILE *f = fopen(path_of(name), "w");
	va_list ap;

	ck_assert_ptr_nonnull(f);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	ck_assert_int_eq(fclose(f), 0);
}

START_TEST(missing_file)
{
	file_read(path_of("none"), &reader);
	ck_assert_str_eq(transcript, "+none\n0:0 \"\": cannot open the configuration: No such "
	    "file or directory\n");
}
END_TEST

START_TEST(folder_for_file)
{
	file_read(folder, &reader);
	ck_assert_ptr_nonnull(strstr(transcript, "0:0 \"\": "));
	ck_assert_ptr_nonnull(strstr(transcript, "Is a directory\n"));
}
END_TEST

START_TEST(bad_descriptor)
{
	file_read_fd(999, "999", &reader);
	ck_assert_str_eq(transcript, "+999\n0:0 \"\": cannot read the configuration: Bad file "
	    "descriptor\n");
}
END_TEST

/* In the order of the names, all regular files and no folders, in the place of the line; the last
 * section of the last file stays open. */
START_TEST(include_in_place)
{
	ck_assert_int_eq(mkdir(path_of("d"), 0700), 0);
	ck_assert_int_eq(mkdir(path_of("d/c.d"), 0700), 0);
	put("d/c.d/deep", "no = 1\n");
	put("d/b.conf~", "three = 3\n[late]\n");
	put("d/b.conf", "two = 2\n");
	put("d/.a", "\xef\xbb\xbf" "one = 1\n");
	put("d/z", "%s", "");
	put("main", "[s]\nzero = 0\nInclude = %s/d\nfour = 4\n", folder);
	file_read(path_of("main"), &reader);
	ck_assert_str_eq(transcript, "+main\n0:1 [s]\n0:2 <zero> <0>\n"
	    "+.a\n1:1 <one> <1>\n+b.conf\n2:1 <two> <2>\n"
	    "+b.conf~\n3:1 <three> <3>\n3:2 [late]\n+z\n0:4 <four> <4>\n");
}
END_TEST

START_TEST(include_of_link_and_pipe)
{
	ck_assert_int_eq(mkdir(path_of("d"), 0700), 0);
	put("target", "a = b\n");
	ck_assert_int_eq(symlink("../target", path_of("d/link")), 0);
	ck_assert_int_eq(symlink("nowhere", path_of("d/lost")), 0);
	ck_assert_int_eq(mkfifo(path_of("d/pipe"), 0600), 0);
	put("main", "include = %s/d\n", folder);
	file_read(path_of("main"), &reader);
	ck_assert_str_eq(transcript, "+main\n+link\n1:1 <a> <b>\n");
}
END_TEST

START_TEST(include_of_file)
{
	put("other", "a = b\n");
	put("main", "include = %s/other\ninclude = %s/none\nc = d\n", folder, folder);
	file_read(path_of("main"), &reader);
	ck_assert_ptr_nonnull(strstr(transcript, "0:1 \"include = "));
	ck_assert_ptr_nonnull(strstr(transcript, "other: Not a directory\n0:2 \"include = "));
	ck_assert_ptr_nonnull(strstr(transcript, "none: No such file or directory\n"
	    "0:3 <c> <d>\n"));
}
END_TEST

/* Two files that each include their folder would be read 2^100 times. */
START_TEST(include_without_end)
{
	const char *p;
	int n = 0;

	ck_assert_int_eq(mkdir(path_of("d"), 0700), 0);
	put("d/a", "include = %s/d\n", folder);
	put("d/b", "include = %s/d\nnever = 1\n", folder);
	put("main", "include = %s/d\nnever = 1\n", folder);
	file_read(path_of("main"), &reader);
	for (p = transcript; (p = strstr(p, "without end")) != NULL; p++)
		n++;
	ck_assert_int_eq(n, 1);
	ck_assert_ptr_null(strstr(transcript, "never"));
	ck_assert_int_eq(files, 1 + FILE_DEPTH_MAX);
}
END_TEST

/* A chain of folders as deep as is allowed. */
START_TEST(include_deep)
{
	char name[32];

	for (int i = 0; i < FILE_DEPTH_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i);
		ck_assert_int_eq(mkdir(path_of(name), 0700), 0);
		snprintf(name, sizeof(name), "%d/f", i);
		if (i + 1 < FILE_DEPTH_MAX)
			put(name, "include = %s/%d\n", folder, i + 1);
		else
			put(name, "deep = 1\n");
	}
	put("main", "include = %s/0\n", folder);
	file_read(path_of("main"), &reader);
	ck_assert_ptr_null(strstr(transcript, "without end"));
	ck_assert_ptr_nonnull(strstr(transcript, "100:1 <deep> <1>\n"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("file");
	TCase *text = tcase_create("text"), *tree = tcase_create("tree");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(text, setup, NULL);
	tcase_add_loop_test(text, line_rules, 0, COUNT(lines));
	tcase_add_test(text, byte_zero);
	tcase_add_test(text, long_lines);
	suite_add_tcase(s, text);
	tcase_add_checked_fixture(tree, make_folder, remove_folder);
	tcase_add_test(tree, missing_file);
	tcase_add_test(tree, folder_for_file);
	tcase_add_test(tree, bad_descriptor);
	tcase_add_test(tree, include_in_place);
	tcase_add_test(tree, include_of_link_and_pipe);
	tcase_add_test(tree, include_of_file);
	tcase_add_test(tree, include_without_end);
	tcase_add_test(tree, include_deep);
	suite_add_tcase(s, tree);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
