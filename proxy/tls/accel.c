#include "accel_priv.h"

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/cryptocb.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/memory.h>

#include <string.h>

#include "base/log.h"

/* Any number that is not INVALID_DEVID. */
#define DEVICE 0x5153

/*
 * Records from this size on go to the other library.  A tunnel keeps no expanded keys for it,
 * which would be 2 KiB: a thread expands the key when it meets another than before (0.12 µs),
 * which below 1 KiB costs more than is won and from 2 KiB on does not count.
 */
#define RECORD_MIN 2048

/* The longest text that is compared: a whole record. */
#define SAMPLE 16384

static int device = INVALID_DEVID;
static struct errmsg text = { "AES-GCM by wolfSSL" };

/* Decrypts; where the tag is not the right one nothing of the text is given out. */
static int
unseal(const struct accel_ops *ops, struct accel_job *j, const unsigned char *tag)
{
	unsigned char right[ACCEL_TAG];
	unsigned diff = 0;

	j->tag = right;
	ops->decrypt(j);
	for (size_t i = 0; i < ACCEL_TAG; i++)
		diff |= (unsigned)right[i] ^ tag[i];
	wc_ForceZero(right, sizeof(right));
	if (diff == 0)
		return 0;
	if (j->len > 0)
		wc_ForceZero(j->out, (word32)j->len);
	return AES_GCM_AUTH_E;
}

/* The part of the callback's two kinds of arguments that is the same. */
#define JOB_OF(a) { \
	.key = (const unsigned char *)(a)->aes->devKey, .key_len = (size_t)(a)->aes->keylen, \
	.iv = (a)->iv, .aad = (a)->authIn, .aad_len = (a)->authInSz, \
	.in = (a)->in, .out = (a)->out, .len = (a)->sz, \
}

static bool
is_for_us(const struct accel_job *j, size_t iv_len, size_t tag_len)
{
	return j->len >= RECORD_MIN && iv_len == ACCEL_IV && tag_len == ACCEL_TAG &&
	    (j->key_len == 16 || j->key_len == 32);
}

static int
take_seal(const struct accel_ops *ops, const wc_CryptoCb_AesAuthEnc *a)
{
	struct accel_job j = JOB_OF(a);

	if (!is_for_us(&j, a->ivSz, a->authTagSz))
		return CRYPTOCB_UNAVAILABLE;
	j.tag = a->authTag;
	ops->encrypt(&j);
	return 0;
}

static int
take_unseal(const struct accel_ops *ops, const wc_CryptoCb_AesAuthDec *a)
{
	struct accel_job j = JOB_OF(a);

	if (!is_for_us(&j, a->ivSz, a->authTagSz))
		return CRYPTOCB_UNAVAILABLE;
	return unseal(ops, &j, a->authTag);
}

static void
forget(const struct accel_ops *ops, const Aes *aes)
{
	if (aes->keylen > 0)
		ops->forget((const unsigned char *)aes->devKey, (size_t)aes->keylen);
}

/*
 * The library asks here first for everything that it does with keys.  It keeps the key itself as well
 * (devKey), and zeroes it: setting and freeing keys are left to it.
 */
static int
on_crypto(int id, wc_CryptoInfo *info, void *arg)
{
	(void)id;
	if (info->algo_type == WC_ALGO_TYPE_FREE && info->free.algo == WC_ALGO_TYPE_CIPHER &&
	    info->free.type == WC_CIPHER_AES)
		forget(arg, info->free.obj);
	if (info->algo_type != WC_ALGO_TYPE_CIPHER || info->cipher.type != WC_CIPHER_AES_GCM)
		return CRYPTOCB_UNAVAILABLE;
	return info->cipher.enc ? take_seal(arg, &info->cipher.aesgcm_enc) :
	    take_unseal(arg, &info->cipher.aesgcm_dec);
}

/* What is compared: a key, a nonce and texts of which no two bytes that are near are equal. */
struct sample {
	unsigned char key[32], iv[ACCEL_IV], aad[16];
	unsigned char plain[SAMPLE], sealed[SAMPLE], out[SAMPLE];
	unsigned char tag[ACCEL_TAG];
};

static void
fill(unsigned char *p, size_t n, unsigned step)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(i * step + (i >> 8) + 1);
}

/* Whether both make the same of one text, in place and not, and a wrong tag is seen. */
static bool
agrees_on(const struct accel_ops *ops, struct sample *s, const struct accel_job *what)
{
	unsigned char tag[ACCEL_TAG] = { 0 };
	struct accel_job j = *what;

	j.tag = tag;
	j.in = s->plain;
	j.out = s->out;
	ops->encrypt(&j);
	if (memcmp(s->out, s->sealed, j.len) != 0 || memcmp(tag, s->tag, sizeof(tag)) != 0)
		return false;
	j.in = j.out;
	if (unseal(ops, &j, s->tag) != 0 || memcmp(s->out, s->plain, j.len) != 0)
		return false;
	j.tag = tag;
	ops->encrypt(&j);
	if (memcmp(s->out, s->sealed, j.len) != 0 || memcmp(tag, s->tag, sizeof(tag)) != 0)
		return false;
	tag[j.len % ACCEL_TAG] ^= 1;
	return unseal(ops, &j, tag) == AES_GCM_AUTH_E;
}

static bool
agrees_with_key(const struct accel_ops *ops, struct sample *s, Aes *aes, size_t key_len)
{
	static const size_t lens[] = { 0, 1, 15, 16, 17, 255, 2048, 8191, SAMPLE };
	static const size_t aad_lens[] = { 5, 13 }; /* of TLS 1.3 and 1.2 */
	struct accel_job j = { .key = s->key, .key_len = key_len, .iv = s->iv, .aad = s->aad };

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		for (size_t k = 0; k < sizeof(aad_lens) / sizeof(aad_lens[0]); k++) {
			j.len = lens[i];
			j.aad_len = aad_lens[k];
			if (wc_AesGcmEncrypt(aes, s->sealed, s->plain, (word32)j.len, s->iv,
			    sizeof(s->iv), s->tag, sizeof(s->tag), s->aad,
			    (word32)j.aad_len) != 0 || !agrees_on(ops, s, &j))
				return false;
		}
	return true;
}

static bool
agrees(const struct accel_ops *ops)
{
	static const size_t key_lens[] = { 16, 16, 32, 32 };
	static struct sample s;
	bool same = true;
	Aes aes;

	fill(s.iv, sizeof(s.iv), 41);
	fill(s.aad, sizeof(s.aad), 43);
	fill(s.plain, sizeof(s.plain), 47);
	for (size_t i = 0; i < sizeof(key_lens) / sizeof(key_lens[0]) && same; i++) {
		if (wc_AesInit(&aes, NULL, INVALID_DEVID) != 0)
			return false;
		fill(s.key, sizeof(s.key), i % 2 == 0 ? 37 : 53);
		same = wc_AesGcmSetKey(&aes, s.key, (word32)key_lens[i]) == 0 &&
		    agrees_with_key(ops, &s, &aes, key_lens[i]);
		wc_AesFree(&aes);
	}
	return same;
}

bool
accel_use(const struct accel_ops *ops)
{
	if (device != INVALID_DEVID)
		wc_CryptoCb_UnRegisterDevice(device);
	device = INVALID_DEVID;
	if (ops == NULL || !agrees(ops) ||
	    wc_CryptoCb_RegisterDevice(DEVICE, on_crypto, (void *)ops) != 0)
		return false;
	device = DEVICE;
	return true;
}

int
accel_device(void)
{
	return device;
}

void
accel_join(WOLFSSL_CTX *ctx)
{
	wolfSSL_CTX_SetDevId(ctx, device);
}

void
accel_start(bool wanted)
{
	const struct accel_ops *ops = NULL;
	struct errmsg why = { "accel = off" };

	if (wanted)
		ops = accel_mb(&why);
	if (accel_use(ops)) {
		errmsg_set(&text, "AES-GCM by %s", ops->name);
		return;
	}
	if (ops != NULL) {
		errmsg_set(&why, "%s gives other results", ops->name);
		log_line(LOG_WARNING, "main", "AES-GCM by %s is not what wolfSSL makes of it: "
		    "it is not used; accel = off spares this test", ops->name);
	}
	errmsg_set(&text, "AES-GCM by wolfSSL (%s)", why.text);
}

const char *
accel_text(void)
{
	return text.text;
}
