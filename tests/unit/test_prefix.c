/* net/prefix: CIDR prefixes as written, and which addresses are in them. */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "net/prefix.h"

static struct errmsg why;

static struct addr
address(const char *text)
{
	struct addr a = { .len = sizeof(a.u.in) };

	if (inet_pton(AF_INET, text, &a.u.in.sin_addr) == 1) {
		a.u.in.sin_family = AF_INET;
		return a;
	}
	a.len = sizeof(a.u.in6);
	ck_assert_int_eq(inet_pton(AF_INET6, text, &a.u.in6.sin6_addr), 1);
	a.u.in6.sin6_family = AF_INET6;
	return a;
}

static struct addr_prefix
parse(const char *text)
{
	struct addr_prefix p;

	ck_assert_msg(prefix_parse(text, &p, &why) == 0, "%s: %s", text, why.text);
	return p;
}

/* As written, and as it is printed. */
static const char *const good[][2] = {
	{ "192.0.2.0/24", "192.0.2.0/24" },
	{ "192.0.2.1", "192.0.2.1/32" },
	{ "192.0.2.1/32", "192.0.2.1/32" },
	{ "192.0.2.128/25", "192.0.2.128/25" },
	{ "0.0.0.0/0", "0.0.0.0/0" },
	{ "128.0.0.0/1", "128.0.0.0/1" },
	{ "10.0.0.0/08", "10.0.0.0/8" },
	{ "2001:db8::/32", "2001:db8::/32" },
	{ "2001:DB8::1", "2001:db8::1/128" },
	{ "::/0", "::/0" },
	{ "::1", "::1/128" },
	{ "8000::/1", "8000::/1" },
	{ "fe80::/10", "fe80::/10" },
	/* IPv4 in the clothes of IPv6 is IPv4. */
	{ "::ffff:192.0.2.0/120", "192.0.2.0/24" },
	{ "::ffff:0:0/96", "0.0.0.0/0" },
};

START_TEST(written_well)
{
	struct addr_prefix p = parse(good[_i][0]);
	char text[PREFIX_TEXT];

	ck_assert_str_eq(prefix_text(&p, text), good[_i][1]);
}
END_TEST

static const struct {
	const char *text, *why;
} bad[] = {
	{ "", "no IP address or prefix" },
	{ "/24", "no IP address or prefix" },
	{ "example.com", "no IP address or prefix" },
	{ "192.0.2", "no IP address or prefix" },
	{ "192.0.2.0.0/24", "no IP address or prefix" },
	{ "192.0.2.256", "no IP address or prefix" },
	{ "[2001:db8::]/32", "no IP address or prefix" },
	{ " 192.0.2.0/24", "no IP address or prefix" },
	{ "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111", "no IP address" },
	{ "192.0.2.0/", "0 to 32" },
	{ "192.0.2.0/33", "0 to 32" },
	{ "192.0.2.0/-1", "0 to 32" },
	{ "192.0.2.0/24 ", "0 to 32" },
	{ "192.0.2.0/2x", "0 to 32" },
	{ "192.0.2.0/255.255.255.0", "0 to 32" },
	{ "192.0.2.0/24/24", "0 to 32" },
	{ "192.0.2.0/4294967320", "0 to 32" },
	{ "2001:db8::/129", "0 to 128" },
	{ "192.0.2.1/24", "write 192.0.2.0/24" },
	{ "192.0.2.128/24", "write 192.0.2.0/24" },
	{ "1.0.0.0/0", "write 0.0.0.0/0" },
	{ "2001:db8::1/64", "write 2001:db8::/64" },
	{ "2001:db8:8000::/32", "write 2001:db8::/32" },
};

/* What is wrong leaves the result alone, and the message says what to write. */
START_TEST(written_badly)
{
	struct addr_prefix p, before;

	memset(&p, 0x5a, sizeof(p));
	before = p;
	ck_assert_int_eq(prefix_parse(bad[_i].text, &p, &why), -1);
	ck_assert_msg(strstr(why.text, bad[_i].why) != NULL, "%s: %s", bad[_i].text, why.text);
	ck_assert_int_eq(memcmp(&p, &before, sizeof(p)), 0);
}
END_TEST

static const struct {
	const char *prefix, *address;
	bool in;
} places[] = {
	{ "192.0.2.0/24", "192.0.2.0", true },
	{ "192.0.2.0/24", "192.0.2.255", true },
	{ "192.0.2.0/24", "192.0.3.0", false },
	{ "192.0.2.0/24", "192.0.1.255", false },
	{ "192.0.2.128/25", "192.0.2.127", false },
	{ "192.0.2.128/25", "192.0.2.128", true },
	{ "192.0.2.1", "192.0.2.1", true },
	{ "192.0.2.1", "192.0.2.0", false },
	{ "10.0.0.0/9", "10.127.255.255", true },
	{ "10.0.0.0/9", "10.128.0.0", false },
	{ "0.0.0.0/0", "255.1.2.3", true },
	{ "2001:db8::/32", "2001:db8:ffff::1", true },
	{ "2001:db8::/32", "2001:db9::", false },
	{ "2001:db8::/33", "2001:db8:7fff::", true },
	{ "2001:db8::/33", "2001:db8:8000::", false },
	{ "::1", "::1", true },
	{ "::1", "::2", false },
	{ "::/0", "2001:db8::1", true },
	/* The families are apart ... */
	{ "::/0", "192.0.2.1", false },
	{ "0.0.0.0/0", "2001:db8::1", false },
	{ "::/1", "192.0.2.1", false },
	/* ... but IPv4 that an IPv6 socket brings is IPv4. */
	{ "192.0.2.0/24", "::ffff:192.0.2.7", true },
	{ "::/0", "::ffff:192.0.2.7", false },
	{ "::ffff:192.0.2.0/120", "192.0.2.7", true },
};

START_TEST(inside)
{
	struct addr_prefix p = parse(places[_i].prefix);
	struct addr a = address(places[_i].address);

	ck_assert_msg(prefix_has(&p, &a) == places[_i].in, "%s in %s", places[_i].address,
	    places[_i].prefix);
}
END_TEST

START_TEST(unix_is_nowhere)
{
	struct addr a = { .len = sizeof(a.u.un), .u.un.sun_family = AF_UNIX };
	struct addr_prefix p = parse("::/0");

	ck_assert(!prefix_has(&p, &a));
	p = parse("0.0.0.0/0");
	ck_assert(!prefix_has(&p, &a));
	ck_assert(!prefix_of(&a, 32, 128, &p));
}
END_TEST

static const struct {
	const char *address;
	unsigned v4, v6;
	const char *prefix;
} sources[] = {
	{ "192.0.2.77", 32, 128, "192.0.2.77/32" },
	{ "192.0.2.77", 24, 64, "192.0.2.0/24" },
	{ "192.0.2.77", 25, 64, "192.0.2.0/25" },
	{ "192.0.2.177", 25, 64, "192.0.2.128/25" },
	{ "192.0.2.77", 0, 64, "0.0.0.0/0" },
	{ "2001:db8:1:2:3:4:5:6", 24, 64, "2001:db8:1:2::/64" },
	{ "2001:db8:1:2:3:4:5:6", 24, 128, "2001:db8:1:2:3:4:5:6/128" },
	{ "2001:db8:1:2:3:4:5:6", 24, 56, "2001:db8:1::/56" },
	{ "2001:db8:1:2:3:4:5:6", 24, 0, "::/0" },
	{ "::ffff:192.0.2.77", 24, 64, "192.0.2.0/24" },
};

START_TEST(source_of_an_address)
{
	struct addr a = address(sources[_i].address);
	char text[PREFIX_TEXT];
	struct addr_prefix p;

	ck_assert(prefix_of(&a, sources[_i].v4, sources[_i].v6, &p));
	ck_assert_str_eq(prefix_text(&p, text), sources[_i].prefix);
	ck_assert(prefix_has(&p, &a));
}
END_TEST

/* Each length of both families: the mask's last bit counts, the next one does not. */
START_TEST(every_length)
{
	struct addr a = address("255.255.255.255"), b;
	struct addr_prefix p;

	for (unsigned bits = 0; bits <= 32; bits++) {
		ck_assert(prefix_of(&a, bits, 128, &p));
		for (unsigned flip = 0; flip < 32; flip++) {
			b = a;
			b.u.in.sin_addr.s_addr ^= htonl(0x80000000u >> flip);
			ck_assert_msg(prefix_has(&p, &b) == (flip >= bits), "/%u, bit %u", bits,
			    flip);
		}
	}
	a = address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	for (unsigned bits = 0; bits <= 128; bits++) {
		ck_assert(prefix_of(&a, 32, bits, &p));
		for (unsigned flip = 0; flip < 128; flip++) {
			b = a;
			b.u.in6.sin6_addr.s6_addr[flip / 8] ^= (uint8_t)(0x80u >> flip % 8);
			ck_assert_msg(prefix_has(&p, &b) == (flip >= bits), "/%u, bit %u", bits,
			    flip);
		}
	}
}
END_TEST

#define N(a) ((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	Suite *suite = suite_create("prefix");
	TCase *tc = tcase_create("prefix");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, written_well, 0, N(good));
	tcase_add_loop_test(tc, written_badly, 0, N(bad));
	tcase_add_loop_test(tc, inside, 0, N(places));
	tcase_add_test(tc, unix_is_nowhere);
	tcase_add_loop_test(tc, source_of_an_address, 0, N(sources));
	tcase_add_test(tc, every_length);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
