#include <stdlib.h>
#include <string.h>

#include "tls/crl_priv.h"

/*
 * Serial numbers side by side.  An INTEGER is filled up in front with copies of its
 * sign, so that equal numbers, and only those, are equal bytes.
 */

static void
widen(unsigned char *to, size_t width, struct span serial)
{
	memset(to, serial.p[0] & 0x80 ? 0xff : 0, width - serial.n);
	memcpy(to + width - serial.n, serial.p, serial.n);
}

static int
compare(const void *a, const void *b, void *width)
{
	return memcmp(a, b, *(const size_t *)width);
}

/* Most CAs write them in order. */
static bool
is_sorted(const struct serials *s)
{
	size_t i;

	for (i = 1; i < s->n; i++)
		if (memcmp(s->bytes + (i - 1) * s->width, s->bytes + i * s->width, s->width) > 0)
			return false;
	return true;
}

int
serials_make(struct serials *s, const struct crl_text *c)
{
	struct span list = c->entries;
	struct crl_entry entry;

	*s = (struct serials){ .width = c->width };
	if (c->n == 0)
		return 0;
	if ((s->bytes = malloc(c->n * c->width)) == NULL)
		return -1;
	while (crl_next(&list, &entry))
		if (!entry.removed)
			widen(s->bytes + s->n++ * s->width, s->width, entry.serial);
	if (!is_sorted(s))
		qsort_r(s->bytes, s->n, s->width, compare, &s->width);
	return 0;
}

void
serials_free(struct serials *s)
{
	free(s->bytes);
	*s = (struct serials){ 0 };
}

/* Certificates may have serial numbers with more bytes in front than DER allows. */
static struct span
shortest(struct span serial)
{
	while (serial.n > 1 && (serial.p[0] == 0x00 || serial.p[0] == 0xff) &&
	    ((serial.p[0] ^ serial.p[1]) & 0x80) == 0) {
		serial.p++;
		serial.n--;
	}
	return serial;
}

bool
serials_have(const struct serials *s, struct span serial, size_t *steps)
{
	unsigned char wanted[CRL_SERIAL_MOST];
	size_t low = 0, high = s->n, middle;
	int order;

	serial = shortest(serial);
	if (serial.n == 0 || serial.n > s->width)
		return false;
	widen(wanted, s->width, serial);
	while (low < high) {
		middle = low + (high - low) / 2;
		++*steps;
		order = memcmp(wanted, s->bytes + middle * s->width, s->width);
		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}
