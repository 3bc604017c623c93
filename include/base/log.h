#ifndef BASE_LOG_H_
#define BASE_LOG_H_

#include <stdbool.h>
#include <syslog.h>

/*
 * The log: one line a call, on stderr, "2026.11.22 08:30:59 LOG5[id]: text" in
 * local time.  Levels are syslog's (LOG_ERR 3 … LOG_DEBUG 7).  Control
 * characters are replaced by '.', a line is cut at 2048 bytes.
 *
 * Until log_start() a line is written before the call returns.  After it a
 * thread of the log's own writes, so that a full disk or a reader that stopped
 * never delays a tunnel: lines wait in a bounded queue, what does not fit is
 * dropped and the count of dropped lines is logged when there is room again.
 *
 * Every function may be called from any thread.
 */

/* Sets the most talkative level that is written; the default is LOG_NOTICE. */
void log_level(int);

/* Whether a line of this level would be written: skips costly formatting. */
bool log_wants(int);

/* Starts the writing thread.  Returns 0, or -1 with errno set. */
int log_start(void);

/* Writes what is queued, waiting two seconds at most, and ends the thread. */
void log_stop(void);

/* Logs one line; id names the tunnel or the part of the program ("main"). */
void log_line(int, const char *, const char *, ...)
    __attribute__((format(printf, 3, 4)));

#endif
