#ifndef SERVER_CHANGES_H_
#define SERVER_CHANGES_H_

#include <stdbool.h>
#include <stdint.h>

#include "conf/config.h"
#include "server/filewatch.h"

/*
 * When the files of a configuration have changed and have come to rest: a moment after the last change,
 * but not for ever when they change all the time.  Times are milliseconds of any monotonic clock.
 */
struct changes {
	struct filewatch *files; /* NULL: nothing is watched */
	uint64_t first, last;    /* changes that nobody has taken yet; 0: none */
};

/* Follows the files of a configuration and those that it names, and no others; none when it does
 * not want to (reloadOnChange = no).  Call before they are read, so that no change is missed.
 * keep: what was watched before goes on being it; we may not see any more where paths lead. */
void changes_follow(struct changes *, const struct config *, bool keep);
void changes_close(struct changes *);

/* The descriptor that is readable when something happens, or -1: then changes_look(). */
int changes_fd(const struct changes *);
void changes_look(struct changes *, uint64_t now);

/* In how many milliseconds they are at rest: 0, now; -1, nothing has changed. */
int changes_wait(const struct changes *, uint64_t now);

/* What has changed until now is about to be read. */
void changes_take(struct changes *);

#endif
