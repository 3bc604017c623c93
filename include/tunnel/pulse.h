#ifndef TUNNEL_PULSE_H_
#define TUNNEL_PULSE_H_

#include <stdbool.h>

#include "tunnel/pool.h"

/*
 * Whether every thread's loop still turns: each is sent a message, and what it does
 * with it is to note that it came.  Main is woken by each answer.  Main only, while the
 * lanes run.
 */

/* Asks every lane that has answered. */
void pulse_ask(struct pool *);

/* Whether every lane has answered. */
bool pulse_felt(const struct pool *);

#endif
