#include <stdlib.h>

#include "tunnel/listening.h"

struct listening *
listening_new(size_t n)
{
	struct listening *l;

	if ((l = calloc(1, sizeof(*l) + n * sizeof(l->items[0]))) == NULL)
		return NULL;
	atomic_init(&l->refs, 1);
	l->n = n;
	return l;
}

struct listening *
listening_ref(struct listening *l)
{
	atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
	return l;
}

void
listening_unref(struct listening *l)
{
	if (l == NULL || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < l->n; i++)
		service_unref(l->items[i].service);
	free(l);
}
