#ifndef NET_WIRE_H_
#define NET_WIRE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/iores.h"
#include "net/loop.h"

/*
 * One side's connection to the kernel: a socket, or a pair of pipe or terminal
 * ends.  Edge-triggered: the wire remembers what the kernel said it can do and
 * asks again only then, so an idle or a blocked wire costs no system call.
 *
 * What the kernel does not take at once waits in the wire's stash; only then
 * does a wire own memory.
 */
struct wire {
	int rfd, wfd;        /* the same for a socket; -1: none */
	bool rsock, wsock;   /* sockets are asked with MSG_DONTWAIT: flags stay as inherited */
	bool readable;       /* the kernel may have bytes */
	bool writable;       /* the kernel may take bytes */
	bool hears_room;     /* the loop tells when it may again: once it did not */
	bool to_the_end;     /* an end is near: short reads prove nothing */
	bool broken;         /* a write failed: an end that is read is no proper one */
	bool fin_wanted;     /* FIN once the stash is empty */
	bool fin_sent;
	struct buf stash;
	struct loop *loop;   /* while it has joined one */
	struct watch in, out; /* out only when wfd differs */
	void (*wake)(void *); /* something became possible */
	void *owner;
};

/* A wire over one socket, or over two descriptors; it owns them.  Not watched yet. */
void wire_init(struct wire *, int rfd, int wfd);

/* The same over what is known to be a socket. */
void wire_socket(struct wire *, int);

/* Joins a loop: wake(owner) is called in its event phase.  Returns 0, or -1 with errno set. */
int wire_join(struct wire *, struct loop *, void (*)(void *), void *);

/* Does not ask the kernel for bytes before the loop says so, as it does of what waits already: for
 * one that has just joined. */
void wire_await(struct wire *);

/* Leaves the loop: nothing calls wake any more. */
void wire_leave(struct wire *, struct loop *);

/* Reads at most cap bytes.  IO_OK with *n > 0, IO_WANT, IO_EOF, IO_RESET. */
enum iores wire_read(struct wire *, void *, size_t, size_t *);

/* Writes everything: what the kernel refuses now goes to the stash.  IO_OK, IO_RESET, IO_NOMEM. */
enum iores wire_write(struct wire *, const void *, size_t);

/* Hands the stash, then a wanted FIN, to the kernel.  IO_OK when nothing is left,
 * IO_WANT, IO_RESET. */
enum iores wire_flush(struct wire *);

/* Wants a FIN behind what was written, and flushes. */
enum iores wire_finish(struct wire *);

/* Bytes the other side has not taken: the stash and what the kernel holds. */
size_t wire_unsent(const struct wire *);

/* Closes in order.  The wire must have left its loop.  One closed already is left alone. */
void wire_close(struct wire *);

/* Closes with a reset, where the kind of descriptor knows one. */
void wire_reset(struct wire *);

#endif
