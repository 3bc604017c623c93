/* base/timer: the heap of deadlines against a list that is searched each time. */
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/timer.h"

#define TIMERS 200
#define STEPS 20000

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

/* The model: what is set, and to when. */
struct model {
	struct timer timer;
	bool set;
	uint64_t due;
};

static uint64_t
model_next(const struct model *m)
{
	uint64_t next = TIMER_NEVER;

	for (size_t i = 0; i < TIMERS; i++)
		if (m[i].set && m[i].due < next)
			next = m[i].due;
	return next;
}

static size_t
model_count(const struct model *m)
{
	size_t n = 0;

	for (size_t i = 0; i < TIMERS; i++)
		n += m[i].set;
	return n;
}

/* One random operation on both, and whether they still say the same. */
static void
step(struct timers *ts, struct model *m, uint64_t *now, unsigned *seed)
{
	struct model *one = &m[(size_t)rand_r(seed) % TIMERS];
	struct timer *t;

	switch (rand_r(seed) % 4) {
	case 0:
	case 1:
		/* Few different times, so that many are due at the same one. */
		one->due = *now + (uint64_t)(rand_r(seed) % 50);
		one->set = true;
		timers_set(ts, &one->timer, one->due);
		break;
	case 2:
		one->set = false;
		timers_cancel(ts, &one->timer);
		break;
	default:
		*now += (uint64_t)(rand_r(seed) % 8);
		while ((t = timers_pop(ts, *now)) != NULL) {
			one = (struct model *)t;
			ck_assert(one->set);
			ck_assert_uint_eq(one->due, model_next(m));
			ck_assert_uint_eq(t->slot, 0);
			one->set = false;
		}
		ck_assert(model_next(m) > *now);
	}
	ck_assert_uint_eq(timers_next(ts), model_next(m));
	ck_assert_uint_eq(ts->n, model_count(m));
}

START_TEST(behaves_like_a_list)
{
	struct model m[TIMERS] = { 0 };
	struct timers ts = { 0 };
	unsigned seed = (unsigned)_i + 1;
	uint64_t now = 1000;

	ck_assert_int_eq(timers_reserve(&ts, TIMERS), 0);
	for (int i = 0; i < STEPS; i++)
		step(&ts, m, &now, &seed);
	timers_free(&ts);
}
END_TEST

START_TEST(none_set)
{
	struct timers ts = { 0 };

	ck_assert_uint_eq(timers_next(&ts), TIMER_NEVER);
	ck_assert_ptr_null(timers_pop(&ts, 0));
	/* The end of time is no excuse to look at a heap that is not there. */
	ck_assert_ptr_null(timers_pop(&ts, TIMER_NEVER));
	timers_free(&ts);
	timers_free(&ts);
}
END_TEST

START_TEST(due_at_exactly_now)
{
	struct timers ts = { 0 };
	struct timer t = { 0 };

	ck_assert_int_eq(timers_reserve(&ts, 1), 0);
	timers_set(&ts, &t, 100);
	ck_assert_ptr_null(timers_pop(&ts, 99));
	ck_assert_ptr_eq(timers_pop(&ts, 100), &t);
	ck_assert_ptr_null(timers_pop(&ts, 100));
	timers_free(&ts);
}
END_TEST

START_TEST(setting_again_moves)
{
	struct timers ts = { 0 };
	struct timer a = { 0 }, b = { 0 };

	ck_assert_int_eq(timers_reserve(&ts, 2), 0);
	timers_set(&ts, &a, 10);
	timers_set(&ts, &b, 20);
	timers_set(&ts, &a, 30);
	ck_assert_uint_eq(timers_next(&ts), 20);
	timers_set(&ts, &a, 5);
	ck_assert_uint_eq(timers_next(&ts), 5);
	ck_assert_ptr_eq(timers_pop(&ts, 100), &a);
	ck_assert_ptr_eq(timers_pop(&ts, 100), &b);
	ck_assert_ptr_null(timers_pop(&ts, 100));
	timers_free(&ts);
}
END_TEST

START_TEST(cancel_of_what_is_not_set)
{
	struct timers ts = { 0 };
	struct timer t = { 0 };

	timers_cancel(&ts, &t);
	ck_assert_int_eq(timers_reserve(&ts, 1), 0);
	timers_set(&ts, &t, 1);
	timers_cancel(&ts, &t);
	timers_cancel(&ts, &t);
	ck_assert_uint_eq(timers_next(&ts), TIMER_NEVER);
	timers_free(&ts);
}
END_TEST

/* Room that was reserved once is enough, in whatever order it is used. */
START_TEST(reserved_room_is_enough)
{
	struct timers ts = { 0 };
	static struct timer t[1000];

	for (size_t n = 1; n <= 1000; n *= 10) {
		ck_assert_int_eq(timers_reserve(&ts, n), 0);
		for (size_t i = 0; i < n; i++)
			timers_set(&ts, &t[i], n - i);
		for (size_t i = 0; i < n; i++)
			ck_assert_ptr_eq(timers_pop(&ts, n), &t[n - 1 - i]);
	}
	timers_free(&ts);
}
END_TEST

START_TEST(reserving_keeps_what_is_set)
{
	struct timers ts = { 0 };
	struct timer t = { 0 };

	ck_assert_int_eq(timers_reserve(&ts, 1), 0);
	timers_set(&ts, &t, 7);
	ck_assert_int_eq(timers_reserve(&ts, 5000), 0);
	ck_assert_uint_eq(timers_next(&ts), 7);
	ck_assert_int_eq(timers_reserve(&ts, 3), 0);
	ck_assert_ptr_eq(timers_pop(&ts, 7), &t);
	timers_free(&ts);
}
END_TEST

START_TEST(too_many_is_an_error)
{
	struct timers ts = { 0 };

	ck_assert_int_eq(timers_reserve(&ts, (size_t)PTRDIFF_MAX / sizeof(void *)), -1);
	ck_assert_int_eq(timers_reserve(&ts, 1), 0);
	timers_free(&ts);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("timer");
	TCase *tc = tcase_create("timer");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, behaves_like_a_list, 0, 5);
	tcase_add_test(tc, none_set);
	tcase_add_test(tc, due_at_exactly_now);
	tcase_add_test(tc, setting_again_moves);
	tcase_add_test(tc, cancel_of_what_is_not_set);
	tcase_add_test(tc, reserved_room_is_enough);
	tcase_add_test(tc, reserving_keeps_what_is_set);
	tcase_add_test(tc, too_many_is_an_error);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
