#ifndef BASE_BUF_H_
#define BASE_BUF_H_

#include <stddef.h>
#include <stdint.h>

/*
 * A queue of bytes that owns memory only while it holds some: what the kernel
 * did not take yet.  A value; all zero is empty.  One thread at a time.
 */
struct buf {
	uint8_t *data;
	size_t off; /* first byte held */
	size_t len; /* bytes held */
	size_t cap;
};

/* Appends n bytes.  Returns 0, or -1 when memory ran out (nothing appended). */
int buf_append(struct buf *, const void *, size_t);

/* The first of b->len bytes held. */
static inline const uint8_t *
buf_head(const struct buf *b)
{
	return b->data + b->off;
}

/* Drops n bytes (at most len) from the front; the last one gives the memory back. */
void buf_consume(struct buf *, size_t);

/* Empties it and gives the memory back. */
void buf_free(struct buf *);

/* Bytes of memory that all buffers of the process own now; any thread. */
size_t buf_total(void);

#endif
