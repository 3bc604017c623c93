#ifndef TLS_TICKET_KEYS_PRIV_H_
#define TLS_TICKET_KEYS_PRIV_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "tls/context.h"

#define TICKET_NAME 16
#define TICKET_SECRET 32

/* How many keys a file may have. */
#define TICKET_KEYS_MOST 3

/* How long a key that nobody gave us makes tickets, in seconds; it opens them as long again. */
#define TICKET_KEY_LIFE 3600

/* A key, and what tickets name it by, which follows from it. */
struct ticket_key {
	unsigned char name[TICKET_NAME];
	unsigned char secret[TICKET_SECRET];
};

/* Keys that were configured, the first of which makes tickets; none: those of the process. */
struct ticket_keys {
	struct ticket_key keys[TICKET_KEYS_MOST];
	size_t n;
};

/* Reads what the options say.  Returns 0, or -1 with the message filled; it names the option or the
 * file. */
int ticket_keys_read(struct ticket_keys *, const struct tls_resume *, struct errmsg *);

/* The key to make tickets with.  The process makes its own anew when they are old.  Returns
 * false when there is no randomness. */
bool ticket_keys_now(const struct ticket_keys *, int64_t now, struct ticket_key *);

/* The key of the name, if it may still open tickets. */
bool ticket_keys_find(const struct ticket_keys *, const unsigned char *name, int64_t now,
    struct ticket_key *);

#endif
