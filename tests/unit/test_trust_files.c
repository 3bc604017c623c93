/* tls/trust: CA folders as stunnel reads them; what a file lets in is in test_verdicts.c. */
#include <check.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "certs.h"
#include "tls/trust.h"

/* A folder in the folder of the certificates. */
static const char *
folder(const char *name)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s", certs_path(name, ""));
	mkdir(path, 0700);
	return path;
}

static void
put(const char *into, const char *name, const char *from)
{
	char path[600], source[600];

	snprintf(path, sizeof(path), "%s/%s", into, name);
	snprintf(source, sizeof(source), "%s", certs_path(from, ".pem"));
	ck_assert_int_eq(symlink(source, path), 0);
}

static void
put_text(const char *into, const char *name, const char *text)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", into, name);
	certs_write_text(path, text);
}

static enum trust_verdict
judge(const struct trust *t, const char *name)
{
	struct der leaf = certs_load(name);
	struct errmsg why;
	enum trust_verdict v = trust_judge(t, &leaf, 1, true, NULL, 0, time(NULL), &why);

	free(leaf.data);
	return v;
}

static struct trust *
anchors(void)
{
	struct trust *t = trust_new();

	ck_assert_ptr_nonnull(t);
	trust_read_as(t, true, false);
	return t;
}

/* By whatever name; twice is once; what is no certificate is passed over. */
START_TEST(folder_is_read)
{
	const char *path = folder("ca-folder");
	struct trust *t = anchors();
	struct errmsg e = { "" };

	put(path, "0f1e2d3c.0", "root");
	put(path, "root.pem", "root");
	put(path, "rsa.crt", "rsa");
	put(path, ".hidden.pem", "self_ca");
	put_text(path, "README", "These are CAs.\n");
	put_text(path, "0f1e2d3c.r0", "-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n");
	mkdir(certs_path("ca-folder/sub", ""), 0700);
	ck_assert_int_eq(trust_add_folder(t, path, &e), 0);
	ck_assert_int_eq(judge(t, "leaf"), TRUST_OK);
	ck_assert_int_eq(judge(t, "by_rsa"), TRUST_OK);
	ck_assert_int_eq(judge(t, "self_ca"), TRUST_UNKNOWN_CA);
	trust_free(t);

	ck_assert_ptr_nonnull(t = trust_new());
	trust_read_as(t, false, true);
	ck_assert_int_eq(trust_add_folder(t, path, &e), 0);
	ck_assert_int_eq(judge(t, "leaf"), TRUST_NOT_PINNED);
	ck_assert_int_eq(judge(t, "rsa"), TRUST_OK);
	trust_free(t);
}
END_TEST

START_TEST(folder_with_a_broken_file)
{
	const char *path = folder("broken-folder");
	struct trust *t = anchors();
	struct errmsg e = { "" };

	put(path, "a.pem", "root");
	put_text(path, "b.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	ck_assert_int_eq(trust_add_folder(t, path, &e), 1);
	ck_assert_msg(strstr(e.text, "broken-folder: 1 file passed over: ") != NULL &&
	    strstr(e.text, "b.pem") != NULL, "%s", e.text);
	ck_assert_int_eq(judge(t, "leaf"), TRUST_OK);
	trust_free(t);
}
END_TEST

/* Nobody is let in by what is not there. */
START_TEST(folder_without_certificates)
{
	struct trust *t = anchors();
	struct errmsg e = { "" };

	ck_assert_int_eq(trust_add_folder(t, folder("empty-folder"), &e), 1);
	ck_assert_msg(strstr(e.text, "no file with a certificate") != NULL, "%s", e.text);
	ck_assert(trust_is_empty(t));
	ck_assert_int_eq(judge(t, "leaf"), TRUST_UNKNOWN_CA);
	ck_assert_int_eq(trust_add_folder(t, "/nowhere/at/all", &e), -1);
	ck_assert_msg(strstr(e.text, "/nowhere/at/all: the folder cannot be read") != NULL, "%s",
	    e.text);
	ck_assert_int_eq(trust_add_file(t, "/nowhere/at/all", &e), -1);
	trust_free(t);
}
END_TEST

/* A file of which nothing is any use; one that has something else is none of those. */
START_TEST(useless_file_is_a_warning)
{
	struct trust *t = trust_new();
	struct errmsg e = { "" };
	char command[1024];

	trust_read_as(t, _i == 0, _i == 1);
	ck_assert_int_eq(trust_add_file(t, certs_path("rsa1024", ".pem"), &e), 1);
	ck_assert_msg(strstr(e.text, "rsa1024.pem: its certificate lets nobody in: ") != NULL, "%s",
	    e.text);
	snprintf(command, sizeof(command), "cat %s %s > %s", certs_path("rsa1024", ".pem"),
	    certs_path("root", ".pem"), certs_path("mixed", ".pem"));
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(trust_add_file(t, certs_path("mixed", ".pem"), &e), 0);
	trust_free(t);
}
END_TEST

static Suite *
files_suite(void)
{
	Suite *s = suite_create("trust files");
	TCase *t = tcase_create("judge");

	tcase_add_test(t, folder_is_read);
	tcase_add_test(t, folder_with_a_broken_file);
	tcase_add_test(t, folder_without_certificates);
	tcase_add_loop_test(t, useless_file_is_a_warning, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	SRunner *r = srunner_create(files_suite());
	int failed = 1;

	if (certs_make() == 0) {
		srunner_run_all(r, CK_NORMAL);
		failed = srunner_ntests_failed(r);
	}
	certs_remove();
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
