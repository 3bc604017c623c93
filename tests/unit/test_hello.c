/* tls/hello: the ClientHello from its records, in every splitting; what it says; what it refuses. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tls/hello.h"
#include "tls/kind_priv.h"

/* A hello in the making. */
static struct {
	uint8_t body[20000];
	size_t n;
	size_t extensions; /* where their length stands; 0: none */
} msg;

static uint8_t wire[400000];
static size_t wire_len;

static void
put(const void *p, size_t n)
{
	ck_assert_uint_le(msg.n + n, sizeof(msg.body));
	memcpy(msg.body + msg.n, p, n);
	msg.n += n;
}

static void
put16(size_t v)
{
	uint8_t two[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	put(two, 2);
}

/* What stands in front of the extensions. */
static void
begin(void)
{
	static const uint8_t head[] = { 3, 3 }, random[32] = { 7 };

	msg.n = 4;
	put(head, 2);
	put(random, 32);
	put("\0", 1);
	put16(4);
	put("\x13\x01\xc0\x2b", 4);
	put("\1\0", 2);
	msg.extensions = msg.n;
	put16(0);
}

static void
add(size_t type, const void *body, size_t n)
{
	put16(type);
	put16(n);
	put(body, n);
}

static void
add_name(const char *name, size_t n)
{
	uint8_t body[1024] = { (uint8_t)((n + 3) >> 8), (uint8_t)(n + 3), 0, (uint8_t)(n >> 8),
		(uint8_t)n };

	memcpy(body + 5, name, n);
	add(0, body, n + 5);
}

/* Closes lengths; the message is then msg.body, msg.n. */
static void
finish(void)
{
	size_t n = msg.n - msg.extensions - 2;

	msg.body[msg.extensions] = (uint8_t)(n >> 8);
	msg.body[msg.extensions + 1] = (uint8_t)n;
	msg.body[0] = 1;
	msg.body[1] = (uint8_t)((msg.n - 4) >> 16);
	msg.body[2] = (uint8_t)((msg.n - 4) >> 8);
	msg.body[3] = (uint8_t)(msg.n - 4);
}

/* Records of so many bytes each. */
static void
cut(size_t size)
{
	wire_len = 0;
	for (size_t at = 0; at < msg.n; at += size) {
		size_t n = msg.n - at < size ? msg.n - at : size;
		uint8_t head[5] = { 22, 3, 1, (uint8_t)(n >> 8), (uint8_t)n };

		memcpy(wire + wire_len, head, 5);
		memcpy(wire + wire_len + 5, msg.body + at, n);
		wire_len += n + 5;
	}
}

static void
usual(void)
{
	begin();
	add(10, "\0\2\0\x1d", 4);
	add_name("Db.Example.ORG", 14);
	add(16, "\0\x0c\2h2\10http/1.1", 14);
	add(13, "\0\4\4\3\10\7", 6);
	add(43, "\4\3\4\3\3", 5);
	finish();
}

/* Whether the client can use certificates of a kind, as far as its signatures and groups tell. */
static bool
takes(const struct hello *h, enum own_key key)
{
	return own_suits(own_kind(key), h, h->tls13);
}

static void
assert_usual(const struct hello_reader *r)
{
	struct hello h;

	ck_assert(hello_parse(r, &h));
	ck_assert_str_eq(h.name, "db.example.org");
	ck_assert(hello_offers_protocol(&h, "h2"));
	ck_assert(hello_offers_protocol(&h, "http/1.1"));
	ck_assert(!hello_offers_protocol(&h, "http/1"));
	ck_assert(!hello_offers_protocol(&h, ""));
	ck_assert(h.tls13);
	ck_assert(takes(&h, KIND_P256));
	ck_assert(takes(&h, KIND_ED25519));
	ck_assert(!takes(&h, KIND_RSA));
	ck_assert(hello_offers_suite(&h, 0x1301));
	ck_assert(!hello_offers_suite(&h, 0x1302));
	ck_assert(hello_knows_group(&h, 29));
	ck_assert(!hello_knows_group(&h, 23));
}

static const size_t sizes[] = { 1, 2, 3, 4, 5, 6, 40, 100, 16384 };

/* However it is cut into records, and however these arrive. */
START_TEST(every_cut)
{
	struct hello_reader r = { 0 };
	enum hello_state s = HELLO_MORE;

	usual();
	cut(sizes[_i]);
	ck_assert_int_eq(hello_read(&r, wire, wire_len), HELLO_WHOLE);
	assert_usual(&r);
	hello_free(&r);
	for (size_t n = 0; n <= wire_len; n++) {
		s = hello_read(&r, wire, n);
		ck_assert_int_eq(s, n < wire_len ? HELLO_MORE : HELLO_WHOLE);
	}
	assert_usual(&r);
	/* Asked again it says the same. */
	ck_assert_int_eq(hello_read(&r, wire, wire_len), HELLO_WHOLE);
	assert_usual(&r);
	hello_free(&r);
	hello_free(&r);
}
END_TEST

/* What follows the hello is not looked at. */
START_TEST(more_behind_it)
{
	struct hello_reader r = { 0 };

	usual();
	cut(16384);
	memset(wire + wire_len, 0xff, 100);
	ck_assert_int_eq(hello_read(&r, wire, wire_len + 100), HELLO_WHOLE);
	assert_usual(&r);
	hello_free(&r);
}
END_TEST

static const struct {
	const char *bytes;
	size_t n;
} others[] = {
	{ "G", 1 },
	{ "GET / HTTP/1.0\r\n\r\n", 18 },
	{ "\x80\x2e\x01\x00\x02", 5 },           /* SSLv2 */
	{ "\x15\x03\x01\x00\x02\x02\x28", 7 },   /* an alert */
	{ "\x16\x02\x00\x00\x05", 5 },           /* another major version */
	{ "\x16\x03\x01\x00\x00", 5 },           /* an empty record */
	{ "\x16\x03\x01\x40\x01", 5 },           /* longer than a record may be */
	{ "\x16\x03\x01\x00\x04\x02\x00\x00\x01", 9 }, /* a ServerHello */
	{ "\x16\x03\x01\x00\x04\x01\x00\x40\x00", 9 }, /* longer than we read */
	{ "\x16\x03\x01\x00\x04\x01\xff\xff\xff", 9 },
	{ "\x16\x03\x01\x00\x01\x01\x17\x03\x03", 9 }, /* begun, then data */
};

START_TEST(no_hello)
{
	struct hello_reader r = { 0 };

	ck_assert_int_eq(hello_read(&r, (const uint8_t *)others[_i].bytes, others[_i].n),
	    HELLO_ELSE);
	hello_free(&r);
}
END_TEST

START_TEST(longest)
{
	static uint8_t padding[HELLO_MAX];
	struct hello_reader r = { 0 };
	struct hello h;

	for (int more = 0; more < 2; more++) {
		begin();
		add_name("a", 1);
		add(21, padding, HELLO_MAX - msg.n - 4 + (size_t)more);
		finish();
		ck_assert_uint_eq(msg.n, HELLO_MAX + (size_t)more);
		cut(16000);
		ck_assert_int_eq(hello_read(&r, wire, wire_len), more ? HELLO_ELSE : HELLO_WHOLE);
		if (!more)
			ck_assert(hello_parse(&r, &h));
		hello_free(&r);
	}
}
END_TEST

/* The name of a hello with this one, "" where it counts as none. */
static void
assert_name(const char *name, size_t n, const char *found)
{
	struct hello_reader r = { 0 };
	struct hello h;

	begin();
	add_name(name, n);
	finish();
	cut(16384);
	ck_assert_int_eq(hello_read(&r, wire, wire_len), HELLO_WHOLE);
	ck_assert(hello_parse(&r, &h));
	ck_assert_str_eq(h.name, found);
	hello_free(&r);
}

START_TEST(odd_names)
{
	char label[300];

	memset(label, 'a', sizeof(label));
	label[253] = '\0';
	assert_name("UPPER.case.", 11, "upper.case");
	assert_name("a_b-1", 5, "a_b-1");
	assert_name("a\0b", 3, "");
	assert_name("a b", 3, "");
	assert_name("a/b", 3, "");
	assert_name("\xc3\xa5.se", 5, "");
	assert_name(".", 1, "");
	assert_name(label, 253, label);
	label[253] = 'a';
	assert_name(label, 254, "");
	assert_name(label, 255, "");
}
END_TEST

START_TEST(nothing_said)
{
	struct hello_reader r = { 0 };
	struct hello h;

	begin();
	/* Without extensions the message ends with the compression methods. */
	msg.n -= 2;
	msg.body[0] = 1;
	msg.body[1] = 0;
	msg.body[2] = 0;
	msg.body[3] = (uint8_t)(msg.n - 4);
	cut(16384);
	ck_assert_int_eq(hello_read(&r, wire, wire_len), HELLO_WHOLE);
	ck_assert(hello_parse(&r, &h));
	ck_assert_str_eq(h.name, "");
	ck_assert(!h.tls13);
	ck_assert(takes(&h, KIND_P256));
	ck_assert(takes(&h, KIND_RSA));
	ck_assert(!takes(&h, KIND_ED25519));
	ck_assert(!hello_offers_protocol(&h, "h2"));
	hello_free(&r);
}
END_TEST

/* RSA PKCS#1 signatures count up to TLS 1.2 only. */
START_TEST(rsa)
{
	static const struct {
		const char *schemes;
		bool tls13, takes;
	} rows[] = { { "\0\2\4\1", false, true }, { "\0\2\4\1", true, false },
		{ "\0\2\10\4", false, true }, { "\0\2\10\4", true, true },
		{ "\0\2\4\3", true, false } };
	struct hello h;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hello_reader r = { 0 };

		begin();
		add(13, rows[i].schemes, 4);
		if (rows[i].tls13)
			add(43, "\2\3\4", 3);
		finish();
		cut(16384);
		ck_assert_int_eq(hello_read(&r, wire, wire_len), HELLO_WHOLE);
		ck_assert(hello_parse(&r, &h));
		ck_assert(takes(&h, KIND_RSA) == rows[i].takes);
		hello_free(&r);
	}
}
END_TEST

/* Which certificates suit which client: by the curve in TLS 1.3, by the groups before. */
START_TEST(kinds)
{
	static const struct {
		enum own_key kind;
		const char *schemes, *groups;
		bool tls13, takes;
	} rows[] = {
		{ KIND_P256, "\0\2\4\3", NULL, true, true },
		{ KIND_P256, "\0\2\5\3", NULL, true, false },
		{ KIND_P256, "\0\2\5\3", NULL, false, true },
		{ KIND_P384, "\0\2\5\3", NULL, true, true },
		{ KIND_P384, "\0\2\4\3", NULL, true, false },
		{ KIND_P384, "\0\2\4\3", "\0\2\0\x18", false, true },
		{ KIND_P384, "\0\2\4\3", "\0\2\0\x17", false, false },
		{ KIND_P384, "\0\2\5\3", "\0\2\0\x17", true, true },
		{ KIND_P521, "\0\2\6\3", NULL, true, true },
		{ KIND_P521, "\0\2\4\3", NULL, true, false },
		{ KIND_ED25519, "\0\2\10\7", "\0\2\0\x17", false, true },
		{ KIND_ED25519, "\0\2\10\10", NULL, true, false },
		{ KIND_RSA, "\0\2\4\1", "\0\2\0\x1d", false, true },
		{ KIND_PSS, "\0\2\10\11", NULL, true, true },
		{ KIND_PSS, "\0\2\10\4", NULL, true, false },
	};
	struct hello h;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hello_reader r = { 0 };

		begin();
		if (rows[i].groups != NULL)
			add(10, rows[i].groups, 4);
		add(13, rows[i].schemes, 4);
		if (rows[i].tls13)
			add(43, "\2\3\4", 3);
		finish();
		cut(16384);
		ck_assert_int_eq(hello_read(&r, wire, wire_len), HELLO_WHOLE);
		ck_assert(hello_parse(&r, &h));
		ck_assert_msg(takes(&h, rows[i].kind) == rows[i].takes, "row %zu", i);
		hello_free(&r);
	}
}
END_TEST

/* Extensions that lie about their lengths, are empty, or come twice. */
static const struct {
	size_t type;
	const char *body;
	size_t n;
	bool twice;
} bad[] = {
	{ 0, "", 0, false },
	{ 0, "\0\0", 2, false },
	{ 0, "\0\5\0\0\1a", 6, false },       /* the list is longer than the extension */
	{ 0, "\0\3\0\0\1a", 6, false },       /* shorter */
	{ 0, "\0\4\0\0\2a", 6, false },       /* the name is longer than the list */
	{ 0, "\0\3\0\0\0", 5, false },        /* an empty name */
	{ 0, "\0\10\0\0\1a\0\0\1b", 10, false }, /* two names of hosts */
	{ 0, "\0\4\0\0\1a", 6, true },
	{ 16, "\0\0", 2, false },
	{ 16, "\0\3\2h2x", 6, false },
	{ 16, "\0\4\0\2h2", 6, false },
	{ 16, "\0\2\2h", 4, false },
	{ 16, "\0\3\2h2", 5, true },
	{ 13, "\0\0", 2, false },
	{ 13, "\0\3\4\3\4", 5, false },
	{ 13, "\0\2\4\3", 4, true },
	{ 43, "\3\3\4\3", 4, false },
	{ 43, "\0", 1, false },
	{ 43, "\2\3\4", 3, true },
};

START_TEST(malformed)
{
	struct hello_reader r = { 0 };
	struct hello h;

	for (int times = bad[_i].twice ? 2 : 1; times > 0; times--) {
		if (times == 2 || !bad[_i].twice)
			begin();
		add(bad[_i].type, bad[_i].body, bad[_i].n);
	}
	finish();
	cut(16384);
	ck_assert_int_eq(hello_read(&r, wire, wire_len), HELLO_WHOLE);
	ck_assert(!hello_parse(&r, &h));
	hello_free(&r);
}
END_TEST

/* Cut short at any byte, its own length being true, it is malformed (or has said less). */
START_TEST(cut_short)
{
	struct hello h;
	size_t whole;

	usual();
	whole = msg.n;
	for (size_t n = 4; n < whole; n++) {
		struct hello_reader r = { 0 };

		msg.n = n;
		msg.body[2] = (uint8_t)((n - 4) >> 8);
		msg.body[3] = (uint8_t)(n - 4);
		cut(16384);
		ck_assert_int_eq(hello_read(&r, wire, wire_len), HELLO_WHOLE);
		/* Extensions may be missing altogether. */
		ck_assert(hello_parse(&r, &h) == (n == msg.extensions));
		hello_free(&r);
	}
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	Suite *suite = suite_create("hello");
	TCase *tc = tcase_create("hello");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, every_cut, 0, COUNT(sizes));
	tcase_add_test(tc, more_behind_it);
	tcase_add_loop_test(tc, no_hello, 0, COUNT(others));
	tcase_add_test(tc, longest);
	tcase_add_test(tc, odd_names);
	tcase_add_test(tc, nothing_said);
	tcase_add_test(tc, rsa);
	tcase_add_test(tc, kinds);
	tcase_add_loop_test(tc, malformed, 0, COUNT(bad));
	tcase_add_test(tc, cut_short);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
