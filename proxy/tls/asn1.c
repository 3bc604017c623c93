#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "tls/asn1_priv.h"

/* Takes n bytes off the front. */
static bool
cut(struct span *in, size_t n, struct span *out)
{
	if (in->n < n)
		return false;
	*out = (struct span){ in->p, n };
	in->p += n;
	in->n -= n;
	return true;
}

/* Takes a length in its shortest form; no certificate needs more than four bytes. */
static bool
take_length(struct span *in, size_t *len)
{
	struct span bytes;
	size_t i, n;

	if (!cut(in, 1, &bytes))
		return false;
	*len = bytes.p[0];
	if (*len < 0x80)
		return true;
	n = *len & 0x7f;
	if (n == 0 || n > 4 || !cut(in, n, &bytes) || bytes.p[0] == 0)
		return false;
	for (*len = 0, i = 0; i < n; i++)
		*len = *len << 8 | bytes.p[i];
	return *len >= 0x80;
}

bool
asn1_next(struct span *in, struct element *e)
{
	struct span rest = *in, tag;
	size_t len;

	if (!cut(&rest, 1, &tag) || (tag.p[0] & 0x1f) == 0x1f)
		return false;
	if (!take_length(&rest, &len) || !cut(&rest, len, &e->body))
		return false;
	e->tag = tag.p[0];
	e->whole = (struct span){ in->p, in->n - rest.n };
	*in = rest;
	return true;
}

bool
asn1_take(struct span *in, unsigned tag, struct span *body)
{
	struct span rest = *in;
	struct element e;

	if (!asn1_next(&rest, &e) || e.tag != tag)
		return false;
	*in = rest;
	*body = e.body;
	return true;
}

bool
asn1_ahead(const struct span *in, unsigned tag)
{
	return in->n > 0 && in->p[0] == tag;
}

bool
span_equal(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static unsigned char
lower(unsigned char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool
span_equal_nocase(struct span a, struct span b)
{
	size_t i;

	for (i = 0; a.n == b.n && i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return a.n == b.n;
}

bool
asn1_take_number(struct span *in, unsigned tag, unsigned *number)
{
	struct span body;
	unsigned long value = 0;
	size_t i;

	if (!asn1_take(in, tag, &body) || body.n == 0 || body.p[0] >= 0x80)
		return false;
	for (i = 0; i < body.n; i++) {
		value = value << 8 | body.p[i];
		if (value > INT_MAX)
			value = INT_MAX;
	}
	*number = (unsigned)value;
	return true;
}

bool
asn1_take_flag(struct span *in, bool *flag)
{
	struct span body;

	if (!asn1_ahead(in, TAG_BOOLEAN))
		return true;
	if (!asn1_take(in, TAG_BOOLEAN, &body) || body.n != 1)
		return false;
	*flag = body.p[0] != 0;
	return body.p[0] == 0 || body.p[0] == 0xff;
}

bool
asn1_take_octet_bits(struct span *in, struct span *body)
{
	if (!asn1_take(in, TAG_BITS, body) || body->n < 2 || body->p[0] != 0)
		return false;
	body->p++;
	body->n--;
	return true;
}

/* Two digits at an even place of a time. */
static bool
two_digits(const unsigned char *p, int *value)
{
	if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
		return false;
	*value = (p[0] - '0') * 10 + (p[1] - '0');
	return true;
}

static int
days_in(int year, int month)
{
	static const char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970-01-01; years are counted from March, so that a leap day is the last
 * day of its year, and from year 0 on. */
static int64_t
days_since_epoch(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t m = month <= 2 ? month + 9 : month - 3;
	int64_t era = (y < 0 ? y - 399 : y) / 400;
	int64_t in_era = y - era * 400;
	int64_t in_year = (153 * m + 2) / 5 + day - 1;

	return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

bool
asn1_take_time(struct span *in, int64_t *when)
{
	int f[7] = { 0 }; /* century, year, month, day, hour, minute, second */
	struct span body;
	int i, first = asn1_ahead(in, TAG_GENERAL_TIME) ? 0 : 1;

	if (!asn1_take(in, first == 0 ? TAG_GENERAL_TIME : TAG_UTC_TIME, &body))
		return false;
	if (body.n != (first == 0 ? 15 : 13) || body.p[body.n - 1] != 'Z')
		return false;
	for (i = first; i < 7; i++)
		if (!two_digits(body.p + 2 * (i - first), &f[i]))
			return false;
	if (first == 1)
		f[0] = f[1] >= 50 ? 19 : 20;
	if (f[2] < 1 || f[2] > 12 || f[3] < 1 || f[3] > days_in(f[0] * 100 + f[1], f[2]))
		return false;
	if (f[4] > 23 || f[5] > 59 || f[6] > 59)
		return false;
	*when = days_since_epoch(f[0] * 100 + f[1], f[2], f[3]) * 86400 + f[4] * 3600 +
	    f[5] * 60 + f[6];
	return true;
}

const char *
asn1_oid_text(struct span oid, char *text, size_t size)
{
	uint64_t arc = 0, top;
	size_t i, used = 0;
	int n;
	bool first = true;

	text[0] = '\0';
	for (i = 0; i < oid.n && used < size; i++) {
		arc = arc << 7 | (oid.p[i] & 0x7f);
		if (oid.p[i] & 0x80)
			continue;
		top = arc < 80 ? arc / 40 : 2;
		if (first)
			n = snprintf(text, size, "%" PRIu64 ".%" PRIu64, top, arc - top * 40);
		else
			n = snprintf(text + used, size - used, ".%" PRIu64, arc);
		used += (size_t)n;
		first = false;
		arc = 0;
	}
	return text;
}
