/* net/sockopt: socket options as written, and that the kernel gets them. */
#include <check.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/sockopt.h"

static struct errmsg why;

static struct sockopt
parse(const char *text)
{
	struct sockopt o;

	ck_assert_msg(sockopt_parse(text, &o, &why) == 0, "%s: %s", text, why.text);
	return o;
}

static const struct {
	const char *text;
	char side;
	int level, name, number;
} numbers[] = {
	{ "a:SO_REUSEADDR=1", 'a', SOL_SOCKET, SO_REUSEADDR, 1 },
	{ "a:SO_REUSEADDR=yes", 'a', SOL_SOCKET, SO_REUSEADDR, 1 },
	{ "l:SO_REUSEADDR=Yes", 'l', SOL_SOCKET, SO_REUSEADDR, 1 },
	{ "l:SO_KEEPALIVE=0", 'l', SOL_SOCKET, SO_KEEPALIVE, 0 },
	{ "r:SO_KEEPALIVE=NO", 'r', SOL_SOCKET, SO_KEEPALIVE, 0 },
	{ "l:TCP_NODELAY=1", 'l', IPPROTO_TCP, TCP_NODELAY, 1 },
	{ "r:TCP_KEEPIDLE=60", 'r', IPPROTO_TCP, TCP_KEEPIDLE, 60 },
	{ "r:TCP_KEEPCNT=3", 'r', IPPROTO_TCP, TCP_KEEPCNT, 3 },
	{ "l:SO_RCVBUF=65536", 'l', SOL_SOCKET, SO_RCVBUF, 65536 },
	{ "r:SO_MARK=0x10", 'r', SOL_SOCKET, SO_MARK, 16 },
	{ "r:IP_TOS=0X10", 'r', IPPROTO_IP, IP_TOS, 16 },
	{ "r:SO_RCVBUF=2147483647", 'r', SOL_SOCKET, SO_RCVBUF, 2147483647 },
};

START_TEST(a_number)
{
	struct sockopt o = parse(numbers[_i].text);

	ck_assert_int_eq(o.side, numbers[_i].side);
	ck_assert_int_eq(o.level, numbers[_i].level);
	ck_assert_int_eq(o.name, numbers[_i].name);
	ck_assert_uint_eq(o.len, sizeof(int));
	ck_assert_int_eq(o.value.number, numbers[_i].number);
	ck_assert_int_eq(strncmp(numbers[_i].text + 2, o.text, strlen(o.text)), 0);
}
END_TEST

START_TEST(other_values)
{
	struct sockopt o = parse("l:SO_LINGER=1:60");

	ck_assert_uint_eq(o.len, sizeof(struct linger));
	ck_assert_int_eq(o.value.linger.l_onoff, 1);
	ck_assert_int_eq(o.value.linger.l_linger, 60);
	o = parse("l:SO_LINGER=0");
	ck_assert_int_eq(o.value.linger.l_onoff, 0);
	o = parse("r:SO_SNDTIMEO=10:500000");
	ck_assert_uint_eq(o.len, sizeof(struct timeval));
	ck_assert_int_eq(o.value.time.tv_sec, 10);
	ck_assert_int_eq(o.value.time.tv_usec, 500000);
	o = parse("r:SO_RCVTIMEO=7");
	ck_assert_int_eq(o.value.time.tv_sec, 7);
	ck_assert_int_eq(o.value.time.tv_usec, 0);
	o = parse("a:SO_BINDTODEVICE=lo");
	ck_assert_uint_eq(o.len, 3);
	ck_assert_str_eq(o.value.text, "lo");
	o = parse("a:SO_BINDTODEVICE=fifteen-letters");
	ck_assert_str_eq(o.value.text, "fifteen-letters");
}
END_TEST

static const struct {
	const char *text, *why;
} bad[] = {
	{ "", "is no socket option" },
	{ "a", "is no socket option" },
	{ "SO_REUSEADDR=1", "is no socket option" },
	{ "x:SO_REUSEADDR=1", "is no socket option" },
	{ "A:SO_REUSEADDR=1", "is no socket option" },
	{ "a:SO_REUSEADDR", "is no socket option" },
	{ "a=SO_REUSEADDR:1", "is no socket option" },
	{ "a:=1", "is not known here" },
	{ "a:SO_REUSEADD=1", "\"SO_REUSEADD\" is not known here" },
	{ "a:SO_REUSEADDRS=1", "is not known here" },
	{ "a:so_reuseaddr=1", "\"so_reuseaddr\" is not known here" },
	{ "a:SO_REUSEADDR =1", "is not known here" },
	{ "a:SO_REUSEADDR=", "give yes or no" },
	{ "a:SO_REUSEADDR=true", "give yes or no" },
	{ "a:SO_REUSEADDR=-1", "give yes or no" },
	{ "a:SO_REUSEADDR=1 ", "give yes or no" },
	{ "r:TCP_KEEPIDLE=x", "give a number" },
	{ "r:TCP_KEEPIDLE=yes", "give a number" },
	{ "r:TCP_KEEPIDLE=2147483648", "give a number" },
	{ "r:TCP_KEEPIDLE=99999999999999999999", "give a number" },
	{ "r:TCP_KEEPIDLE=+1", "give a number" },
	{ "l:SO_LINGER=", "give ON:SECONDS" },
	{ "l:SO_LINGER=1:", "give ON:SECONDS" },
	{ "l:SO_LINGER=1:2:3", "give ON:SECONDS" },
	{ "l:SO_RCVTIMEO=1:1000000", "give SECONDS" },
	{ "a:SO_BINDTODEVICE=", "network device" },
	{ "a:SO_BINDTODEVICE=sixteen--letters", "network device" },
};

START_TEST(written_badly)
{
	struct sockopt o = { .side = '?' };

	ck_assert_int_eq(sockopt_parse(bad[_i].text, &o, &why), -1);
	ck_assert_msg(strstr(why.text, bad[_i].why) != NULL, "%s: %s", bad[_i].text, why.text);
	ck_assert_int_eq(o.side, '?');
}
END_TEST

static int
tcp_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_ne(fd, -1);
	return fd;
}

static int
get(int fd, int level, int name)
{
	int v = -1;
	socklen_t len = sizeof(v);

	ck_assert_int_eq(getsockopt(fd, level, name, &v, &len), 0);
	return v;
}

START_TEST(the_kernel_gets_its_side)
{
	struct sockopt o[] = {
		parse("l:TCP_KEEPIDLE=111"), parse("r:TCP_KEEPIDLE=222"),
		parse("a:TCP_KEEPIDLE=333"), parse("l:SO_KEEPALIVE=yes"),
		parse("l:SO_LINGER=1:9"), parse("l:SO_RCVTIMEO=5:250000"),
	};
	struct linger linger;
	struct timeval time;
	socklen_t len = sizeof(linger);
	int fd = tcp_socket();

	ck_assert_int_eq(sockopt_apply(fd, 'l', o, sizeof(o) / sizeof(o[0]), &why), 0);
	ck_assert_int_eq(get(fd, IPPROTO_TCP, TCP_KEEPIDLE), 111);
	ck_assert_int_eq(get(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len), 0);
	ck_assert_int_eq(linger.l_onoff, 1);
	ck_assert_int_eq(linger.l_linger, 9);
	len = sizeof(time);
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, &len), 0);
	ck_assert_int_eq(time.tv_sec, 5);
	/* The kernel counts in ticks. */
	ck_assert_int_ge(time.tv_usec, 240000);
	ck_assert_int_le(time.tv_usec, 260000);
	ck_assert_int_eq(sockopt_apply(fd, 'r', o, sizeof(o) / sizeof(o[0]), &why), 0);
	ck_assert_int_eq(get(fd, IPPROTO_TCP, TCP_KEEPIDLE), 222);
	ck_assert_int_eq(sockopt_apply(fd, 'l', NULL, 0, &why), 0);
	close(fd);
}
END_TEST

/* The last one of a name holds. */
START_TEST(in_order)
{
	struct sockopt o[] = { parse("r:IP_TTL=10"), parse("r:IP_TTL=20") };
	int fd = tcp_socket();

	ck_assert_int_eq(sockopt_apply(fd, 'r', o, 2, &why), 0);
	ck_assert_int_eq(get(fd, IPPROTO_IP, IP_TTL), 20);
	close(fd);
}
END_TEST

/* What this kind of socket has not is passed over, and what follows is set. */
START_TEST(a_unix_socket_has_no_tcp)
{
	struct sockopt o[] = { parse("l:TCP_NODELAY=1"), parse("l:IP_TOS=16"),
	    parse("l:SO_KEEPALIVE=1") };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(sockopt_apply(fd, 'l', o, 3, &why), 0);
	ck_assert_int_eq(get(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	close(fd);
}
END_TEST

START_TEST(what_the_kernel_refuses)
{
	struct sockopt o[] = { parse("r:IP_TTL=1000"), parse("a:SO_BINDTODEVICE=no-such-device") };
	int fd = tcp_socket();

	ck_assert_int_eq(sockopt_apply(fd, 'r', o, 1, &why), -1);
	ck_assert_str_eq(why.text, "socket = r:IP_TTL: Invalid argument");
	ck_assert_int_eq(sockopt_apply(fd, 'a', o, 2, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "socket = a:SO_BINDTODEVICE: "));
	close(fd);
}
END_TEST

/* Whatever the list names can be written. */
START_TEST(the_list_is_true)
{
	char line[256], name[64], option[160];
	FILE *f = tmpfile();
	int rows = 0;

	ck_assert_ptr_nonnull(f);
	sockopt_list(f);
	rewind(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		struct sockopt o;

		if (sscanf(line, " %63s", name) != 1 || strchr(name, '_') == NULL)
			continue;
		snprintf(option, sizeof(option), "l:%s=%s", name,
		    strcmp(name, "SO_BINDTODEVICE") == 0 ? "lo" : "1");
		ck_assert_msg(sockopt_parse(option, &o, &why) == 0, "%s: %s", option, why.text);
		rows++;
	}
	ck_assert_int_gt(rows, 20);
	fclose(f);
}
END_TEST

#define N(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* Lists of one side, whatever the other sides have between. */
START_TEST(same_lists)
{
	static const struct {
		const char *a[3], *b[3];
		bool same;
	} rows[] = {
		{ { NULL }, { NULL }, true },
		{ { "a:SO_KEEPALIVE=1" }, { "a:SO_KEEPALIVE=yes" }, true },
		{ { "a:SO_KEEPALIVE=1" }, { "a:SO_KEEPALIVE=0" }, false },
		{ { "a:SO_KEEPALIVE=1" }, { "a:SO_REUSEADDR=1" }, false },
		{ { "a:SO_KEEPALIVE=1" }, { NULL }, false },
		{ { NULL }, { "a:SO_KEEPALIVE=1" }, false },
		{ { "l:SO_KEEPALIVE=1" }, { "r:SO_KEEPALIVE=1" }, true },
		{ { "l:SO_KEEPALIVE=1", "a:SO_LINGER=1:5" }, { "a:SO_LINGER=1:5" }, true },
		{ { "a:SO_LINGER=1:5" }, { "a:SO_LINGER=1:6" }, false },
		{ { "a:SO_KEEPALIVE=1", "a:SO_LINGER=1:5" },
		    { "a:SO_LINGER=1:5", "a:SO_KEEPALIVE=1" }, false },
	};
	struct sockopt lists[2][3];
	size_t n[2];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		n[0] = n[1] = 0;
		for (size_t k = 0; k < 3 && rows[i].a[k] != NULL; k++)
			lists[0][n[0]++] = parse(rows[i].a[k]);
		for (size_t k = 0; k < 3 && rows[i].b[k] != NULL; k++)
			lists[1][n[1]++] = parse(rows[i].b[k]);
		ck_assert_msg(sockopt_same(lists[0], n[0], lists[1], n[1], 'a') == rows[i].same,
		    "row %zu", i);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("sockopt");
	TCase *tc = tcase_create("sockopt");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, a_number, 0, N(numbers));
	tcase_add_test(tc, other_values);
	tcase_add_loop_test(tc, written_badly, 0, N(bad));
	tcase_add_test(tc, the_kernel_gets_its_side);
	tcase_add_test(tc, in_order);
	tcase_add_test(tc, a_unix_socket_has_no_tcp);
	tcase_add_test(tc, what_the_kernel_refuses);
	tcase_add_test(tc, the_list_is_true);
	tcase_add_test(tc, same_lists);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
