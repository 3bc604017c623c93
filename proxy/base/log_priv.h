#ifndef BASE_LOG_PRIV_H_
#define BASE_LOG_PRIV_H_

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/log.h"

/* The rooms of the log: a record becomes a line (log_text), waits (log_ring) and goes
 * out (log_sinks, log_syslog); log.c keeps lock, queue and thread. */

/* A whole line of text, its '\n' included, and what one of JSON can grow to. */
#define LOG_LINE_BYTES LOG_TEXT_BYTES
#define LOG_JSON_BYTES (3 * 6 * LOG_LINE_BYTES + 256)

/* Who said what when; of a string, LOG_LINE_BYTES count. */
struct log_record {
	int level;
	struct timespec at; /* of the wall clock */
	const char *id;
	const char *service; /* "": none */
	const char *text;
};

/* Each writes a whole line, and returns its length.  The buffer of log_text_json() is
 * LOG_JSON_BYTES, of the others LOG_LINE_BYTES. */
size_t log_text_stamped(const struct log_record *, char *);
size_t log_text_json(const struct log_record *, char *);
size_t log_text_held(const struct log_record *, char *);
/* Without '\n': "LOG5[id]: text". */
size_t log_text_bare(const struct log_record *, char *);

/* Records that wait, in order; whoever uses it holds a lock. */
#define LOG_RING_BYTES (256 * 1024)

struct log_ring {
	size_t head, used;
	char bytes[LOG_RING_BYTES];
};

/* Three strings and their ends. */
#define LOG_SPACE_BYTES (3 * (LOG_LINE_BYTES + 1))

/* Returns false when there is no room. */
bool log_ring_put(struct log_ring *, const struct log_record *);

/* Takes the oldest; its strings are then in the space given.  False when there is none. */
bool log_ring_take(struct log_ring *, struct log_record *, char *);

/* A connection to the syslog daemon; it comes back by itself. */
struct log_syslog {
	int fd; /* -1: none */
	int facility;
	char ident[64];
	char path[108];
	time_t again; /* not before */
};

void log_syslog_open(struct log_syslog *, const struct log_config *);
void log_syslog_close(struct log_syslog *);

/* Returns 0, or the errno for which the record was lost. */
int log_syslog_put(struct log_syslog *, const struct log_record *);

/* A descriptor that takes lines, many at once.  One that is not alone must not hold up the
 * others: what a pipe that nobody reads does not take within a second is lost. */
struct log_stream {
	int fd; /* -1: none */
	const char *name;
	bool alone;
	bool stuck;
	bool torn;          /* the last line written is not whole */
	unsigned long lost; /* lines */
	int why;            /* … for this errno */
	size_t used;
	char chunk[LOG_JSON_BYTES];
};

/* Adds a line; there must be room. */
void log_stream_put(struct log_stream *, const char *, size_t);

/* Writes the chunk; in front of it, where lines were lost, a line that says so.  It may block. */
void log_stream_flush(struct log_stream *, const char *note, size_t notelen);

/* Where lines go.  One thread at a time; it may block. */
struct log_sinks;

/* stderr alone; it is static. */
struct log_sinks *log_sinks_first(void);
struct log_sinks *log_sinks_new(const struct log_config *, struct errmsg *);
/* With the same configuration, but adding to the file. */
struct log_sinks *log_sinks_again(const struct log_sinks *, struct errmsg *);
void log_sinks_put(struct log_sinks *, const struct log_record *);
void log_sinks_flush(struct log_sinks *);
/* Flushes and closes. */
void log_sinks_free(struct log_sinks *);

#endif
