/* The sessions that a client keeps: how many, for how long, and for whom. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tls/session_pool_priv.h"

static WOLFSSL_CTX *ctx;
static const unsigned char a[UPSTREAM_KEY] = { 1 }, b[UPSTREAM_KEY] = { 2 };

static struct kept_session
session(int64_t since, bool once)
{
	unsigned char byte = 7;
	const struct der der = { &byte, 1 };
	struct kept_session k = { .since = since, .once = once };
	WOLFSSL *ssl = wolfSSL_new(ctx);
	WOLFSSL_SESSION *live = wolfSSL_get1_session(ssl);

	ck_assert_ptr_nonnull(k.session = wolfSSL_SESSION_dup(live));
	ck_assert_ptr_nonnull(k.identity = identity_get(&der, 1));
	wolfSSL_SESSION_free(live);
	wolfSSL_free(ssl);
	return k;
}

static void
put(struct session_pool *p, const unsigned char *key, int64_t since, bool once)
{
	struct kept_session k = session(since, once);

	session_pool_put(p, key, &k, since);
}

/* When the one that is taken began; -1: there is none. */
static int64_t
take(struct session_pool *p, const unsigned char *key, int64_t now)
{
	struct kept_session k;
	int64_t since;

	if (!session_pool_take(p, key, now, &k))
		return -1;
	since = k.since;
	kept_session_free(&k);
	return since;
}

static struct session_pool *
pool(size_t most)
{
	struct session_pool *p = session_pool_new(most, 100);

	ck_assert_ptr_nonnull(p);
	return p;
}

static void
end(struct session_pool *p)
{
	session_pool_unref(p);
	ck_assert_uint_eq(identities(), 0);
}

/* A ticket of TLS 1.3 is used once, the youngest first; a session of 1.2 stays. */
START_TEST(used_once)
{
	struct session_pool *p = pool(10);

	put(p, a, 1000, true);
	put(p, a, 1001, true);
	put(p, b, 1002, false);
	ck_assert_int_eq(take(p, a, 1003), 1001);
	ck_assert_int_eq(take(p, a, 1003), 1000);
	ck_assert_int_eq(take(p, a, 1003), -1);
	ck_assert_int_eq(take(p, b, 1003), 1002);
	ck_assert_int_eq(take(p, b, 1003), 1002);
	put(p, b, 1004, false);
	ck_assert_uint_eq(session_pool_count(p), 1);
	ck_assert_int_eq(take(p, b, 1004), 1004);
	end(p);
}
END_TEST

/* So many in all, so many of one upstream, the oldest go. */
START_TEST(bounded)
{
	struct session_pool *p = pool(SESSIONS_OF_ONE + 2);

	put(p, b, 999, true);
	for (int i = 0; i < 2 * SESSIONS_OF_ONE; i++)
		put(p, a, 1000, true);
	ck_assert_uint_eq(session_pool_count(p), SESSIONS_OF_ONE + 1);
	ck_assert_int_eq(take(p, b, 1000), 999);
	put(p, b, 1001, true);
	put(p, b, 1002, true);
	put(p, b, 1003, true);
	ck_assert_uint_eq(session_pool_count(p), SESSIONS_OF_ONE + 2);
	session_pool_unref(p);
	p = pool(0);
	put(p, a, 1000, true);
	ck_assert_uint_eq(session_pool_count(p), 0);
	end(p);
}
END_TEST

/* Nothing old is used, whatever the clock did; what is over is given back by whoever comes next. */
START_TEST(ages)
{
	struct session_pool *p = pool(10);

	put(p, a, 1000, true);
	put(p, a, 1000, true);
	ck_assert_int_eq(take(p, a, 1099), 1000);
	ck_assert_int_eq(take(p, b, 1100), -1);
	ck_assert_uint_eq(session_pool_count(p), 0);
	put(p, a, 1000, false);
	ck_assert_int_eq(take(p, a, 999), -1);
	ck_assert_uint_eq(session_pool_count(p), 0);
	end(p);
}
END_TEST

/* One upstream is forgotten; then all, and nothing comes in any more. */
START_TEST(forgets)
{
	struct session_pool *p = pool(10);

	put(p, a, 1000, true);
	put(p, a, 1000, false);
	put(p, b, 1000, true);
	session_pool_forget(p, a);
	ck_assert_uint_eq(session_pool_count(p), 1);
	session_pool_close(p);
	put(p, b, 1000, true);
	ck_assert_uint_eq(session_pool_count(p), 0);
	ck_assert_uint_eq(identities(), 0);
	end(p);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("session_pool");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	wolfSSL_Init();
	if ((ctx = wolfSSL_CTX_new(wolfTLSv1_3_client_method())) == NULL)
		return 1;
	tcase_add_test(tc, used_once);
	tcase_add_test(tc, bounded);
	tcase_add_test(tc, ages);
	tcase_add_test(tc, forgets);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	wolfSSL_CTX_free(ctx);
	return failed == 0 ? 0 : 1;
}
