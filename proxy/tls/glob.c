#include <assert.h>
#include <string.h>

#include "tls/rule_priv.h"

/* How many "*" stand at a place of the pattern: 0, 1 or 2. */
static size_t
stars(const char *p)
{
	return p[0] != '*' ? 0 : p[1] != '*' ? 1 : 2;
}

/* All places of the pattern that the bytes so far may lead to: so it takes a time that is
 * the product of both lengths, whatever the pattern. */
struct places {
	bool at[RULE_TEXT];
};

/* What a star may stand for is also nothing. */
static void
pass_stars(struct places *s, const char *pattern, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s->at[i])
			s->at[i + stars(pattern + i)] = true;
}

static unsigned char
fold(unsigned char c, bool nocase)
{
	return nocase && c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c;
}

static bool
step(struct places *s, const char *pattern, size_t n, unsigned char c, char separator,
    bool nocase)
{
	struct places next = { { false } };
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		size_t k = stars(pattern + i);

		if (!s->at[i])
			continue;
		if (k > 0)
			next.at[i] |= k == 2 || c != (unsigned char)separator;
		else
			next.at[i + 1] |= fold((unsigned char)pattern[i], nocase) == fold(c, nocase);
		any = any || next.at[i] || next.at[i + 1];
	}
	*s = next;
	pass_stars(s, pattern, n);
	return any;
}

bool
glob_matches(const char *pattern, struct span text, char separator, bool nocase)
{
	size_t n = strlen(pattern);
	struct places s = { { true } };

	assert(n < RULE_TEXT);
	pass_stars(&s, pattern, n);
	for (size_t i = 0; i < text.n; i++)
		if (!step(&s, pattern, n, text.p[i], separator, nocase))
			return false;
	return s.at[n];
}
