/* A CRL: what is read must be whole, in order and found again; and one that was read reads the
 * same the second time. */
#include <stdlib.h>
#include <string.h>

#include "tls/crl_priv.h"

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
check_serials(const struct crl_text *t)
{
	struct span list = t->entries;
	struct crl_entry entry;
	struct serials s;
	size_t n = 0, steps = 0;

	check(serials_make(&s, t) == 0);
	check(s.n == t->n);
	while (crl_next(&list, &entry)) {
		check(entry.serial.n > 0 && entry.serial.n <= CRL_SERIAL_MOST);
		n += !entry.removed;
		check(entry.removed || serials_have(&s, entry.serial, &steps));
	}
	check(n == t->n && list.n == 0);
	for (size_t i = 1; i < s.n; i++)
		check(memcmp(s.bytes + (i - 1) * s.width, s.bytes + i * s.width, s.width) <= 0);
	serials_free(&s);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	struct errmsg e = { "" };
	struct crl_text t;

	if (crl_parse(&t, data, n, &e) == -1) {
		check(e.text[0] != '\0');
		return 0;
	}
	check(t.der.p == data && t.der.n == n);
	check(is_inside(t.tbs, data, n) && is_inside(t.sig, data, n));
	check(is_inside(t.issuer, data, n) && is_inside(t.number, data, n));
	check(is_inside(t.points, data, n) && is_inside(t.akid, data, n) && is_inside(t.entries, data, n));
	check(t.this_update <= t.next_update && t.width <= CRL_SERIAL_MOST);
	check_serials(&t);
	return 0;
}
