#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static atomic_size_t total;

size_t
buf_total(void)
{
	return atomic_load_explicit(&total, memory_order_relaxed);
}

/* Makes room for n more bytes behind those held. */
static int
buf_reserve(struct buf *b, size_t n)
{
	size_t cap;
	uint8_t *p;

	if (b->off + b->len + n <= b->cap)
		return 0;
	if (b->off > 0) {
		memmove(b->data, b->data + b->off, b->len);
		b->off = 0;
	}
	if (b->len + n <= b->cap)
		return 0;
	cap = b->len + n;
	/* Grown a second time it will grow again: double, to copy less. */
	if (b->cap > 0 && cap < 2 * b->cap)
		cap = 2 * b->cap;
	p = realloc(b->data, cap);
	if (p == NULL)
		return -1;
	atomic_fetch_add_explicit(&total, cap - b->cap, memory_order_relaxed);
	b->data = p;
	b->cap = cap;
	return 0;
}

int
buf_append(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return 0;
	if (buf_reserve(b, n) == -1)
		return -1;
	memcpy(b->data + b->off + b->len, p, n);
	b->len += n;
	return 0;
}

void
buf_consume(struct buf *b, size_t n)
{
	assert(n <= b->len);
	b->off += n;
	b->len -= n;
	if (b->len == 0)
		buf_free(b);
}

void
buf_free(struct buf *b)
{
	atomic_fetch_sub_explicit(&total, b->cap, memory_order_relaxed);
	free(b->data);
	*b = (struct buf){ 0 };
}
