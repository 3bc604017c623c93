/* base/buf: a queue of bytes that owns memory only while it holds some. */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define PIECE_MAX 4096
#define MODEL_MAX ((size_t)1 << 20)

/* A sanitizer ends the program where malloc() returns NULL, unless told otherwise. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

const char *
__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void
assert_holds(const struct buf *b, const void *bytes, size_t n)
{
	ck_assert_uint_eq(b->len, n);
	if (n > 0)
		ck_assert_mem_eq(buf_head(b), bytes, n);
}

START_TEST(first_in_first_out)
{
	struct buf b = { 0 };

	ck_assert_int_eq(buf_append(&b, "abc", 3), 0);
	ck_assert_int_eq(buf_append(&b, "defg", 4), 0);
	assert_holds(&b, "abcdefg", 7);
	buf_consume(&b, 2);
	assert_holds(&b, "cdefg", 5);
	ck_assert_int_eq(buf_append(&b, "h", 1), 0);
	assert_holds(&b, "cdefgh", 6);
	buf_free(&b);
}
END_TEST

START_TEST(empty_owns_nothing)
{
	struct buf b = { 0 };

	ck_assert_uint_eq(buf_total(), 0);
	ck_assert_int_eq(buf_append(&b, "abc", 3), 0);
	ck_assert_uint_ge(buf_total(), 3);
	buf_consume(&b, 3);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(buf_total(), 0);
	/* It can be used again. */
	ck_assert_int_eq(buf_append(&b, "xy", 2), 0);
	assert_holds(&b, "xy", 2);
	buf_free(&b);
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(buf_total(), 0);
}
END_TEST

START_TEST(free_is_repeatable)
{
	struct buf b = { 0 };

	buf_free(&b);
	ck_assert_int_eq(buf_append(&b, "abc", 3), 0);
	buf_free(&b);
	buf_free(&b);
	assert_holds(&b, "", 0);
	ck_assert_uint_eq(buf_total(), 0);
}
END_TEST

START_TEST(nothing_appended_is_nothing_owned)
{
	struct buf b = { 0 };

	ck_assert_int_eq(buf_append(&b, NULL, 0), 0);
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(buf_total(), 0);
	buf_consume(&b, 0);
	ck_assert_int_eq(buf_append(&b, "a", 1), 0);
	buf_consume(&b, 0);
	assert_holds(&b, "a", 1);
	buf_free(&b);
}
END_TEST

/* What does not fit into memory leaves the buffer as it was. */
START_TEST(failed_append_changes_nothing)
{
	struct buf b = { 0 };
	size_t before;

	ck_assert_int_eq(buf_append(&b, "abcdef", 6), 0);
	buf_consume(&b, 2);
	before = buf_total();
	ck_assert_int_eq(buf_append(&b, "x", PTRDIFF_MAX), -1);
	assert_holds(&b, "cdef", 4);
	ck_assert_uint_eq(buf_total(), before);
	ck_assert_int_eq(buf_append(&b, "gh", 2), 0);
	assert_holds(&b, "cdefgh", 6);
	buf_free(&b);
	ck_assert_uint_eq(buf_total(), 0);
}
END_TEST

/* Random operations against a plain array. */
START_TEST(behaves_like_an_array)
{
	static uint8_t model[MODEL_MAX], piece[PIECE_MAX];
	unsigned seed = (unsigned)_i + 1;
	size_t len = 0, n;
	struct buf b = { 0 };

	for (unsigned step = 0; step < 3000; step++) {
		if (rand_r(&seed) % 2 == 0) {
			n = (size_t)rand_r(&seed) % PIECE_MAX;
			if (len + n > MODEL_MAX)
				continue;
			for (size_t i = 0; i < n; i++)
				piece[i] = (uint8_t)rand_r(&seed);
			ck_assert_int_eq(buf_append(&b, piece, n), 0);
			if (n > 0)
				memcpy(model + len, piece, n);
			len += n;
		} else {
			n = (size_t)rand_r(&seed) % (2 * PIECE_MAX);
			if (n > len)
				n = len;
			buf_consume(&b, n);
			memmove(model, model + n, len - n);
			len -= n;
		}
		assert_holds(&b, model, len);
		ck_assert_uint_ge(buf_total(), len);
		if (len == 0)
			ck_assert_uint_eq(buf_total(), 0);
	}
	buf_free(&b);
	ck_assert_uint_eq(buf_total(), 0);
}
END_TEST

/* A queue that never runs empty must not grow with what went through it. */
START_TEST(steady_queue_stays_small)
{
	static const uint8_t chunk[1000];
	struct buf b = { 0 };
	size_t most = 0;

	ck_assert_int_eq(buf_append(&b, chunk, sizeof(chunk)), 0);
	for (int i = 0; i < 10000; i++) {
		ck_assert_int_eq(buf_append(&b, chunk, sizeof(chunk)), 0);
		buf_consume(&b, sizeof(chunk));
		if (buf_total() > most)
			most = buf_total();
	}
	ck_assert_uint_le(most, 8 * sizeof(chunk));
	buf_free(&b);
}
END_TEST

START_TEST(overdrawing_is_an_abort)
{
	struct buf b = { 0 };

	buf_append(&b, "abc", 3);
	buf_consume(&b, 4);
}
END_TEST

static void *
churn(void *arg)
{
	struct buf b = { 0 };

	for (int i = 0; i < 20000; i++) {
		buf_append(&b, "0123456789", 10);
		buf_consume(&b, i % 10 == 9 ? b.len : 3);
	}
	buf_free(&b);
	return arg;
}

START_TEST(total_counts_all_threads)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, churn, NULL), 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_eq(buf_total(), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("buf");
	TCase *tc = tcase_create("buf");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, first_in_first_out);
	tcase_add_test(tc, empty_owns_nothing);
	tcase_add_test(tc, free_is_repeatable);
	tcase_add_test(tc, nothing_appended_is_nothing_owned);
	tcase_add_test(tc, failed_append_changes_nothing);
	tcase_add_loop_test(tc, behaves_like_an_array, 0, 3);
	tcase_add_test(tc, steady_queue_stays_small);
	tcase_add_test_raise_signal(tc, overdrawing_is_an_abort, SIGABRT);
	tcase_add_test(tc, total_counts_all_threads);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
