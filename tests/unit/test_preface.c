/*
 * tunnel/preface: every talk against tables of what the other sides say, honest and
 * hostile; each at once and one byte at a time, with the same result.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "conf/options.h"
#include "tunnel/preface.h"

/* A text with its length, NULs included. */
#define BYTES(s) { s, sizeof(s) - 1 }
#define NOTHING { "", 0 }

struct bytes {
	const char *p;
	size_t n;
};

struct talk_case {
	const char *name;
	const char *set; /* options: "name=value|name=value" */
	struct bytes in[2];  /* what the sides say: down, up */
	enum preface_verdict verdict; /* PREFACE_MORE: it waits for ever */
	struct bytes out[2]; /* what they are told */
	struct bytes left[2]; /* what is left for what follows */
	const char *why;     /* in the message of PREFACE_FAILED */
	const char *target;
};

/* What it is given (down, up), what comes of it: what they are told, what is left. */
#define DONE_AT(n, s, d, u, td, tu, ld, lu, t)                                        \
	{ .name = n, .set = s, .in = { d, u }, .verdict = PREFACE_DONE, .out = { td, tu }, \
	    .left = { ld, lu }, .target = t }
#define DONE(n, s, d, u, td, tu, ld, lu)                                              \
	{ .name = n, .set = s, .in = { d, u }, .verdict = PREFACE_DONE, .out = { td, tu }, \
	    .left = { ld, lu } }
#define FAILS(n, s, d, u, td, tu, w)                                                    \
	{ .name = n, .set = s, .in = { d, u }, .verdict = PREFACE_FAILED, .out = { td, tu }, \
	    .why = w }
#define WAITS(n, s, d, u, td, tu) \
	{ .name = n, .set = s, .in = { d, u }, .verdict = PREFACE_MORE, .out = { td, tu } }

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

/* Two sides of a talk: how much each has said and how much of it was taken. */
struct stand {
	struct preface p;
	size_t said[2], taken[2];
	struct buf told[2];
	struct errmsg why;
};

static void
collect(struct stand *s)
{
	for (int i = 0; i < 2; i++) {
		if (s->p.out[i].len > 0)
			ck_assert_int_eq(buf_append(&s->told[i], buf_head(&s->p.out[i]),
			    s->p.out[i].len), 0);
		buf_free(&s->p.out[i]);
	}
}

/* Runs the talk, giving it at most so many bytes more at a time. */
static enum preface_verdict
hold(struct stand *s, preface_fn *fn, const struct bytes *in, size_t most)
{
	enum preface_verdict v;
	enum preface_side from;
	size_t used, n;
	uint8_t *copy;

	for (;;) {
		from = s->p.from;
		n = s->said[from] - s->taken[from];
		/* A copy of its own: reading past it is found by a sanitizer. */
		copy = malloc(n == 0 ? 1 : n);
		memcpy(copy, in[from].p + s->taken[from], n);
		used = 0;
		v = fn(&s->p, n == 0 ? NULL : copy, n, &used, &s->why);
		free(copy);
		ck_assert_uint_le(used, n);
		s->taken[from] += used;
		collect(s);
		if (v != PREFACE_MORE)
			return v;
		if (s->p.from != from || (used > 0 && s->said[from] > s->taken[from]))
			continue;
		if (s->said[from] == in[from].n)
			return PREFACE_MORE;
		n = in[from].n - s->said[from];
		s->said[from] += n < most ? n : most;
	}
}

static bool
same(const struct buf *b, const struct bytes *expected)
{
	return b->len == expected->n &&
	    (b->len == 0 || memcmp(buf_head(b), expected->p, b->len) == 0);
}

static void
run_case(const struct talk_case *c, bool client, enum preface_stage stage, size_t most)
{
	struct config *config = config_of(c->set, client);
	preface_fn *fn = preface_at(&config->services[0], stage);
	struct stand s = { .why = { "" } };
	enum preface_verdict v;

	ck_assert_ptr_nonnull(fn);
	preface_begin(&s.p, &config->services[0]);
	v = hold(&s, fn, c->in, most);
	ck_assert_msg(v == c->verdict, "%s: verdict %d (%s)", c->name, v, s.why.text);
	for (int i = 0; i < 2; i++) {
		ck_assert_msg(same(&s.told[i], &c->out[i]), "%s: side %d was told \"%.*s\"",
		    c->name, i, (int)s.told[i].len,
		    s.told[i].len > 0 ? (const char *)buf_head(&s.told[i]) : "");
		if (v == PREFACE_DONE)
			ck_assert_msg(c->in[i].n - s.taken[i] == c->left[i].n,
			    "%s: %zu bytes left of side %d", c->name, c->in[i].n - s.taken[i], i);
	}
	if (v == PREFACE_FAILED)
		ck_assert_msg(strstr(s.why.text, c->why) != NULL, "%s: \"%s\"", c->name,
		    s.why.text);
	for (const char *q = s.why.text; *q != '\0'; q++)
		ck_assert_msg((unsigned char)*q >= 0x20, "%s: unclean \"%s\"", c->name,
		    s.why.text);
	if (c->target != NULL)
		ck_assert_str_eq(s.p.target, c->target);
	for (int i = 0; i < 2; i++)
		buf_free(&s.told[i]);
	preface_free(&s.p);
	config_free(config);
}

static void
run_cases(const struct talk_case *c, size_t n, bool client, enum preface_stage stage)
{
	for (size_t i = 0; i < n; i++) {
		run_case(&c[i], client, stage, SIZE_MAX);
		run_case(&c[i], client, stage, 1);
		run_case(&c[i], client, stage, 7);
	}
}

#define RUN(cases, client, stage) \
	run_cases(cases, sizeof(cases) / sizeof((cases)[0]), client, stage)

/* PostgreSQL */

#define SSL_REQUEST "\0\0\0\x08\x04\xd2\x16\x2f"
#define GSS_REQUEST "\0\0\0\x08\x04\xd2\x16\x30"
#define START_UP "\0\0\0\x14\0\3\0\0user\0abcd\0\0"
#define PG_REFUSED "E\0\0\0\x29" "SFATAL\0C28000\0MTLS is required here\0\0"

static const struct talk_case pgsql_client[] = {
	DONE("it has TLS", "protocol=pgsql", NOTHING, BYTES("S"),
	    NOTHING, BYTES(SSL_REQUEST), NOTHING, NOTHING),
	DONE("injected words", "protocol=pgsql", NOTHING, BYTES("SE\0\0"),
	    NOTHING, BYTES(SSL_REQUEST), NOTHING, BYTES("E\0\0")),
	FAILS("it has none", "protocol=pgsql", NOTHING, BYTES("N"),
	    NOTHING, BYTES(SSL_REQUEST), "TLS turned off"),
	FAILS("an error", "protocol=pgsql", NOTHING, BYTES("E"),
	    NOTHING, BYTES(SSL_REQUEST), "answered \"E\""),
	FAILS("something else", "protocol=pgsql", NOTHING, BYTES("\x1b"),
	    NOTHING, BYTES(SSL_REQUEST), "answered \".\""),
	WAITS("silence; the client's bytes stay", "protocol=pgsql", BYTES(START_UP), NOTHING,
	    NOTHING, BYTES(SSL_REQUEST)),
};

static const struct talk_case pgsql_server[] = {
	DONE("it asks", "protocol=pgsql", BYTES(SSL_REQUEST), NOTHING,
	    BYTES("S"), NOTHING, NOTHING, NOTHING),
	DONE("it asks for GSSAPI first", "protocol=pgsql", BYTES(GSS_REQUEST SSL_REQUEST), NOTHING,
	    BYTES("NS"), NOTHING, NOTHING, NOTHING),
	FAILS("GSSAPI again and again", "protocol=pgsql",
	    BYTES(GSS_REQUEST GSS_REQUEST SSL_REQUEST), NOTHING,
	    BYTES("N"), NOTHING, "no PostgreSQL client"),
	DONE("more in clear", "protocol=pgsql", BYTES(SSL_REQUEST START_UP), NOTHING,
	    BYTES("S"), NOTHING, BYTES(START_UP), NOTHING),
	FAILS("no TLS wanted", "protocol=pgsql", BYTES(START_UP), NOTHING,
	    BYTES(PG_REFUSED), NOTHING, "asks for no TLS"),
	FAILS("cancel", "protocol=pgsql", BYTES("\0\0\0\x10\x04\xd2\x16\x2e" "12345678"), NOTHING,
	    NOTHING, NOTHING, "cancel a query"),
	FAILS("TLS at once", "protocol=pgsql", BYTES("\x16\3\1\1\1\1\1\1\1"), NOTHING,
	    NOTHING, NOTHING, "without asking"),
	FAILS("HTTP", "protocol=pgsql", BYTES("GET / HTTP/1.1\r\n"), NOTHING,
	    NOTHING, NOTHING, "no PostgreSQL client"),
	WAITS("half", "protocol=pgsql", BYTES("\0\0\0\x08"), NOTHING, NOTHING, NOTHING),
};

START_TEST(test_pgsql)
{
	RUN(pgsql_client, true, PREFACE_CLEAR);
	RUN(pgsql_server, false, PREFACE_CLEAR);
}
END_TEST

/* What all talks are made of. */

START_TEST(test_line)
{
	char line[PREFACE_LINE], quote[PREFACE_QUOTE];
	uint8_t big[PREFACE_LINE + 10];
	struct errmsg why;
	size_t used;

	ck_assert_int_eq(preface_line((const uint8_t *)"a b\r\nc", 6, &used, line, &why), 1);
	ck_assert_str_eq(line, "a b");
	ck_assert_uint_eq(used, 5);
	ck_assert_int_eq(preface_line((const uint8_t *)"\nc", 2, &used, line, &why), 1);
	ck_assert_str_eq(line, "");
	ck_assert_int_eq(preface_line((const uint8_t *)"a b\r", 4, &used, line, &why), 0);
	ck_assert_int_eq(preface_line((const uint8_t *)"a\0b\n", 4, &used, line, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "a NUL in it: \"a.b\""));
	memset(big, 'x', sizeof(big));
	ck_assert_int_eq(preface_line(big, PREFACE_LINE - 1, &used, line, &why), 0);
	ck_assert_int_eq(preface_line(big, PREFACE_LINE, &used, line, &why), -1);
	big[PREFACE_LINE - 1] = '\n';
	ck_assert_int_eq(preface_line(big, PREFACE_LINE, &used, line, &why), 1);
	ck_assert_uint_eq(strlen(line), PREFACE_LINE - 1);
	preface_quote(quote, big, sizeof(big));
	ck_assert_uint_eq(strlen(quote), PREFACE_QUOTE - 1);
	ck_assert_str_eq(quote + PREFACE_QUOTE - 4, "...");
	ck_assert_str_eq(preface_quote(quote, "a\x1b[2J\xff\n", 7), "a.[2J.");
	ck_assert_str_eq(preface_quote(quote, "", 0), "");
}
END_TEST

START_TEST(test_base64)
{
	char text[40];

	ck_assert_str_eq(preface_base64(text, "", 0), "");
	ck_assert_str_eq(preface_base64(text, "f", 1), "Zg==");
	ck_assert_str_eq(preface_base64(text, "fo", 2), "Zm8=");
	ck_assert_str_eq(preface_base64(text, "foo", 3), "Zm9v");
	ck_assert_str_eq(preface_base64(text, "\0u\0\xff\xfe", 5), "AHUA//4=");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("preface");
	TCase *tc = tcase_create("preface");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, test_line);
	tcase_add_test(tc, test_base64);
	tcase_add_test(tc, test_pgsql);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
