/*
 * The load generator of `make bench`: clients and the backend of one tunnel, in one
 * thread and one epoll loop, so that it costs less than what it measures. TLS is
 * OpenSSL's, apart from the program under test. A failure ends the program: a figure
 * is measured whole or not at all.
 */

#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one system call may move. */
#define CHUNK 262144

/* Ends the program after a message on standard error; errno's text is added if set. */
_Noreturn void fail(const char *what);

/* Nanoseconds of the monotonic clock. */
int64_t now(void);

/* load_conn.c: a non-blocking connection, plain or TLS. */

struct conn {
	int fd;
	SSL *ssl;		     /* NULL when plain */
	BIO *out;		     /* owned by ssl: records that are not sent yet */
	size_t sent;		     /* of what out holds */
	uint32_t events;	     /* that the loop waits for */
	void (*ready)(struct conn *); /* called when one of them came */
};

/* Says how long a turn of the loop may wait; -1 is for ever, 0 not at all. */
void loop_turn(int milliseconds);

/* Has ready called when fd can be read; not for connections. */
void loop_watch(int fd, void (*ready)(int fd));
void loop_unwatch(int fd);

/*
 * A connection over fd, which it owns from then on. With ctx it is TLS, as its server
 * or as a client that offers session (which may be NULL and stays the caller's).
 */
void conn_init(struct conn *c, int fd, SSL_CTX *ctx, bool server, SSL_SESSION *session,
	       void (*ready)(struct conn *));
void conn_fini(struct conn *c);

/* Connects to a port of 127.0.0.1. */
int dial(int port);

/* 1 when the handshake is over, 0 when it has to wait. */
int conn_handshake(struct conn *c);

/*
 * Takes up to CHUNK bytes from data, fewer or none when the peer is slow; the loop then
 * waits until more can be sent. Nothing may be left in conn_pending() before an answer
 * is waited for.
 */
size_t conn_write(struct conn *c, const void *data, size_t len);

/* Sends what is left over; whether some still is. */
bool conn_pending(struct conn *c);

/* Some bytes into data, 0 when there are none yet, -1 at the end of the peer's. */
int conn_read(struct conn *c, void *data, size_t len);

/* Tells the peer that no more comes. */
void conn_finish(struct conn *c);

/* Waits for input, and for room to send when there is more to say. */
void conn_await(struct conn *c, bool more);

/*
 * TLS 1.3 with AES-128-GCM alone. cert holds key and certificate, peers are verified
 * against the CA in the file ca.
 */
SSL_CTX *tls_context(bool server, const char *cert, const char *ca);

/*
 * load_backend.c: answers requests. 'e' is answered with 'e'; 'x' begins a struct
 * request, which is answered with as many bytes as it says once it came whole.
 */

struct __attribute__((packed)) request {
	char kind;	 /* 'x' */
	uint64_t length; /* of the request, with this head */
	uint64_t answer; /* bytes wanted back */
};

/* Listens on a free port of 127.0.0.1, which is returned. ctx may be NULL: plain. */
int backend_listen(SSL_CTX *ctx);

/* load_works.c: what a client can do; each prints one line of "name=value" pairs. */

struct client {
	int port;     /* of the tunnel */
	SSL_CTX *ctx; /* NULL: plain */
};

/* Opens count tunnels more and holds them; at most 32 open at the same time. */
void work_open(const struct client *client, size_t count);

/* Closes all that are held. */
void work_close(void);

/*
 * Opens, uses for one byte there and back, and closes count tunnels, width at a time.
 * resume: with the session of an earlier one, as far as there are any.
 */
void work_shake(const struct client *client, size_t width, size_t count, bool resume);

/* The same, full ones, without end; work_calm() ends it and prints the line. */
void work_storm(const struct client *client, size_t width);
void work_calm(void);

/* count exchanges over the held tunnels in turn, width of them at any time. */
void work_exchange(size_t width, uint64_t length, uint64_t answer, size_t count);

/*
 * rate exchanges a second over the held tunnels in turn, for so many milliseconds; the
 * latency counts from when an exchange was due, not from when its tunnel was free.
 */
void work_paced(unsigned rate, uint64_t length, uint64_t answer, unsigned milliseconds);

/* load_stats.c: durations in nanoseconds. */

struct stats {
	int64_t *values;
	size_t count, room;
};

void stats_add(struct stats *s, int64_t value);
/* Prints " p50=… p99=… max=…" in microseconds, and empties it. */
void stats_print(struct stats *s);

#endif
