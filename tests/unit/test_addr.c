/* net/addr: what the operator writes, what the kernel gets, what the log shows. */
#include <arpa/inet.h>
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/addr.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

/*
 * A resolver that answers some names from a script, so that no test depends on
 * a network; everything else goes to the real one.
 */
#define SCRIPTED_MAX 8
static struct {
	struct addrinfo ai[SCRIPTED_MAX];
	struct sockaddr_storage ss[SCRIPTED_MAX];
} script;
static int looked_up;

static int
script_answer(const char *const *hosts, struct addrinfo **found)
{
	size_t i;

	memset(&script, 0, sizeof(script));
	for (i = 0; hosts[i] != NULL; i++) {
		struct sockaddr_in *in = (struct sockaddr_in *)&script.ss[i];
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&script.ss[i];
		struct addrinfo *ai = &script.ai[i];

		ai->ai_addr = (struct sockaddr *)&script.ss[i];
		ai->ai_addrlen = sizeof(*in);
		ai->ai_next = hosts[i + 1] != NULL ? ai + 1 : NULL;
		in->sin_family = AF_INET;
		in->sin_port = htons(443);
		if (inet_pton(AF_INET, hosts[i], &in->sin_addr) == 1)
			continue;
		ai->ai_addrlen = sizeof(*in6);
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(443);
		ck_assert_int_eq(inet_pton(AF_INET6, hosts[i], &in6->sin6_addr), 1);
	}
	*found = script.ai;
	return 0;
}

int
getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
    struct addrinfo **found)
{
	static const char *const mixed[] = { "2001:db8::1", "2001:db8::2", "2001:db8::3",
		"192.0.2.1", "192.0.2.2", NULL };
	static const char *const four_first[] = { "192.0.2.1", "2001:db8::1",
		"2001:db8::2", NULL };
	static const char *const twice[] = { "127.0.0.1", "::1", "127.0.0.1", NULL };
	int (*real)(
	    const char *, const char *, const struct addrinfo *, struct addrinfo **);

	if (host == NULL || strstr(host, ".scripted") == NULL ||
	    (hints->ai_flags & AI_NUMERICHOST) != 0) {
		*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
		return real(host, port, hints, found);
	}
	looked_up++;
	if (strcmp(host, "mixed.scripted") == 0)
		return script_answer(mixed, found);
	if (strcmp(host, "four.scripted") == 0)
		return script_answer(four_first, found);
	if (strcmp(host, "twice.scripted") == 0)
		return script_answer(twice, found);
	if (strcmp(host, "system.scripted") == 0) {
		errno = ENFILE;
		return EAI_SYSTEM;
	}
	return EAI_NONAME;
}

void
freeaddrinfo(struct addrinfo *found)
{
	void (*real)(struct addrinfo *);

	if (found == script.ai)
		return;
	*(void **)&real = dlsym(RTLD_NEXT, "freeaddrinfo");
	real(found);
}

static const struct {
	const char *text;
	enum addr_kind kind;
	const char *host, *port, *path;
} good[] = {
	{ "-", ADDR_STDIO, NULL, NULL, NULL },
	{ "echo:", ADDR_ECHO, NULL, NULL, NULL },
	{ "4433", ADDR_TCP, NULL, "4433", NULL },
	{ "0", ADDR_TCP, NULL, "0", NULL },
	{ "65535", ADDR_TCP, NULL, "65535", NULL },
	{ "0000065535", ADDR_TCP, NULL, "0000065535", NULL },
	{ ":4433", ADDR_TCP, NULL, "4433", NULL },
	{ "*:4433", ADDR_TCP, NULL, "4433", NULL },
	{ "db.example.org:4433", ADDR_TCP, "db.example.org", "4433", NULL },
	{ "my_host-1.:1", ADDR_TCP, "my_host-1.", "1", NULL },
	{ "echo:7", ADDR_TCP, "echo", "7", NULL },
	{ "unix:7", ADDR_TCP, "unix", "7", NULL },
	{ "127.0.0.1:4433", ADDR_TCP, "127.0.0.1", "4433", NULL },
	{ "[::1]:443", ADDR_TCP, "::1", "443", NULL },
	{ "[::]:443", ADDR_TCP, "::", "443", NULL },
	{ "[fe80::1%lo]:443", ADDR_TCP, "fe80::1%lo", "443", NULL },
	{ "[::ffff:192.0.2.1]:443", ADDR_TCP, "::ffff:192.0.2.1", "443", NULL },
	{ "::1:443", ADDR_TCP, "::1", "443", NULL },
	{ ":::443", ADDR_TCP, "::", "443", NULL },
	{ "2001:db8::1:443", ADDR_TCP, "2001:db8::1", "443", NULL },
	{ "fe80::1%lo:443", ADDR_TCP, "fe80::1%lo", "443", NULL },
	{ "/run/app.sock", ADDR_UNIX, NULL, NULL, "/run/app.sock" },
	{ "./app.sock", ADDR_UNIX, NULL, NULL, "./app.sock" },
	{ "run/app:1", ADDR_UNIX, NULL, NULL, "run/app:1" },
	{ "unix:/run/app.sock", ADDR_UNIX, NULL, NULL, "/run/app.sock" },
};

static void
assert_text(const char *have, const char *want)
{
	if (want == NULL)
		ck_assert_ptr_null(have);
	else
		ck_assert_str_eq(have, want);
}

START_TEST(good_address)
{
	struct errmsg why = { "" };
	struct addr_spec spec;

	if (addr_parse(good[_i].text, &spec, &why) != 0)
		ck_abort_msg("%s: %s", good[_i].text, why.text);
	ck_assert_int_eq(spec.kind, good[_i].kind);
	assert_text(spec.host, good[_i].host);
	assert_text(spec.port, good[_i].port);
	assert_text(spec.path, good[_i].path);
	ck_assert_str_eq(spec.text, good[_i].text);
	addr_spec_free(&spec);
	ck_assert_ptr_null(spec.text);
	addr_spec_free(&spec);
}
END_TEST

static const struct {
	const char *text, *message;
} bad[] = {
	{ "", "the address is empty: give PORT, HOST:PORT, [IPV6]:PORT" },
	{ "65536", "port 65536 is out of range: give 0 to 65535" },
	{ "host:99999999999999999999", "port 99999999999999999999 is out of range" },
	{ "localhost",
	    "\"localhost\" is neither a port number nor a service name: give PORT, "
	    "HOST:PORT" },
	{ "10.0.0.1", "\"10.0.0.1\" is neither a port number nor a service name" },
	{ "*", "\"*\" is neither a port number nor a service name" },
	{ " 80", "\" 80\" is neither a port number" },
	{ "+80", "\"+80\" is neither a port number" },
	{ "-1", "\"-1\" is neither a port number" },
	{ "80 ", "\"80 \" is neither a port number" },
	{ "0x50", "\"0x50\" is neither a port number" },
	{ "host:",
	    "\"host:\" lacks the port: write it behind the colon, as in host:443" },
	{ ":", "\":\" lacks the port" },
	{ "[::1]:", "\"[::1]:\" lacks the port" },
	{ "host: 80",
	    "port \" 80\" of \"host: 80\" is neither a number nor a service name: give "
	    "0 to 65535" },
	{ "host:-80", "port \"-80\" of \"host:-80\" is neither a number" },
	{ "[::1", "\"[::1\" lacks the closing bracket: write [IPV6]:PORT" },
	{ "[::1]", "\"[::1]\" lacks the port: write [IPV6]:PORT" },
	{ "[::1]443", "\"[::1]443\" lacks the port: write [IPV6]:PORT" },
	{ "[host]:443", "\"[host]:443\" has no IPv6 address in its brackets" },
	{ "[127.0.0.1]:443", "brackets are for IPv6 only" },
	{ "[]:443", "\"[]:443\" has no IPv6 address in its brackets" },
	{ "[*]:443", "has no IPv6 address in its brackets" },
	{ "[::1::2]:443", "\"::1::2\" is no IPv6 address" },
	{ "2001:db8::1",
	    "\"2001:db8:\" is no IPv6 address (what follows the last colon is the "
	    "port): write [IPV6]:PORT" },
	{ "fe80::abcd", "\"fe80::abcd\" lacks the port: write [fe80::abcd]:PORT" },
	{ "::", "\"::\" lacks the port: write [::]:PORT" },
	{ "a:b:443", "\"a:b\" is no IPv6 address" },
	{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111:443",
	    "no IPv6 address" },
	{ "my host:443", "\"my host\" is no host name: it may have letters, digits" },
	{ "**:443", "\"**\" is no host name" },
	{ "b\xc3\xbc.example:443", "is no host name" },
	{ "300.1.1.1:443", "\"300.1.1.1\" is no IPv4 address: write four numbers" },
	{ "127.1:443", "\"127.1\" is no IPv4 address" },
	{ "https://db.example.org:4433",
	    "\"https://db.example.org:4433\" is a URL: give HOST:PORT" },
	{ "@name", "\"@name\": abstract sockets are not supported: give the path" },
	{ "@/name", "abstract sockets are not supported" },
	{ "/2345678901234567890123456789012345678901234567890123456789"
	  "01234567890123456789012345678901234567890123456789",
	    "is too long: give one of at most 107 bytes" },
};

START_TEST(bad_address)
{
	struct errmsg why = { "" };
	struct addr_spec spec;

	ck_assert_int_eq(addr_parse(bad[_i].text, &spec, &why), -1);
	if (strstr(why.text, bad[_i].message) == NULL)
		ck_abort_msg(
		    "%s: \"%s\" lacks \"%s\"", bad[_i].text, why.text, bad[_i].message);
	/* Freeing what never came to be must be harmless. */
	addr_spec_free(&spec);
}
END_TEST

START_TEST(longest_path)
{
	struct addr_spec spec;
	struct addr_list list;
	struct errmsg why = { "" };
	char path[108], text[ADDR_TEXT], want[ADDR_TEXT];

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[107] = '\0';
	ck_assert_int_eq(addr_parse(path, &spec, &why), 0);
	ck_assert_int_eq(addr_resolve(&spec, true, true, &list, &why), 0);
	snprintf(want, sizeof(want), "unix:%s", path);
	ck_assert_str_eq(addr_text(&list.items[0], text), want);
	addr_list_free(&list);
	addr_spec_free(&spec);
}
END_TEST

START_TEST(service_name)
{
	/* A machine without a services file knows none. */
	bool known = getservbyname("http", "tcp") != NULL;
	struct errmsg why = { "" };
	struct addr_spec spec;
	struct addr_list list;
	char text[ADDR_TEXT];

	ck_assert_int_eq(addr_parse("127.0.0.1:http", &spec, &why), known ? 0 : -1);
	if (!known)
		return;
	ck_assert_int_eq(addr_resolve(&spec, false, true, &list, &why), 0);
	ck_assert_str_eq(addr_text(&list.items[0], text), "127.0.0.1:80");
	addr_list_free(&list);
	addr_spec_free(&spec);
	ck_assert_int_eq(addr_parse("http", &spec, &why), 0);
	ck_assert_str_eq(spec.port, "http");
	addr_spec_free(&spec);
}
END_TEST

START_TEST(unknown_service_name)
{
	struct errmsg why = { "" };
	struct addr_spec spec;

	ck_assert_int_eq(addr_parse("localhost:nosuchservice", &spec, &why), -1);
	ck_assert_str_eq(why.text,
	    "port \"nosuchservice\" of \"localhost:nosuchservice\" is neither a number "
	    "nor a service name: give 0 to 65535");
}
END_TEST

/* Resolves and writes the addresses, a blank between, into text.  Returns the result. */
static int
resolve(const char *address, bool passive, bool numeric_only, char *text, size_t size,
    struct errmsg *why)
{
	struct addr_spec spec;
	struct addr_list list;
	char one[ADDR_TEXT];
	size_t i, used = 0;
	int rv;

	text[0] = '\0';
	ck_assert_int_eq(addr_parse(address, &spec, why), 0);
	rv = addr_resolve(&spec, passive, numeric_only, &list, why);
	for (i = 0; i < list.n && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? " " : "",
		    addr_text(&list.items[i], one));
	addr_spec_free(&spec);
	addr_list_free(&list);
	addr_list_free(&list);
	return rv;
}

static const struct {
	const char *address;
	bool passive, numeric_only;
	int rv;
	const char *want; /* the addresses, or the message */
} resolved[] = {
	{ "127.0.0.1:443", false, true, 0, "127.0.0.1:443" },
	{ "127.0.0.1:443", true, false, 0, "127.0.0.1:443" },
	{ "[::1]:443", false, true, 0, "[::1]:443" },
	{ ":::443", true, true, 0, "[::]:443" },
	{ "/run/app.sock", false, true, 0, "unix:/run/app.sock" },
	{ "/run/app.sock", true, false, 0, "unix:/run/app.sock" },
	{ "mixed.scripted:443", false, true, 1, "" },
	{ "mixed.scripted:443", true, true, 1, "" },
	{ "mixed.scripted:443", false, false, 0,
	    "[2001:db8::1]:443 192.0.2.1:443 [2001:db8::2]:443 192.0.2.2:443 "
	    "[2001:db8::3]:443" },
	{ "four.scripted:443", false, false, 0,
	    "192.0.2.1:443 [2001:db8::1]:443 [2001:db8::2]:443" },
	{ "mixed.scripted:443", true, false, 0,
	    "[2001:db8::1]:443 [2001:db8::2]:443 [2001:db8::3]:443 192.0.2.1:443 "
	    "192.0.2.2:443" },
	{ "twice.scripted:443", true, false, 0, "127.0.0.1:443 [::1]:443" },
	{ "twice.scripted:443", false, false, 0, "127.0.0.1:443 [::1]:443" },
	{ "nosuch.scripted:443", false, false, -1,
	    "no address found for \"nosuch.scripted:443\" (Name or service not known): "
	    "check the host name and the name service" },
	{ "system.scripted:443", false, false, -1,
	    "no address found for \"system.scripted:443\" (Too many open files" },
	{ "[fe80::1%nosuchlink]:443", false, true, -1,
	    "no address found for \"[fe80::1%nosuchlink]:443\"" },
};

START_TEST(resolves)
{
	struct errmsg why = { "" };
	char text[512];
	int rv;

	rv = resolve(resolved[_i].address, resolved[_i].passive,
	    resolved[_i].numeric_only, text, sizeof(text), &why);
	if (rv != resolved[_i].rv)
		ck_abort_msg("%s: %d, not %d: %s", resolved[_i].address, rv,
		    resolved[_i].rv, why.text);
	if (rv >= 0)
		ck_assert_str_eq(text, resolved[_i].want);
	else if (strstr(why.text, resolved[_i].want) == NULL)
		ck_abort_msg("\"%s\" lacks \"%s\"", why.text, resolved[_i].want);
}
END_TEST

/* What the data threads may call must not ask a name server. */
START_TEST(numeric_only_looks_nothing_up)
{
	struct errmsg why = { "" };
	char text[512];

	looked_up = 0;
	resolve("mixed.scripted:443", false, true, text, sizeof(text), &why);
	ck_assert_int_eq(looked_up, 0);
	resolve("mixed.scripted:443", false, false, text, sizeof(text), &why);
	ck_assert_int_eq(looked_up, 1);
}
END_TEST

START_TEST(no_host)
{
	struct errmsg why = { "" };
	char text[512];

	ck_assert_int_eq(resolve("443", true, true, text, sizeof(text), &why), 0);
	ck_assert_ptr_nonnull(strstr(text, "0.0.0.0:443"));
	ck_assert_int_eq(resolve("443", false, true, text, sizeof(text), &why), 0);
	ck_assert_ptr_nonnull(strstr(text, "127.0.0.1:443"));
}
END_TEST

START_TEST(text_of_scope)
{
	struct addr a = { 0 };
	char text[ADDR_TEXT];

	a.len = sizeof(struct sockaddr_in6);
	a.u.sa.sa_family = AF_INET6;
	ck_assert_str_eq(addr_text(&a, text), "[::]:0");
	a.u.sa.sa_family = AF_INET;
	a.len = sizeof(struct sockaddr_in);
	ck_assert_str_eq(addr_text(&a, text), "0.0.0.0:0");
}
END_TEST

START_TEST(text_of_unix)
{
	const socklen_t start = (socklen_t)offsetof(struct sockaddr_un, sun_path);
	struct addr a = { 0 };
	char text[ADDR_TEXT];

	a.u.un.sun_family = AF_UNIX;
	a.len = start; /* unnamed, as accept() tells it */
	ck_assert_str_eq(addr_text(&a, text), "unix");
	a.len = sizeof(a.u.un);
	ck_assert_str_eq(addr_text(&a, text), "unix");
	memcpy(a.u.un.sun_path, "\0abstract", 9);
	a.len = start + 9;
	ck_assert_str_eq(addr_text(&a, text), "unix");
	memcpy(a.u.un.sun_path, "/abcdefg", 8);
	a.len = start + 4; /* the NUL is not counted, the rest not ours */
	ck_assert_str_eq(addr_text(&a, text), "unix:/abc");
	memset(a.u.un.sun_path, 'y', sizeof(a.u.un.sun_path));
	a.len = sizeof(a.u.un);
	ck_assert_uint_eq(strlen(addr_text(&a, text)), 5 + sizeof(a.u.un.sun_path));
}
END_TEST

START_TEST(text_of_unknown)
{
	struct addr a = { 0 };
	char text[ADDR_TEXT];

	ck_assert_str_eq(addr_text(&a, text), "unknown");
	a.len = sizeof(a.u.ss);
	a.u.sa.sa_family = AF_APPLETALK;
	ck_assert_str_eq(addr_text(&a, text), "unknown");
}
END_TEST

START_TEST(nothing_to_free)
{
	addr_spec_free(NULL);
	addr_list_free(NULL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("addr");
	TCase *tc = tcase_create("addr");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, good_address, 0, COUNT(good));
	tcase_add_loop_test(tc, bad_address, 0, COUNT(bad));
	tcase_add_test(tc, longest_path);
	tcase_add_test(tc, service_name);
	tcase_add_test(tc, unknown_service_name);
	tcase_add_loop_test(tc, resolves, 0, COUNT(resolved));
	tcase_add_test(tc, numeric_only_looks_nothing_up);
	tcase_add_test(tc, no_host);
	tcase_add_test(tc, text_of_scope);
	tcase_add_test(tc, text_of_unix);
	tcase_add_test(tc, text_of_unknown);
	tcase_add_test(tc, nothing_to_free);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
