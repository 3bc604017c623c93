/* The ClientHello: however it arrives it is the same, and what it says lies inside of it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tls/hello.h"
#include "tls/kind_priv.h"

int LLVMFuzzerTestOneInput(const unsigned char *, size_t);

static void
inside(const struct hello_reader *r, const uint8_t *p, size_t n)
{
	if (p != NULL && (p < r->msg || p + n > r->msg + r->len))
		abort();
}

static void
parse(const struct hello_reader *r)
{
	struct hello h;

	if (!hello_parse(r, &h))
		return;
	if (strlen(h.name) >= HELLO_NAME)
		abort();
	inside(r, h.alpn, h.alpn_len);
	inside(r, h.sigalgs, 2 * h.nsigalgs);
	hello_offers_protocol(&h, "h2");
	for (int k = KIND_P256; k <= KIND_RSA; k++)
		own_suits(own_kind((enum own_key)k), &h, h.tls13);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	struct hello_reader whole = { 0 }, parts = { 0 };
	enum hello_state s = hello_read(&whole, data, n), p = HELLO_MORE;

	for (size_t i = 0; i <= n && p == HELLO_MORE; i++)
		p = hello_read(&parts, data, i);
	if (p != s)
		abort();
	if (s == HELLO_WHOLE) {
		if (whole.len < parts.len || memcmp(whole.msg, parts.msg, parts.len) != 0)
			abort();
		parse(&whole);
		parse(&parts);
	}
	hello_free(&whole);
	hello_free(&parts);
	return 0;
}
