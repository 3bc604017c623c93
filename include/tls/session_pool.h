#ifndef TLS_SESSION_POOL_H_
#define TLS_SESSION_POOL_H_

#include <stddef.h>
#include <stdint.h>

/*
 * Sessions that servers offered to resume, kept by a client.  A pool belongs to one service as
 * it is configured: whatever changes how a server is judged, or what the client shows, begins a
 * new pool, and the old one is closed.  Inside of it sessions are kept by upstream; see
 * tls_session_resume().  Refcounted; any thread.
 */
struct session_pool;

/* Of one upstream no more than that many are kept. */
#define SESSIONS_OF_ONE 32

/* The longest ticket that is kept, in bytes. */
#define SESSION_TICKET_MOST 4096

/* A pool for so many sessions at most, the oldest of which go first, and none of which is used
 * when the full handshake it comes from is so many seconds ago.  NULL: no memory. */
struct session_pool *session_pool_new(size_t most, int64_t seconds);
struct session_pool *session_pool_ref(struct session_pool *);
void session_pool_unref(struct session_pool *); /* NULL is fine */

/* Forgets all sessions, and keeps none from now on. */
void session_pool_close(struct session_pool *);

/* How many there are. */
size_t session_pool_count(struct session_pool *);

#endif
