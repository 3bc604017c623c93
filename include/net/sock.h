#ifndef NET_SOCK_H_
#define NET_SOCK_H_

#include <stdbool.h>

#include "base/errmsg.h"
#include "net/addr.h"
#include "net/sockopt.h"

/* Stream sockets, non-blocking and close-on-exec. */

/* What a socket gets before it listens or connects; all zero: nothing but our defaults. */
struct sock_setup {
	const struct sockopt *opts;   /* those of side a (listening) or r (connecting) count */
	size_t nopts;
	const struct addr *sources;   /* connect from the first that is of the target's family */
	size_t nsources;              /* 0: from any */
	bool foreign;                 /* the source, or what it listens on, is no address of this
	                                 machine (IP_TRANSPARENT) */
	bool overlaps;                /* listens beside a socket of ours: see sock_overlap() */
};

/*
 * Listens on an address; *bound is where it really listens (port 0 becomes the
 * port given).  An IPv6 wildcard takes IPv4 too.  A unix socket file that
 * nobody listens on is replaced, one in use is an error.  Returns the
 * descriptor, or -1 with the message filled.
 */
int sock_listen(const struct addr *, const struct sock_setup *, struct addr *bound,
    struct errmsg *);

/* Every address of the machine at this port: IPv6 with IPv4, or IPv4 alone where
 * there is no IPv6.  As sock_listen(). */
int sock_listen_any(const char *port, const struct sock_setup *, struct addr *bound,
    struct errmsg *);

/* Lets a socket that listens already, and another one that is about to, have addresses that overlap, as
 * "every address" and one of them do; or no more. */
void sock_overlap(int, bool);

/* Takes a connection; *peer is where it comes from (IPv4 as such on an IPv6 socket,
 * too).  Returns the descriptor, or
 * -1 with errno set (EAGAIN: none waits). */
int sock_accept(int, struct addr *peer);

/* The address of our own end, IPv4 as such, too.  0, or -1 with errno set. */
int sock_local(int, struct addr *);

/* Whether an address is one of this machine's; a unix socket always is.  When the kernel cannot be
 * asked it is taken for one. */
bool sock_is_own(const struct addr *);

/* Starts connecting; the socket is tuned (sock_tune) and set up.  Returns the descriptor, or -1 with
 * errno set; *pending says that the outcome comes later, as writability: see sock_outcome(). */
int sock_connect(const struct addr *, const struct sock_setup *, bool *pending);

/* Where the peer of an accepted connection wanted to go: what it was before the kernel redirected it to us
 * (SO_ORIGINAL_DST), else the socket's own address, where that is a foreign one (TPROXY).  Returns 0, or
 * -1 with errno set: ELOOP, it wanted to come here. */
int sock_destination(int, struct addr *);

/* The outcome of a connection attempt: 0 connected, else the errno. */
int sock_outcome(int);

/* What every tunnel's socket gets: TCP_NODELAY, keepalive, urgent data in line.
 * A socket that knows no such option is left alone.  What is accepted has it from its listener. */
void sock_tune(int);

/* Whether the descriptor is a socket. */
bool sock_is(int);

/* Bytes sent that the other side has not acknowledged; 0 where nobody can say. */
int sock_unsent(int);

/* Closes with a reset instead of an orderly end. */
void sock_reset(int);

/* What a read would find, without reading. */
enum sock_state { SOCK_SILENT, SOCK_BYTES, SOCK_END, SOCK_ERROR };
enum sock_state sock_peek(int);

#endif
