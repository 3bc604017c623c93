#ifndef TUNNEL_TRACE_H_
#define TUNNEL_TRACE_H_

#include <stdbool.h>

#include "tunnel/tunnel.h"

/*
 * What the log says about a tunnel.  Each line has the tunnel's id (logId), its service, and
 * the service's own level (debug of a section).
 *
 * Two vocabularies: our one line at a tunnel's end, at info, in either profile; and stunnel's
 * lines about its steps, which programs around stunnel look for.  Those exist in stunnel's
 * profile only, at the levels that they have there (accepted, connected and closed at notice,
 * failures at err); with profile = strict our line alone says it all.
 */

/* A line of ours. */
void tunnel_log(const struct tunnel *, int, const char *, ...)
    __attribute__((format(printf, 3, 4)));
bool tunnel_log_wants(const struct tunnel *, int);

/* A line of stunnel's, with the level that it has there; none with profile = strict. */
void tunnel_trace(const struct tunnel *, int, const char *, ...)
    __attribute__((format(printf, 3, 4)));

/* Gives a new tunnel what tells it apart in the log. */
void trace_name(struct tunnel *);

/* The steps, in stunnel's words.  Of a source whose failures are only counted, a connection is
 * announced once its handshake is done. */
void trace_accepted(struct tunnel *);
void trace_negotiated(struct tunnel *);
void trace_connected(const struct tunnel *, const char *to);
void trace_not_connected(const struct tunnel *, const char *to, int why);
void trace_not_resolved(const struct tunnel *, const char *host, const char *why);
/* why: what our own line says, too. */
void trace_ended(const struct tunnel *, const char *why);

#endif
