/* conf/protocol: which protocol goes with which mode, and what it needs. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "conf/options.h"
#include "conf/protocol.h"

static struct config *
config_of(const char *set, bool client)
{
	struct errmsg why;
	struct config *c = config_new("test", client, &why);
	char *all = strdup(set), *save, *option, *value;

	ck_assert_ptr_nonnull(c);
	ck_assert_ptr_nonnull(all);
	for (option = strtok_r(all, "|", &save); option != NULL;
	    option = strtok_r(NULL, "|", &save)) {
		value = strchr(option, '=');
		*value++ = '\0';
		if (options_set(c, &c->services[0], option, value, &why) == -1)
			ck_abort_msg("%s", why.text);
	}
	free(all);
	return c;
}

#define NO_HEADER "protocol=connect|protocolHost=h:1|protocolHeader=x"
#define LOGIN "protocol=connect|protocolHost=h:1|protocolUsername=u"

/* The options, and which of them is wrong (NULL: none) and why, by mode. */
static const struct {
	bool client;
	const char *set, *option, *why;
} cases[] = {
	{ true, "protocol=none", NULL, NULL },
	{ false, "protocol=none", NULL, NULL },
	{ true, "protocol=connect|protocolHost=h.test:443", NULL, NULL },
	{ true, "protocol=connect", "protocol", "protocolHost is missing" },
	{ true, "protocol=connect|protocolHost=443", "protocolHost", "no destination" },
	{ true, "protocol=connect|protocolHost=/run/x", "protocolHost", "no destination" },
	{ true, "protocol=connect|protocolHost=echo:", "protocolHost", "no destination" },
	{ true, "protocol=connect|protocolHost=a\nb:1", "protocolHost", "line break" },
	{ true, NO_HEADER, "protocolHeader", "no header" },
	{ true, NO_HEADER ": y\r\nEvil: z", "protocolHeader", "line break" },
	{ true, LOGIN, "protocolUsername", "protocolPassword is missing" },
	{ true, LOGIN "|protocolPassword=p", NULL, NULL },
	{ true, LOGIN "|protocolPassword=p\rq", "protocolPassword", "line break" },
	{ true, LOGIN "\n|protocolPassword=p", "protocolUsername", "line break" },
	{ true, LOGIN "|protocolPassword=p|protocolAuthentication=login", "protocolAuthentication",
	    "must be basic" },
	{ true, "protocol=smtp|protocolPassword=p", "protocolPassword", "protocolUsername is" },
	{ true, "protocol=smtp|protocolUsername=u|protocolPassword=p|protocolAuthentication=login",
	    NULL, NULL },
	{ false, "protocol=connect", NULL, NULL },
	{ true, "protocol=socks", "protocol", "protocolHost is missing" },
	{ true, "protocol=socks|protocolHost=[::1]:1", NULL, NULL },
	{ false, "protocol=socks", NULL, NULL },
	{ true, "protocol=ldap", NULL, NULL },
	{ false, "protocol=ldap", "protocol", "client = yes only" },
	{ true, "protocol=nntp", NULL, NULL },
	{ false, "protocol=nntp", "protocol", "client = yes only" },
	{ true, "protocol=proxy2", NULL, NULL },
	{ false, "protocol=proxy2", NULL, NULL },
	{ false, "accept=1|proxyIn=yes", "proxyIn", "proxyFrom is missing" },
	{ false, "accept=1|proxyIn=yes|proxyFrom=192.0.2.1", NULL, NULL },
	{ false, "accept=/run/x|proxyIn=yes", NULL, NULL },
	{ false, "accept=/run/x|accept=1|proxyIn=yes", "proxyIn", "proxyFrom is missing" },
	{ true, "accept=-|proxyIn=yes", "proxyIn", "standard input" },
	{ false, "accept=1|proxyFrom=192.0.2.1", "proxyFrom", "proxyIn = yes is missing" },
};

START_TEST(checks)
{
	struct config *c = config_of(cases[_i].set, cases[_i].client);
	struct errmsg why = { "" };
	const char *option = protocol_check(&c->services[0], &why);

	if (cases[_i].option == NULL) {
		ck_assert_msg(option == NULL, "%s: %s: %s", cases[_i].set, option, why.text);
	} else {
		ck_assert_msg(option != NULL, "%s", cases[_i].set);
		ck_assert_str_eq(option, cases[_i].option);
		ck_assert_msg(strstr(why.text, cases[_i].why) != NULL, "%s", why.text);
	}
	config_free(c);
}
END_TEST

#define ALL "|protocolHost=h:1|protocolUsername=u|protocolPassword=p|protocolHeader=A: b"

/* What is set and makes no difference is known. */
START_TEST(idle)
{
	static const struct {
		bool client;
		const char *set;
		const char *idle[5];
	} rows[] = {
		{ true, "protocol=connect" ALL, { NULL } },
		{ true, "protocol=smtp" ALL, { "protocolHeader" } },
		{ true, "protocol=socks" ALL,
		    { "protocolUsername", "protocolPassword", "protocolHeader" } },
		{ false, "protocol=smtp" ALL,
		    { "protocolHost", "protocolUsername", "protocolPassword", "protocolHeader" } },
		{ true, "protocol=pgsql", { NULL } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config *c = config_of(rows[i].set, rows[i].client);
		const char *option;

		for (size_t k = 0; k == 0 || rows[i].idle[k - 1] != NULL; k++) {
			option = protocol_idle(&c->services[0], k);
			if (rows[i].idle[k] == NULL)
				ck_assert_ptr_null(option);
			else
				ck_assert_str_eq(option, rows[i].idle[k]);
		}
		config_free(c);
	}
}
END_TEST

START_TEST(facts)
{
	struct config *c = config_of("protocol=smtp", false);
	struct conf_service *s = &c->services[0];

	ck_assert_str_eq(protocol_name(PROTOCOL_PROXY2), "proxy2");
	ck_assert(protocol_greets(s) && !protocol_names_target(s));
	s->protocol = PROTOCOL_SOCKS;
	ck_assert(!protocol_greets(s) && protocol_names_target(s));
	s->client = true;
	ck_assert(!protocol_greets(s) && !protocol_names_target(s));
	config_free(c);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("protocol");
	TCase *tc = tcase_create("protocol");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, checks, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tc, idle);
	tcase_add_test(tc, facts);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
