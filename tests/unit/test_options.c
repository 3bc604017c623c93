/* conf/options and conf/value: one option at a time. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "conf/options.h"
#include "conf/value.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static struct config *config;
static struct conf_service *service;

static void
setup(void)
{
	struct errmsg why = { "" };

	config = config_new("test", false, &why);
	ck_assert_ptr_nonnull(config);
	service = &config->services[0];
}

static void
teardown(void)
{
	config_free(config);
}

/* A value for each row of the table, in names of mixed case. */
static const struct {
	const char *name, *value;
} good[] = {
	{ "accept", "4433" },
	{ "Connect", "db.example.org:4433" },
	{ "cert", "server.pem" },
	{ "keyPass", "server.pass" },
	{ "PSKsecrets", "psk.txt" },
	{ "PSKidentity", "me" },
	{ "KEY", "server.key" },
	{ "peer", "client.crt" },
	{ "cafile", "ca.crt" },
	{ "CheckHost", "db.example.org" },
	{ "checkHost", "192.0.2.1" },
	{ "checkHost", "2001:db8::1" },
	{ "insecure", "yes" },
	{ "insecure", "NO" },
	{ "ALPN", "h2, http/1.1" },
	{ "alpn", "imap" },
	{ "alpnRequire", "yes" },
	{ "sslversion", "tlsv1.2" },
	{ "sslVersionMin", "TLSv1.3" },
	{ "sslVersionMax", "TLSv1.2" },
	{ "abort", "Compat" },
	{ "timeoutbusy", "1" },
	{ "TIMEOUTconnect", "31536000" },
	{ "TIMEOUTidle", "0060" },
	{ "TIMEOUTclose", "0" },
	{ "TIMEOUTdrain", "0" },
	{ "maxTunnels", "1000000" },
	{ "acceptThreads", "256" },
	{ "workerThreads", "1" },
	{ "acceptNice", "0" },
	{ "affinity", "yes" },
	{ "accel", "OFF" },
	{ "debug", "7" },
	{ "debug", "0" },
	{ "debug", "Debug" },
	{ "debug", "emerg" },
	{ "client", "yes" },
	{ "CApath", "certs" },
	{ "CRLfile", "a.crl" },
	{ "CRLpath", "crls" },
	{ "CRLcheckChain", "yes" },
	{ "crlPolicy", "soft" },
	{ "OCSP", "http://a" },
	{ "OCSPaia", "yes" },
	{ "OCSPrequire", "no" },
	{ "OCSPnonce", "yes" },
	{ "OCSPflag", "NODELEGATED" },
	{ "TIMEOUTocsp", "1" },
	{ "OCSPstaple", "a.ocsp" },
	{ "OCSPstapleFetch", "yes" },
	{ "expiredPeers", "keep" },
	{ "sessionResume", "yes" },
	{ "sessionCacheSize", "50" },
	{ "sessionCacheTimeout", "60" },
	{ "ticketKeySecret", "00112233445566778899aabbccddeeff" },
	{ "ticketMacSecret", "00112233445566778899aabbccddeeff" },
	{ "ticketKeyFile", "ticket.keys" },
	{ "checkIP", "::1" },
	{ "checkEmail", "a@example.org" },
	{ "allow", "report cn=a ou=\"b c\"" },
	{ "deny", "ip=192.0.2.0/24" },
	{ "chainDepth", "2" },
	{ "verifyChain", "yes" },
	{ "verifyPeer", "yes" },
	{ "requireCert", "yes" },
	{ "verify", "4" },
	{ "redirect", "80" },
	{ "securityLevel", "3" },
	{ "sni", "" },
	{ "protocol", "SMTP" },
	{ "protocolHost", "host:25" },
	{ "protocolUsername", "u" },
	{ "protocolPassword", "p" },
	{ "protocolHeader", "A: b" },
	{ "protocolAuthentication", "login" },
	{ "proxyIn", "yes" },
	{ "proxyFrom", "192.0.2.0/24" },
	{ "exec", "/bin/cat" },
	{ "execArgs", "cat -u" },
	{ "pty", "yes" },
	{ "retry", "yes" },
	{ "retry", "250" },
	{ "setEnv", "A=b=c" },
	{ "failover", "rr" },
	{ "delay", "yes" },
	{ "local", "127.0.0.1" },
	{ "transparent", "source" },
	{ "socket", "l:SO_LINGER=1:60" },
	{ "reset", "no" },
	{ "maxPerSource", "10/24/56" },
	{ "handshakeRate", "5" },
	{ "allowFrom", "2001:db8::/32" },
	{ "denyFrom", "192.0.2.1" },
	{ "debug", "authpriv.5" },
	{ "output", "/dev/stdout" },
	{ "log", "overwrite" },
	{ "syslog", "no" },
	{ "logFormat", "json" },
	{ "logId", "unique" },
	{ "profile", "strict" },
	{ "foreground", "quiet" },
	{ "pid", "" },
	{ "setuid", "nobody" },
	{ "setgid", "nogroup" },
	{ "chroot", "/var/empty" },
	{ "reloadOnChange", "no" },
	{ "sslVersion", "all" },
	{ "ciphers", "HIGH:!aNULL" },
	{ "ciphersuites", "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256" },
	{ "curves", "secp384r1:P-256" },
	{ "curve", "prime256v1" },
	{ "options", "NO_SSLv3" },
	{ "options", "-NO_TLSv1_3" },
	{ "session", "0" },
	{ "fips", "no" },
	{ "libwrap", "NO" },
	{ "engine", "auto" },
	{ "transport", "tcp" },
	{ "service", "red is 1" },
};

START_TEST(accepts)
{
	struct errmsg why = { "" };

	if (options_set(config, service, good[_i].name, good[_i].value, &why) != 0)
		ck_abort_msg("%s = %s: %s", good[_i].name, good[_i].value, why.text);
}
END_TEST

#define HOST_MESSAGE "is not a host name or an IP address: give it whole and alone"
#define PATH_MESSAGE "the file's name is empty: give a path"

static const struct {
	const char *name, *value, *message;
} bad[] = {
	{ "alpn", "", "alpn: a name is empty" },
	{ "alpn", "h2,a b", "\"a b\" is no protocol's name" },
	{ "alpn", "h2,h2", "h2 is named twice" },
	{ "accept", "", "accept: the address is empty" },
	{ "connect", "host:", "connect: \"host:\" lacks the port" },
	{ "cert", "", "cert: " PATH_MESSAGE },
	{ "key", "", "key: " PATH_MESSAGE },
	{ "peer", "", "peer: " PATH_MESSAGE },
	{ "cafile", "", "CAfile: " PATH_MESSAGE },
	{ "checkhost", "", "checkHost: \"\" " HOST_MESSAGE },
	{ "checkHost", "db:443", "checkHost: \"db:443\" " HOST_MESSAGE },
	{ "checkHost", "[::1]", "checkHost: \"[::1]\" " HOST_MESSAGE },
	{ "checkHost", "*.example.org", "without port, brackets, scheme or *" },
	{ "checkHost", "https://db", HOST_MESSAGE },
	{ "checkHost", "two hosts", HOST_MESSAGE },
	{ "insecure", "true",
	    "insecure: \"true\" is neither yes nor no: give one of them" },
	{ "insecure", "1", "insecure: \"1\" is neither yes nor no" },
	{ "insecure", "", "insecure: \"\" is neither yes nor no" },
	{ "sslVersion", "TLSv1.1",
	    "sslVersion: TLSv1.1 is refused, since it has known attacks that no "
	    "setting cures: give TLSv1.2 or TLSv1.3" },
	{ "sslVersionMin", "tlsv1", "sslVersionMin: TLSv1 is refused" },
	{ "sslVersionMin", "TLSv1.0", "TLSv1.0 is refused" },
	{ "sslVersionMax", "SSLv3", "sslVersionMax: SSLv3 is refused" },
	{ "sslVersion", "SSLv2", "sslVersion: SSLv2 is refused" },
	{ "sslVersion", "1.3",
	    "sslVersion: \"1.3\" is not known here: give one of TLSv1.2, TLSv1.3" },
	{ "abort", "lax",
	    "abort: \"lax\" is not known here: give one of strict, compat" },
	{ "TIMEOUTbusy", "0",
	    "TIMEOUTbusy: 0 is out of range: give 1 to 31536000 seconds" },
	{ "timeoutconnect", "0", "TIMEOUTconnect: 0 is out of range" },
	{ "TIMEOUTidle", "0", "TIMEOUTidle: 0 is out of range" },
	{ "TIMEOUTidle", "60s",
	    "TIMEOUTidle: \"60s\" is not a whole number: give 1 to 31536000 seconds" },
	{ "TIMEOUTidle", "31536001", "31536001 is out of range" },
	{ "TIMEOUTidle", "99999999999999999999999", "is out of range" },
	{ "TIMEOUTidle", "4294967297", "4294967297 is out of range" },
	{ "TIMEOUTclose", "-1", "TIMEOUTclose: \"-1\" is not a whole number: give 0 to" },
	{ "TIMEOUTclose", "+1", "\"+1\" is not a whole number" },
	{ "TIMEOUTclose", " 1", "\" 1\" is not a whole number" },
	{ "TIMEOUTclose", "1.5", "\"1.5\" is not a whole number" },
	{ "TIMEOUTdrain", "", "TIMEOUTdrain: \"\" is not a whole number" },
	{ "maxTunnels", "0", "maxTunnels: 0 is out of range: give 1 to 1000000" },
	{ "maxTunnels", "1000001", "maxTunnels: 1000001 is out of range" },
	{ "acceptThreads", "257", "acceptThreads: 257 is out of range: give 1 to 256" },
	{ "acceptNice", "20", "acceptNice: 20 is out of range: give 0 to 19" },
	{ "workerThreads", "0", "workerThreads: 0 is out of range: give 1 to 256" },
	{ "workerThreads", "two",
	    "workerThreads: \"two\" is not a whole number: give 1 to 256" },
	{ "debug", "8",
	    "debug: a level is 0 to 7 or its name: \"8\" is not known here: give one "
	    "of emerg, alert, crit, err, warning, notice, info, debug" },
	{ "debug", "77", "debug: a level is 0 to 7" },
	{ "debug", "", "debug: a level is 0 to 7" },
	{ "service", "",
	    "service: \"\" is no good name for log lines: give 1 to 64 plain" },
	{ "service", "a\nb", "is no good name for log lines" },
	{ "service", "12345678901234567890123456789012345678901234567890123456789012345",
	    "is no good name for log lines" },
	{ "chekHost", "a", "unknown option chekHost (did you mean checkHost?)" },
	{ "verifyChains", "yes", "unknown option verifyChains (did you mean verifyChain?)" },
	{ "protocolDomain", "x", "protocolDomain: it belongs to NTLM" },
	{ "OCSPaia", "maybe", "OCSPaia: \"maybe\" is neither yes nor no" },
	{ "TIMEOUTocsp", "0", "TIMEOUTocsp: 0 is out of range: give 1 to 31536000" },
	{ "crlPolicy", "lax",
	    "crlPolicy: \"lax\" is not known here: give one of strict, soft" },
	{ "expiredPeers", "yes",
	    "expiredPeers: \"yes\" is not known here: give one of end, keep" },
	{ "CRLfile", "", "CRLfile: " PATH_MESSAGE },
	{ "fips", "yes", "fips: this wolfSSL is not the validated module" },
	{ "", "x", "unknown option " },
};

START_TEST(refuses)
{
	struct errmsg why = { "" };

	ck_assert_int_eq(
	    options_set(config, service, bad[_i].name, bad[_i].value, &why), -1);
	if (strstr(why.text, bad[_i].message) == NULL)
		ck_abort_msg("%s = %s: \"%s\" lacks \"%s\"", bad[_i].name, bad[_i].value,
		    why.text, bad[_i].message);
	/* A refused value leaves nothing behind. */
	ck_assert_uint_eq(service->accept.n, 0);
	ck_assert_uint_eq(service->connect.n, 0);
	ck_assert_uint_eq(service->peer.n, 0);
	ck_assert_uint_eq(service->cafile.n, 0);
	ck_assert_uint_eq(service->checkhost.n, 0);
	ck_assert_uint_eq(service->cert.n, 0);
	ck_assert_uint_eq(service->key.n, 0);
	ck_assert_uint_eq(service->alpn.n, 0);
	ck_assert_str_eq(service->name, "test");
	ck_assert(!service->insecure);
	ck_assert_int_eq(service->version_min, VERSION_TLS12);
	ck_assert_int_eq(service->version_max, VERSION_TLS13);
	ck_assert_int_eq(service->abort, ABORT_STRICT);
	ck_assert_uint_eq(service->timeout_idle, 43200);
	ck_assert_uint_eq(config->max_tunnels, 0);
	ck_assert_int_eq(config->debug, LOG_INFO);
}
END_TEST

static void
set(const char *name, const char *value)
{
	struct errmsg why = { "" };

	if (options_set(config, service, name, value, &why) != 0)
		ck_abort_msg("%s = %s: %s", name, value, why.text);
}

START_TEST(scalars_reach_their_fields)
{
	set("keyPass", "a");
	set("keyPass", "b"); /* the later one counts */
	set("alpnRequire", "yes");
	set("service", "n");
	set("insecure", "yes");
	set("abort", "compat");
	set("TIMEOUTbusy", "1");
	set("TIMEOUTconnect", "2");
	set("TIMEOUTidle", "3");
	set("TIMEOUTclose", "4");
	set("TIMEOUTdrain", "5");
	set("maxTunnels", "6");
	set("acceptThreads", "7");
	set("workerThreads", "8");
	set("accel", "off");
	set("debug", "warning");
	ck_assert_str_eq(service->key_pass, "b");
	ck_assert(service->alpn_require);
	ck_assert_str_eq(config->ident, "n");
	ck_assert(service->insecure);
	ck_assert_int_eq(service->abort, ABORT_COMPAT);
	ck_assert_uint_eq(service->timeout_busy, 1);
	ck_assert_uint_eq(service->timeout_connect, 2);
	ck_assert_uint_eq(service->timeout_idle, 3);
	ck_assert_uint_eq(service->timeout_close, 4);
	ck_assert_uint_eq(config->timeout_drain, 5);
	ck_assert_uint_eq(config->max_tunnels, 6);
	ck_assert_uint_eq(config->accept_threads, 7);
	ck_assert_uint_eq(config->worker_threads, 8);
	ck_assert_int_eq(config->accel, ACCEL_OFF);
	ck_assert_int_eq(config->debug, LOG_WARNING);
}
END_TEST

START_TEST(lists_grow)
{
	set("accept", "1");
	set("accept", "/a");
	set("connect", "host:2");
	set("peer", "p1");
	set("peer", "p2");
	set("cafile", "c1");
	set("checkhost", "h1");
	set("checkhost", "h2");
	set("checkhost", "h3");
	ck_assert_uint_eq(service->accept.n, 2);
	ck_assert_str_eq(service->accept.items[0].port, "1");
	ck_assert_int_eq(service->accept.items[1].kind, ADDR_UNIX);
	ck_assert_uint_eq(service->connect.n, 1);
	ck_assert_str_eq(service->connect.items[0].host, "host");
	ck_assert_uint_eq(service->peer.n, 2);
	ck_assert_str_eq(service->peer.items[1], "p2");
	ck_assert_uint_eq(service->cafile.n, 1);
	ck_assert_str_eq(service->cafile.items[0], "c1");
	ck_assert_uint_eq(service->checkhost.n, 3);
	ck_assert_str_eq(service->checkhost.items[2], "h3");
}
END_TEST

START_TEST(versions)
{
	set("sslVersion", "TLSv1.2");
	ck_assert_int_eq(service->version_min, VERSION_TLS12);
	ck_assert_int_eq(service->version_max, VERSION_TLS12);
	set("sslVersionMax", "TLSv1.3");
	ck_assert_int_eq(service->version_max, VERSION_TLS13);
	set("sslVersionMin", "TLSv1.3");
	ck_assert_int_eq(service->version_min, VERSION_TLS13);
	set("sslVersionMin", "all");
	ck_assert_int_eq(service->version_min, VERSION_TLS12);
	set("sslVersionMax", "TLSv1.2");
	set("sslVersionMax", "ALL");
	ck_assert_int_eq(service->version_max, VERSION_TLS13);
}
END_TEST

START_TEST(levels)
{
	static const char *const names[] = { "emerg", "alert", "crit", "err", "warning",
		"notice", "info", "debug" };
	char digit[2] = "0";
	int i;

	for (i = 0; i < COUNT(names); i++) {
		set("debug", names[i]);
		ck_assert_int_eq(config->debug, i);
		digit[0] = (char)('0' + i);
		set("debug", digit);
		ck_assert_int_eq(config->debug, i);
	}
}
END_TEST

/* Every row is complete, is tried above, and has a name of its own. */
START_TEST(table_is_whole)
{
	const struct option *o;
	char flag[OPTION_FLAG_TEXT], text[512];
	size_t i;
	int j;

	for (i = 0; (o = options_row(i)) != NULL; i++) {
		ck_assert_ptr_eq(options_find(o->name, o->scope == OPTION_SERVICE), o);
		ck_assert_ptr_nonnull(o->argument);
		ck_assert(o->status == OPTION_WORKS || o->note != NULL);
		ck_assert_uint_eq(o->commands & ~OPTION_FOR_BOTH, 0);
		options_flag(o, flag);
		ck_assert_int_eq(strncmp(flag, "--", 2), 0);
		ck_assert_int_eq(strcasecmp(flag + 2, o->name), 0);
		options_help(o, text, sizeof(text));
		ck_assert_int_eq(o->help[strlen(o->help) - 1], '.');
		for (j = 0; j < COUNT(good) && o->status != OPTION_REFUSED; j++)
			if (strcasecmp(good[j].name, o->name) == 0)
				break;
		if (j == COUNT(good) && o->status == OPTION_WORKS)
			ck_abort_msg("no test sets %s", o->name);
	}
	ck_assert_uint_gt(i, 0);
}
END_TEST

START_TEST(help_text)
{
	char text[512];

	options_help(options_find("TIMEOUTidle", false), text, sizeof(text));
	ck_assert_str_eq(text,
	    "The seconds after which a tunnel ends that moved no byte. Default: 43200.");
	options_help(options_find("peer", false), text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "count. May be given several times."));
	ck_assert_str_eq(
	    options_flag(options_find("TIMEOUTidle", false), text), "--timeoutidle");
}
END_TEST

static const struct {
	const char *word, *nearest;
} near[] = {
	{ "chekhost", "checkHost" },
	{ "CHECKHOSTS", "checkHost" },
	{ "timeoutidel", "TIMEOUTidle" },
	{ "acept", "accept" },
	{ "conect", "connect" },
	{ "ca", "CAfile" },
	{ "peers", "peer" },
	{ "certificate", NULL },
	{ "x", NULL },
	{ "", NULL },
	{ "zzzz", NULL },
	{ "thisisfartoolongtobeaslipofthefingerofanyone", NULL },
};

START_TEST(nearest)
{
	const char *have = options_nearest(near[_i].word);

	if (near[_i].nearest == NULL)
		ck_assert_msg(have == NULL, "%s: %s", near[_i].word, have);
	else
		ck_assert_str_eq(have, near[_i].nearest);
}
END_TEST

START_TEST(nearest_skips_long_words)
{
	static const char *const words[] = {
		"averylongwordthatnobodywouldeverwriteintoaline", "short"
	};

	ck_assert_str_eq(value_nearest("shrt", words, 2), "short");
}
END_TEST

/* The shortest words stand only one mistake. */
START_TEST(nearest_counts_a_swap_once)
{
	static const char *const words[] = { "dns", "days" };

	ck_assert_str_eq(value_nearest("dsn", words, 2), "dns");
	ck_assert_str_eq(value_nearest("NDS", words, 2), "dns");
	ck_assert_ptr_null(value_nearest("snd", words, 2));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("options");
	TCase *tc = tcase_create("options");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, accepts, 0, COUNT(good));
	tcase_add_loop_test(tc, refuses, 0, COUNT(bad));
	tcase_add_test(tc, scalars_reach_their_fields);
	tcase_add_test(tc, lists_grow);
	tcase_add_test(tc, versions);
	tcase_add_test(tc, levels);
	tcase_add_test(tc, table_is_whole);
	tcase_add_test(tc, help_text);
	tcase_add_loop_test(tc, nearest, 0, COUNT(near));
	tcase_add_test(tc, nearest_skips_long_words);
	tcase_add_test(tc, nearest_counts_a_swap_once);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
