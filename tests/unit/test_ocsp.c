#include "ocsps.h"

#include <check.h>

#include "base/log.h"
#include "net/sock.h"
#include "tls/library.h"
#include "tunnel/ocsp_priv.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct ocsp_question *
ask(const char *cert, const char *issuer)
{
	struct der c = certs_load(cert), i = certs_load(issuer);
	struct ocsp_question *q;
	struct errmsg e;

	q = ocsp_question_new(&c, &i, &e);
	free(c.data);
	free(i.data);
	return q;
}

/* Answers about leaf, which root issued: what is expected is a status, or words of the refusal. */
#define GOOD "good"
#define REVOKED "revoked"
#define UNKNOWN "unknown"

static const struct {
	struct ocsp_spec spec;
	const char *expected;
	bool nonce;     /* one is sent: 32 times "a" */
	unsigned flags;
	int hours;      /* from the present, when it is judged */
} rows[] = {
	{ { "root", NULL, "good:leaf", -1, 5, NULL }, GOOD, false, 0, 0 },
	{ { "root", NULL, "revoked:leaf", -1, 5, NULL }, REVOKED, false, 0, 0 },
	{ { "root", NULL, "revoked:leaf", -1, 5, "reason" }, REVOKED, false, 0, 0 },
	{ { "root", NULL, "unknown:leaf", -1, 5, NULL }, UNKNOWN, false, 0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, "by-key" }, GOOD, false, 0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, "sha256" }, GOOD, false, 0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, "harmless" }, GOOD, false, 0, 0 },
	{ { "root", NULL, "good:leaf", 0, 0, NULL }, GOOD, false, 0, 0 },
	{ { "root", NULL, "good:other good:leaf revoked:sub", -1, 5, NULL }, GOOD, false, 0, 0 },
	{ { "root", NULL, "good:leaf revoked:leaf", -1, 5, NULL }, REVOKED, false, 0, 0 },
	{ { "root", NULL, "revoked:leaf good:leaf", -1, 5, NULL }, REVOKED, false, 0, 0 },
	{ { "root", "leaf other", "good:leaf", -1, 5, NULL }, GOOD, false, 0, 0 },

	/* Who has signed it. */
	{ { "responder", "responder", "good:leaf", -1, 5, NULL }, GOOD, false, 0, 0 },
	{ { "responder", "responder", "good:leaf", -1, 5, "by-key" }, GOOD, false, 0, 0 },
	{ { "responder", "leaf responder", "revoked:leaf", -1, 5, NULL }, REVOKED, false, 0, 0 },
	{ { "responder", NULL, "good:leaf", -1, 5, NULL }, "not signed by the CA", false, 0, 0 },
	{ { "responder", "responder", "good:leaf", -1, 5, NULL },
	    "not signed by the CA of the certificate that was asked about itself", false,
	    OCSP_NO_DELEGATES, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, NULL }, GOOD, false, OCSP_NO_DELEGATES, 0 },
	{ { "leaf", "leaf", "good:leaf", -1, 5, NULL }, "no OCSPSigning", false, 0, 0 },
	{ { "responder_any", "responder_any", "good:leaf", -1, 5, NULL }, "no OCSPSigning", false,
	    0, 0 },
	{ { "responder_old", "responder_old", "good:leaf", -1, 48, NULL }, GOOD, false, 0, 20 },
	{ { "responder_old", "responder_old", "good:leaf", -1, 48, NULL }, "out of date", false, 0,
	    30 },
	{ { "responder_use", "responder_use", "good:leaf", -1, 5, NULL }, "not made for that",
	    false, 0, 0 },
	{ { "responder_odd", "responder_odd", "good:leaf", -1, 5, NULL }, "not made for that",
	    false, 0, 0 },
	{ { "responder_b", "responder_b", "good:leaf", -1, 5, NULL },
	    "was not issued by the CA", false, 0, 0 },
	{ { "responder_twin", "responder_twin", "good:leaf", -1, 5, NULL },
	    "was not issued by the CA", false, 0, 0 },
	{ { "responder_sub", "responder_sub sub", "good:leaf", -1, 5, NULL },
	    "was not issued by the CA", false, 0, 0 },
	{ { "responder", "responder", "good:leaf", -1, 5, "key-of-other" }, "not signed by", false,
	    0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, "key-of-other" }, "not signed by", false, 0, 0 },
	{ { "root", "leaf", "good:leaf", -1, 5, "named-leaf" }, "not signed by", false, 0, 0 },
	{ { "twin", "twin", "good:leaf", -1, 5, NULL }, "no OCSPSigning", false, 0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, "sha1" }, "SHA-1", false, 0, 0 },

	/* What about. */
	{ { "root", NULL, "good:other", -1, 5, NULL }, "not about the certificate", false, 0, 0 },
	{ { "root", NULL, "", -1, 5, NULL }, "not about the certificate", false, 0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, "other-issuer" }, "not about the certificate", false,
	    0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, "md5" }, "not about the certificate", false, 0, 0 },

	/* When. */
	{ { "root", NULL, "good:leaf", -9, -1, NULL }, "was to be renewed by", false, 0, 0 },
	{ { "root", NULL, "revoked:leaf", -9, -1, NULL }, "was to be renewed by", false, 0, 0 },
	{ { "root", NULL, "good:leaf", 1, 5, NULL }, "is valid from", false, 0, 0 },
	{ { "root", NULL, "good:leaf", 5, 1, NULL }, "when it was made", false, 0, 0 },
	{ { "root", NULL, "good:leaf", -2, 0, NULL }, "newer ones are always", false, 0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, "utc" }, "when it was made", false, 0, 0 },

	/* The nonce. */
	{ { "root", NULL, "good:leaf", -1, 5, "nonce" }, GOOD, true, 0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, "nonce-bare" }, GOOD, true, 0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, "nonce" }, GOOD, false, 0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, NULL }, "lacks the nonce", true, 0, 0 },
	{ { "root", NULL, "revoked:leaf", -1, 5, NULL }, "lacks the nonce", true, 0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, "nonce-other" }, "is not that of", true, 0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, "nonce-twice" }, "two nonces", true, 0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, "nonce-twice" }, "two nonces", false, 0, 0 },

	/* What cannot be read, or is not understood. */
	{ { "root", NULL, "good:leaf", -1, 5, "critical" }, "critical extension 1.2.3.4", false,
	    0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, "single-critical" }, "critical extension 1.2.3.4",
	    false, 0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, "trailing" }, "something unexpected", false, 0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, "behind" }, "something unexpected", false, 0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, "v2" }, "version", false, 0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, "kind" }, "not understood", false, 0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, "good-body" }, "the status", false, 0, 0 },
	{ { "root", NULL, "odd:leaf", -1, 5, NULL }, "the status", false, 0, 0 },
	{ { "root", NULL, "good:leaf", -1, 5, "later" }, "tryLater", false, 0, 0 },
};

static const char *
said(const struct ocsp_answer *a)
{
	return a->status == OCSP_GOOD ? GOOD : a->status == OCSP_REVOKED ? REVOKED : UNKNOWN;
}

START_TEST(judges)
{
	struct der der = ocsp_make(&rows[_i].spec);
	struct ocsp_question *q = ask("leaf", "root");
	unsigned char nonce[OCSP_NONCE];
	struct ocsp_answer a;
	struct errmsg e;
	int rc;

	memset(nonce, 'a', sizeof(nonce));
	rc = ocsp_answer_read(q, der.data, der.len, rows[_i].nonce ? nonce : NULL, rows[_i].flags,
	    time(NULL) + rows[_i].hours * 3600, &a, &e);
	if (rc == 0)
		ck_assert_str_eq(said(&a), rows[_i].expected);
	else
		ck_assert_msg(strstr(e.text, rows[_i].expected) != NULL, "%s", e.text);
	ocsp_question_free(q);
	free(der.data);
}
END_TEST

/* No answer with a byte changed, cut short or prolonged is taken. */
START_TEST(damaged)
{
	const struct ocsp_spec spec = { "root", NULL, "good:leaf", -1, 5, "nonce" };
	struct der der = ocsp_make(&spec);
	struct ocsp_question *q = ask("leaf", "root");
	struct ocsp_answer a;
	struct errmsg e;

	for (size_t i = 0; i < der.len; i++) {
		ck_assert_int_eq(ocsp_answer_read(q, der.data, i, NULL, 0, time(NULL), &a, &e), -1);
		for (unsigned bit = 1; bit < 0x100; bit <<= 1) {
			der.data[i] ^= (unsigned char)bit;
			ck_assert_msg(ocsp_answer_read(q, der.data, der.len, NULL, 0, time(NULL), &a,
			    &e) == -1, "byte %zu, bit %u", i, bit);
			der.data[i] ^= (unsigned char)bit;
		}
	}
	ck_assert_int_eq(ocsp_answer_read(q, der.data, der.len, NULL, 0, time(NULL), &a, &e), 0);
	der.data = realloc(der.data, der.len + 1);
	der.data[der.len] = 0;
	ck_assert_int_eq(ocsp_answer_read(q, der.data, der.len + 1, NULL, 0, time(NULL), &a, &e), -1);
	ocsp_question_free(q);
	free(der.data);
}
END_TEST

START_TEST(too_large)
{
	struct ocsp_question *q = ask("leaf", "root");
	unsigned char *data = calloc(1, OCSP_ANSWER_MOST + 1);
	struct ocsp_answer a;
	struct errmsg e;

	ck_assert_int_eq(ocsp_answer_read(q, data, OCSP_ANSWER_MOST + 1, NULL, 0, 0, &a, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "larger"));
	ocsp_question_free(q);
	free(data);
}
END_TEST

/* The same certificate of the same CA is the same question, and no other is. */
START_TEST(keys)
{
	struct ocsp_question *q = ask("leaf", "root"), *same = ask("leaf", "root"),
	    *twin = ask("leaf", "twin"), *other = ask("server_only", "root");

	ck_assert_mem_eq(ocsp_question_key(q), ocsp_question_key(same), OCSP_KEY);
	ck_assert_mem_ne(ocsp_question_key(q), ocsp_question_key(twin), OCSP_KEY);
	ck_assert_mem_ne(ocsp_question_key(q), ocsp_question_key(other), OCSP_KEY);
	ck_assert_ptr_null(ask("leaf", "root_b"));
	ck_assert_str_eq(ocsp_question_about(q), "CN=leaf.example.com");
	ocsp_question_free(q);
	ocsp_question_free(same);
	ocsp_question_free(twin);
	ocsp_question_free(other);
}
END_TEST

START_TEST(urls)
{
	struct ocsp_question *none = ask("leaf", "root"), *q = ask("informed", "root");
	char text[OCSP_URL_MOST];

	ck_assert_ptr_null(ocsp_question_url(none, 0, text));
	ck_assert_str_eq(ocsp_question_url(q, 0, text), "http://127.0.0.1:1/ocsp");
	ck_assert_str_eq(ocsp_question_url(q, 1, text), "https://b");
	ck_assert_ptr_null(ocsp_question_url(q, 2, text));
	ocsp_question_free(none);
	ocsp_question_free(q);
}
END_TEST

/* What openssl makes of our question, and we of its answer. */
START_TEST(openssl_answers)
{
	static const char *const signers[] = { "root", "responder", "root", "responder" };
	static const char script[] =
	    "cd '%s' && serial=$(openssl x509 -in leaf.pem -noout -serial | cut -d= -f2) && "
	    "printf '%s\\t%s\\t%s\\t%%s\\tunknown\\t/CN=leaf\\n' \"$serial\" > index.txt && "
	    "openssl ocsp -index index.txt -CA root.pem -rsigner %s.pem -rkey %s.key "
	    "-reqin request.der -respout answer.der -ndays 1 %s > ocsp.log 2>&1";
	struct ocsp_question *q = ask("leaf", "root");
	unsigned char request[OCSP_REQUEST_MOST], nonce[OCSP_NONCE];
	bool revoked = _i % 2 == 1, with_nonce = _i < 4;
	char command[4096], *data;
	struct ocsp_answer a;
	struct errmsg e;
	size_t n;

	memset(nonce, 0x5a, sizeof(nonce));
	n = ocsp_request(q, with_nonce ? nonce : NULL, request);
	certs_write(certs_path("request", ".der"), request, n);
	snprintf(command, sizeof(command), script, certs_folder, revoked ? "R" : "V",
	    "491231235959Z", revoked ? "240101000000Z,keyCompromise" : "", signers[_i % 4],
	    signers[_i % 4], with_nonce ? "" : "-resp_key_id");
	ck_assert_msg(system(command) == 0, "%s", command);
	ck_assert_int_eq(cert_read_file(certs_path("answer", ".der"), &data, &n, &e), 0);
	ck_assert_msg(ocsp_answer_read(q, (unsigned char *)data, n, with_nonce ? nonce : NULL, 0,
	    time(NULL), &a, &e) == 0, "%s", e.text);
	ck_assert_str_eq(said(&a), revoked ? REVOKED : GOOD);
	ck_assert_int_gt(a.next_update, time(NULL) + 80000);
	free(data);
	ocsp_question_free(q);
}
END_TEST

/*
 * Answers that are kept.
 */

static void
keep(struct ocsp_cache *c, unsigned char id, unsigned flags, int64_t now, int64_t next)
{
	const struct ocsp_answer a = { .status = OCSP_GOOD, .this_update = now, .next_update = next,
		.revoked_at = id };
	const unsigned char key[OCSP_KEY] = { 0, 0, id };

	ocsp_cache_keep(c, key, flags, now, &a);
}

static bool
has(struct ocsp_cache *c, unsigned char id, unsigned flags, int64_t now)
{
	const unsigned char key[OCSP_KEY] = { 0, 0, id };
	struct ocsp_answer a;

	return ocsp_cache_find(c, key, flags, now, &a) && a.revoked_at == id;
}

START_TEST(kept_until)
{
	struct ocsp_cache c = { .sets = NULL };
	const struct ocsp_answer unknown = { .status = OCSP_UNKNOWN, .next_update = 2000 };
	const unsigned char key[OCSP_KEY] = { 9 };
	struct ocsp_answer a;

	ck_assert(!has(&c, 1, 0, 1000));
	keep(&c, 1, 0, 1000, 1500);
	keep(&c, 2, 0, 1000, INT64_MAX);
	keep(&c, 3, 0, 1000, 999);
	keep(&c, 4, OCSP_NO_DELEGATES, 1000, 1500);
	keep(&c, 5, 0, 1000, 1000000);
	ocsp_cache_keep(&c, key, 0, 1000, &unknown);
	ck_assert(has(&c, 1, 0, 1000));
	ck_assert(has(&c, 1, 0, 1500));
	ck_assert(!has(&c, 1, 0, 1501));
	ck_assert(!has(&c, 1, OCSP_NO_DELEGATES, 1000));
	ck_assert(!has(&c, 2, 0, 1000));
	ck_assert(!has(&c, 3, 0, 1000));
	ck_assert(has(&c, 4, OCSP_NO_DELEGATES, 1000));
	ck_assert(!has(&c, 4, 0, 1000));
	ck_assert(has(&c, 5, 0, 1000 + OCSP_KEPT));
	ck_assert(!has(&c, 5, 0, 1001 + OCSP_KEPT));
	/* The clock was set back. */
	ck_assert(!has(&c, 5, 0, 1));
	ck_assert(!ocsp_cache_find(&c, key, 0, 1000, &a));
	ocsp_cache_free(&c);
}
END_TEST

/* Whose keys have the same place: the ones not used for the longest time go first. */
START_TEST(kept_bounded)
{
	struct ocsp_cache c = { .sets = NULL };

	for (unsigned char i = 1; i <= OCSP_WAYS; i++)
		keep(&c, i, 0, 1000, 2000);
	for (unsigned char i = 1; i <= OCSP_WAYS; i++)
		ck_assert(has(&c, i, 0, 1000));
	ck_assert(has(&c, 1, 0, 1000));
	keep(&c, 100, 0, 1000, 2000);
	ck_assert(has(&c, 100, 0, 1000));
	ck_assert(has(&c, 1, 0, 1000));
	ck_assert(!has(&c, 2, 0, 1000));
	/* The same again takes no other's place. */
	keep(&c, 100, 0, 1000, 3000);
	ck_assert(has(&c, 3, 0, 1000));
	ck_assert(has(&c, 100, 0, 2500));
	ocsp_cache_free(&c);
}
END_TEST

/* Of a responder that is silent only so many wait, and all of them hear of the end. */
START_TEST(desk_is_bounded)
{
	struct addr any, bound;
	struct addr_spec spec;
	const struct sock_setup plain = { .nopts = 0 };
	char url[64], loopback[] = "127.0.0.1:0", text[ADDR_TEXT];
	struct resolver *resolver = resolver_start(1);
	struct ocsp_desk *desk = ocsp_desk_new(resolver);
	struct ocsp_question *q = ask("leaf", "root");
	struct ocsp_terms terms = { .url = url, .seconds = 1000 };
	struct addr_list list;
	struct inbox inbox;
	struct inbox_msg *m, *next;
	struct errmsg e;
	int fd, n = 0;

	ck_assert_int_eq(inbox_init(&inbox), 0);
	ck_assert_int_eq(addr_parse(loopback, &spec, &e), 0);
	ck_assert_int_eq(addr_resolve(&spec, true, true, &list, &e), 0);
	any = list.items[0];
	ck_assert_int_ne(fd = sock_listen(&any, &plain, &bound, &e), -1);
	snprintf(url, sizeof(url), "http://%s/", addr_text(&bound, text));
	for (int i = 0; i < OCSP_WAITING; i++)
		ck_assert_int_eq(ocsp_desk_ask(desk, q, &terms, false, &inbox, 1, NULL, &e), 0);
	ck_assert_int_eq(ocsp_desk_ask(desk, q, &terms, false, &inbox, 1, NULL, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "wait for responders already"));
	ocsp_desk_stop(desk);
	resolver_stop(resolver);
	ocsp_desk_free(desk);
	for (m = inbox_take(&inbox); m != NULL; m = next) {
		struct ocsp_reply *r = (struct ocsp_reply *)m;

		next = m->next;
		ck_assert(!r->told);
		ck_assert_str_eq(r->why.text, "stopping");
		ocsp_reply_free(r);
		n++;
	}
	ck_assert_int_eq(n, OCSP_WAITING);
	ocsp_question_free(q);
	inbox_destroy(&inbox);
	addr_list_free(&list);
	addr_spec_free(&spec);
	close(fd);
}
END_TEST

static Suite *
ocsp_suite(void)
{
	Suite *s = suite_create("ocsp");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, judges, 0, (int)COUNT(rows));
	tcase_add_test(tc, damaged);
	tcase_add_test(tc, too_large);
	tcase_add_test(tc, keys);
	tcase_add_test(tc, urls);
	tcase_add_test(tc, kept_until);
	tcase_add_test(tc, kept_bounded);
	tcase_add_test(tc, desk_is_bounded);
	tcase_add_loop_test(tc, openssl_answers, 0, 8);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	struct errmsg e;
	SRunner *r;
	int failed;

	log_level(LOG_EMERG);
	if (tls_library_start(&e) == -1 || certs_make() == -1)
		return 1;
	r = srunner_create(ocsp_suite());
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	certs_remove();
	tls_library_stop();
	return failed == 0 ? 0 : 1;
}
