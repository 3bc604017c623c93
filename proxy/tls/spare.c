/*
 * Memory for records, behind the hooks of the library's allocator.
 *
 * Spares are in use only while application data is read or written: what a handshake takes
 * lives for a while or for long, and would sit in blocks that are too large.  Every block is one of
 * malloc()'s, so whoever knows nothing of spares may free it or move it.
 */
#include "spare_priv.h"

#include <malloc.h>
#include <stdlib.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/memory.h>

/* The largest has room for a record with all that the library puts around it. */
static const size_t sizes[TLS_SPARES] = { 64, 256, 1024, 4096, 17 * 1024 };

/* By so much may a block turn out larger than it was asked for. */
#define SLACK 64

static _Thread_local struct tls_spares *mine;

/* The smallest of the sizes that holds n bytes, or TLS_SPARES. */
static size_t
class_for(size_t n)
{
	size_t i = 0;

	while (i < TLS_SPARES && sizes[i] < n)
		i++;
	return i;
}

/* The size that a block may serve as, or TLS_SPARES. */
static size_t
class_of(void *p)
{
	size_t n = malloc_usable_size(p), i = TLS_SPARES;

	while (i > 0 && sizes[i - 1] > n)
		i--;
	return i > 0 && n - sizes[i - 1] < SLACK ? i - 1 : TLS_SPARES;
}

static void *
take(size_t n)
{
	size_t i = mine == NULL ? TLS_SPARES : class_for(n);
	void *p;

	if (i == TLS_SPARES)
		return malloc(n);
	if ((p = mine->block[i]) == NULL)
		return malloc(sizes[i]);
	mine->block[i] = NULL;
	return p;
}

/* The library has wiped what was secret in it. */
static void
give(void *p)
{
	size_t i;

	if (p != NULL && mine != NULL && (i = class_of(p)) < TLS_SPARES &&
	    mine->block[i] == NULL)
		mine->block[i] = p;
	else
		free(p);
}

void
spares_install(void)
{
	wolfSSL_SetAllocators(take, give, realloc);
}

void
spares_use(struct tls_spares *s)
{
	mine = s;
}

void
tls_spares_free(struct tls_spares *s)
{
	for (size_t i = 0; i < TLS_SPARES; i++) {
		if (s->block[i] != NULL)
			wc_ForceZero(s->block[i], sizes[i]);
		free(s->block[i]);
	}
	*s = (struct tls_spares){ { NULL } };
}
