/* When memory goes back after a flood of tunnels. */
#include <check.h>
#include <malloc.h>
#include <stdlib.h>

#include "tunnel/ebb.h"

static unsigned trims;

/* Instead of the C library's. */
int
malloc_trim(size_t pad)
{
	(void)pad;
	trims++;
	return 1;
}

/* Lets the tunnels rise or fall to a number; returns how often main was woken. */
static unsigned
flow(struct ebb *b, unsigned *live, unsigned to)
{
	unsigned woken = 0;

	while (*live < to)
		ebb_rises(b, ++*live);
	while (*live > to)
		woken += ebb_falls(b, --*live);
	return woken;
}

START_TEST(given_back_once_it_is_calm)
{
	struct ebb b = { 0 };
	unsigned live = 0;

	trims = 0;
	ck_assert_int_eq(ebb_turn(&b, live, 1000), -1);
	ck_assert_uint_eq(flow(&b, &live, 5000), 0);
	ck_assert_uint_eq(flow(&b, &live, 2501), 0);
	ck_assert_int_eq(ebb_turn(&b, live, 2000), -1);
	ck_assert_uint_eq(flow(&b, &live, 2500), 1);
	ck_assert_int_eq(ebb_turn(&b, live, 3000), 2000);
	ck_assert_uint_eq(flow(&b, &live, 0), 0);
	ck_assert_int_eq(ebb_turn(&b, live, 4999), 1);
	ck_assert_uint_eq(trims, 0);
	ck_assert_int_eq(ebb_turn(&b, live, 5000), -1);
	ck_assert_uint_eq(trims, 1);
	ck_assert_int_eq(ebb_turn(&b, live, 9000), -1);
	ck_assert_uint_eq(trims, 1);
}
END_TEST

/* What falls on behind that is given back, too. */
START_TEST(given_back_again)
{
	struct ebb b = { 0 };
	unsigned live = 0;

	trims = 0;
	flow(&b, &live, 4000);
	ck_assert_uint_eq(flow(&b, &live, 2000), 1);
	ebb_turn(&b, live, 1000);
	ebb_turn(&b, live, 3000);
	ck_assert_uint_eq(trims, 1);
	ck_assert_uint_eq(flow(&b, &live, 1001), 0);
	ck_assert_uint_eq(flow(&b, &live, 0), 1);
	ebb_turn(&b, live, 4000);
	ebb_turn(&b, live, 6000);
	ck_assert_uint_eq(trims, 2);
}
END_TEST

/* A few tunnels, or many that come and go, are no flood. */
START_TEST(nothing_to_give_back)
{
	struct ebb b = { 0 };
	unsigned live = 0;

	trims = 0;
	flow(&b, &live, 255);
	ck_assert_uint_eq(flow(&b, &live, 0), 0);
	flow(&b, &live, 1000);
	for (int i = 0; i < 100; i++) {
		ck_assert_uint_eq(flow(&b, &live, 600), 0);
		ck_assert_uint_eq(flow(&b, &live, 1000), 0);
	}
	ck_assert_int_eq(ebb_turn(&b, live, 1000), -1);
	ck_assert_uint_eq(trims, 0);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("ebb");
	Suite *s = suite_create("ebb");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, given_back_once_it_is_calm);
	tcase_add_test(tc, given_back_again);
	tcase_add_test(tc, nothing_to_give_back);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
