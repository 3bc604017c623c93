/* cmd/args and cmd/help: the command line. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/args.h"
#include "cmd/help.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* A line as typed: arguments with one blank between; '' is an empty one. */
static int
parse(const char *line, struct config **config, struct errmsg *why)
{
	char copy[1024], *argv[64], *rest = copy, *arg;
	int argc = 0, rv;

	snprintf(copy, sizeof(copy), "%s", line);
	while ((arg = strsep(&rest, " ")) != NULL) {
		ck_assert_int_lt(argc, COUNT(argv) - 1);
		if (strcmp(arg, "''") == 0)
			arg += 2;
		argv[argc++] = arg;
	}
	argv[argc] = NULL;
	rv = args_config(argc, argv, config, why);
	ck_assert((*config != NULL) == (rv == 0));
	return rv;
}

static struct config *
parsed(const char *line)
{
	struct config *config;
	struct errmsg why = { "" };

	if (parse(line, &config, &why) != 0)
		ck_abort_msg("%s: %s", line, why.text);
	return config;
}

#define SERVER "server --accept 4433 --connect 6379 --cert s.pem --peer c.crt"

START_TEST(server)
{
	struct config *config = parsed(SERVER " --timeoutidle 60 --TimeoutClose=0 "
					      "--CAFILE ca.crt --peer=d=e.crt --debug 7");
	const struct conf_service *s = &config->services[0];

	ck_assert_str_eq(s->name, "server");
	ck_assert(!s->client);
	ck_assert_str_eq(s->accept.items[0].port, "4433");
	ck_assert_str_eq(s->connect.items[0].port, "6379");
	ck_assert_str_eq(s->cert.items[0], "s.pem");
	ck_assert_uint_eq(s->peer.n, 2);
	ck_assert_str_eq(s->peer.items[1], "d=e.crt");
	ck_assert_str_eq(s->cafile.items[0], "ca.crt");
	ck_assert_uint_eq(s->timeout_idle, 60);
	ck_assert_uint_eq(s->timeout_close, 0);
	ck_assert_int_eq(config->debug, 7);
	config_free(config);
}
END_TEST

START_TEST(client)
{
	struct config *config =
	    parsed("client --accept - --connect=db:1 --insecure --service red");
	const struct conf_service *s = &config->services[0];

	ck_assert_str_eq(s->name, "red");
	ck_assert(s->client);
	ck_assert_int_eq(s->accept.items[0].kind, ADDR_STDIO);
	ck_assert(s->insecure);
	config_free(config);
}
END_TEST

START_TEST(flag_values)
{
	struct config *config = parsed(SERVER " --insecure --insecure=no");

	ck_assert(!config->services[0].insecure);
	config_free(config);
	config = parsed("client --accept 1 --connect db:1 --insecure=YES");
	ck_assert(config->services[0].insecure);
	config_free(config);
}
END_TEST

/* A value may begin with one dash; with two only behind "=". */
START_TEST(dashes)
{
	struct config *config = parsed(SERVER " --cert -odd --key=--odder");

	ck_assert_str_eq(config->services[0].cert.items[1], "-odd");
	ck_assert_str_eq(config->services[0].key.items[0], "--odder");
	config_free(config);
}
END_TEST

static const char *const help_lines[] = {
	"server --help",
	"client -h",
	"client --HELP",
	SERVER " --help",
	"server --accept 1 --help --nonsense",
};

START_TEST(help_asked)
{
	struct config *config;
	struct errmsg why = { "" };

	ck_assert_int_eq(parse(help_lines[_i], &config, &why), 1);
}
END_TEST

static const struct {
	const char *line, *message;
} bad[] = {
	{ "server", "--accept is missing: add where to listen for TLS connections" },
	{ "client", "--accept is missing: add where to listen for plain connections" },
	{ "server --chekhost a",
	    "unknown option --chekhost (did you mean --checkhost?)" },
	{ "server --CHEKHOST=a",
	    "unknown option --CHEKHOST (did you mean --checkhost?)" },
	{ "server -accept 1", "unknown option -accept (did you mean --accept?)" },
	{ "server -a", "unknown option -a: \"sluss server --help\" lists them" },
	{ "client --verify 2",
	    "--verify is an option of configuration files only" },
	{ "client --averyveryveryveryveryverylongoptionname",
	    "unknown option --averyveryveryveryveryverylongoptionname: \"sluss client" },
	{ "client ---", "unknown option ---" },
	{ "client --=x", "unknown option --: \"sluss client --help\" lists them" },
	{ "server --accept", "--accept needs a value: write --accept ADDRESS" },
	{ "server --CERT --accept 1", "--cert needs a value: write --cert FILE" },
	{ "server 4433",
	    "stray argument \"4433\": options are written --name value, e.g. --accept "
	    "4433" },
	{ "server --accept 1 2", "stray argument \"2\"" },
	{ "server -", "stray argument \"-\"" },
	{ "server --", "stray argument \"--\"" },
	{ "server ''", "stray argument \"\"" },
	{ "client --insecure no", "stray argument \"no\": write --insecure=no" },
	{ "client --accept=1 no", "stray argument \"no\": options are written" },
	{ "client --insecure=maybe", "--insecure: \"maybe\" is neither yes nor no" },
	{ "client --insecure=", "--insecure: \"\" is neither yes nor no" },
	{ "server --accept host:", "--accept: \"host:\" lacks the port" },
	{ "server --cert=", "--cert: the file's name is empty" },
	{ "server --cert ''", "--cert: the file's name is empty" },
	{ "server --TIMEOUTidle 6x", "--timeoutidle: \"6x\" is not a whole number" },
	{ "server --sslversion TLSv1", "--sslversion: TLSv1 is refused" },
	{ SERVER " --insecure", "--insecure contradicts --peer" },
};

START_TEST(refuses)
{
	struct config *config;
	struct errmsg why = { "" };

	ck_assert_int_eq(parse(bad[_i].line, &config, &why), -1);
	if (strstr(why.text, bad[_i].message) == NULL)
		ck_abort_msg(
		    "%s: \"%s\" lacks \"%s\"", bad[_i].line, why.text, bad[_i].message);
}
END_TEST

START_TEST(option_of_the_other_command)
{
	struct option o = *options_find("TIMEOUTidle", false);
	struct errmsg why = { "" };

	o.commands = OPTION_FOR_SERVER;
	ck_assert_int_eq(args_applies(&o, false, &why), 0);
	ck_assert_int_eq(args_applies(&o, true, &why), -1);
	ck_assert_str_eq(why.text,
	    "--timeoutidle is an option of \"sluss server\", not of \"sluss client\": "
	    "leave it out");
	o.commands = OPTION_FOR_CLIENT;
	ck_assert_int_eq(args_applies(&o, true, &why), 0);
	ck_assert_int_eq(args_applies(&o, false, &why), -1);
	ck_assert_str_eq(why.text,
	    "--timeoutidle is an option of \"sluss client\", not of \"sluss server\": "
	    "leave it out");
}
END_TEST

static void
assert_narrow(const char *text)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");

		/* A path of the installation is as long as it is. */
		if (n > 80 && strncmp(text, SYSCONFDIR, strlen(SYSCONFDIR)) != 0)
			ck_abort_msg("wider than 80 columns: %.*s", (int)n, text);
		ck_assert_int_eq(text[n], '\n');
		text += n + 1;
	}
}

/* Both commands' help fits a terminal and lists each option with its default. */
START_TEST(help_lists_the_table)
{
	const struct option *o;
	char flag[OPTION_FLAG_TEXT], line[OPTION_FLAG_TEXT + 4], *text = NULL;
	size_t size, i;
	FILE *out = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(out);
	help_command(out, _i == 1);
	fclose(out);
	assert_narrow(text);
	ck_assert_ptr_nonnull(
	    strstr(text, _i == 1 ? "Usage: sluss client " : "Usage: sluss server "));
	for (i = 0; (o = options_row(i)) != NULL; i++) {
		if ((o->commands & (_i == 1 ? OPTION_FOR_CLIENT : OPTION_FOR_SERVER)) == 0)
			continue;
		snprintf(line, sizeof(line), "\n  %s", options_flag(o, flag));
		if (strstr(text, line) == NULL)
			ck_abort_msg("help lacks %s", flag);
	}
	ck_assert_ptr_nonnull(strstr(text, "--insecure[=yes|no]"));
	ck_assert_ptr_nonnull(strstr(text, "Default: 43200."));
	free(text);
}
END_TEST

START_TEST(overview)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(out);
	help_overview(out);
	fclose(out);
	assert_narrow(text);
	ck_assert_ptr_nonnull(strstr(text, "\n  server "));
	ck_assert_ptr_nonnull(strstr(text, "\n  client "));
	ck_assert_ptr_nonnull(strstr(text, "\n  keygen "));
	free(text);
}
END_TEST

START_TEST(version)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(out);
	help_version(out);
	fclose(out);
	ck_assert_int_eq(strncmp(text, "sluss ", 6), 0);
	ck_assert_ptr_nonnull(strstr(text, "wolfSSL"));
	free(text);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("args");
	TCase *tc = tcase_create("args");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, server);
	tcase_add_test(tc, client);
	tcase_add_test(tc, flag_values);
	tcase_add_test(tc, dashes);
	tcase_add_loop_test(tc, help_asked, 0, COUNT(help_lines));
	tcase_add_loop_test(tc, refuses, 0, COUNT(bad));
	tcase_add_test(tc, option_of_the_other_command);
	tcase_add_loop_test(tc, help_lists_the_table, 0, 2);
	tcase_add_test(tc, overview);
	tcase_add_test(tc, version);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
