/* The answer of a responder (OCSP): what is read must be whole and inside the answer; and the HTTP
 * around it, however it is parted. */
#include <stdlib.h>

#include "net/http.h"
#include "tls/ocsp_priv.h"

#define BODY_MOST 4096

int LLVMFuzzerTestOneInput(const unsigned char *, size_t);

static void
check(bool holds)
{
	if (!holds)
		abort();
}

static bool
is_inside(struct span s, const unsigned char *data, size_t n)
{
	return s.p == NULL || (s.p >= data && s.p + s.n <= data + n);
}

static void
fuzz_answer(const unsigned char *data, size_t n)
{
	struct errmsg e = { "" };
	struct ocsp_single s;
	struct ocsp_text t;
	struct span rest;
	int rc;

	if (ocsp_parse(&t, data, n, &e) == -1) {
		check(e.text[0] != '\0');
		return;
	}
	check(is_inside(t.tbs, data, n) && is_inside(t.sig, data, n) && is_inside(t.certs, data, n));
	check(is_inside(t.responder, data, n) && is_inside(t.singles, data, n));
	check(is_inside(t.nonce, data, n) && t.sig.n > 0 && t.responder.p != NULL);
	for (rest = t.singles; (rc = ocsp_next(&rest, &s, &e)) == 1;) {
		check(is_inside(s.serial, t.singles.p, t.singles.n));
		check(is_inside(s.key_hash, t.singles.p, t.singles.n));
		check(s.says.this_update <= s.says.next_update);
		check(s.says.status == OCSP_REVOKED || s.says.revoked_at == 0);
	}
	/* It was read once, so it can be read. */
	check(rc == 0 && rest.n == 0);
}

/* Once there is an answer, more bytes change nothing where its length was told, and until then no part
 * of it is one. */
static void
fuzz_http(const char *data, size_t n)
{
	enum http_state state = HTTP_MORE, whole;
	const char *body, *again;
	struct errmsg e = { "" };
	size_t len, len_again, i;

	whole = http_answer(data, n, true, "t/t", BODY_MOST, &body, &len, &e);
	check(whole != HTTP_MORE);
	check(whole == HTTP_FAILED ? e.text[0] != '\0' :
	    len > 0 && len <= BODY_MOST && body >= data && body + len <= data + n);
	for (i = 0; i <= n && state == HTTP_MORE; i++)
		state = http_answer(data, i, false, "t/t", BODY_MOST, &again, &len_again, &e);
	if (state == HTTP_DONE)
		check(whole == HTTP_DONE && again == body && len_again == len);
	if (state == HTTP_FAILED)
		check(whole == HTTP_FAILED);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	fuzz_answer(data, n);
	if (n < 2048)
		fuzz_http((const char *)data, n);
	return 0;
}
