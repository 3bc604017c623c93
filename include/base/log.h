#ifndef BASE_LOG_H_
#define BASE_LOG_H_

#include <stdbool.h>
#include <syslog.h>

#include "base/errmsg.h"

/*
 * The log: one line a call, "2026.11.22 08:30:59 LOG5[id]: text" in local time, to
 * stderr until log_open() says where else.  Levels are syslog's (LOG_ERR 3 …
 * LOG_DEBUG 7).  Control characters are replaced by '.', a line is cut at 2048 bytes.
 *
 * Until log_start() a line is written before the call returns.  After it a
 * thread of the log's own writes, so that a full disk or a reader that stopped
 * never delays a tunnel: lines wait in a bounded queue, what does not fit is
 * dropped and the count of dropped lines is logged when there is room again.  Of
 * several sinks, one that takes nothing holds up the others for a second at most.
 *
 * Every function may be called from any thread; log_open(), log_reopen(), log_hold() and
 * log_give_up() by one at a time.
 */

/* More text than a line has room for. */
#define LOG_TEXT_BYTES 2048

/* Sets the most talkative level that is written; the default is LOG_NOTICE. */
void log_level(int);

/* Whether a line of this level would be written: skips costly formatting. */
bool log_wants(int);

/* Where lines go, and how they look. */
struct log_config {
	bool to_stderr;
	const char *file;        /* NULL: none; /dev/stdout and /dev/stderr are what is open */
	bool overwrite;          /* the file is begun anew */
	bool json;               /* an object a line, to stderr and the file */
	bool to_syslog;          /* "LOG5[id]: text", without a stamp of ours */
	int facility;            /* of syslog, LOG_DAEMON … */
	const char *ident;       /* the program's name in syslog */
	const char *syslog_path; /* NULL: /dev/log */
};

/*
 * Opens the sinks and goes over to them; those of an earlier call are closed.  Strings
 * are copied.  A syslog that is not there is no failure: it is looked for again.  Returns
 * 0, or -1 with the message filled, and the log stays what it was.
 */
int log_open(const struct log_config *, struct errmsg *);

/* Finds the syslog daemon now, for a log_open() behind a chroot. */
void log_find_syslog(void);

/* Opens the file and syslog anew by their names (a file is then added to, not begun
 * anew).  Returns 0, or -1 with the message filled, and the log stays what it was. */
int log_reopen(struct errmsg *);

/* Keeps lines of every level from here on, for log_open() to write where the
 * configuration wants them ... */
void log_hold(void);

/* ... or, when the start failed, writes them to stderr as "[!] text": without a stamp, for
 * the operator who waits.  What follows goes to stderr as before log_hold(). */
void log_give_up(void);

/* Starts the writing thread.  Returns 0, or -1 with errno set. */
int log_start(void);

/* Writes what is queued, waiting two seconds at most, and ends the thread. */
void log_stop(void);

/* Logs one line; id names the tunnel or the part of the program ("main"). */
void log_line(int, const char *, const char *, ...)
    __attribute__((format(printf, 3, 4)));

/* Who speaks, when it is more than a part of the program. */
struct log_speaker {
	const char *id;
	const char *service; /* shown in JSON; NULL: none */
	int level;           /* its own most talkative one; -1: the log's */
};

/* As log_wants() and log_line(), for a speaker. */
bool log_speaker_wants(const struct log_speaker *, int);
void log_say(const struct log_speaker *, int, const char *, ...)
    __attribute__((format(printf, 3, 4)));

#endif
