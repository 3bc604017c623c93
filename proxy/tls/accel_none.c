/* In a build without libipsec-mb. */
#include "accel_priv.h"

void
accel_start(bool wanted)
{
	(void)wanted;
}

const char *
accel_text(void)
{
	return "AES-GCM by wolfSSL (built without libipsec-mb)";
}

void
accel_join(WOLFSSL_CTX *ctx)
{
	(void)ctx;
}
