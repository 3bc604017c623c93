#include <string.h>

#include "log_priv.h"

/* What stands in front of a record's three strings, which have no NUL here. */
struct head {
	struct timespec at;
	unsigned short lens[3];
	unsigned char level;
};

static void
put(struct log_ring *ring, const void *from, size_t n)
{
	size_t tail = (ring->head + ring->used) % LOG_RING_BYTES;
	size_t first = n < LOG_RING_BYTES - tail ? n : LOG_RING_BYTES - tail;

	memcpy(ring->bytes + tail, from, first);
	memcpy(ring->bytes, (const char *)from + first, n - first);
	ring->used += n;
}

static void
take(struct log_ring *ring, void *to, size_t n)
{
	size_t first = n < LOG_RING_BYTES - ring->head ? n : LOG_RING_BYTES - ring->head;

	memcpy(to, ring->bytes + ring->head, first);
	memcpy((char *)to + first, ring->bytes, n - first);
	ring->head = (ring->head + n) % LOG_RING_BYTES;
	ring->used -= n;
}

bool
log_ring_put(struct log_ring *ring, const struct log_record *r)
{
	const char *strings[3] = { r->id, r->service, r->text };
	struct head h = { .at = r->at, .level = (unsigned char)r->level };
	size_t need = sizeof(h);

	for (int i = 0; i < 3; i++) {
		h.lens[i] = (unsigned short)strnlen(strings[i], LOG_LINE_BYTES);
		need += h.lens[i];
	}
	if (need > LOG_RING_BYTES - ring->used)
		return false;
	put(ring, &h, sizeof(h));
	for (int i = 0; i < 3; i++)
		put(ring, strings[i], h.lens[i]);
	return true;
}

bool
log_ring_take(struct log_ring *ring, struct log_record *r, char *space)
{
	const char **strings[3] = { &r->id, &r->service, &r->text };
	struct head h;

	if (ring->used == 0)
		return false;
	take(ring, &h, sizeof(h));
	r->at = h.at;
	r->level = h.level;
	for (int i = 0; i < 3; i++) {
		take(ring, space, h.lens[i]);
		space[h.lens[i]] = '\0';
		*strings[i] = space;
		space += h.lens[i] + 1;
	}
	return true;
}
