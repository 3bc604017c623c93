/* AES-GCM by another library: who does which record, what comes of a wrong tag, and that a library
 * which makes mistakes is not used. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tls/accel_priv.h"
#include "tls/library.h"

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#define RECORD ((size_t)16384)

static unsigned calls;

/* Of the first key that is tried, its second byte. */
static unsigned char first_key;

static void
with_aes(const struct accel_job *j, bool encrypt)
{
	unsigned char tag[ACCEL_TAG] = { 0 };
	Aes aes;

	calls++;
	ck_assert_int_eq(wc_AesInit(&aes, NULL, INVALID_DEVID), 0);
	ck_assert_int_eq(wc_AesGcmSetKey(&aes, j->key, (word32)j->key_len), 0);
	if (encrypt) {
		ck_assert_int_eq(wc_AesGcmEncrypt(&aes, j->out, j->in, (word32)j->len, j->iv,
		    ACCEL_IV, j->tag, ACCEL_TAG, j->aad, (word32)j->aad_len), 0);
	} else {
		unsigned char *sealed = malloc(j->len + 1), *plain = malloc(j->len + 1);

		/* The other direction of the key stream; then the tag of what came in. */
		memcpy(sealed, j->in, j->len);
		ck_assert_int_eq(wc_AesGcmEncrypt(&aes, plain, sealed, (word32)j->len, j->iv,
		    ACCEL_IV, tag, ACCEL_TAG, j->aad, (word32)j->aad_len), 0);
		ck_assert_int_eq(wc_AesGcmEncrypt(&aes, sealed, plain, (word32)j->len, j->iv,
		    ACCEL_IV, j->tag, ACCEL_TAG, j->aad, (word32)j->aad_len), 0);
		memcpy(j->out, plain, j->len);
		free(sealed);
		free(plain);
	}
	wc_AesFree(&aes);
}

static void
right_encrypt(const struct accel_job *j)
{
	if (calls == 0)
		first_key = j->key[1];
	with_aes(j, true);
}

static void
right_decrypt(const struct accel_job *j)
{
	with_aes(j, false);
}

/* The key that ended last. */
static unsigned char forgotten[32];
static size_t forgotten_len;

static void
forget(const unsigned char *key, size_t len)
{
	ck_assert(len == 16 || len == 24 || len == 32);
	memcpy(forgotten, key, len);
	forgotten_len = len;
}

static const struct accel_ops right = { "a library", right_encrypt, right_decrypt, forget };

/* The faults that a library may have: in which jobs, and what comes out wrong. */
static struct fault {
	const char *name;
	size_t key_len, least, most, aad_len; /* 0: any */
	bool decrypting, in_place, in_tag, second_key;
} fault;

static const struct fault faults[] = {
	{ .name = "all of it", .most = RECORD },
	{ .name = "AES-128", .key_len = 16, .most = RECORD },
	{ .name = "AES-256", .key_len = 32, .most = RECORD },
	{ .name = "another key", .second_key = true, .most = RECORD },
	{ .name = "one byte", .least = 1, .most = 1 },
	{ .name = "less than a block", .least = 15, .most = 15 },
	{ .name = "a block and a byte", .least = 17, .most = 17 },
	{ .name = "a whole record", .least = RECORD, .most = RECORD },
	{ .name = "TLS 1.2", .aad_len = 13, .most = RECORD },
	{ .name = "TLS 1.3", .aad_len = 5, .most = RECORD },
	{ .name = "in place", .in_place = true, .most = RECORD },
	{ .name = "decrypting", .decrypting = true, .least = 16, .most = RECORD },
	{ .name = "the tag", .in_tag = true, .most = RECORD },
	{ .name = "the tag of nothing", .in_tag = true, .most = 0 },
	{ .name = "the tag when decrypting", .in_tag = true, .decrypting = true, .most = 0 },
};

static void
spoil(const struct accel_job *j, bool decrypting)
{
	if (decrypting != fault.decrypting || j->len < fault.least || j->len > fault.most ||
	    (fault.in_place && j->in != j->out) ||
	    (fault.second_key && j->key[1] == first_key) ||
	    (fault.key_len != 0 && j->key_len != fault.key_len) ||
	    (fault.aad_len != 0 && j->aad_len != fault.aad_len))
		return;
	if (fault.in_tag)
		j->tag[ACCEL_TAG - 1] ^= 1;
	else if (j->len > 0)
		j->out[j->len - 1] ^= 0x80;
}

static void
faulty_encrypt(const struct accel_job *j)
{
	with_aes(j, true);
	spoil(j, false);
}

static void
faulty_decrypt(const struct accel_job *j)
{
	with_aes(j, false);
	spoil(j, true);
}

static const struct accel_ops faulty = { "a faulty library", faulty_encrypt, faulty_decrypt, forget };

static void
set_up(void)
{
	struct errmsg e;

	ck_assert_int_eq(tls_library_start(&e), 0);
}

static void
tear_down(void)
{
	accel_use(NULL);
	tls_library_stop();
}

START_TEST(faults_are_found)
{
	ck_assert(accel_use(&right));
	ck_assert_int_ne(accel_device(), INVALID_DEVID);
	fault = faults[_i];
	ck_assert_msg(!accel_use(&faulty), "not seen: %s", fault.name);
	ck_assert_int_eq(accel_device(), INVALID_DEVID);
}
END_TEST

START_TEST(forgeries_are_refused)
{
	unsigned char key[16] = { 1 }, iv[ACCEL_IV] = { 2 }, aad[5] = { 3 }, tag[ACCEL_TAG];
	static unsigned char plain[RECORD], sealed[RECORD], out[RECORD], zeros[RECORD];
	Aes aes;

	memset(plain, 'p', sizeof(plain));
	ck_assert(accel_use(&right));
	ck_assert_int_eq(wc_AesInit(&aes, NULL, accel_device()), 0);
	ck_assert_int_eq(wc_AesGcmSetKey(&aes, key, sizeof(key)), 0);
	ck_assert_int_eq(wc_AesGcmEncrypt(&aes, sealed, plain, RECORD, iv, ACCEL_IV, tag,
	    ACCEL_TAG, aad, sizeof(aad)), 0);
	ck_assert_int_eq(wc_AesGcmDecrypt(&aes, out, sealed, RECORD, iv, ACCEL_IV, tag,
	    ACCEL_TAG, aad, sizeof(aad)), 0);
	ck_assert_mem_eq(out, plain, RECORD);
	for (size_t i = 0; i < ACCEL_TAG; i++) {
		tag[i] ^= 1;
		memset(out, 'x', sizeof(out));
		ck_assert_int_eq(wc_AesGcmDecrypt(&aes, out, sealed, RECORD, iv, ACCEL_IV, tag,
		    ACCEL_TAG, aad, sizeof(aad)), AES_GCM_AUTH_E);
		ck_assert_mem_eq(out, zeros, RECORD);
		tag[i] ^= 1;
	}
	sealed[RECORD / 2] ^= 1;
	ck_assert_int_eq(wc_AesGcmDecrypt(&aes, out, sealed, RECORD, iv, ACCEL_IV, tag,
	    ACCEL_TAG, aad, sizeof(aad)), AES_GCM_AUTH_E);
	wc_AesFree(&aes);
}
END_TEST

/* Whether a text of n bytes goes to the other library, both ways, and is the same by either. */
static bool
is_taken(size_t n, int key_len)
{
	unsigned char key[32] = { 7 }, iv[ACCEL_IV] = { 8 }, aad[13] = { 9 };
	unsigned char tag[2][ACCEL_TAG], *plain, *sealed[2];
	unsigned before = calls;
	Aes aes;

	plain = calloc(n + 1, 1);
	for (int i = 0; i < 2; i++) {
		sealed[i] = calloc(n + 1, 1);
		ck_assert_int_eq(wc_AesInit(&aes, NULL, i == 0 ? INVALID_DEVID :
		    accel_device()), 0);
		ck_assert_int_eq(wc_AesGcmSetKey(&aes, key, (word32)key_len), 0);
		ck_assert_int_eq(wc_AesGcmEncrypt(&aes, sealed[i], plain, (word32)n, iv,
		    ACCEL_IV, tag[i], ACCEL_TAG, aad, sizeof(aad)), 0);
		ck_assert_int_eq(wc_AesGcmDecrypt(&aes, plain, sealed[i], (word32)n, iv,
		    ACCEL_IV, tag[i], ACCEL_TAG, aad, sizeof(aad)), 0);
		wc_AesFree(&aes);
	}
	ck_assert_mem_eq(sealed[0], sealed[1], n);
	ck_assert_mem_eq(tag[0], tag[1], ACCEL_TAG);
	free(plain);
	free(sealed[0]);
	free(sealed[1]);
	ck_assert(calls == before || calls == before + 2);
	return calls != before;
}

START_TEST(large_records_are_taken)
{
	ck_assert(accel_use(&right));
	ck_assert(is_taken(RECORD, 16));
	ck_assert(is_taken(RECORD, 32));
	ck_assert(is_taken(2048, 16));
	ck_assert(!is_taken(2047, 16));
	ck_assert(!is_taken(RECORD, 24));
	ck_assert(!is_taken(0, 16));
	ck_assert(!accel_use(NULL));
	ck_assert(!is_taken(RECORD, 16));
}
END_TEST

/* The other library is told of each key that ends, and of no other. */
START_TEST(keys_are_forgotten)
{
	unsigned char key[32] = { 11, 12 };
	Aes aes;

	ck_assert(accel_use(&right));
	forgotten_len = 0;
	ck_assert_int_eq(wc_AesInit(&aes, NULL, accel_device()), 0);
	wc_AesFree(&aes);
	ck_assert_uint_eq(forgotten_len, 0);
	ck_assert_int_eq(wc_AesInit(&aes, NULL, accel_device()), 0);
	ck_assert_int_eq(wc_AesGcmSetKey(&aes, key, sizeof(key)), 0);
	ck_assert_uint_eq(forgotten_len, 0);
	wc_AesFree(&aes);
	ck_assert_uint_eq(forgotten_len, sizeof(key));
	ck_assert_mem_eq(forgotten, key, sizeof(key));
}
END_TEST

/* What was kept of a key never serves another, nor the same after its end. */
START_TEST(keys_alternate)
{
	static unsigned char plain[RECORD], sealed[2][RECORD];
	unsigned char key[32] = { 0 }, iv[ACCEL_IV] = { 1 }, tag[2][ACCEL_TAG];
	struct errmsg why;
	Aes aes;

	accel_use(accel_mb(&why));
	ck_assert(accel_mb(&why) == NULL || accel_device() != INVALID_DEVID);
	for (unsigned i = 0; i < 64; i++) {
		size_t len = i / 2 % 2 == 0 ? 16 : 32;

		key[5] = (unsigned char)(i % 3);
		for (int k = 0; k < 2; k++) {
			ck_assert_int_eq(wc_AesInit(&aes, NULL, k == 0 ? INVALID_DEVID :
			    accel_device()), 0);
			ck_assert_int_eq(wc_AesGcmSetKey(&aes, key, (word32)len), 0);
			ck_assert_int_eq(wc_AesGcmEncrypt(&aes, sealed[k], plain, RECORD, iv,
			    ACCEL_IV, tag[k], ACCEL_TAG, iv, 5), 0);
			/* Some keys live on while others are used. */
			if (k == 0 || i % 5 == 0)
				wc_AesFree(&aes);
		}
		ck_assert_mem_eq(sealed[0], sealed[1], RECORD);
		ck_assert_mem_eq(tag[0], tag[1], ACCEL_TAG);
	}
}
END_TEST

/* The real one, where this machine has it. */
START_TEST(of_the_machine)
{
	struct errmsg why;
	const struct accel_ops *mb = accel_mb(&why);

	accel_start(false);
	ck_assert_str_eq(accel_text(), "AES-GCM by wolfSSL (accel = off)");
	ck_assert_int_eq(accel_device(), INVALID_DEVID);
	accel_start(true);
	if (mb == NULL) {
		ck_assert_ptr_nonnull(strstr(accel_text(), why.text));
		ck_assert_int_eq(accel_device(), INVALID_DEVID);
		return;
	}
	ck_assert_str_eq(accel_text() + strlen("AES-GCM by "), mb->name);
	ck_assert_int_ne(accel_device(), INVALID_DEVID);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("accel");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, faults_are_found, 0, (int)(sizeof(faults) / sizeof(faults[0])));
	tcase_add_test(tc, forgeries_are_refused);
	tcase_add_test(tc, large_records_are_taken);
	tcase_add_test(tc, keys_are_forgotten);
	tcase_add_test(tc, keys_alternate);
	tcase_add_test(tc, of_the_machine);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
