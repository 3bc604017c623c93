#ifndef TUNNEL_ENDPOINT_H_
#define TUNNEL_ENDPOINT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/iores.h"
#include "net/wire.h"
#include "tls/session.h"

/*
 * One side of a tunnel.  Plain, TLS and echo differ in their operations; the
 * pump knows only these (and the tests script them).
 */

/* How many plaintext bytes one read brings at most. */
#define BATCH_MAX ((size_t)256 * 1024)
#define BATCH_MIN ((size_t)16 * 1024)

/*
 * Large buffers that all tunnels of a thread share; between two calls they hold nothing.  Three of
 * them overlap, so that what is moved stays in the CPU's cache: text is decrypted over the ciphertext
 * that it comes from, and encrypted over itself (see TLS_LEAD).
 */
struct stage {
	uint8_t *memory;     /* all of it but cipher_out; where plain is encrypted to */
	uint8_t *cipher_in;  /* BATCH_MAX: the end of plain */
	uint8_t *plain;      /* plain_cap: more than a batch decrypts to */
	size_t plain_cap;
	uint8_t *cipher_out; /* for all that is not encrypted from plain */
	size_t cipher_out_cap;
	struct tls_spares spares;
};

/* Returns 0, or -1 with errno set. */
int stage_init(struct stage *);
void stage_free(struct stage *);

struct endpoint;

struct endpoint_ops {
	/* Reads about want bytes (BATCH_MIN … BATCH_MAX) into stage->plain.  IO_OK with
	 * *n bytes (0 when only control records came: ask again), or why there are none. */
	enum iores (*read)(struct endpoint *, struct stage *, size_t want, size_t *n);
	/* Takes all n bytes; what the kernel refuses is kept.  Only after flush gave IO_OK. */
	enum iores (*write)(struct endpoint *, struct stage *, const uint8_t *, size_t n);
	/* Hands on what is kept.  IO_OK: nothing is, IO_WANT, IO_RESET. */
	enum iores (*flush)(struct endpoint *);
	/* Ends our direction properly behind what was written; flush sees it through. */
	enum iores (*finish)(struct endpoint *, struct stage *);
	/* Bytes taken that have not reached the other machine. */
	size_t (*unsent)(const struct endpoint *);
};

struct endpoint {
	const struct endpoint_ops *ops;
	struct wire wire;
	struct tls_session *tls;
	struct buf ahead;    /* TLS: ciphertext not decrypted yet; echo: what goes back */
	struct buf unread;   /* given back: what a read brings first */
	size_t control;      /* TLS: bytes kept that no write put there */
	enum iores held;     /* TLS: outcome that comes after the data, else IO_OK */
	bool finished;       /* finish was called */
	bool orderly;        /* to be closed in order although the tunnel failed */
	bool line_open;      /* a program's: what was written last ended no line */
};

/* The endpoint takes over the descriptors (the session). */
void endpoint_plain(struct endpoint *, int rfd, int wfd);
void endpoint_socket(struct endpoint *, int);
void endpoint_tls(struct endpoint *, int fd, struct tls_session *);

/* A plain endpoint whose tls was set speaks TLS from here on: what was given back is its
 * ciphertext. */
void endpoint_upgrade(struct endpoint *);

/* Gives back bytes that were read too much: the next read brings them.  0, or -1 (memory). */
int endpoint_unread(struct endpoint *, const uint8_t *, size_t);

/* Reads of such bytes into the stage; false when there are none. */
bool endpoint_read_again(struct endpoint *, struct stage *, size_t want, size_t *n);
void endpoint_echo(struct endpoint *);

bool endpoint_is_tls(const struct endpoint *);
bool endpoint_is_echo(const struct endpoint *);

/*
 * One step of the TLS handshake: reads what is there, answers.  IO_OK: done, and what
 * was read too much is kept.  IO_WANT; IO_EOF, IO_RESET: the peer left; IO_ALERT,
 * IO_PROTOCOL, IO_NOMEM as tls_session_handshake().
 */
enum iores endpoint_handshake(struct endpoint *, struct stage *);

/* The peer of a TLS session that is done may not pass: tls_session_refuse().  IO_OK, or the alert
 * cannot be told: IO_RESET, IO_NOMEM. */
enum iores endpoint_refuse(struct endpoint *, struct stage *, enum trust_verdict,
    const struct errmsg *, bool tell);

/* Frees it, closing in order or with a reset.  It must have left its loop; one freed
 * or never made (all zero) is left alone. */
void endpoint_close(struct endpoint *);
void endpoint_reset(struct endpoint *);

#endif
