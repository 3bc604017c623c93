#ifndef TUNNEL_PUMP_H_
#define TUNNEL_PUMP_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tunnel/endpoint.h"

/*
 * One direction of a tunnel: bytes from src to dst, then the end from src to dst.
 * It reads only when dst has kept nothing, so a slow side holds back the other one
 * and memory stays bounded.
 */
enum pump_state {
	PUMP_FLOWS,  /* bytes may come */
	PUMP_ENDING, /* src ended; dst has not been told all of it yet */
	PUMP_ENDED,  /* dst has it all, its end included */
	PUMP_FAILED, /* see why and at_dst */
};

struct pump {
	struct endpoint *src, *dst;
	enum pump_state state;
	enum iores why;  /* PUMP_FAILED: what happened */
	bool at_dst;     /* … while writing to dst; else while reading src */
	size_t batch;    /* bytes the next read may bring: what dst takes at once */
	uint64_t bytes;  /* taken from src so far */
};

void pump_init(struct pump *, struct endpoint *src, struct endpoint *dst);

/*
 * Moves what can be moved, at most rounds reads.  Returns true when it stopped only because the
 * rounds were spent: it must be run again without waiting, since nothing will announce
 * the bytes that are there already.
 */
bool pump_run(struct pump *, struct stage *, unsigned rounds);

/* Treats a failed read as an end: what was received is handed on, then a proper end. */
void pump_forgive(struct pump *);

#endif
