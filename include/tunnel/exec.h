#ifndef TUNNEL_EXEC_H_
#define TUNNEL_EXEC_H_

#include <stdbool.h>

#include "tunnel/tunnel.h"

/*
 * The program at the plain end of a tunnel, which the helper process starts: instead of
 * a target (exec), or instead of whom we accept (exec and connect, in client mode).
 * It has the peer's address in REMOTE_HOST and REMOTE_PORT, the names in the peer's
 * certificate, where that was verified, in SSL_CLIENT_DN, SSL_CLIENT_I_DN and SLUSS_PEER_…, the
 * channel binding in SLUSS_TLS_EXPORTER, and the variables of setEnv.
 * A struct exec belongs to its tunnel, in the tunnel's lane.  When the tunnel ends
 * first, the lane keeps it until the program has ended, too.
 */
struct exec;

/* Whether the service's tunnels end, or begin, at a program. */
bool exec_is_target(const struct conf_service *);
bool exec_is_source(const struct conf_service *);

/* A step of a tunnel in an accept lane: the program is started and becomes the plain
 * side. */
enum verdict exec_run(struct tunnel *);
enum verdict exec_late(struct tunnel *);

/* The tunnel's lane begins or ceases to listen to what the helper tells; a tunnel
 * without a program is left alone.  Joining returns -1 when the kernel refuses. */
int exec_join(struct tunnel *, struct lane *);
void exec_leave(struct tunnel *);

/* Whether the program is known to have ended. */
bool exec_has_ended(const struct tunnel *);

/* The program has ended and all that it said was handed on: nobody reads what would come
 * for it, so that direction ends, too. */
void exec_settle(struct tunnel *);

/* The tunnel is over; in its lane, its ends not closed yet.  A program that runs on is hung up
 * on: at once when the tunnel is cut off; after TIMEOUTclose when it is told a clean end in
 * spite of an error (abort = compat).  After a proper end it may run on as it likes. */
void exec_part(struct tunnel *);

/* Forgets the programs of ended tunnels; the lane runs no more. */
void exec_forget(struct lane *);

/* Makes the endpoint the program's: a socket, or the master of its terminal. */
void endpoint_program(struct endpoint *, int fd, bool terminal);

#endif
