#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/http.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

static const struct {
	const char *text;
	const char *expected; /* "HOST PORT PATH", or words of the refusal behind "!" */
} urls[] = {
	{ "http://a.example", "a.example 80 /" },
	{ "http://a.example/", "a.example 80 /" },
	{ "HTTP://a.example:8080/x/y?z=1", "a.example 8080 /x/y?z=1" },
	{ "http://192.0.2.1:1", "192.0.2.1 1 /" },
	{ "http://[2001:db8::1]/", "2001:db8::1 80 /" },
	{ "http://[::1]:88/a", "::1 88 /a" },
	{ "http://a/b#c", "a 80 /b" },
	{ "http://a:/b", "a 80 /b" },
	{ "https://a/", "!https" },
	{ "ftp://a/", "!http://" },
	{ "a/b", "!http://" },
	{ "", "!http://" },
	{ "http://", "!no host" },
	{ "http:///a", "!no host" },
	{ "http://:80/", "!no host" },
	{ "http://[]/", "!no host" },
	{ "http://user@a/", "!malformed" },
	{ "http://user:pass@a/", "!port" },
	{ "http://a:x/", "!port" },
	{ "http://a:0/", "!port" },
	{ "http://a:65536/", "!port" },
	{ "http://a:123456/", "!port" },
	{ "http://[::1/", "!malformed" },
	{ "http://[::1]x/", "!malformed" },
	{ "http://[::g]/", "!malformed" },
	{ "http://a b/", "!blanks" },
	{ "http://a/\r\nX: y", "!blanks" },
	{ "http://a/\x7f", "!blanks" },
	{ "http://a?b", "!/ is missing" },
	{ "http://" X100 X100 X100 "/", "!host is too long" },
	{ "http://a/" X100 X100 X100 X100 X100 X100, "!path is too long" },
};

START_TEST(reads_urls)
{
	const char *expected = urls[_i].expected;
	struct http_url u;
	struct errmsg e;
	char text[1024];

	if (http_url_parse(urls[_i].text, &u, &e) == -1) {
		ck_assert_msg(*expected == '!' && strstr(e.text, expected + 1) != NULL, "%s", e.text);
		return;
	}
	snprintf(text, sizeof(text), "%s %s %s", u.host, u.port, u.path);
	ck_assert_str_eq(text, expected);
}
END_TEST

START_TEST(posts)
{
	char head[HTTP_HEAD_MOST];
	struct http_url u;
	struct errmsg e;

	ck_assert_int_eq(http_url_parse("http://a.example/x?y", &u, &e), 0);
	ck_assert_uint_eq(http_post(&u, "a/b", 12, head), strlen(head));
	ck_assert_str_eq(head, "POST /x?y HTTP/1.0\r\nHost: a.example\r\nContent-Type: a/b\r\n"
	    "Content-Length: 12\r\n\r\n");
	ck_assert_int_eq(http_url_parse("http://[::1]:8080", &u, &e), 0);
	http_post(&u, "a/b", 12, head);
	ck_assert_ptr_nonnull(strstr(head, "POST / HTTP/1.0\r\nHost: [::1]:8080\r\n"));
}
END_TEST

#define OK "HTTP/1.0 200 OK\r\n"

/* At most 20 bytes of type t/t. */
static const struct {
	const char *text;
	const char *expected; /* the body; words of the failure behind "!"; "+": more is wanted */
	bool ended;
} answers[] = {
	{ OK "Content-Length: 3\r\n\r\nabc", "abc", false },
	{ OK "Content-Length: 3\r\n\r\nabcdef", "abc", false },
	{ OK "content-LENGTH:3\r\n\r\nabc", "abc", false },
	{ OK "Content-Length: 3 \r\nContent-Type: t/t\r\n\r\nabc", "abc", false },
	{ OK "Content-Type: T/T; x=y\r\n\r\nabc", "abc", true },
	{ "HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc", "abc", false },
	{ "HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", "abc", false },
	{ OK "\r\nabc", "abc", true },
	{ OK "X: y\r\n\r\n12345678901234567890", "12345678901234567890", true },
	{ "", "+", false },
	{ "HT", "+", false },
	{ OK "Content-Length: 3\r\n", "+", false },
	{ OK "Content-Length: 3\r\n\r", "+", false },
	{ OK "Content-Length: 3\r\n\r\nab", "+", false },
	{ OK "\r\nabc", "+", false },
	{ "", "!without an answer", true },
	{ OK "Content-Length: 3\r\n\r\nab", "!middle", true },
	{ OK "X: y", "!middle", true },
	{ OK "\r\n", "!empty", true },
	{ OK "Content-Length: 0\r\n\r\n", "!empty", false },
	{ OK "X: y\r\n\r\n123456789012345678901", "!larger", false },
	{ OK "Content-Length: 21\r\n\r\n", "!larger", false },
	{ OK "Content-Length: 99999999999999999999999\r\n\r\n", "!larger", false },
	{ OK "Content-Length: -1\r\n\r\n", "!Content-Length", false },
	{ OK "Content-Length: \r\n\r\n", "!Content-Length", false },
	{ OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "!Content-Length", false },
	{ OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "!Transfer-Encoding", false },
	{ OK "Content-Type: text/html\r\n\r\nabc", "!another type", true },
	{ OK "Content-Type: t/tt\r\n\r\nabc", "!another type", true },
	{ OK "nonsense\r\n\r\nabc", "!malformed", true },
	{ "HTTP/1.0 404 Not Found\r\n\r\nabc", "!404", true },
	{ "HTTP/1.1 301 Moved\r\nLocation: http://b/\r\n\r\n", "!redirect", true },
	{ "HTTP/1.0 2000 OK\r\n\r\nabc", "!status is 200", true },
	{ "HTTP/2.0 200 OK\r\n\r\nabc", "!no answer of HTTP", true },
	{ "SSH-2.0-OpenSSH\r\n\r\n", "!no answer of HTTP", true },
	{ "\r\n\r\n", "!no answer of HTTP", false },
};

START_TEST(reads_answers)
{
	const char *expected = answers[_i].expected, *body;
	struct errmsg e;
	size_t n;

	switch (http_answer(answers[_i].text, strlen(answers[_i].text), answers[_i].ended, "t/t", 20,
	    &body, &n, &e)) {
	case HTTP_MORE:
		ck_assert_str_eq(expected, "+");
		break;
	case HTTP_DONE:
		ck_assert_uint_eq(n, strlen(expected));
		ck_assert_mem_eq(body, expected, n);
		break;
	default:
		ck_assert_msg(*expected == '!' && strstr(e.text, expected + 1) != NULL, "%s", e.text);
	}
}
END_TEST

/* However it is parted, the answer is the same, and never one too early. */
START_TEST(byte_by_byte)
{
	static const char text[] = OK "Server: x\r\nContent-Length: 5\r\n\r\nab\r\nc";
	const char *body;
	struct errmsg e;
	size_t n;

	for (size_t i = 0; i + 1 < sizeof(text) - 1; i++)
		ck_assert_int_eq(http_answer(text, i, false, "t/t", 20, &body, &n, &e), HTTP_MORE);
	ck_assert_int_eq(http_answer(text, sizeof(text) - 1, false, "t/t", 20, &body, &n, &e),
	    HTTP_DONE);
	ck_assert_mem_eq(body, "ab\r\nc", 5);
}
END_TEST

START_TEST(endless_head)
{
	size_t most = HTTP_ANSWER_HEAD + 64, n;
	char *text = malloc(most);
	const char *body;
	struct errmsg e;

	memset(text, 'x', most);
	memcpy(text, OK, sizeof(OK) - 1);
	ck_assert_int_eq(http_answer(text, HTTP_ANSWER_HEAD, false, "t/t", 20, &body, &n, &e),
	    HTTP_MORE);
	ck_assert_int_eq(http_answer(text, most, false, "t/t", 20, &body, &n, &e), HTTP_FAILED);
	free(text);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("http");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_loop_test(tc, reads_urls, 0, (int)COUNT(urls));
	tcase_add_test(tc, posts);
	tcase_add_loop_test(tc, reads_answers, 0, (int)COUNT(answers));
	tcase_add_test(tc, byte_by_byte);
	tcase_add_test(tc, endless_head);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
