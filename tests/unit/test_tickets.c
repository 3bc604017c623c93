/* Session tickets: their keys, who is remembered, and what is opened of several. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tls/records.h"
#include "tls/ticket_priv.h"

/* The library's part of a ticket. */
#define THEIRS 140

/* Those of the process: the one before opens, the one before that does not. */
START_TEST(keys_rotate)
{
	const struct ticket_keys none = { .n = 0 };
	const int64_t t = 1000000;
	struct ticket_key first, second, third, k;

	ck_assert(ticket_keys_now(&none, t, &first));
	ck_assert(ticket_keys_now(&none, t + TICKET_KEY_LIFE - 1, &k));
	ck_assert_mem_eq(&k, &first, sizeof(k));
	ck_assert(ticket_keys_now(&none, t + TICKET_KEY_LIFE, &second));
	ck_assert_mem_ne(first.secret, second.secret, TICKET_SECRET);
	ck_assert(ticket_keys_find(&none, first.name, t + TICKET_KEY_LIFE, &k));
	ck_assert_mem_eq(&k, &first, sizeof(k));
	ck_assert(ticket_keys_now(&none, t + 2 * TICKET_KEY_LIFE, &third));
	ck_assert(ticket_keys_find(&none, second.name, t + 2 * TICKET_KEY_LIFE, &k));
	ck_assert(!ticket_keys_find(&none, first.name, t + 2 * TICKET_KEY_LIFE, &k));
	/* After a long silence, or with a clock that was set back, nothing old opens. */
	ck_assert(!ticket_keys_find(&none, third.name, t + 9 * TICKET_KEY_LIFE, &k));
	ck_assert(ticket_keys_now(&none, t + 9 * TICKET_KEY_LIFE, &k));
	ck_assert(!ticket_keys_find(&none, k.name, t, &k));
}
END_TEST

/* Who was not seen for the longest time is forgotten first. */
START_TEST(records_bounded)
{
	unsigned char fp[3][CERT_FP_LEN], bytes[3][1] = { { 1 }, { 2 }, { 3 } };
	struct identity *id;

	records_room(2);
	for (int i = 0; i < 3; i++) {
		const struct der der = { bytes[i], 1 };

		memset(fp[i], i, sizeof(fp[i]));
		ck_assert_ptr_nonnull(id = identity_get(&der, 1));
		records_keep(fp[i], id);
		identity_put(id);
		if (i == 1)
			identity_put(records_find(fp[0]));
	}
	ck_assert_uint_eq(records(), 2);
	ck_assert_ptr_null(records_find(fp[1]));
	ck_assert_ptr_nonnull(id = records_find(fp[0]));
	identity_put(id);
	records_forget();
	ck_assert_uint_eq(identities(), 0);
}
END_TEST

struct ticket {
	unsigned char name[16], iv[16], mac[32], text[THEIRS + 64];
	int len;
};

static int
call(struct tls_session *s, struct ticket *t, int seal)
{
	int out = seal ? (int)sizeof(t->text) : t->len;
	int rc = ticket_seal_or_open(
	    s->ssl, t->name, t->iv, t->mac, seal, t->text, t->len, &out, NULL);

	if (seal)
		t->len = out;
	return rc;
}

static int
open_copy(struct tls_session *s, const struct ticket *t)
{
	struct ticket copy = *t;

	return call(s, &copy, 0);
}

/* Of two tickets in one hello the second is refused, however good it is.  (Without is_another() in
 * ticket.c it would say who the first one's client is.) */
START_TEST(one_a_hello)
{
	struct tls_context c = { .server = true, .ask = TLS_ASK_NOT, .resume_seconds = 300 };
	struct tls_session s = { .context = &c, .judged = true, .verdict = TRUST_OK };
	struct ticket a = { .len = THEIRS }, b = { .len = THEIRS };

	ck_assert_ptr_nonnull(c.shown[0].ctx = wolfSSL_CTX_new(wolfTLSv1_3_client_method()));
	ck_assert_ptr_nonnull(s.ssl = wolfSSL_new(c.shown[0].ctx));
	wolfSSL_SetIOReadCtx(s.ssl, &s);
	ck_assert_int_eq(call(&s, &a, 1), WOLFSSL_TICKET_RET_OK);
	ck_assert_int_eq(call(&s, &b, 1), WOLFSSL_TICKET_RET_OK);
	ck_assert_int_eq(a.len, THEIRS + TICKET_OURS);
	ck_assert_int_eq(open_copy(&s, &a), WOLFSSL_TICKET_RET_OK);
	ck_assert_int_eq(open_copy(&s, &b), WOLFSSL_TICKET_RET_REJECT);
	ck_assert_int_eq(open_copy(&s, &a), WOLFSSL_TICKET_RET_OK);
	for (int i = 0; i < b.len; i += 15) {
		s.grant = (struct ticket_grant){ .given = false };
		b.text[i] ^= 1;
		ck_assert_int_eq(open_copy(&s, &b), WOLFSSL_TICKET_RET_REJECT);
		ck_assert(!s.grant.given);
		b.text[i] ^= 1;
	}
	s.grant = (struct ticket_grant){ .given = false };
	ck_assert_int_eq(open_copy(&s, &b), WOLFSSL_TICKET_RET_OK);
	wolfSSL_free(s.ssl);
	wolfSSL_CTX_free(c.shown[0].ctx);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tickets");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_test(tc, keys_rotate);
	tcase_add_test(tc, records_bounded);
	tcase_add_test(tc, one_a_hello);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
