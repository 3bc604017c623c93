/* The CertificateRequest of TLS 1.2, out of whatever a server sends: names fit the buffer, of whatever size,
 * and a larger buffer has what a smaller one has. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tls/inspect.h"

int LLVMFuzzerTestOneInput(const unsigned char *, size_t);

static void
check(bool holds)
{
	if (!holds)
		abort();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	char large[8192], *small = malloc(n % 300 + 1);
	int found = tls_wanted_issuers(data, n, large, sizeof(large));

	check(small != NULL && found >= -1 && (size_t)(found + 1) <= n + 1);
	check(strlen(large) < sizeof(large) && (found > 0 || large[0] == '\0'));
	for (const char *p = large; *p != '\0'; p++)
		check((unsigned char)*p >= ' ' && *p != 0x7f);
	check(tls_wanted_issuers(data, n, small, n % 300 + 1) == found);
	check(strlen(small) <= n % 300 && strlen(small) <= strlen(large));
	free(small);
	return 0;
}
