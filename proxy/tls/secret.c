#include <wolfssl/options.h>

#include <stdlib.h>

#include <wolfssl/wolfcrypt/memory.h>

#include "tls/cert.h"

void
cert_free_secret(void *p, size_t n)
{
	if (p == NULL)
		return;
	wc_ForceZero(p, n);
	free(p);
}
