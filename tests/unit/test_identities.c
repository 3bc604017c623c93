#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tls/identity.h"

static struct der
der(unsigned char *bytes, unsigned char fill, size_t n)
{
	memset(bytes, fill, n);
	return (struct der){ bytes, n };
}

/* The same certificates are one identity; others, or in another order, are others. */
START_TEST(shared)
{
	unsigned char bytes[3][600];
	const struct der a = der(bytes[0], 1, 600), b = der(bytes[1], 2, 500),
			 copy = der(bytes[2], 1, 600);
	const struct der ab[] = { a, b }, ba[] = { b, a }, again[] = { copy, b };
	struct identity *one, *two, *three, *four;
	const struct der *chain;
	size_t n;

	ck_assert_ptr_nonnull(one = identity_get(ab, 2));
	ck_assert_ptr_nonnull(two = identity_get(again, 2));
	ck_assert_ptr_nonnull(three = identity_get(ba, 2));
	ck_assert_ptr_nonnull(four = identity_get(ab, 1));
	ck_assert_ptr_eq(one, two);
	ck_assert_ptr_ne(one, three);
	ck_assert_ptr_ne(one, four);
	ck_assert_uint_eq(identities(), 3);
	memset(bytes, 0, sizeof(bytes));
	identity_put(two);
	chain = identity_chain(one, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(chain[0].len, 600);
	ck_assert_uint_eq(chain[1].len, 500);
	ck_assert_int_eq(chain[0].data[599], 1);
	ck_assert_int_eq(chain[1].data[0], 2);
	ck_assert_ptr_eq(identity_ref(one), one);
	identity_put(one);
	identity_put(one);
	identity_put(three);
	identity_put(four);
	identity_put(NULL);
	ck_assert_uint_eq(identities(), 0);
}
END_TEST

/* A peer that sends much does not make us keep it; its own certificate is always kept. */
START_TEST(bounded)
{
	unsigned char *bytes = malloc(2 * IDENTITY_MOST);
	const struct der big = der(bytes, 1, IDENTITY_MOST / 2 + 1);
	const struct der huge = { bytes, 2 * IDENTITY_MOST };
	const struct der two[] = { big, big, big }, first[] = { huge, big };
	struct identity *id;
	size_t n;

	ck_assert_ptr_nonnull(bytes);
	ck_assert_ptr_nonnull(id = identity_get(two, 3));
	identity_chain(id, &n);
	ck_assert_uint_eq(n, 1);
	identity_put(id);
	memset(bytes, 1, 2 * IDENTITY_MOST);
	ck_assert_ptr_nonnull(id = identity_get(first, 2));
	identity_chain(id, &n);
	ck_assert_uint_eq(n, 1);
	identity_put(id);
	free(bytes);
}
END_TEST

/* Many, of which each second one goes. */
START_TEST(many)
{
	struct identity *ids[3000];
	unsigned char bytes[8] = { 0x30 };
	const struct der one = { bytes, sizeof(bytes) };

	for (unsigned i = 0; i < 3000; i++) {
		memcpy(bytes + 2, &i, sizeof(i));
		ck_assert_ptr_nonnull(ids[i] = identity_get(&one, 1));
	}
	ck_assert_uint_eq(identities(), 3000);
	for (unsigned i = 0; i < 3000; i += 2)
		identity_put(ids[i]);
	ck_assert_uint_eq(identities(), 1500);
	for (unsigned i = 1; i < 3000; i += 2) {
		memcpy(bytes + 2, &i, sizeof(i));
		ck_assert_ptr_eq(identity_get(&one, 1), ids[i]);
		identity_put(ids[i]);
		identity_put(ids[i]);
	}
	ck_assert_uint_eq(identities(), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("identities");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_test(tc, shared);
	tcase_add_test(tc, bounded);
	tcase_add_test(tc, many);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
