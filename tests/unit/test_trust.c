#include "changes.h"

#include <pthread.h>
#include <stdint.h>

#include "policies.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What trust_judge() itself says of its many cases is in test_verdicts.c: here is all else. */

START_TEST(name_matches)
{
	struct der der = certs_load("names");

	ck_assert(trust_name_matches(&der, "exact.example.com"));
	ck_assert(trust_name_matches(&der, "192.0.2.1"));
	ck_assert(!trust_name_matches(&der, "example.com"));
	ck_assert(!trust_name_matches(&der, ""));
	ck_assert(!trust_name_matches(&der, "."));
	free(der.data);
}
END_TEST

START_TEST(long_name)
{
	struct der der = certs_load("names");
	char name[400];

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert(!trust_name_matches(&der, name));
	free(der.data);
}
END_TEST

/*
 * What the operator configures.
 */

START_TEST(configuring)
{
	struct trust *t = trust_new();
	struct errmsg e;

	ck_assert(trust_is_empty(t) && !trust_has_cas(t));
	ck_assert_int_eq(trust_add_peers(t, certs_path("nothing", ".pem"), &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "nothing.pem"));
	ck_assert_int_eq(trust_add_peers(t, certs_path("rsa1024", ".pem"), &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "rsa1024.pem"));
	ck_assert_ptr_nonnull(strstr(e.text, "1024 bits"));
	ck_assert_int_eq(trust_add_peers(t, certs_path("sha1_self", ".pem"), &e), -1);
	ck_assert(trust_is_empty(t));
	ck_assert_int_eq(trust_add_cas(t, certs_path("nothing", ".pem"), &e), -1);
	ck_assert(trust_is_empty(t));
	/* Trusted exactly is not a CA. */
	ck_assert_int_eq(trust_add_cas(t, certs_path("self_leaf", ".pem"), &e), 0);
	ck_assert(!trust_is_empty(t) && !trust_has_cas(t));
	ck_assert_int_eq(trust_add_cas(t, certs_path("root", ".pem"), &e), 0);
	ck_assert(trust_has_cas(t));
	ck_assert_int_eq(trust_add_cas(t, certs_path("rsa1024", ".pem"), &e), 1);
	ck_assert_ptr_nonnull(strstr(e.text, "1024 bits"));
	trust_free(t);

	t = trust_new();
	ck_assert_int_eq(trust_add_peers(t, certs_path("leaf", ".pem"), &e), 0);
	ck_assert(!trust_is_empty(t) && !trust_has_cas(t));
	trust_free(t);
	trust_free(NULL);
}
END_TEST

START_TEST(verdict_texts)
{
	ck_assert_str_eq(trust_verdict_text(TRUST_OK), "accepted");
	ck_assert_str_eq(
	    trust_verdict_text(TRUST_WRONG_NAME), "certificate names another host");
}
END_TEST

/*
 * Damaged certificates.
 */

static uint32_t
next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Changes some bytes, or cuts, or both; in memory of exactly the size, so that reading
 * past its end is found. */
static struct der
damage(const struct der *from, uint32_t *state)
{
	struct der der = { NULL, from->len };
	uint32_t i, flips;

	if (next_random(state) % 4 == 0)
		der.len = next_random(state) % from->len;
	flips =
	    der.len == from->len ? 1 + next_random(state) % 3 : next_random(state) % 2;
	der.data = malloc(der.len > 0 ? der.len : 1);
	memcpy(der.data, from->data, der.len);
	/* Headers are at the front: half of the changes go there. */
	for (i = 0; i < flips && der.len > 0; i++)
		der.data[next_random(state) % (i % 2 == 0 ? der.len : der.len / 2 + 1)] ^=
		    (unsigned char)(1u << next_random(state) % 8);
	if (der.len == from->len && memcmp(der.data, from->data, der.len) == 0)
		der.data[der.len / 2] ^= 1;
	return der;
}

static void
judge_damaged(
    const struct trust *pin, const struct trust *ca, struct der *chain, size_t n)
{
	struct cert_info *info;
	struct errmsg e;

	ck_assert_int_ne(
	    trust_judge(pin, chain, n, true, NULL, 0, time(NULL), &e), TRUST_OK);
	ck_assert_int_ne(
	    trust_judge(ca, chain, n, true, NULL, 0, time(NULL), &e), TRUST_OK);
	info = cert_info_new(&chain[0], &e);
	cert_info_free(info);
	(void)cert_strong(&chain[0], &e);
	(void)trust_name_matches(&chain[0], "localhost");
}

/* The certificates have between them all extensions, kinds of names and of keys. */
START_TEST(damaged_leaf)
{
	static const char *const leaves[] = { "self_leaf", "nc_ok_sub", "by_rsa_pss" };
	struct trust *pin = trust_of("peer:self_leaf peer:leaf peer:nc_ok_sub peer:by_rsa_pss");
	struct trust *ca = trust_of("ca:root ca:rsa ca:self_leaf");
	struct der good, chain[3];
	uint32_t state = 20260101 + (uint32_t)_i;
	size_t i;

	good = certs_load(leaves[_i]);
	chain[1] = certs_load("nc_sub");
	chain[2] = certs_load("nc");
	for (i = 0; i < 400; i++) {
		chain[0] = damage(&good, &state);
		judge_damaged(pin, ca, chain, 3);
		free(chain[0].data);
	}
	free(good.data);
	free(chain[1].data);
	free(chain[2].data);
	trust_free(pin);
	trust_free(ca);
}
END_TEST

START_TEST(damaged_issuer)
{
	static const char *const leaves[] = { "nc_ok_sub", "sub2_leaf" };
	static const char *const subs[] = { "nc_sub", "sub2" };
	static const char *const tops[] = { "nc", "sub" };
	struct trust *ca = trust_of("ca:root");
	struct der chain[3], good[2];
	uint32_t state = 20260601 + (uint32_t)_i;
	struct errmsg e;
	size_t i, which;

	chain[0] = certs_load(leaves[_i]);
	good[0] = chain[1] = certs_load(subs[_i]);
	good[1] = chain[2] = certs_load(tops[_i]);
	ck_assert_int_eq(
	    trust_judge(ca, chain, 3, true, NULL, 0, time(NULL), &e), TRUST_OK);
	for (i = 0; i < 400; i++) {
		which = i % 2;
		chain[1 + which] = damage(&good[which], &state);
		ck_assert_int_ne(
		    trust_judge(ca, chain, 3, true, NULL, 0, time(NULL), &e), TRUST_OK);
		free(chain[1 + which].data);
		chain[1 + which] = good[which];
	}
	for (i = 0; i < 3; i++)
		free(chain[i].data);
	trust_free(ca);
}
END_TEST

/* Changes that leave the certificate readable at a glance. */
static const struct {
	const char *cert;
	const char *from, *to; /* bytes in hexadecimal */
	const char *says;
} malformed_rows[] = {
	{ "self_leaf", "a003020102", "a003020100", "unexpected behind its key" },
	{ "self_leaf", "a003020102", "a003020103", "version" },
	{ "self_leaf", "06082a8648ce3d04030230", "06082a8648ce3d04030330",
	    "two signature" },
	{ "policy", "0603551d1f", "0603551d20", "the same extension twice" },
	{ "self_ca", "0101ff", "010101", "extensions cannot be read" },
	{ "self_leaf", "82096c6f63616c", "87096c6f63616c", "subjectAltName" },
	{ "plain_server", "0603551d25", "0603551d13", "basicConstraints" },
	{ "self_leaf", "0603551d0f", "0603551d25", "extendedKeyUsage" },
	{ "self_leaf", "0603551d25", "0603551d1e", "nameConstraints" },
	{ "self_ca", "0603551d0e", "0603551d23", "authorityKeyIdentifier" },
	{ "self_ca", "0603551d0e", "0603551d0f", "keyUsage" },
};

START_TEST(malformed)
{
	struct trust *t = trust_of("peer:self_leaf");
	struct der der = certs_load(malformed_rows[_i].cert);
	unsigned char from[16], to[16], *at;
	size_t n = change_hex(malformed_rows[_i].from, from);
	struct errmsg why;

	ck_assert_uint_eq(change_hex(malformed_rows[_i].to, to), n);
	at = memmem(der.data, der.len, from, n);
	ck_assert_ptr_nonnull(at);
	memcpy(at, to, n);
	ck_assert_msg(
	    trust_judge(t, &der, 1, true, NULL, 0, time(NULL), &why) == TRUST_MALFORMED,
	    "%s", why.text);
	ck_assert_msg(strstr(why.text, malformed_rows[_i].says) != NULL, "%s", why.text);
	free(der.data);
	trust_free(t);
}
END_TEST

START_TEST(trailing_byte)
{
	struct trust *t = trust_of("peer:self_leaf");
	struct der der = certs_load("self_leaf");
	struct errmsg why;

	der.data = realloc(der.data, der.len + 1);
	der.data[der.len++] = 0;
	ck_assert_int_eq(
	    trust_judge(t, &der, 1, true, NULL, 0, time(NULL), &why), TRUST_MALFORMED);
	free(der.data);
	trust_free(t);
}
END_TEST

/* A chain made to keep us busy: all have one name and claim one issuer. */
START_TEST(tangled)
{
	struct trust *t = trust_of("ca:root");
	struct der chain[24], clone = certs_load("clone"), leaf = certs_load("evil_leaf");
	struct timespec begin, end;
	struct errmsg why;
	size_t i;

	chain[0] = leaf;
	for (i = 1; i < COUNT(chain); i++) {
		chain[i].len = clone.len;
		chain[i].data = malloc(clone.len);
		memcpy(chain[i].data, clone.data, clone.len);
		chain[i].data[clone.len - 1] = (unsigned char)i;
	}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
	ck_assert_int_eq(
	    trust_judge(t, chain, COUNT(chain), true, NULL, 0, time(NULL), &why),
	    TRUST_UNKNOWN_CA);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	/* It takes some milliseconds; without bounds it would take days. */
	ck_assert_int_lt(end.tv_sec - begin.tv_sec, 20);
	for (i = 0; i < COUNT(chain); i++)
		free(chain[i].data);
	free(clone.data);
	trust_free(t);
}
END_TEST

/*
 * Several threads with one trust.
 */

static const struct {
	const char *chain;
	enum trust_verdict verdict;
} thread_rows[] = {
	{ "leaf", TRUST_OK },
	{ "sub2_leaf sub sub2", TRUST_OK },
	{ "by_rsa_pss", TRUST_OK },
	{ "by_ed25519", TRUST_OK },
	{ "evil_leaf evil", TRUST_UNKNOWN_CA },
	{ "code_leaf sub_code", TRUST_WRONG_USE },
	{ "nc_dns_sub nc_sub nc", TRUST_BAD_CHAIN },
};

static void *
judge_for_a_while(void *arg)
{
	const struct trust *t = arg;
	struct der chain[4];
	struct errmsg why;
	size_t i, n, wrong = 0;

	for (i = 0; i < 10 * COUNT(thread_rows); i++) {
		n = load_chain(thread_rows[i % COUNT(thread_rows)].chain, chain, 4);
		if (trust_judge(t, chain, n, true, NULL, 0, time(NULL), &why) !=
		    thread_rows[i % COUNT(thread_rows)].verdict)
			wrong++;
		free_chain(chain, n);
	}
	return (void *)(uintptr_t)wrong;
}

START_TEST(threads)
{
	struct trust *t = trust_of("ca:root ca:rsa ca:ed25519");
	pthread_t ids[4];
	void *wrong;
	size_t i;

	for (i = 0; i < COUNT(ids); i++)
		ck_assert_int_eq(pthread_create(&ids[i], NULL, judge_for_a_while, t), 0);
	for (i = 0; i < COUNT(ids); i++) {
		pthread_join(ids[i], &wrong);
		ck_assert_uint_eq((uintptr_t)wrong, 0);
	}
	trust_free(t);
}
END_TEST

/* The verdict on a chain by a policy at a time, as test_verdicts.c has them. */
static enum trust_verdict
verdict(const char *names, const char *policy, time_t when)
{
	struct policy *p = policy_new(policy);
	struct trust *t = policy_trust(p);
	const char *hosts[POLICY_MOST];
	struct der chain[POLICY_MOST];
	size_t n = load_chain(names, chain, POLICY_MOST);
	size_t nhosts = policy_values(p, "host:", hosts);
	enum trust_verdict v;
	struct errmsg why;

	v = trust_judge(t, chain, n, !policy_has(p, "client"), hosts, nhosts, when, &why);
	free_chain(chain, n);
	trust_free(t);
	free(p);
	return v;
}

/* A signature is calculated once; what is remembered of it decides nothing else: not the date,
 * not the name, not what is trusted, not another key or signature. */
START_TEST(remembered_signatures)
{
	static const char chain[] = "sub2_leaf sub2 sub";
	const time_t now = time(NULL), year = 366 * 86400;
	unsigned long long before = signatures_checked();

	ck_assert_int_eq(verdict(chain, "ca:root", now), TRUST_OK);
	ck_assert_uint_eq(signatures_checked(), before + 3);
	ck_assert_int_eq(verdict(chain, "ca:root", now + year), TRUST_EXPIRED);
	ck_assert_int_eq(verdict(chain, "ca:root", now - year), TRUST_NOT_YET);
	ck_assert_int_eq(verdict(chain, "ca:root_b", now), TRUST_UNKNOWN_CA);
	ck_assert_int_eq(verdict(chain, "ca:evil", now), TRUST_UNKNOWN_CA);
	ck_assert_int_eq(verdict(chain, "peer:leaf ca:root", now), TRUST_NOT_PINNED);
	ck_assert_int_eq(verdict(chain, "ca:root host:elsewhere", now), TRUST_WRONG_NAME);
	make_broken("sub", "broken_sub");
	ck_assert_int_eq(verdict("sub2_leaf sub2 broken_sub", "ca:root", now), TRUST_UNKNOWN_CA);
	before = signatures_checked();
	ck_assert_int_eq(verdict(chain, "ca:root", now), TRUST_OK);
	ck_assert_uint_eq(signatures_checked(), before);
}
END_TEST

static Suite *
trust_suite(void)
{
	Suite *s = suite_create("trust");
	TCase *t = tcase_create("names");

#define ROWS(test, rows) tcase_add_loop_test(t, test, 0, (int)COUNT(rows))
	tcase_add_test(t, name_matches);
	tcase_add_test(t, long_name);
	suite_add_tcase(s, t);

	t = tcase_create("configuration");
	tcase_add_test(t, configuring);
	tcase_add_test(t, verdict_texts);
	suite_add_tcase(s, t);

	t = tcase_create("abuse");
	tcase_add_loop_test(t, damaged_leaf, 0, 3);
	tcase_add_loop_test(t, damaged_issuer, 0, 2);
	ROWS(malformed, malformed_rows);
	tcase_add_test(t, trailing_byte);
	tcase_add_test(t, tangled);
	tcase_add_test(t, threads);
	tcase_add_test(t, remembered_signatures);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	SRunner *r = srunner_create(trust_suite());
	int failed = 1;

	if (certs_make() == 0) {
		make_clone("clone", "root", "evil");
		srunner_run_all(r, CK_NORMAL);
		failed = srunner_ntests_failed(r);
	}
	certs_remove();
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
