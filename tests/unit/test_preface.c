/*
 * tunnel/preface: every talk against tables of what the other sides say, honest and
 * hostile; each at once and one byte at a time, with the same result.
 */
#include <check.h>
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
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
	const char *source; /* of a PROXY header: "FROM TO" */
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
	if (v == PREFACE_DONE)
		ck_assert_str_eq(s.p.target, c->target != NULL ? c->target : "");
	if (c->source != NULL && v == PREFACE_DONE) {
		char from[ADDR_TEXT], to[ADDR_TEXT], both[2 * ADDR_TEXT];

		snprintf(both, sizeof(both), "%s %s", addr_text(&s.p.source, from),
		    addr_text(&s.p.destination, to));
		ck_assert_str_eq(s.p.has_source ? both : "", c->source);
	}
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

/* SMTP */

#define LONG_LINE_16 "0123456789abcdef"
#define LONG_LINE_256                                                                     \
	LONG_LINE_16 LONG_LINE_16 LONG_LINE_16 LONG_LINE_16 LONG_LINE_16 LONG_LINE_16      \
	LONG_LINE_16 LONG_LINE_16 LONG_LINE_16 LONG_LINE_16 LONG_LINE_16 LONG_LINE_16      \
	LONG_LINE_16 LONG_LINE_16 LONG_LINE_16 LONG_LINE_16
#define LONG_LINE                                                                         \
	LONG_LINE_256 LONG_LINE_256 LONG_LINE_256 LONG_LINE_256 LONG_LINE_256 LONG_LINE_256 \
	LONG_LINE_256 LONG_LINE_256

#define TEN(s) s s s s s s s s s s

static const struct talk_case smtp_client[] = {
	DONE("usual", "protocol=smtp", NOTHING, BYTES("220 mx ESMTP\r\n250-mx\r\n250 STARTTLS\r\n220 go\r\n"),
	    BYTES("220 mx ESMTP\r\n"), BYTES("EHLO localhost\r\nSTARTTLS\r\n"), NOTHING, NOTHING),
	DONE("long greeting, own name, injection", "protocol=smtp|protocolHost=me.test", NOTHING,
	    BYTES("220-a\r\n220-b\n220 c\r\n250 x\r\n220 go\r\n250 injected\r\n"),
	    BYTES("220-a\r\n220-b\r\n220 c\r\n"), BYTES("EHLO me.test\r\nSTARTTLS\r\n"),
	    NOTHING, BYTES("250 injected\r\n")),
	FAILS("busy", "protocol=smtp", NOTHING, BYTES("421 later\r\n"), NOTHING, NOTHING,
	    "answers the connection with \"421 later\""),
	FAILS("no EHLO", "protocol=smtp", NOTHING, BYTES("220 x\r\n502 what\r\n"),
	    BYTES("220 x\r\n"), BYTES("EHLO localhost\r\n"), "answers EHLO with \"502 what\""),
	FAILS("refused", "protocol=smtp", NOTHING, BYTES("220 x\r\n250 x\r\n454 no \x1b]0;x\a\r\n"),
	    BYTES("220 x\r\n"), BYTES("EHLO localhost\r\nSTARTTLS\r\n"),
	    "answers STARTTLS with \"454 no .]0;x.\""),
	FAILS("too long", "protocol=smtp", NOTHING, BYTES(LONG_LINE "\r\n"), NOTHING, NOTHING,
	    "a line of more than 2048 bytes"),
	FAILS("a NUL", "protocol=smtp", NOTHING, BYTES("220 \0x\r\n"), NOTHING, NOTHING,
	    "a NUL in it: \"220 .x\""),
	FAILS("no end", "protocol=smtp", NOTHING,
	    BYTES("220 x\r\n" TEN(TEN("250-x\n")) "250 x\n"), BYTES("220 x\r\n"),
	    BYTES("EHLO localhost\r\n"), "more than 100 lines"),
	WAITS("silence", "protocol=smtp", BYTES("EHLO x\r\n"), BYTES("220 x"), NOTHING, NOTHING),
};

#define LOGIN "protocol=smtp|protocolUsername=u|protocolPassword=p"

static const struct talk_case smtp_login[] = {
	DONE("plain", LOGIN, NOTHING, BYTES("250-x\r\n250 AUTH\r\n235 in\r\n"),
	    NOTHING, BYTES("EHLO localhost\r\nAUTH PLAIN AHUAcA==\r\n"), NOTHING, NOTHING),
	DONE("login", LOGIN "|protocolAuthentication=login", NOTHING,
	    BYTES("250 x\r\n334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n235 in\r\n220 y"),
	    NOTHING, BYTES("EHLO localhost\r\nAUTH LOGIN\r\ndQ==\r\ncA==\r\n"),
	    NOTHING, BYTES("220 y")),
	FAILS("wrong", LOGIN, NOTHING, BYTES("250 x\r\n535 no\r\n"),
	    NOTHING, BYTES("EHLO localhost\r\nAUTH PLAIN AHUAcA==\r\n"),
	    "answers protocolUsername and protocolPassword with \"535 no\""),
	FAILS("no such way", LOGIN "|protocolAuthentication=login", NOTHING,
	    BYTES("250 x\r\n504 no\r\n"), NOTHING, BYTES("EHLO localhost\r\nAUTH LOGIN\r\n"),
	    "answers AUTH LOGIN with \"504 no\""),
};

static const struct talk_case smtp_server[] = {
	DONE("usual", "protocol=smtp", BYTES("EHLO c\r\nSTARTTLS\r\n"), BYTES("220 mx.test hi\r\n"),
	    BYTES("220 mx.test hi\r\n250-mx.test\r\n250 STARTTLS\r\n220 Ready to start TLS\r\n"),
	    NOTHING, NOTHING, NOTHING),
	DONE("pipelined", "protocol=smtp", BYTES("ehlo c\r\nstarttls\r\nMAIL FROM:<x>\r\n"),
	    BYTES("220 mx.test\r\n"),
	    BYTES("220 mx.test\r\n250-mx.test\r\n250 STARTTLS\r\n220 Ready to start TLS\r\n"),
	    NOTHING, BYTES("MAIL FROM:<x>\r\n"), NOTHING),
	DONE("words of the target stay", "protocol=smtp", BYTES("STARTTLS\r\n"),
	    BYTES("220-a b\r\n220 \r\nmore"),
	    BYTES("220-a b\r\n220 \r\n220 Ready to start TLS\r\n"), NOTHING, NOTHING,
	    BYTES("more")),
	FAILS("mail in clear", "protocol=smtp", BYTES("HELO c\r\nNOOP\r\nMAIL FROM:<x>\r\nSTARTTLSX\r\nQUIT\r\n"),
	    BYTES("220 mx\r\n"), BYTES("220 mx\r\n250 mx\r\n250 OK\r\n"
	    "530 Must issue a STARTTLS command first\r\n"
	    "530 Must issue a STARTTLS command first\r\n221 Bye\r\n"), NOTHING, "QUIT"),
	FAILS("the target is busy", "protocol=smtp", BYTES("STARTTLS\r\n"), BYTES("421 no\r\n"),
	    BYTES("421 no\r\n"), NOTHING, "\"421 no\""),
	FAILS("too long", "protocol=smtp", BYTES("EHLO " LONG_LINE), BYTES("220 mx\r\n"),
	    BYTES("220 mx\r\n"), NOTHING, "a line of more than"),
	WAITS("no end of line", "protocol=smtp", BYTES("STARTTLS"), BYTES("220 mx\r\n"),
	    BYTES("220 mx\r\n"), NOTHING),
};

START_TEST(test_smtp)
{
	RUN(smtp_client, true, PREFACE_CLEAR);
	RUN(smtp_login, true, PREFACE_LATE);
	RUN(smtp_server, false, PREFACE_CLEAR);
}
END_TEST

/* Nobody may go on for ever without asking for TLS. */
START_TEST(test_commands)
{
	static const char *const sets[] = { "protocol=smtp", "protocol=imap", "protocol=pop3" };
	static const struct bytes in[3][2] = {
		{ BYTES(TEN(TEN("MAIL x\r\n"))), BYTES("220 mx\r\n") },
		{ BYTES(TEN(TEN("a NOOP\r\n"))), BYTES("* OK\r\n") },
		{ BYTES(TEN(TEN("USER x\r\n"))), BYTES("+OK\r\n") },
	};

	for (int i = 0; i < 3; i++) {
		struct config *config = config_of(sets[i], false);
		struct stand s = { .why = { "" } };

		preface_begin(&s.p, &config->services[0]);
		ck_assert_int_eq(hold(&s, preface_at(&config->services[0], PREFACE_CLEAR), in[i],
		    3), PREFACE_FAILED);
		ck_assert_ptr_nonnull(strstr(s.why.text, "never asks for TLS"));
		ck_assert_uint_lt(s.told[PREFACE_DOWN].len, 2000);
		buf_free(&s.told[PREFACE_DOWN]);
		preface_free(&s.p);
		config_free(config);
	}
}
END_TEST

/* IMAP */

#define IMAP_HI "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi\r\n"

static const struct talk_case imap_client[] = {
	DONE("usual", "protocol=imap", NOTHING, BYTES(IMAP_HI "sluss OK go\r\n"),
	    BYTES("* OK hi\r\n"), BYTES("sluss STARTTLS\r\n"), NOTHING, NOTHING),
	DONE("untagged", "protocol=imap", NOTHING, BYTES("* OK\r\n* CAPABILITY X\r\nsluss OK\r\nx"),
	    BYTES("* OK ready\r\n"), BYTES("sluss STARTTLS\r\n"), NOTHING, BYTES("x")),
	FAILS("preauth", "protocol=imap", NOTHING, BYTES("* PREAUTH in\r\n"), NOTHING, NOTHING,
	    "rules out STARTTLS: \"* PREAUTH in\""),
	FAILS("no", "protocol=imap", NOTHING, BYTES("* OK hi\r\nsluss NO \x01\r\n"),
	    BYTES("* OK hi\r\n"), BYTES("sluss STARTTLS\r\n"), "with \"sluss NO .\""),
	FAILS("bye", "protocol=imap", NOTHING, BYTES("* OK hi\r\n* BYE\r\n"),
	    BYTES("* OK hi\r\n"), BYTES("sluss STARTTLS\r\n"), "* BYE"),
	FAILS("no server", "protocol=imap", NOTHING, BYTES("220 mx\r\n"), NOTHING, NOTHING,
	    "does not greet"),
};

static const struct talk_case imap_server[] = {
	DONE("usual", "protocol=imap", BYTES("a1 CAPABILITY\r\na2 starttls\r\n"),
	    BYTES("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n"),
	    BYTES(IMAP_HI "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na1 OK done\r\n"
	    "a2 OK Begin TLS negotiation now\r\n"), NOTHING, NOTHING, NOTHING),
	DONE("pipelined", "protocol=imap", BYTES("a2 STARTTLS\r\na3 LOGIN x y\r\n"),
	    BYTES("* OK hi\r\n* more"), BYTES(IMAP_HI "a2 OK Begin TLS negotiation now\r\n"),
	    NOTHING, BYTES("a3 LOGIN x y\r\n"), BYTES("* more")),
	FAILS("in clear", "protocol=imap", BYTES("a LOGIN x y\r\nb NOOP\r\n%n STARTTLS\r\nc\r\nd LOGOUT\r\n"),
	    BYTES("* OK hi\r\n"), BYTES(IMAP_HI "a NO [PRIVACYREQUIRED] STARTTLS comes first\r\n"
	    "b OK done\r\n* BAD no tag\r\n* BAD no tag\r\n* BYE\r\nd OK done\r\n"), NOTHING,
	    "LOGOUT"),
	FAILS("target full", "protocol=imap", NOTHING, BYTES("* BYE full\r\n"),
	    BYTES("* BYE the server is not ready\r\n"), NOTHING, "* BYE full"),
	FAILS("too long", "protocol=imap", BYTES(LONG_LINE), BYTES("* OK hi\r\n"),
	    BYTES(IMAP_HI), NOTHING, "a line of more than"),
};

START_TEST(test_imap)
{
	RUN(imap_client, true, PREFACE_CLEAR);
	RUN(imap_server, false, PREFACE_CLEAR);
}
END_TEST

/* POP3 */

static const struct talk_case pop3_client[] = {
	DONE("usual", "protocol=pop3", NOTHING, BYTES("+OK hi <1@x>\r\n+OK\r\n+OK injected\r\n"),
	    BYTES("+OK hi <1@x>\r\n"), BYTES("STLS\r\n"), NOTHING, BYTES("+OK injected\r\n")),
	FAILS("no", "protocol=pop3", NOTHING, BYTES("+OK\r\n-ERR no\r\n"), BYTES("+OK\r\n"),
	    BYTES("STLS\r\n"), "answers STLS with \"-ERR no\""),
	FAILS("busy", "protocol=pop3", NOTHING, BYTES("-ERR\r\n"), BYTES("-ERR\r\n"), NOTHING,
	    "answers the connection with \"-ERR\""),
};

static const struct talk_case pop3_server[] = {
	DONE("usual", "protocol=pop3", BYTES("CAPA\r\nstls\r\nUSER x\r\n"), BYTES("+OK hi\r\n"),
	    BYTES("+OK hi\r\n+OK Capability list follows\r\nSTLS\r\n.\r\n"
	    "+OK Begin TLS negotiation\r\n"), NOTHING, BYTES("USER x\r\n"), NOTHING),
	FAILS("in clear", "protocol=pop3", BYTES("USER x\r\nSTLS x\r\nQUIT\r\n"), BYTES("+OK\r\n"),
	    BYTES("+OK\r\n-ERR STLS comes first\r\n-ERR STLS comes first\r\n+OK Bye\r\n"), NOTHING,
	    "QUIT"),
};

START_TEST(test_pop3)
{
	RUN(pop3_client, true, PREFACE_CLEAR);
	RUN(pop3_server, false, PREFACE_CLEAR);
}
END_TEST

/* NNTP */

static const struct talk_case nntp_client[] = {
	DONE("usual", "protocol=nntp", NOTHING, BYTES("201 hi\r\n382 go\r\n"),
	    BYTES("201 hi\r\n"), BYTES("STARTTLS\r\n"), NOTHING, NOTHING),
	FAILS("no", "protocol=nntp", NOTHING, BYTES("200 hi\r\n580 no\r\n"),
	    BYTES("200 hi\r\n"), BYTES("STARTTLS\r\n"), "answers STARTTLS with \"580 no\""),
	FAILS("busy", "protocol=nntp", NOTHING, BYTES("400 x\r\n"), NOTHING, NOTHING,
	    "the connection with \"400 x\""),
};

/* LDAP */

#define LDAP_ASKS "\x30\x1d\x02\x01\x01\x77\x18\x80\x16" "1.3.6.1.4.1.1466.20037"
#define LDAP_YES "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"

static const struct talk_case ldap_client[] = {
	DONE("yes", "protocol=ldap", NOTHING, BYTES(LDAP_YES), NOTHING, BYTES(LDAP_ASKS), NOTHING,
	    NOTHING),
	DONE("long lengths, a name, more", "protocol=ldap", NOTHING,
	    BYTES("\x30\x84\0\0\0\x1a\x02\x01\x01\x78\x81\x14\x0a\x01\x00\x04\x00\x04\x00"
	    "\x8a\x0b" "1.3.6.1.4.x" "abc"), NOTHING, BYTES(LDAP_ASKS), NOTHING, BYTES("abc")),
	FAILS("no", "protocol=ldap", NOTHING,
	    BYTES("\x30\x10\x02\x01\x01\x78\x0b\x0a\x01\x34\x04\x00\x04\x04n\x1b" "o!"),
	    NOTHING, BYTES(LDAP_ASKS), "refuses StartTLS: result 52 \"n.o!\""),
	FAILS("another message", "protocol=ldap", NOTHING,
	    BYTES("\x30\x0c\x02\x01\x02\x78\x07\x0a\x01\x00\x04\x00\x04\x00"), NOTHING,
	    BYTES(LDAP_ASKS), "its answer to StartTLS is none"),
	FAILS("lengths that lie", "protocol=ldap", NOTHING,
	    BYTES("\x30\x0c\x02\x01\x01\x78\x7f\x0a\x01\x00\x04\x00\x04\x00"), NOTHING,
	    BYTES(LDAP_ASKS), "its answer to StartTLS is none"),
	FAILS("huge", "protocol=ldap", NOTHING, BYTES("\x30\x84\xff\xff\xff\xff"), NOTHING,
	    BYTES(LDAP_ASKS), "no LDAP server"),
	FAILS("indefinite", "protocol=ldap", NOTHING, BYTES("\x30\x80\x02\x01"), NOTHING,
	    BYTES(LDAP_ASKS), "no LDAP server"),
	FAILS("text", "protocol=ldap", NOTHING, BYTES("HTTP/1.1 400\r\n"), NOTHING,
	    BYTES(LDAP_ASKS), "no LDAP server"),
	WAITS("half", "protocol=ldap", NOTHING, BYTES("\x30\x0c\x02"), NOTHING, BYTES(LDAP_ASKS)),
};

START_TEST(test_nntp_ldap)
{
	RUN(nntp_client, true, PREFACE_CLEAR);
	RUN(ldap_client, true, PREFACE_CLEAR);
}
END_TEST

/* PROXY headers that come in */

#define FROM(n, h, rest, s)                                                             \
	{ .name = n, .set = "proxyIn=yes", .in = { BYTES(h rest), NOTHING },            \
	    .verdict = PREFACE_DONE, .out = { NOTHING, NOTHING },                       \
	    .left = { BYTES(rest), NOTHING }, .source = s }
#define BAD(n, h, w)                                                                    \
	{ .name = n, .set = "proxyIn=yes", .in = { BYTES(h), NOTHING },                 \
	    .verdict = PREFACE_FAILED, .out = { NOTHING, NOTHING }, .why = w }
#define PART(n, h)                                                                      \
	{ .name = n, .set = "proxyIn=yes", .in = { BYTES(h), NOTHING },                 \
	    .verdict = PREFACE_MORE, .out = { NOTHING, NOTHING } }

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define V4_PAIR "\x01\x02\x03\x04\x05\x06\x07\x08\x10\x00\x01\xbb"
#define V6_A "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define V6_MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff\x01\x02\x03\x04"
#define ONES_53 "11111111111111111111111111111111111111111111111111111"

static const struct talk_case proxy_in[] = {
	FROM("v1, IPv4", "PROXY TCP4 1.2.3.4 5.6.7.8 4096 443\r\n", "", "1.2.3.4:4096 5.6.7.8:443"),
	FROM("v1, IPv6", "PROXY TCP6 2001:db8::1 ::2 1 65535\r\n", "\x16\3\1",
	    "[2001:db8::1]:1 [::2]:65535"),
	FROM("v1, mapped", "PROXY TCP6 ::ffff:1.2.3.4 ::ffff:5.6.7.8 0 0\r\n", "x",
	    "1.2.3.4:0 5.6.7.8:0"),
	FROM("v1, unknown", "PROXY UNKNOWN\r\n", "x", ""),
	FROM("v1, unknown and more", "PROXY UNKNOWN ffff::1 what not 1\r\n", "x", ""),
	FROM("v1, the longest", "PROXY UNKNOWN " ONES_53 "11111111111111111111111111111111111111\r\n",
	    "x", ""),
	BAD("v1, longer", "PROXY UNKNOWN " ONES_53 "111111111111111111111111111111111111111\r\n",
	    "more than 107 bytes"),
	BAD("v1, no end", "PROXY TCP4 " ONES_53 ONES_53 ONES_53, "more than 107 bytes"),
	BAD("v1, LF", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n", "CR LF"),
	BAD("v1, CR alone", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rx", "CR LF"),
	BAD("v1, a NUL", "PROXY TCP4 1.2.3.4\0 5.6.7.8 1 2\r\n", "a NUL"),
	BAD("v1, small letters", "proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "does not begin with"),
	BAD("v1, UDP", "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n", "neither TCP4"),
	BAD("v1, wrong family", "PROXY TCP4 ::1 ::2 1 2\r\n", "malformed"),
	BAD("v1, wrong family too", "PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n", "malformed"),
	BAD("v1, two blanks", "PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n", "malformed"),
	BAD("v1, a blank behind", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n", "malformed"),
	BAD("v1, port", "PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n", "malformed"),
	BAD("v1, zeros", "PROXY TCP4 1.2.3.4 5.6.7.8 1 02\r\n", "malformed"),
	BAD("v1, sign", "PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n", "malformed"),
	BAD("v1, octal", "PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n", "malformed"),
	BAD("v1, a port missing", "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", "malformed"),
	BAD("v1, nothing", "PROXY \r\n", "neither TCP4"),
	BAD("TLS", "\x16\3\1\2\0\1", "does not begin with a PROXY header"),
	BAD("HTTP", "GET / HTTP/1.1\r\n\r\n", "does not begin with"),
	BAD("a line end and more", "\r\n\r\nGET", "does not begin with"),
	PART("part", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r"),
	PART("part of a word", "PRO"),
	FROM("v2, IPv4", V2 "\x21\x11\0\x0c" V4_PAIR, "\x16\3\1", "1.2.3.4:4096 5.6.7.8:443"),
	FROM("v2, IPv6", V2 "\x21\x21\0\x24" V6_A V6_A "\0\1\0\2", "",
	    "[2001:db8::1]:1 [2001:db8::1]:2"),
	FROM("v2, mapped", V2 "\x21\x21\0\x24" V6_MAPPED V6_MAPPED "\0\1\0\2", "",
	    "1.2.3.4:1 1.2.3.4:2"),
	FROM("v2, fields", V2 "\x21\x11\0\x13" V4_PAIR "\x04\0\1x\xee\0\0", "y",
	    "1.2.3.4:4096 5.6.7.8:443"),
	FROM("v2, check sum", V2 "\x21\x11\0\x13" V4_PAIR "\x03\0\4\xb1\x2e\x9d\x2e", "y",
	    "1.2.3.4:4096 5.6.7.8:443"),
	BAD("v2, wrong check sum", V2 "\x21\x11\0\x13" V4_PAIR "\x03\0\4\1\2\3\4", "check sum"),
	BAD("v2, short check sum", V2 "\x21\x11\0\x11" V4_PAIR "\x03\0\2\1\2", "check sum"),
	FROM("v2, local", V2 "\x20\0\0\0", "x", ""),
	FROM("v2, local with addresses", V2 "\x20\x11\0\x0c" V4_PAIR, "x", ""),
	FROM("v2, unknown family", V2 "\x21\0\0\3abc", "x", ""),
	BAD("v2, version 3", V2 "\x31\x11\0\x0c" V4_PAIR, "neither 1 nor 2"),
	BAD("v2, command 2", V2 "\x22\x11\0\x0c" V4_PAIR, "neither LOCAL nor PROXY"),
	BAD("v2, UDP", V2 "\x21\x12\0\x0c" V4_PAIR, "a family that is none"),
	BAD("v2, too short", V2 "\x21\x11\0\x0b" V4_PAIR, "too short"),
	BAD("v2, too short for IPv6", V2 "\x21\x21\0\x0c" V4_PAIR, "too short"),
	BAD("v2, half a field", V2 "\x21\x11\0\x0e" V4_PAIR "\1\0", "malformed field"),
	BAD("v2, a field too long", V2 "\x21\x11\0\x0f" V4_PAIR "\1\0\1", "longer than"),
	BAD("v2, a spoilt signature", "\r\n\r\n\0\r\nQUIT\r\x21\x11\0\x0c" V4_PAIR, "does not begin"),
	PART("v2, part", V2 "\x21\x11\0\x0c" "\x01\x02\x03"),
	PART("v2, nothing of 64 KiB", V2 "\x21\x11\xff\xff" V4_PAIR),
};

START_TEST(test_proxy_in)
{
	RUN(proxy_in, false, PREFACE_PROXY_IN);
	RUN(proxy_in, true, PREFACE_PROXY_IN);
}
END_TEST

/* 64 KiB of fields are as good as none. */
START_TEST(test_proxy_in_big)
{
	static char big[16 + 65535 + 3];
	const struct bytes in[2] = { { big, sizeof(big) }, NOTHING };
	struct config *config = config_of("proxyIn=yes", false);
	struct stand s = { .why = { "" } };

	memcpy(big, V2 "\x21\x11\xff\xff" V4_PAIR "\4\xff\xf0", 16 + 12 + 3);
	preface_begin(&s.p, &config->services[0]);
	ck_assert_int_eq(hold(&s, preface_at(&config->services[0], PREFACE_PROXY_IN), in, 1000),
	    PREFACE_DONE);
	ck_assert_uint_eq(s.taken[PREFACE_DOWN], 16 + 65535);
	config_free(config);
}
END_TEST

/* PROXY headers that go out */

static struct addr
ip(const char *text, unsigned port)
{
	struct addr a = { .len = 0 };

	if (inet_pton(AF_INET, text, &a.u.in.sin_addr) == 1) {
		a.len = sizeof(a.u.in);
		a.u.in.sin_family = AF_INET;
		a.u.in.sin_port = htons((uint16_t)port);
	} else {
		ck_assert_int_eq(inet_pton(AF_INET6, text, &a.u.in6.sin6_addr), 1);
		a.len = sizeof(a.u.in6);
		a.u.in6.sin6_family = AF_INET6;
		a.u.in6.sin6_port = htons((uint16_t)port);
	}
	return a;
}

static struct addr
path(const char *text)
{
	struct addr a = { .len = sizeof(a.u.un) };

	a.u.un.sun_family = AF_UNIX;
	strcpy(a.u.un.sun_path, text);
	return a;
}

/* The header of these facts, which the caller frees. */
static struct buf
header_of(const char *set, const struct preface_facts *f, enum preface_verdict expected,
    struct errmsg *why)
{
	struct config *config = config_of(set, false);
	struct preface p = { .facts = f };
	struct buf header;
	size_t used = 0;

	preface_begin(&p, &config->services[0]);
	ck_assert_int_eq(preface_at(&config->services[0], PREFACE_HEADER)(&p, NULL, 0, &used, why),
	    expected);
	header = p.out[PREFACE_UP];
	p.out[PREFACE_UP] = (struct buf){ 0 };
	ck_assert_uint_eq(p.out[PREFACE_DOWN].len, 0);
	preface_free(&p);
	config_free(config);
	return header;
}

static void
check_header(const char *set, const struct preface_facts *f, struct bytes expected)
{
	struct errmsg why;
	struct buf header = header_of(set, f, PREFACE_DONE, &why);

	ck_assert_uint_eq(header.len, expected.n);
	ck_assert(same(&header, &expected));
	buf_free(&header);
}

START_TEST(test_proxy_v1)
{
	const struct addr a = ip("1.2.3.4", 5), b = ip("6.7.8.9", 443), c = ip("2001:db8::1", 65535),
	    d = ip("::1", 1), u = path("/x");
	const struct {
		const struct addr *from, *to;
		struct bytes header;
	} cases[] = {
		{ &a, &b, BYTES("PROXY TCP4 1.2.3.4 6.7.8.9 5 443\r\n") },
		{ &c, &d, BYTES("PROXY TCP6 2001:db8::1 ::1 65535 1\r\n") },
		{ &a, &d, BYTES("PROXY TCP6 ::ffff:1.2.3.4 ::1 5 1\r\n") },
		{ &u, &u, BYTES("PROXY UNKNOWN\r\n") },
		{ &a, NULL, BYTES("PROXY UNKNOWN\r\n") },
		{ NULL, NULL, BYTES("PROXY UNKNOWN\r\n") },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct preface_facts f = { .from = cases[i].from, .to = cases[i].to };

		check_header("protocol=proxy", &f, cases[i].header);
	}
}
END_TEST

#define F32 "ffffffffffffffffffffffffffffffff"
#define B32 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

START_TEST(test_proxy_v2)
{
	const struct addr a = ip("1.2.3.4", 0x1000), b = ip("5.6.7.8", 443),
	    c = ip("2001:db8::1", 1), u = path("/x");
	struct preface_facts f = { .from = &a, .to = &b };
	struct addr unnamed, short_path = path("/yyyy");
	char unix_header[16 + 216] = V2 "\x21\x31\0\xd8" "/x";

	short_path.len = sizeof(sa_family_t) + 2;
	check_header("protocol=proxy2", &f,
	    (struct bytes)BYTES(V2 "\x21\x11\0\x0c" V4_PAIR));
	f.to = &c;
	check_header("protocol=proxy2", &f,
	    (struct bytes)BYTES(V2 "\x21\x21\0\x24" V6_MAPPED V6_A "\x10\0\0\1"));
	f = (struct preface_facts){ .from = &u };
	check_header("protocol=proxy2", &f, (struct bytes){ unix_header, sizeof(unix_header) });
	/* What stands behind an address's length is nobody's business. */
	memset(&unnamed, 'x', sizeof(unnamed));
	unnamed.u.un.sun_family = AF_UNIX;
	unnamed.len = sizeof(sa_family_t);
	f = (struct preface_facts){ .from = &unnamed, .to = &short_path };
	memset(unix_header + 16, 0, 216);
	memcpy(unix_header + 16 + 108, "/y", 2);
	check_header("protocol=proxy2", &f, (struct bytes){ unix_header, sizeof(unix_header) });
	f = (struct preface_facts){ .from = NULL };
	check_header("protocol=proxy2", &f, (struct bytes)BYTES(V2 "\x21\0\0\0"));
	f = (struct preface_facts){ .from = &a, .to = &b, .tls = true, .version = "TLSv1.3",
		.suite = "S", .authority = "h.test" };
	check_header("protocol=proxy2", &f, (struct bytes)BYTES(V2 "\x21\x11\0\x2b" V4_PAIR
	    "\x02\0\6h.test" "\x20\0\x13" "\1\0\0\0\1" "\x21\0\7TLSv1.3" "\x23\0\1S"));
	f.authority = NULL;
	f.verified = true;
	f.cn = (const uint8_t *)"me";
	f.cn_len = 2;
	f.cert = (const uint8_t *)"DER";
	f.cert_len = 3;
	check_header("protocol=proxy2", &f, (struct bytes)BYTES(V2 "\x21\x11\0\x2d" V4_PAIR
	    "\x20\0\x1e" "\7\0\0\0\0" "\x21\0\7TLSv1.3" "\x23\0\1S" "\x22\0\2me" "\x28\0\3DER"));
	f.protocol = "h2";
	check_header("protocol=proxy2", &f, (struct bytes)BYTES(V2 "\x21\x11\0\x32" V4_PAIR
	    "\1\0\2h2"
	    "\x20\0\x1e" "\7\0\0\0\0" "\x21\0\7TLSv1.3" "\x23\0\1S" "\x22\0\2me" "\x28\0\3DER"));
	f.protocol = NULL;
	f.cn = f.cert = NULL;
	f.own_key = "EC256";
	f.own_sig = "SHA384";
	f.fingerprint = (const uint8_t *)F32;
	f.names = (const uint8_t *)"\2\0\1a";
	f.names_len = 4;
	f.binding = (const uint8_t *)B32;
	check_header("protocol=proxy2", &f, (struct bytes)BYTES(V2 "\x21\x11\0\x80" V4_PAIR
	    "\x20\0\x24" "\1\0\0\0\0" "\x21\0\7TLSv1.3" "\x23\0\1S" "\x24\0\6SHA384"
	    "\x25\0\5EC256" "\xe0\0\x20" F32 "\xe1\0\4\2\0\1a" "\xe2\0\x20" B32));
	/* Of a session that is resumed, the certificate was shown before. */
	f = (struct preface_facts){ .from = &a, .to = &b, .tls = true, .verified = true,
		.resumed = true, .version = "V", .suite = "S", .cert = (const uint8_t *)"DER",
		.cert_len = 3 };
	check_header("protocol=proxy2", &f, (struct bytes)BYTES(V2 "\x21\x11\0\x22" V4_PAIR
	    "\x20\0\x13" "\5\0\0\0\0" "\x21\0\1V" "\x23\0\1S" "\x28\0\3DER"));
}
END_TEST

/* A certificate that makes the header longer than 4 KiB goes along; one that does not fit
 * into any header ends the tunnel. */
START_TEST(test_proxy_v2_big)
{
	static uint8_t cert[70000];
	const struct addr a = ip("1.2.3.4", 0x1000), b = ip("5.6.7.8", 443);
	struct preface_facts f = { .from = &a, .to = &b, .tls = true, .version = "TLSv1.3",
		.suite = "S", .cert = cert, .cert_len = 9000 };
	const size_t around = 16 + 12 + 3 + 5 + 10 + 4 + 3;
	struct errmsg why;
	struct buf header;

	header = header_of("protocol=proxy2", &f, PREFACE_DONE, &why);
	ck_assert_uint_eq(header.len, around + 9000);
	buf_free(&header);
	f.cert_len = 65535 - (around - 16);
	header = header_of("protocol=proxy2", &f, PREFACE_DONE, &why);
	ck_assert_uint_eq(header.len, 16 + 65535);
	buf_free(&header);
	for (f.cert_len++; f.cert_len < 70000; f.cert_len += 900) {
		header = header_of("protocol=proxy2", &f, PREFACE_FAILED, &why);
		ck_assert_uint_eq(header.len, 0);
		ck_assert_ptr_nonnull(strstr(why.text, "does not fit"));
	}
}
END_TEST

/* CONNECT */

#define CONNECT_SET "protocol=connect|protocolHost=h.test:443"
#define CONNECT_ASKS "CONNECT h.test:443 HTTP/1.1\r\nHost: h.test:443\r\n"
#define OK_200 "HTTP/1.0 200 OK\r\nServer: sluss\r\n\r\n"
#define BAD_400 "HTTP/1.0 400 Bad Request\r\n\r\n"

static const struct talk_case connect_client[] = {
	DONE("usual", CONNECT_SET, NOTHING, BYTES("HTTP/1.1 200 Connection established\r\n\r\n"),
	    NOTHING, BYTES(CONNECT_ASKS "\r\n"), NOTHING, NOTHING),
	DONE("headers, and the server's own bytes", CONNECT_SET, NOTHING,
	    BYTES("HTTP/1.0 299 x\nA: b\nContent-Length: 5\n\n\x15\3\3"),
	    NOTHING, BYTES(CONNECT_ASKS "\r\n"), NOTHING, BYTES("\x15\3\3")),
	DONE("login and headers", CONNECT_SET "|protocolUsername=Aladdin|protocolPassword="
	    "open sesame|protocolHeader=X-A: b|protocolHeader=X-C: d", NOTHING,
	    BYTES("HTTP/1.1 200 x\r\n\r\n"), NOTHING, BYTES(CONNECT_ASKS
	    "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\nX-A: b\r\nX-C: d\r\n\r\n"),
	    NOTHING, NOTHING),
	FAILS("no", CONNECT_SET, NOTHING, BYTES("HTTP/1.1 407 \x1b[mLogin\r\n"),
	    NOTHING, BYTES(CONNECT_ASKS "\r\n"), "answers CONNECT with \"HTTP/1.1 407 .[mLogin\""),
	FAILS("no HTTP", CONNECT_SET, NOTHING, BYTES("220 mx\r\n"),
	    NOTHING, BYTES(CONNECT_ASKS "\r\n"), "\"220 mx\""),
	FAILS("short", CONNECT_SET, NOTHING, BYTES("HTTP/1.\r\n"),
	    NOTHING, BYTES(CONNECT_ASKS "\r\n"), "\"HTTP/1.\""),
	FAILS("headers without end", CONNECT_SET, NOTHING,
	    BYTES("HTTP/1.1 200\r\n" TEN(TEN("a: b\r\n"))), NOTHING,
	    BYTES(CONNECT_ASKS "\r\n"), "more than 100 lines"),
	FAILS("a long header", CONNECT_SET, NOTHING, BYTES("HTTP/1.1 200\r\n" LONG_LINE),
	    NOTHING, BYTES(CONNECT_ASKS "\r\n"), "a line of more than"),
	WAITS("no end", CONNECT_SET, NOTHING, BYTES("HTTP/1.1 200\r\na: b\r\n"),
	    NOTHING, BYTES(CONNECT_ASKS "\r\n")),
};

#define REFUSED(n, line) \
	FAILS(n, "protocol=connect", BYTES(line "\r\n\r\n"), NOTHING, BYTES(BAD_400), NOTHING, \
	    "asks for no host and port")

static const struct talk_case connect_server[] = {
	DONE_AT("usual", "protocol=connect", BYTES("CONNECT h.test:443 HTTP/1.1\r\nHost: x\r\n\r\n\x16"),
	    NOTHING, BYTES(OK_200), NOTHING, BYTES("\x16"), NOTHING, "h.test:443"),
	DONE_AT("IPv6", "protocol=connect", BYTES("CONNECT [2001:db8::1]:1 HTTP/1.0\r\n\r\n"),
	    NOTHING, BYTES(OK_200), NOTHING, NOTHING, NOTHING, "[2001:db8::1]:1"),
	REFUSED("another method", "GET / HTTP/1.1"),
	REFUSED("no port", "CONNECT h.test HTTP/1.1"),
	REFUSED("no host", "CONNECT :443 HTTP/1.1"),
	REFUSED("a name for a port", "CONNECT h.test:https HTTP/1.1"),
	REFUSED("port 0", "CONNECT h.test:0 HTTP/1.1"),
	REFUSED("port 65536", "CONNECT h.test:65536 HTTP/1.1"),
	REFUSED("a path", "CONNECT /run/x:1 HTTP/1.1"),
	REFUSED("a path alone", "CONNECT /run/x HTTP/1.1"),
	REFUSED("stdio", "CONNECT - HTTP/1.1"),
	REFUSED("echo", "CONNECT echo: HTTP/1.1"),
	REFUSED("a zone", "CONNECT [fe80::1%lo]:1 HTTP/1.1"),
	REFUSED("half a bracket", "CONNECT [::1:1 HTTP/1.1"),
	REFUSED("a name in brackets", "CONNECT [h.test]:1 HTTP/1.1"),
	REFUSED("no version", "CONNECT h.test:1"),
	REFUSED("a user", "CONNECT u@h.test:1 HTTP/1.1"),
	FAILS("a NUL", "protocol=connect", BYTES("CONNECT h\0x:1 HTTP/1.1\r\n"), NOTHING, NOTHING,
	    NOTHING, "a NUL"),
};

START_TEST(test_connect)
{
	RUN(connect_client, true, PREFACE_CLEAR);
	RUN(connect_server, false, PREFACE_CLEAR);
}
END_TEST

/* SOCKS */

static const struct talk_case socks_client[] = {
	DONE("a name", "protocol=socks|protocolHost=h.test:443", NOTHING,
	    BYTES("\5\0" "\5\0\0\1\0\0\0\0\0\0" "more"), NOTHING,
	    BYTES("\5\1\0" "\5\1\0\3\6h.test\1\xbb"), NOTHING, BYTES("more")),
	DONE("IPv4; answered with a name", "protocol=socks|protocolHost=192.0.2.1:80", NOTHING,
	    BYTES("\5\0" "\5\0\0\3\2ab\0\0"), NOTHING,
	    BYTES("\5\1\0" "\5\1\0\1\xc0\0\2\1\0\x50"), NOTHING, NOTHING),
	DONE("IPv6 both ways", "protocol=socks|protocolHost=[2001:db8::1]:80", NOTHING,
	    BYTES("\5\0" "\5\0\0\4" V6_A "\0\0"), NOTHING,
	    BYTES("\5\1\0" "\5\1\0\4" V6_A "\0\x50"), NOTHING, NOTHING),
	FAILS("a login", "protocol=socks|protocolHost=h:1", NOTHING, BYTES("\5\2"), NOTHING,
	    BYTES("\5\1\0"), "wants a login"),
	FAILS("refused", "protocol=socks|protocolHost=h:1", NOTHING, BYTES("\5\0\5\2"), NOTHING,
	    BYTES("\5\1\0" "\5\1\0\3\1h\0\1"), "its rules forbid it"),
	FAILS("refused oddly", "protocol=socks|protocolHost=h:1", NOTHING, BYTES("\5\0\5\xff"), NOTHING,
	    BYTES("\5\1\0" "\5\1\0\3\1h\0\1"), "does not say why"),
	FAILS("no type", "protocol=socks|protocolHost=h:1", NOTHING, BYTES("\5\0\5\0\0\2\0"), NOTHING,
	    BYTES("\5\1\0" "\5\1\0\3\1h\0\1"), "its reply is none"),
	FAILS("no SOCKS", "protocol=socks|protocolHost=h:1", NOTHING, BYTES("HTTP"), NOTHING,
	    BYTES("\5\1\0"), "no SOCKS server"),
	FAILS("a port by name", "protocol=socks|protocolHost=h:https", NOTHING, BYTES("\5\0"), NOTHING,
	    BYTES("\5\1\0"), "the port as a number"),
};

#define NAME_255 "abcdefghijklmnop" LONG_LINE_16 LONG_LINE_16 LONG_LINE_16 LONG_LINE_16     \
	LONG_LINE_16 LONG_LINE_16 LONG_LINE_16 LONG_LINE_16 LONG_LINE_16 LONG_LINE_16       \
	LONG_LINE_16 LONG_LINE_16 LONG_LINE_16 LONG_LINE_16 "0123456789abcde"
#define NO_4 "\0\x5b\0\0\0\0\0\0"
#define NO_5(code) "\5" code "\0\1\0\0\0\0\0\0"

static const struct talk_case socks_server[] = {
	DONE_AT("4", "protocol=socks", BYTES("\4\1\0\x50\xc0\0\2\1me\0more"), NOTHING, NOTHING,
	    NOTHING, BYTES("more"), NOTHING, "192.0.2.1:80"),
	DONE_AT("4a", "protocol=socks", BYTES("\4\1\0\x50\0\0\0\1\0h.test\0"), NOTHING, NOTHING,
	    NOTHING, NOTHING, NOTHING, "h.test:80"),
	DONE_AT("5, IPv4", "protocol=socks", BYTES("\5\2\2\0" "\5\1\0\1\xc0\0\2\1\1\xbbx"),
	    NOTHING, BYTES("\5\0"), NOTHING, BYTES("x"), NOTHING, "192.0.2.1:443"),
	DONE_AT("5, IPv6", "protocol=socks", BYTES("\5\1\0" "\5\1\0\4" V6_A "\1\xbb"), NOTHING,
	    BYTES("\5\0"), NOTHING, NOTHING, NOTHING, "[2001:db8::1]:443"),
	DONE_AT("5, a name", "protocol=socks", BYTES("\5\1\0" "\5\1\0\3\6h.test\1\xbb"), NOTHING,
	    BYTES("\5\0"), NOTHING, NOTHING, NOTHING, "h.test:443"),
	DONE_AT("5, the longest name", "protocol=socks",
	    BYTES("\5\1\0" "\5\1\0\3\xff" NAME_255 "\xff\xff"), NOTHING, BYTES("\5\0"), NOTHING,
	    NOTHING, NOTHING, NAME_255 ":65535"),
	FAILS("4, BIND", "protocol=socks", BYTES("\4\2\0\x50\xc0\0\2\1\0"), NOTHING, BYTES(NO_4),
	    NOTHING, "not CONNECT"),
	FAILS("4, a long user", "protocol=socks", BYTES("\4\1\0\x50\xc0\0\2\1" LONG_LINE_256 "x"),
	    NOTHING, BYTES(NO_4), NOTHING, "a SOCKS4 user of more"),
	FAILS("4a, a long name", "protocol=socks", BYTES("\4\1\0\x50\0\0\0\1\0" LONG_LINE_256 "x"),
	    NOTHING, BYTES(NO_4), NOTHING, "a SOCKS4 name of more"),
	FAILS("4a, no name", "protocol=socks", BYTES("\4\1\0\x50\0\0\0\1\0\0"), NOTHING, BYTES(NO_4),
	    NOTHING, "no host and port"),
	FAILS("4, port 0", "protocol=socks", BYTES("\4\1\0\0\xc0\0\2\1\0"), NOTHING, BYTES(NO_4),
	    NOTHING, "no host and port"),
	FAILS("5, a login", "protocol=socks", BYTES("\5\1\2"), NOTHING, BYTES("\5\xff"), NOTHING,
	    "insists on a login"),
	FAILS("5, no methods", "protocol=socks", BYTES("\5\0"), NOTHING, BYTES("\5\xff"), NOTHING,
	    "insists on a login"),
	FAILS("5, BIND", "protocol=socks", BYTES("\5\1\0" "\5\2\0\1\xc0\0\2\1\1\xbb"), NOTHING,
	    BYTES("\5\0" NO_5("\7")), NOTHING, "not CONNECT"),
	FAILS("5, a type", "protocol=socks", BYTES("\5\1\0" "\5\1\0\2\xc0\0\2\1\1\xbb"), NOTHING,
	    BYTES("\5\0" NO_5("\x08")), NOTHING, "unknown kind"),
	FAILS("5, an empty name", "protocol=socks", BYTES("\5\1\0" "\5\1\0\3\0\1\xbb"), NOTHING,
	    BYTES("\5\0" NO_5("\1")), NOTHING, "no host and port"),
	FAILS("5, a NUL", "protocol=socks", BYTES("\5\1\0" "\5\1\0\3\3a\0b\1\xbb"), NOTHING,
	    BYTES("\5\0" NO_5("\1")), NOTHING, "no host and port"),
	FAILS("5, a path", "protocol=socks", BYTES("\5\1\0" "\5\1\0\3\4/tmp\1\xbb"), NOTHING,
	    BYTES("\5\0" NO_5("\1")), NOTHING, "no host and port"),
	FAILS("5, then 4", "protocol=socks", BYTES("\5\1\0" "\4\1\0\1\xc0\0\2\1\0"), NOTHING,
	    BYTES("\5\0" NO_5("\1")), NOTHING, "not of version 5"),
	FAILS("HTTP", "protocol=socks", BYTES("GET /"), NOTHING, NOTHING, NOTHING, "no SOCKS client"),
	WAITS("half", "protocol=socks", BYTES("\5\1\0" "\5\1\0\3\xff" "abc"), NOTHING,
	    BYTES("\5\0"), NOTHING),
};

START_TEST(test_socks)
{
	RUN(socks_client, true, PREFACE_LATE);
	RUN(socks_server, false, PREFACE_LATE);
}
END_TEST

START_TEST(test_socks_answer)
{
	static const struct {
		unsigned kind;
		enum preface_failure failure;
		struct bytes expected;
	} cases[] = {
		{ 5, PREFACE_CONNECTED, BYTES(NO_5("\0")) },
		{ 5, PREFACE_UNREACHABLE, BYTES(NO_5("\4")) },
		{ 5, PREFACE_FORBIDDEN, BYTES(NO_5("\2")) },
		{ 4, PREFACE_CONNECTED, BYTES("\0\x5a\0\0\0\0\0\0") },
		{ 4, PREFACE_UNREACHABLE, BYTES(NO_4) },
		{ 4, PREFACE_FORBIDDEN, BYTES(NO_4) },
	};
	struct config *config = config_of("protocol=socks", false);
	struct errmsg why;
	size_t used = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct preface p = { .kind = cases[i].kind, .failure = cases[i].failure };

		preface_begin(&p, &config->services[0]);
		ck_assert_int_eq(preface_at(&config->services[0], PREFACE_ANSWER)(&p, NULL, 0,
		    &used, &why), PREFACE_DONE);
		ck_assert(same(&p.out[PREFACE_DOWN], &cases[i].expected));
		preface_free(&p);
	}
	config_free(config);
}
END_TEST

/* Every way to write this machine, and what is on its link alone. */
START_TEST(test_is_near)
{
	static const char *const near[] = { "127.0.0.1", "127.255.255.255", "0.0.0.0", "0.1.2.3",
		"::1", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0", "::127.0.0.1", "64:ff9b::7f00:1",
		"64:ff9b::", "169.254.169.254", "169.254.0.0", "::ffff:169.254.169.254",
		"64:ff9b::a9fe:a9fe", "::169.254.1.1", "fe80::1", "febf::1" };
	static const char *const others[] = { "192.0.2.1", "126.255.255.255", "128.0.0.1", "198.51.100.1",
		"2001:db8::1", "::ffff:192.0.2.1", "64:ff9b::c000:201", "1::127.0.0.1",
		"169.253.255.255", "169.255.0.0", "fec0::1", "fe7f::1" };
	struct addr a;

	for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++) {
		a = ip(near[i], 80);
		ck_assert_msg(preface_is_near(&a), "%s", near[i]);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		a = ip(others[i], 80);
		ck_assert_msg(!preface_is_near(&a), "%s", others[i]);
	}
	a = path("/run/x");
	ck_assert(preface_is_near(&a));
}
END_TEST

/* Each address that an interface of this machine has. */
START_TEST(test_is_near_own)
{
	struct ifaddrs *all, *one;
	struct addr a;

	ck_assert_int_eq(getifaddrs(&all), 0);
	for (one = all; one != NULL; one = one->ifa_next) {
		if (one->ifa_addr == NULL || (one->ifa_flags & IFF_UP) == 0 ||
		    (one->ifa_addr->sa_family != AF_INET && one->ifa_addr->sa_family != AF_INET6))
			continue;
		memset(&a, 0, sizeof(a));
		a.len = one->ifa_addr->sa_family == AF_INET ? sizeof(a.u.in) : sizeof(a.u.in6);
		memcpy(&a.u, one->ifa_addr, a.len);
		ck_assert_msg(preface_is_near(&a), "%s", one->ifa_name);
	}
	freeifaddrs(all);
}
END_TEST

START_TEST(test_may_go)
{
	struct config *config = config_of("protocol=connect|connect=localhost:80|connect=[::1]:1", false);
	const struct conf_service *s = &config->services[0];

	ck_assert(preface_may_go(s, "LocalHost:80"));
	ck_assert(preface_may_go(s, "[::1]:1"));
	ck_assert(!preface_may_go(s, "localhost:81"));
	ck_assert(!preface_may_go(s, "127.0.0.1:80"));
	config_free(config);
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
	tcase_add_test(tc, test_smtp);
	tcase_add_test(tc, test_commands);
	tcase_add_test(tc, test_imap);
	tcase_add_test(tc, test_pop3);
	tcase_add_test(tc, test_nntp_ldap);
	tcase_add_test(tc, test_connect);
	tcase_add_test(tc, test_socks);
	tcase_add_test(tc, test_socks_answer);
	tcase_add_test(tc, test_is_near);
	tcase_add_test(tc, test_is_near_own);
	tcase_add_test(tc, test_may_go);
	tcase_add_test(tc, test_proxy_in);
	tcase_add_test(tc, test_proxy_in_big);
	tcase_add_test(tc, test_proxy_v1);
	tcase_add_test(tc, test_proxy_v2);
	tcase_add_test(tc, test_proxy_v2_big);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
