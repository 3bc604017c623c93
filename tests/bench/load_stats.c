#include "load.h"

#include <stdio.h>
#include <stdlib.h>

void
stats_add(struct stats *s, int64_t value)
{
	if (s->count == s->room) {
		s->room = s->room ? 2 * s->room : 4096;
		s->values = realloc(s->values, s->room * sizeof(*s->values));
		if (s->values == NULL)
			fail("out of memory");
	}
	s->values[s->count++] = value;
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static double
quantile(const struct stats *s, double part)
{
	size_t at = (size_t)(part * (double)s->count);

	if (s->count == 0)
		return 0;
	return (double)s->values[at < s->count ? at : s->count - 1] / 1e3;
}

void
stats_print(struct stats *s)
{
	qsort(s->values, s->count, sizeof(*s->values), compare);
	printf(" p50=%.1f p99=%.1f max=%.1f", quantile(s, 0.5), quantile(s, 0.99),
	       quantile(s, 1));
	s->count = 0;
}
