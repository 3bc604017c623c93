#ifndef TLS_PEM_PRIV_H_
#define TLS_PEM_PRIV_H_

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "tls/cert.h"

/* One block of a PEM text; it points into the text. */
struct pem_block {
	const char *label; /* what stands behind BEGIN */
	size_t label_len;
	size_t line;      /* where BEGIN stands, from 1 */
	const char *body; /* the lines up to END, without headers */
	size_t body_len;
	bool encrypted; /* a header says so */
};

/* Where a reader of a text is; begin with pem_start(). */
struct pem_reader {
	const char *next, *end;
	size_t line; /* of what is next */
};

struct pem_reader pem_start(const char *text, size_t);

/* Finds the next block; text around blocks is passed over.  Returns 1, 0 at the end of
 * the text, or -1 with a message for a block without an end. */
int pem_next(struct pem_reader *, struct pem_block *, struct errmsg *);

bool pem_is(const struct pem_block *, const char *label);

/* Decodes the block into memory that cert_free_secret() must free.  Returns 0 or -1. */
int pem_decode(const struct pem_block *, struct der *, struct errmsg *);

#endif
