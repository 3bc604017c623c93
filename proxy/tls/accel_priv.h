#ifndef TLS_ACCEL_PRIV_H_
#define TLS_ACCEL_PRIV_H_

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "tls/accel.h"

#define ACCEL_IV 12
#define ACCEL_TAG 16

/* One encryption or decryption; lengths in bytes. */
struct accel_job {
	const unsigned char *key;
	size_t key_len;           /* 16 or 32 */
	const unsigned char *iv;  /* ACCEL_IV */
	const unsigned char *aad; /* authenticated, not encrypted */
	size_t aad_len;
	const unsigned char *in;
	unsigned char *out;       /* may be in */
	size_t len;
	unsigned char *tag;       /* ACCEL_TAG; what it should be, in either direction */
};

/* Another library's AES-GCM.  Any thread; a thread may keep what it made of its last key. */
struct accel_ops {
	const char *name;
	void (*encrypt)(const struct accel_job *);
	void (*decrypt)(const struct accel_job *);
	void (*forget)(const unsigned char *key, size_t len); /* the key ends: no trace may stay */
};

/* libipsec-mb's; NULL with the message filled: built without it, or not for this CPU. */
const struct accel_ops *accel_mb(struct errmsg *why);

/* Takes these from now on, if they agree with wolfSSL; NULL: nobody's.  Returns whether they do. */
bool accel_use(const struct accel_ops *);

/* The device for crypto callbacks: what an AES object is made for, or INVALID_DEVID. */
int accel_device(void);

/* Has the sessions that the context will have encrypt as was decided. */
void accel_join(WOLFSSL_CTX *);

#endif
