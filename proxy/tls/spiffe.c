/* SPIFFE IDs: spiffe://, a trust domain in lower case, and segments; nothing else. */
#include <string.h>

#include "tls/rule_priv.h"

#define SPIFFE_MAX 2048
#define DOMAIN_MAX 255

static bool
is_domain_byte(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	    c == '_';
}

static size_t
segment_len(struct span s)
{
	const unsigned char *slash = s.n == 0 ? NULL : memchr(s.p, '/', s.n);

	return slash == NULL ? s.n : (size_t)(slash - s.p);
}

static bool
is_segment(struct span s)
{
	if (s.n == 0 || (s.n == 1 && s.p[0] == '.') ||
	    (s.n == 2 && s.p[0] == '.' && s.p[1] == '.'))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!is_domain_byte(s.p[i]) && !(s.p[i] >= 'A' && s.p[i] <= 'Z'))
			return false;
	return true;
}

bool
uri_is_spiffe_id(struct span s)
{
	size_t n;

	if (s.n > SPIFFE_MAX || s.n < 10 || memcmp(s.p, "spiffe://", 9) != 0)
		return false;
	s = (struct span){ s.p + 9, s.n - 9 };
	n = segment_len(s);
	if (n == 0 || n > DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_domain_byte(s.p[i]))
			return false;
	while (n < s.n) {
		s = (struct span){ s.p + n + 1, s.n - n - 1 };
		n = segment_len(s);
		if (!is_segment((struct span){ s.p, n }))
			return false;
	}
	return true;
}
