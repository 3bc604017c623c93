#include "crl_specs.h"

#include <malloc.h>

#include "base/log.h"
#include "policies.h"
#include "tls/crl_priv.h"
#include "tls/library.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Whom CRLs refuse is in test_verdicts.c: here is how they are read and kept. */

/* What cannot be used is refused when it is read, with the file and the reason. */
static const struct {
	const char *cas, *crls, *says;
} bad_rows[] = {
	{ "ca:root", "crl:root_by_evil", "root_by_evil.crl: line 1: the CRL is of no use: its "
	    "signature is not by the key of \"C=SE, O=Test, CN=Root\"" },
	{ "ca:root", "crl:root_broken", "its signature is not by the key" },
	{ "ca:root", "crl:root_leaf crl:root_broken", "root_broken.crl" },
	{ "ca:root", "crl:root_sha1", "it is signed with ECDSA with SHA-1" },
	{ "ca:root", "crl:root_critical", "it has the critical extension 1.2.3.4, which is not" },
	{ "ca:root", "crl:root_delta", "it is a delta" },
	{ "ca:root", "crl:root_reasons", "onlySomeReasons" },
	{ "ca:root", "crl:root_indirect", "indirectCRL" },
	{ "ca:root", "crl:root_attributes", "onlyContainsAttributeCerts" },
	{ "ca:root", "crl:root_relative", "its distributionPoint is a relative name" },
	{ "ca:root", "crl:root_twice", "the same extension twice" },
	{ "ca:root", "crl:root_strange", "an entry has the critical extension 1.2.3.5" },
	{ "ca:root", "crl:root_other", "several CAs" },
	{ "ca:root", "crl:root_endless", "it has no nextUpdate" },
	{ "ca:root", "crl:root_backwards", "its nextUpdate cannot be read" },
	{ "ca:root", "crl:root_v3", "its version is not 2" },
	{ "ca:root", "crl:root_v1_ext", "unexpected behind its entries" },
	{ "ca:root ca:sub", "crl:sub_none", "the keyUsage of \"O=Test, CN=Sub\" lacks cRLSign" },
	{ "ca:root", "crl:absent", "absent.crl: cannot be read: No such file" },
	{ "ca:self_leaf", "crl:root_none", "there is no CA in CAfile or CApath" },
};

START_TEST(refuses)
{
	struct trust *t = trust_of(bad_rows[_i].cas);
	struct errmsg e = { "" };

	ck_assert_msg(crls_of(t, bad_rows[_i].crls, &e) == NULL, "%s", bad_rows[_i].crls);
	ck_assert_msg(strstr(e.text, bad_rows[_i].says) != NULL, "%s", e.text);
	trust_free(t);
}
END_TEST

/* Whose signatures are remembered is revoked all the same, and passes again with another set. */
START_TEST(remembered_and_revoked)
{
	struct trust *t = trust_of("ca:root");
	struct crl_set *set;
	struct errmsg why;
	struct der leaf = certs_load("leaf");
	unsigned long long before;

	ck_assert_int_eq(trust_judge(t, &leaf, 1, true, NULL, 0, time(NULL), &why), TRUST_OK);
	before = signatures_checked();
	ck_assert_int_eq(trust_judge(t, &leaf, 1, true, NULL, 0, time(NULL), &why), TRUST_OK);
	ck_assert_uint_eq(signatures_checked(), before);
	ck_assert_ptr_nonnull(set = crls_of(t, "crl:root_leaf", &why));
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(trust_judge_with(t, set, &leaf, 1, true, NULL, 0, time(NULL),
		    &why), TRUST_REVOKED);
	ck_assert_int_eq(trust_judge(t, &leaf, 1, true, NULL, 0, time(NULL), &why), TRUST_OK);
	crl_set_unref(set);
	trust_free(t);
	free(leaf.data);
}
END_TEST

/* peer= alone: nobody there could have signed a CRL. */
START_TEST(pins_alone_have_no_crls)
{
	struct trust *t = trust_of("peer:leaf");
	struct errmsg e;

	ck_assert_ptr_null(crls_of(t, "crl:root_leaf", &e));
	ck_assert_msg(strstr(e.text, "revoked by taking it out of its file") != NULL, "%s",
	    e.text);
	trust_free(t);
}
END_TEST

START_TEST(files_of_other_things)
{
	static const char *const texts[] = { "", "nothing\n",
		"-----BEGIN X509 CRL-----\nAAAA\n", "-----BEGIN X509 CRL-----\n!\n"
		"-----END X509 CRL-----\n", "-----BEGIN X509 CRL-----\nMAA=\n"
		"-----END X509 CRL-----\n", "0\x80" };
	static const char *const says[] = { "no CRL in this file", "no CRL in this file",
		"no \"END X509 CRL\"", "not base64", "line 1: the CRL is of no use",
		"it is not DER" };
	struct trust *t = trust_of("ca:root");
	struct errmsg e = { "" };

	certs_write_text(certs_path("odd", ".crl"), texts[_i]);
	ck_assert_ptr_null(crls_of(t, "crl:odd", &e));
	ck_assert_msg(strstr(e.text, says[_i]) != NULL && strstr(e.text, "odd.crl") != NULL,
	    "%s", e.text);
	trust_free(t);
}
END_TEST

static void
append(FILE *to, const char *name, const char *suffix)
{
	FILE *f = fopen(certs_path(name, suffix), "r");
	int c;

	while ((c = fgetc(f)) != EOF)
		fputc(c, to);
	fclose(f);
}

START_TEST(several_in_a_file)
{
	struct trust *t = trust_of("ca:root ca:root_b");
	FILE *f = fopen(certs_path("several", ".crl"), "w");
	struct crl_set *set;
	struct errmsg e;

	append(f, "root", ".pem");
	append(f, "root_many", ".crl");
	append(f, "b_sub", ".crl");
	append(f, "root_none", ".crl");
	fclose(f);
	ck_assert_ptr_nonnull(set = crls_of(t, "crl:several", &e));
	/* The older one of the same CA is gone. */
	ck_assert_uint_eq(crl_set_lists(set), 2);
	ck_assert_uint_eq(crl_set_revoked(set), 8);
	crl_set_unref(set);
	trust_free(t);
}
END_TEST

static struct crl_set *
read_folder(const struct trust *t, const char *folder, struct errmsg *e)
{
	const struct crl_source from = { .service = "test", .folders = &folder, .nfolders = 1 };

	return crl_set_new(&from, t, e);
}

static void
link_into(const char *folder, const char *name, const char *suffix)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s%s", folder, name, suffix);
	ck_assert_int_eq(link(certs_path(name, suffix), path), 0);
}

/* A folder: CRLs in both forms, and whatever else is there. */
START_TEST(folders)
{
	struct trust *t = trust_of("ca:root ca:root_b");
	const char *folder = certs_path("folder", ".d");
	struct crl_set *set;
	struct errmsg e = { "" };
	char path[512];

	ck_assert_ptr_null(read_folder(t, certs_path("nowhere", ".d"), &e));
	ck_assert_msg(strstr(e.text, "the folder cannot be read") != NULL, "%s", e.text);
	ck_assert_int_eq(mkdir(folder, 0700), 0);
	ck_assert_ptr_nonnull(set = read_folder(t, folder, &e));
	ck_assert_uint_eq(crl_set_lists(set), 0);
	crl_set_unref(set);
	link_into(folder, "root_leaf", ".crl");
	link_into(folder, "b_sub", ".der");
	link_into(folder, "root", ".pem");
	snprintf(path, sizeof(path), "%s/sub", folder);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	if ((set = read_folder(t, folder, &e)) == NULL)
		ck_abort_msg("%s", e.text);
	ck_assert_uint_eq(crl_set_lists(set), 2);
	ck_assert_uint_eq(crl_set_revoked(set), 2);
	crl_set_unref(set);
	link_into(folder, "root_broken", ".crl");
	ck_assert_ptr_null(read_folder(t, folder, &e));
	ck_assert_msg(strstr(e.text, "root_broken.crl") != NULL, "%s", e.text);
	trust_free(t);
}
END_TEST

/* Threads that ask at the same time whose signature it is. */
struct asker {
	struct trust *trust;
	struct crl_set *set;
	enum trust_verdict want;
};

static void *
ask(void *arg)
{
	struct asker *a = arg;
	struct der chain[] = { certs_load("sub_leaf"), certs_load("sub_by_b") };
	enum trust_verdict v = a->want;
	struct errmsg e;

	for (int i = 0; i < 20 && v == a->want; i++)
		v = trust_judge_with(a->trust, a->set, chain, 2, true, NULL, 0, time(NULL), &e);
	free(chain[0].data);
	free(chain[1].data);
	return v == a->want ? arg : NULL;
}

START_TEST(threads)
{
	static const char *const crls[] = { "crl:sub_leaf_", "crl:sub_broken", "crl:sub_none" };
	static const enum trust_verdict wants[] = { TRUST_REVOKED, TRUST_CRL_MISSING, TRUST_OK };
	struct asker a = { .trust = trust_of("ca:root_b"), .want = wants[_i] };
	pthread_t ids[4];
	struct errmsg e;
	void *result;

	ck_assert_ptr_nonnull(a.set = crls_of(a.trust, crls[_i], &e));
	for (size_t i = 0; i < COUNT(ids); i++)
		ck_assert_int_eq(pthread_create(&ids[i], NULL, ask, &a), 0);
	for (size_t i = 0; i < COUNT(ids); i++) {
		ck_assert_int_eq(pthread_join(ids[i], &result), 0);
		ck_assert_ptr_eq(result, &a);
	}
	crl_set_unref(a.set);
	trust_free(a.trust);
}
END_TEST

/* The same CRL is in memory once, whatever file it is from. */
START_TEST(shared)
{
	struct trust *t = trust_of("ca:root"), *u = trust_of("ca:root ca:root_b");
	struct crl_set *a, *b, *c, *d;
	struct errmsg e;

	ck_assert_ptr_nonnull(a = crls_of(t, "crl:root_leaf", &e));
	ck_assert_ptr_nonnull(b = crls_of(u, "crl:root_leaf der", &e));
	ck_assert_ptr_nonnull(c = crls_of(t, "crl:root_none", &e));
	ck_assert_ptr_nonnull(d = crls_of(t, "crl:root_leaf whole", &e));
	ck_assert_ptr_eq(a->items[0].crl, b->items[0].crl);
	ck_assert(crl_set_equal(a, b));
	ck_assert(!crl_set_equal(a, c));
	ck_assert(!crl_set_equal(a, d));
	ck_assert(!crl_set_equal(a, NULL));
	ck_assert(crl_set_equal(NULL, NULL));
	crl_set_unref(a);
	ck_assert_uint_eq(crl_set_revoked(b), 1);
	crl_set_unref(b);
	crl_set_unref(c);
	crl_set_unref(d);
	trust_free(t);
	trust_free(u);
}
END_TEST

START_TEST(soft_is_counted)
{
	struct trust *t = trust_of("ca:root");
	struct der leaf = certs_load("leaf");
	struct crl_set *set;
	struct errmsg e;

	ck_assert_ptr_nonnull(set = crls_of(t, "crl:root_old soft", &e));
	for (unsigned i = 1; i <= 3; i++) {
		ck_assert_int_eq(trust_judge_with(t, set, &leaf, 1, true, NULL, 0, time(NULL),
		    &e), TRUST_OK);
		ck_assert_uint_eq(crl_set_passed(set), i);
	}
	free(leaf.data);
	crl_set_unref(set);
	trust_free(t);
}
END_TEST

/* Numbers are compared as numbers, with their signs. */
START_TEST(serial_numbers)
{
	static const struct {
		const char *text;
		size_t n;
	} numbers[] = { { "\x00\xff", 2 }, { "\x05", 1 }, { "\xff", 1 }, { "\x7f\xff", 2 },
		{ "\x01\x02\x03", 3 } };
	struct writer w = writer_new(1024);
	size_t end = w.at, steps = 0;
	struct serials s;
	struct crl_text t = { .n = COUNT(numbers), .width = 3 };

	for (size_t i = 0; i < COUNT(numbers); i++)
		crl_write_entry(&w, NULL, numbers[i].text, numbers[i].n, 0);
	t.entries = (struct span){ w.buf + w.at, end - w.at };
	ck_assert_int_eq(serials_make(&s, &t), 0);
#define HAS(literal) serials_have( \
    &s, (struct span){ (const unsigned char *)(literal), sizeof(literal) - 1 }, &steps)
	ck_assert(HAS("\x00\xff"));
	ck_assert(HAS("\x00\x00\xff"));
	ck_assert(HAS("\x05"));
	ck_assert(HAS("\x00\x00\x00\x00\x05"));
	ck_assert(HAS("\xff"));
	ck_assert(HAS("\x7f\xff"));
	ck_assert(HAS("\x01\x02\x03"));
	ck_assert(!HAS("\x06"));
	ck_assert(!HAS("\x01\x02"));
	ck_assert(!HAS("\xff\x7f"));
	ck_assert(!HAS("\x00\x05\x05"));
	ck_assert(!HAS("\x01\x01\x02\x03"));
#undef HAS
	serials_free(&s);
	free(w.buf);
}
END_TEST

/* The i-th serial number of a large CRL: 16 bytes, in no order. */
static void
make_serial(size_t i, unsigned char *serial)
{
	uint64_t x = i * 0x9e3779b97f4a7c15u + 1;

	for (size_t k = 0; k < 16; k++) {
		x ^= x >> 29;
		x *= 0xbf58476d1ce4e5b9u;
		serial[k] = (unsigned char)(x >> 56);
	}
	serial[0] = (unsigned char)(0x40 | (serial[0] & 0x3f));
}

static struct der
make_large(size_t n)
{
	const struct crl_spec s = { "large", "root", NULL, 7, -1, 5, "", NULL };
	struct writer w = writer_new(n * 40 + 4096);
	size_t end = w.at, entries;
	unsigned char serial[16];
	struct der tbs;

	crl_write_extensions(&w, &s);
	entries = w.at;
	for (size_t i = 0; i < n; i++) {
		make_serial(i, serial);
		crl_write_entry(&w, NULL, serial, sizeof(serial), 0);
	}
	tbs = crl_write_tbs(&w, &s, entries, end);
	return crl_finish(&w, &s, &tbs);
}

static size_t
allocated(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Looking one up costs the same, or a few comparisons more, however long the list is. */
START_TEST(large)
{
	static const size_t sizes[] = { 10, 1000, 100000, 500000 };
	static const size_t most[] = { 4, 10, 17, 19 };
	const size_t n = sizes[_i];
	struct trust *t = trust_of("ca:root");
	struct der crl = make_large(n);
	struct crl_set *set;
	struct errmsg e;
	unsigned char serial[16];
	size_t steps, before, used;
	double began;

	crl_put_files("large", &crl);
	free(crl.data);
	before = allocated();
	began = seconds();
	if ((set = crls_of(t, _i % 2 == 0 ? "crl:large der" : "crl:large", &e)) == NULL)
		ck_abort_msg("%s", e.text);
	began = seconds() - began;
	used = allocated() - before;
	printf("%zu entries: read in %.3f s, %zu bytes\n", n, began, used);
	ck_assert_uint_eq(crl_set_revoked(set), n);
	for (size_t i = 0; i < n; i += n / 10) {
		make_serial(i, serial);
		steps = 0;
		ck_assert(serials_have(&set->items[0].crl->serials, (struct span){ serial, 16 },
		    &steps));
		ck_assert_uint_le(steps, most[_i]);
		serial[15] ^= 1;
		steps = 0;
		ck_assert(!serials_have(&set->items[0].crl->serials, (struct span){ serial, 16 },
		    &steps));
		ck_assert_uint_le(steps, most[_i]);
	}
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	/* 16 bytes a certificate, and what is around them. */
	ck_assert_uint_le(used, 16 * n + 64 * 1024);
	crl_set_unref(set);
	ck_assert_uint_le(allocated(), before + 32 * 1024);
#else
	(void)used;
	crl_set_unref(set);
#endif
	trust_free(t);
}
END_TEST

/* A CRL with any byte changed is refused, or one that has not been signed. */
START_TEST(damaged)
{
	struct trust *t = trust_of("ca:root");
	const struct crl_spec s = { "damaged", "root", NULL, 2, -1, 5, "leaf !no_ids", NULL };
	struct der crl = crl_make(&s);
	struct crl_set *set;
	struct errmsg e;

	for (size_t i = 0; i < crl.len; i++) {
		crl.data[i] ^= (unsigned char)(1u << (i % 8));
		certs_write(certs_path("damaged", ".crl"), crl.data, crl.len);
		/* Its issuer's name may be another's: then it belongs to nobody. */
		set = crls_of(t, "crl:damaged", &e);
		if (set != NULL)
			ck_assert(!atomic_load(&set->items[0].crl->proven));
		crl_set_unref(set);
		crl.data[i] ^= (unsigned char)(1u << (i % 8));
	}
	for (size_t i = 1; i < crl.len; i++) {
		certs_write(certs_path("damaged", ".crl"), crl.data, crl.len - i);
		ck_assert_ptr_null(crls_of(t, "crl:damaged", &e));
	}
	free(crl.data);
	trust_free(t);
}
END_TEST

static Suite *
crl_suite(void)
{
	Suite *s = suite_create("crl");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, refuses, 0, (int)COUNT(bad_rows));
	tcase_add_test(tc, pins_alone_have_no_crls);
	tcase_add_test(tc, remembered_and_revoked);
	tcase_add_loop_test(tc, files_of_other_things, 0, 6);
	tcase_add_test(tc, several_in_a_file);
	tcase_add_test(tc, folders);
	tcase_add_loop_test(tc, threads, 0, 3);
	tcase_add_test(tc, shared);
	tcase_add_test(tc, soft_is_counted);
	tcase_add_test(tc, serial_numbers);
	tcase_add_loop_test(tc, large, 0, 4);
	tcase_add_test(tc, damaged);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	struct errmsg e;
	SRunner *r;
	int failed;

	log_level(LOG_EMERG);
	if (tls_library_start(&e) == -1 || certs_make() == -1)
		return 1;
	for (size_t i = 0; i < COUNT(crl_specs); i++)
		crl_make_file(&crl_specs[i]);
	r = srunner_create(crl_suite());
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	certs_remove();
	tls_library_stop();
	return failed == 0 ? 0 : 1;
}
