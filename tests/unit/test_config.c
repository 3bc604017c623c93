/* conf/config: defaults, and what a whole configuration lacks or contradicts. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "conf/config.h"
#include "conf/options.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

START_TEST(defaults)
{
	struct errmsg why = { "" };
	struct config *config = config_new("client", true, &why);
	const struct conf_service *s;

	ck_assert_ptr_nonnull(config);
	ck_assert_int_eq(config->debug, LOG_INFO);
	ck_assert_uint_eq(config->timeout_drain, 30);
	ck_assert_uint_eq(config->max_tunnels, 0);
	ck_assert_uint_eq(config->accept_threads, 0);
	ck_assert_uint_eq(config->worker_threads, 0);
	ck_assert_int_eq(config->accel, ACCEL_AUTO);
	ck_assert_uint_eq(config->nservices, 1);
	s = &config->services[0];
	ck_assert_str_eq(s->name, "client");
	ck_assert(s->client);
	ck_assert_uint_eq(s->accept.n, 0);
	ck_assert_uint_eq(s->connect.n, 0);
	ck_assert_uint_eq(s->cert.n, 0);
	ck_assert_uint_eq(s->key.n, 0);
	ck_assert(!s->insecure);
	ck_assert_int_eq(s->version_min, VERSION_TLS12);
	ck_assert_int_eq(s->version_max, VERSION_TLS13);
	ck_assert_int_eq(s->abort, ABORT_STRICT);
	ck_assert_uint_eq(s->timeout_busy, 10);
	ck_assert_uint_eq(s->timeout_connect, 10);
	ck_assert_uint_eq(s->timeout_idle, 43200);
	ck_assert_uint_eq(s->timeout_close, 60);
	config_free(config);
	config_free(NULL);
}
END_TEST

/* Settings are "name value", one blank between, separated by ';'. */
static struct config *
build(bool client, const char *settings)
{
	struct errmsg why = { "" };
	struct config *config = config_new(client ? "client" : "server", client, &why);
	char copy[512], *rest = copy, *setting, *value;

	ck_assert_ptr_nonnull(config);
	snprintf(copy, sizeof(copy), "%s", settings);
	while ((setting = strsep(&rest, ";")) != NULL) {
		if (*setting == '\0')
			continue;
		value = strchr(setting, ' ');
		ck_assert_ptr_nonnull(value);
		*value++ = '\0';
		if (options_set(config, &config->services[0], setting, value, &why) == -1)
			ck_abort_msg("%s", why.text);
	}
	return config;
}

enum { SERVER, CLIENT };

static const struct {
	int client;
	const char *settings;
} good[] = {
	{ SERVER, "accept 4433;connect 127.0.0.1:6379;cert s.pem;peer c.crt" },
	{ SERVER, "accept 0;connect 6379;cert s.pem;key s.key;cafile ca.crt" },
	{ SERVER,
	    "accept 4433;connect 6379;cert s.pem;cafile ca.crt;peer c.crt;checkhost c" },
	{ SERVER, "accept 4433;connect 6379;cert s.pem;insecure yes" },
	{ SERVER, "accept 4433;accept /a;connect 6379;connect /b;cert s.pem;peer c.crt" },
	{ SERVER, "accept 4433;connect -;cert s.pem;peer c.crt" },
	{ SERVER, "accept 1;accept 2;connect -;cert s.pem;peer c.crt" },
	{ SERVER, "accept /a;accept /b;connect -;cert s.pem;peer c.crt" },
	{ SERVER, "accept 4433;connect echo:;cert s.pem;peer c.crt" },
	{ SERVER, "accept 4433;connect /b;cert s.pem;cafile ca.crt" },
	{ CLIENT, "accept 6379;connect db:4433;cert c.pem;peer s.crt" },
	{ CLIENT, "accept 6379;connect db:4433;cert c.pem;cafile ca.crt" },
	{ CLIENT, "accept -;connect db:4433;cert c.pem;peer s.crt" },
	{ CLIENT, "accept 6379;connect db:4433;insecure yes" },
	{ CLIENT, "accept 6379;connect db:4433;cert c.pem;key c.key;insecure yes" },
	{ CLIENT, "accept 6379;connect /b;cert c.pem;peer s.crt" },
	{ CLIENT, "accept 6379;connect /b;cert c.pem;peer s.crt;cafile ca.crt" },
	{ CLIENT, "accept 6379;connect /b;cert c.pem;cafile ca.crt;checkhost db" },
	{ CLIENT, "accept 6379;connect db:1;cert c.pem;peer s.crt;sslversion TLSv1.3" },
	{ SERVER, "accept 1;connect 2;cert s.pem;capath d" },
	{ CLIENT, "accept 1;connect /s;cert c.pem;capath d;checkip ::1" },
};

START_TEST(accepts)
{
	struct errmsg why = { "" };
	struct config *config = build(good[_i].client, good[_i].settings);

	if (config_check(config, &why) != 0)
		ck_abort_msg("%s: %s", good[_i].settings, why.text);
	config_free(config);
}
END_TEST

static const struct {
	int client;
	const char *settings, *message;
} bad[] = {
	{ SERVER, "",
	    "--accept is missing: add where to listen for TLS connections, e.g. "
	    "--accept 4433" },
	{ CLIENT, "",
	    "--accept is missing: add where to listen for plain connections, e.g. "
	    "--accept 127.0.0.1:6379, or --accept - for standard input and output" },
	{ SERVER, "accept 4433",
	    "--connect is missing: add where the plain service listens, e.g. --connect "
	    "127.0.0.1:6379" },
	{ CLIENT, "accept 6379",
	    "--connect is missing: add where the server listens, e.g. --connect "
	    "db.example.org:4433" },
	{ SERVER, "accept echo:;connect 1",
	    "--accept echo: makes no sense: echo: is a target, for --connect of a server" },
	{ CLIENT, "accept echo:;connect 1", "--accept echo: makes no sense" },
	{ SERVER, "accept -;connect 1",
	    "--accept - is for client mode: a server listens on a port or socket, e.g. "
	    "--accept 4433" },
	{ CLIENT, "accept -;accept 1;connect a:1",
	    "--accept - must be the only --accept: leave the others out" },
	{ CLIENT, "accept -;accept -;connect a:1",
	    "--accept - must be the only --accept" },
	{ CLIENT, "accept -;connect a:1;connect b:1",
	    "--accept - is a single tunnel: give one --connect, not 2" },
	{ CLIENT, "accept 1;connect -",
	    "--connect - is for server mode: a client connects to a server, e.g. "
	    "--connect db.example.org:4433" },
	{ CLIENT, "accept -;connect -", "--connect - is for server mode" },
	{ SERVER, "accept 1;connect -;connect 2",
	    "--connect - must be the only --connect: leave the others out" },
	{ SERVER, "accept 1;connect -;connect -",
	    "--connect - must be the only --connect" },
	{ SERVER, "accept 1;accept /a;connect -",
	    "--connect - is a single tunnel: give --accept with ports or with the path "
	    "of a socket, not both" },
	{ CLIENT, "accept 1;connect echo:",
	    "--connect echo: is for server mode: a client connects to a server" },
	{ SERVER, "accept 1;connect db:000",
	    "--connect db:000: nothing listens on port 0: give the port of the plain "
	    "service" },
	{ CLIENT, "accept 1;connect 2;connect 0",
	    "--connect 0: nothing listens on port 0: give the port of the server" },
	{ SERVER, "accept 1;connect 2;peer c.crt",
	    "--cert is missing: make a certificate with \"sluss keygen server --dns "
	    "HOST\" and add --cert server.pem" },
	{ SERVER, "accept 1;connect 2;insecure yes", "--cert is missing" },
	{ CLIENT, "accept 1;connect a:2;peer s.crt",
	    "--cert is missing: make a certificate with \"sluss keygen client\" and "
	    "add --cert client.pem" },
	{ CLIENT, "accept 1;connect a:2;key k.pem;insecure yes",
	    "--key without --cert: add --cert FILE, or leave --key out" },
	{ SERVER, "accept 1;connect 2;cert s.pem",
	    "nothing says which client may pass: add --peer client.crt (its "
	    "certificate) or --cafile ca.crt (the CA that issued it); for trying out "
	    "only, --insecure lets anyone pass" },
	{ CLIENT, "accept 1;connect a:2;cert c.pem",
	    "nothing says which server may pass: add --peer server.crt" },
	{ CLIENT, "accept 1;connect a:2;cert c.pem;checkhost a",
	    "nothing says which server may pass" },
	{ SERVER, "accept 1;connect 2;cert s.pem;insecure yes;peer c.crt",
	    "--insecure contradicts --peer: leave one of them out" },
	{ SERVER, "accept 1;connect 2;cert s.pem;insecure yes;cafile ca.crt",
	    "--insecure contradicts --cafile: leave one of them out" },
	{ CLIENT, "accept 1;connect a:2;insecure yes;checkhost a",
	    "--insecure contradicts --checkhost: leave one of them out" },
	{ CLIENT, "accept 1;connect a:2;connect /b;cert c.pem;cafile ca.crt",
	    "--checkhost is missing: with --cafile the certificate must name the "
	    "server, and the socket /b gives no name: add e.g. --checkhost "
	    "db.example.org" },
	{ SERVER,
	    "accept 1;connect 2;cert s.pem;peer c.crt;sslversionmin "
	    "TLSv1.3;sslversionmax TLSv1.2",
	    "--sslversionmin TLSv1.3 is above --sslversionmax TLSv1.2: raise the one "
	    "or lower the other" },
	{ SERVER, "accept 1;connect 2;cert s.pem;capath d;insecure yes",
	    "--insecure contradicts --capath: leave one of them out" },
	{ CLIENT, "accept 1;connect 2;cert c.pem;checkip ::1;insecure yes",
	    "--insecure contradicts --checkip: leave one of them out" },
	{ CLIENT, "accept 1;connect 2;cert c.pem;checkemail a@b;insecure yes",
	    "--insecure contradicts --checkemail: leave one of them out" },
	{ SERVER, "accept 1;connect 2;cert c.pem;redirect 3;insecure yes",
	    "--insecure contradicts --redirect: leave one of them out" },
	{ CLIENT, "accept 1;connect /s;cert c.pem;capath d", "--checkhost is missing: with" },
	{ SERVER, "accept 1;connect 2;cert s.pem;peer c.crt;sni a:b",
	    "--sni is for client mode: sections that are chosen by the name that a client "
	    "asks for are a matter of configuration files" },
};

START_TEST(refuses)
{
	struct errmsg why = { "" };
	struct config *config = build(bad[_i].client, bad[_i].settings);

	ck_assert_int_eq(config_check(config, &why), -1);
	if (strstr(why.text, bad[_i].message) == NULL)
		ck_abort_msg("%s: \"%s\" lacks \"%s\"", bad[_i].settings, why.text,
		    bad[_i].message);
	config_free(config);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("config");
	TCase *tc = tcase_create("config");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, defaults);
	tcase_add_loop_test(tc, accepts, 0, COUNT(good));
	tcase_add_loop_test(tc, refuses, 0, COUNT(bad));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
