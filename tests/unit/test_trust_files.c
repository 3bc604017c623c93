/* tls/trust: CA files and folders as stunnel reads them, levels, email addresses. */
#include <assert.h>
#include <check.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "certs.h"
#include "tls/trust.h"

#define DAY 86400
#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))
#define MOST 8

/* Splits at blanks; returns how many words there are. */
static size_t
split(const char *text, char *buf, size_t size, const char **words)
{
	size_t n = 0;
	char *word, *save;

	snprintf(buf, size, "%s", text);
	for (word = strtok_r(buf, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save)) {
		assert(n < MOST);
		words[n++] = word;
	}
	return n;
}

struct row {
	const char *chain; /* names of certificates, parted by blanks */
	const char *files; /* likewise */
	const char *as;    /* "c"hain, "e"xact, or both */
	unsigned level;
	char role;         /* the peer's: 's'erver or 'c'lient */
	const char *names; /* expected, parted by blanks */
	int days;          /* from the present */
	enum trust_verdict verdict;
	const char *says;  /* part of the message, or NULL */
};

static struct trust *
make_trust(const struct row *r)
{
	struct trust *t = trust_new();
	const char *words[MOST];
	struct errmsg e;
	char buf[256];
	size_t n = split(r->files, buf, sizeof(buf), words);

	ck_assert_ptr_nonnull(t);
	trust_read_as(t, strchr(r->as, 'c') != NULL, strchr(r->as, 'e') != NULL);
	trust_set_level(t, r->level);
	for (size_t i = 0; i < n; i++)
		if (trust_add_file(t, certs_path(words[i], ".pem"), &e) == -1)
			ck_abort_msg("%s", e.text);
	return t;
}

static void
check_row(const struct row *r)
{
	struct trust *t = make_trust(r);
	struct der chain[MOST];
	const char *words[MOST], *names[MOST];
	struct errmsg why = { "" };
	char buf[256], names_buf[256];
	size_t n = split(r->chain, buf, sizeof(buf), words);
	size_t nnames = split(r->names, names_buf, sizeof(names_buf), names);
	enum trust_verdict v;

	for (size_t i = 0; i < n; i++)
		chain[i] = certs_load(words[i]);
	v = trust_judge(t, chain, n, r->role == 's', names, nnames,
	    time(NULL) + (time_t)r->days * DAY, &why);
	if (v != r->verdict)
		ck_abort_msg("[%s] files [%s] as %s level %u names [%s]: %s (%s) instead of %s",
		    r->chain, r->files, r->as, r->level, r->names, trust_verdict_text(v),
		    why.text, trust_verdict_text(r->verdict));
	if (r->says != NULL && strstr(why.text, r->says) == NULL)
		ck_abort_msg("[%s]: \"%s\" does not say \"%s\"", r->chain, why.text, r->says);
	for (size_t i = 0; i < n; i++)
		free(chain[i].data);
	trust_free(t);
}

static const struct row rows[] = {
	/* As anchors: verifyChain. */
	{ "leaf", "root", "c", 2, 's', "leaf.example.com", 0, TRUST_OK, NULL },
	{ "leaf", "root", "c", 2, 'c', "", 0, TRUST_OK, NULL },
	{ "leaf", "root_b", "c", 2, 'c', "", 0, TRUST_UNKNOWN_CA, NULL },
	{ "sub_leaf sub", "self_ca root", "c", 2, 's', "", 0, TRUST_OK, NULL },
	{ "leaf", "root", "c", 2, 's', "elsewhere", 0, TRUST_WRONG_NAME, NULL },
	{ "leaf", "root", "c", 2, 's', "", 99, TRUST_EXPIRED, NULL },
	/* A certificate that a CA has issued is no way in without the CA; unlike with --cafile. */
	{ "leaf", "leaf", "c", 2, 's', "", 0, TRUST_UNKNOWN_CA, NULL },
	{ "leaf", "leaf root", "c", 2, 's', "", 0, TRUST_OK, NULL },
	{ "self_leaf", "self_leaf", "c", 2, 's', "", 0, TRUST_OK, NULL },
	{ "exact_leaf", "self_leaf", "c", 2, 's', "", 0, TRUST_UNKNOWN_CA, NULL },
	{ "leaf", "", "c", 2, 's', "", 0, TRUST_UNKNOWN_CA, NULL },
	{ "", "root", "c", 2, 'c', "", 0, TRUST_NO_CERT, NULL },

	/* As exact certificates: verifyPeer. */
	{ "leaf", "leaf", "e", 2, 's', "", 0, TRUST_OK, NULL },
	{ "leaf", "other leaf", "e", 2, 'c', "", 0, TRUST_OK, NULL },
	{ "leaf", "root", "e", 2, 's', "", 0, TRUST_NOT_PINNED, NULL },
	{ "self_ca", "self_ca", "e", 2, 's', "", 0, TRUST_OK, NULL },
	{ "other", "self_leaf", "e", 2, 's', "", 0, TRUST_NOT_PINNED, NULL },
	{ "leaf", "leaf", "e", 2, 's', "elsewhere", 0, TRUST_WRONG_NAME, NULL },
	{ "leaf", "leaf", "e", 2, 's', "", 99, TRUST_EXPIRED, NULL },
	{ "leaf", "", "e", 2, 's', "", 0, TRUST_UNKNOWN_CA, NULL },
	/* A weak one stands in the file for nothing. */
	{ "rsa1024", "rsa1024", "e", 2, 's', "", 0, TRUST_WEAK, NULL },
	{ "sha1_self", "sha1_self", "e", 0, 's', "", 0, TRUST_WEAK, NULL },
	{ "leaf", "rsa1024 leaf", "e", 2, 's', "", 0, TRUST_OK, NULL },

	/* As both: verify = 3. */
	{ "leaf", "leaf root", "ce", 2, 's', "", 0, TRUST_OK, NULL },
	{ "leaf", "root", "ce", 2, 's', "", 0, TRUST_NOT_PINNED, NULL },
	{ "leaf", "leaf", "ce", 2, 's', "", 0, TRUST_UNKNOWN_CA, NULL },
	{ "leaf", "leaf root_b", "ce", 2, 's', "", 0, TRUST_UNKNOWN_CA, NULL },
	{ "self_leaf", "self_leaf", "ce", 2, 's', "", 0, TRUST_OK, NULL },

	/* Levels. */
	{ "rsa", "rsa", "e", 2, 's', "", 0, TRUST_OK, NULL },
	{ "rsa", "rsa", "e", 3, 's', "", 0, TRUST_WEAK, "2048 bits, less than the 3072" },
	{ "pss", "pss", "e", 3, 's', "", 0, TRUST_WEAK, "securityLevel 3" },
	{ "leaf", "root", "c", 3, 's', "", 0, TRUST_OK, NULL },
	{ "leaf", "root", "c", 4, 's', "", 0, TRUST_WEAK, "256 bits, less than the 384" },
	{ "ed25519", "ed25519", "e", 3, 's', "", 0, TRUST_OK, NULL },
	{ "ed25519", "ed25519", "e", 4, 's', "", 0, TRUST_WEAK, NULL },
	{ "p384", "p384", "e", 4, 's', "", 0, TRUST_OK, NULL },
	{ "p384", "p384", "e", 5, 's', "", 0, TRUST_WEAK, NULL },
	{ "p521", "p521", "e", 5, 's', "", 0, TRUST_OK, NULL },
	/* The CA's key, too. */
	{ "by_rsa", "rsa", "c", 2, 's', "", 0, TRUST_OK, NULL },
	{ "by_rsa", "rsa", "c", 3, 's', "", 0, TRUST_WEAK, "\"CN=rsa\"" },

	/* Email addresses. */
	{ "self_leaf", "self_leaf", "e", 2, 's', "a@example.com", 0, TRUST_OK, NULL },
	{ "self_leaf", "self_leaf", "e", 2, 's', "a@EXAMPLE.com", 0, TRUST_OK, NULL },
	{ "self_leaf", "self_leaf", "e", 2, 's', "A@example.com", 0, TRUST_WRONG_NAME, NULL },
	{ "self_leaf", "self_leaf", "e", 2, 's', "b@example.com", 0, TRUST_WRONG_NAME, NULL },
	{ "self_leaf", "self_leaf", "e", 2, 's', "@example.com", 0, TRUST_WRONG_NAME, NULL },
	{ "self_leaf", "self_leaf", "e", 2, 's', "a@", 0, TRUST_WRONG_NAME, NULL },
	{ "self_leaf", "self_leaf", "e", 2, 's', "@", 0, TRUST_WRONG_NAME, NULL },
	{ "self_leaf", "self_leaf", "e", 2, 's', "a@b@example.com", 0, TRUST_WRONG_NAME, NULL },
	{ "self_leaf", "self_leaf", "e", 2, 's', "x a@example.com", 0, TRUST_OK, NULL },
	{ "self_leaf", "self_leaf", "e", 2, 's', "x 127.0.0.1", 0, TRUST_OK, NULL },
	/* In the subject where the alternative names have none. */
	{ "nc_email_subject", "nc", "c", 2, 's', "a@evil.org", 0, TRUST_BAD_CHAIN, NULL },
	{ "nc_email_subject", "nc_email_subject", "e", 2, 's', "a@evil.org", 0, TRUST_OK, NULL },
	{ "nc_email_subject", "nc_email_subject", "e", 2, 's', "b@evil.org", 0,
	    TRUST_WRONG_NAME, NULL },
};

START_TEST(judged)
{
	check_row(&rows[_i]);
}
END_TEST

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

	tcase_add_loop_test(t, judged, 0, COUNT(rows));
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
