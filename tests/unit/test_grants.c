/* server/grants: what a configuration names, and nothing else. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "conf/options.h"
#include "server/grants_priv.h"

static struct config *conf;

static void
set(const char *name, const char *value)
{
	struct errmsg e;

	ck_assert_msg(options_set(conf, &conf->services[0], name, value, &e) == 0, "%s", e.text);
}

static void
name(struct conf_strings *list, const char *path)
{
	ck_assert_ptr_nonnull(list->items = malloc(sizeof(char *)));
	ck_assert_ptr_nonnull(list->items[0] = strdup(path));
	list->n = 1;
}

static void
begin(void)
{
	struct errmsg e;

	ck_assert_ptr_nonnull(conf = config_new("a", false, &e));
	name(&conf->files, "/etc/x.conf");
	name(&conf->folders, "/etc/x.d");
	set("cert", "/etc/cert.pem");
	set("key", "/etc/key.pem");
	set("CAfile", "/etc/ca.crt");
	set("CApath", "/etc/cas");
	set("CRLfile", "/etc/ca.crl");
	set("CRLpath", "/etc/crls");
}

static void
end(void)
{
	config_free(conf);
}

START_TEST(test_paths)
{
	static const struct {
		const char *path;
		bool file, folder;
	} rows[] = {
		{ "/etc/x.conf", true, false },
		{ "/etc/cert.pem", true, false },
		{ "/etc/key.pem", true, false },
		{ "/etc/ca.crt", true, false },
		{ "/etc/x.d", false, true },
		{ "/etc/x.d/1", true, false },
		{ "/etc/cas", false, true },
		{ "/etc/cas/0123abcd.0", true, false },
		{ "/etc/ca.crl", true, false },
		{ "/etc/crls", false, true },
		{ "/etc/crls/0123abcd.r0", true, false },
		{ "/etc/crls/sub/x", false, false },
		{ "/etc/cas/", false, false },
		{ "/etc/cas/..", false, false },
		{ "/etc/cas/../shadow", false, false },
		{ "/etc/cas/sub/x", false, false },
		{ "/etc/cas.d/x", false, false },
		{ "/etc/ca.crt/x", false, false },
		{ "/etc/ca.cr", false, false },
		{ "/etc/shadow", false, false },
		{ "/etc", false, false },
		{ "/", false, false },
		{ "", false, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_msg(grants_file(conf, rows[i].path) == rows[i].file, "%s", rows[i].path);
		ck_assert_msg(grants_folder(conf, rows[i].path) == rows[i].folder, "%s",
		    rows[i].path);
	}
}
END_TEST

/* Whether the place may be listened on that is written so; and with what. */
static bool
place(const char *text, struct sock_setup *setup)
{
	struct addr_list list;
	struct addr_spec spec;
	struct errmsg e;
	bool may;

	ck_assert_int_eq(addr_parse(text, &spec, &e), 0);
	ck_assert_int_eq(addr_resolve(&spec, true, true, &list, &e), 0);
	ck_assert_uint_gt(list.n, 0);
	may = grants_place(conf, &list.items[0], setup);
	addr_list_free(&list);
	addr_spec_free(&spec);
	return may;
}

START_TEST(test_places)
{
	struct sock_setup setup;

	set("accept", "127.0.0.1:443");
	set("accept", "8443");
	set("accept", "/run/x");
	set("socket", "a:SO_KEEPALIVE=1");
	ck_assert(place("127.0.0.1:443", &setup));
	ck_assert_uint_eq(setup.nopts, 1);
	ck_assert(!setup.foreign);
	ck_assert(!place("127.0.0.1:444", &setup));
	ck_assert(!place("127.0.0.2:443", &setup));
	ck_assert(!place("0.0.0.0:443", &setup));
	ck_assert(place("0.0.0.0:8443", &setup));
	ck_assert(place("[::]:8443", &setup));
	ck_assert(!place("127.0.0.1:8443", &setup));
	ck_assert(place("/run/x", &setup));
	ck_assert(!place("/run/y", &setup));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("grants");
	TCase *tc = tcase_create("grants");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, test_paths);
	tcase_add_test(tc, test_places);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
