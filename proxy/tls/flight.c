/* Handshake messages that come in clear. */
#include "flight_priv.h"

#include <string.h>

#define RECORD_HEADER 5
#define RECORD_HANDSHAKE 22

bool
flight_cut(struct span *in, size_t n, struct span *part)
{
	if (in->n < n)
		return false;
	*part = (struct span){ in->p, n };
	in->p += n;
	in->n -= n;
	return true;
}

bool
flight_vector(struct span *in, size_t width, struct span *body)
{
	struct span number;
	size_t n = 0;

	if (!flight_cut(in, width, &number))
		return false;
	for (size_t i = 0; i < width; i++)
		n = n << 8 | number.p[i];
	return flight_cut(in, n, body);
}

size_t
flight_messages(struct span wire, uint8_t *to)
{
	struct span head;
	size_t n = 0, len;

	while (wire.n >= RECORD_HEADER && wire.p[0] == RECORD_HANDSHAKE &&
	    flight_cut(&wire, RECORD_HEADER, &head)) {
		len = (size_t)head.p[3] << 8 | head.p[4];
		if (len > wire.n)
			len = wire.n;
		memcpy(to + n, wire.p, len);
		n += len;
		wire.p += len;
		wire.n -= len;
	}
	return n;
}
