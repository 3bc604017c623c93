/* AES-GCM by libipsec-mb. */
#include <intel-ipsec-mb.h>

#include <stdio.h>
#include <string.h>

#include "accel_priv.h"

/* The library's functions for one length of key. */
struct mb {
	aes_gcm_pre_t expand;
	aes_gcm_enc_dec_t encrypt, decrypt;
};

static struct mb mb128, mb256;

/*
 * What the thread made of its last key: records come in batches of one key, and to expand it for each of
 * them costs a tenth more.  Sessions end, and change their keys, in the thread that moves their
 * data, where it is forgotten then.
 */
static _Thread_local struct {
	struct gcm_key_data expanded __attribute__((aligned(64)));
	unsigned char key[32];
	size_t len;
} kept;

/* Keys are random: how many bytes of two are the same tells nothing. */
static bool
is_kept(const unsigned char *key, size_t len)
{
	return len == kept.len && memcmp(key, kept.key, len) == 0;
}

static void
mb_forget(const unsigned char *key, size_t len)
{
	if (is_kept(key, len))
		explicit_bzero(&kept, sizeof(kept));
}

/* The functions need no manager, and nothing that threads share. */
static void
run(const struct accel_job *j, const struct mb *mb, aes_gcm_enc_dec_t crypt)
{
	struct gcm_context_data state;

	if (!is_kept(j->key, j->key_len)) {
		mb->expand(j->key, &kept.expanded);
		memcpy(kept.key, j->key, j->key_len);
		kept.len = j->key_len;
	}
	crypt(&kept.expanded, &state, j->out, j->in, j->len, j->iv, j->aad, j->aad_len, j->tag,
	    ACCEL_TAG);
	explicit_bzero(&state, sizeof(state));
}

static const struct mb *
mb_of(const struct accel_job *j)
{
	return j->key_len == 16 ? &mb128 : &mb256;
}

static void
mb_encrypt(const struct accel_job *j)
{
	run(j, mb_of(j), mb_of(j)->encrypt);
}

static void
mb_decrypt(const struct accel_job *j)
{
	run(j, mb_of(j), mb_of(j)->decrypt);
}

/* Without VAES the library is no faster than wolfSSL. */
static bool
cpu_is_for_it(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
	    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
	    __builtin_cpu_supports("vaes") && __builtin_cpu_supports("vpclmulqdq");
}

const struct accel_ops *
accel_mb(struct errmsg *why)
{
	static char name[48];
	static const struct accel_ops ops = { name, mb_encrypt, mb_decrypt, mb_forget };
	IMB_MGR *m;

	if (!cpu_is_for_it()) {
		errmsg_set(why, "the CPU lacks AVX-512 or VAES");
		return NULL;
	}
	/* The manager tells which functions are this CPU's; then it has served. */
	if ((m = alloc_mb_mgr(0)) == NULL) {
		errmsg_set(why, "out of memory");
		return NULL;
	}
	init_mb_mgr_avx512(m);
	mb128 = (struct mb){ m->gcm128_pre, m->gcm128_enc, m->gcm128_dec };
	mb256 = (struct mb){ m->gcm256_pre, m->gcm256_enc, m->gcm256_dec };
	snprintf(name, sizeof(name), "libipsec-mb %s", imb_get_version_str());
	free_mb_mgr(m);
	return &ops;
}
