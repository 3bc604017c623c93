#ifndef CMD_OUTPUT_PRIV_H_
#define CMD_OUTPUT_PRIV_H_

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/errmsg.h"

/*
 * The files of a command that makes several with one NAME: each is written under a
 * temporary name, and all appear under their own names when all are complete.  What
 * stood there is replaced whole, or, without force, never.
 *
 * For each file output_init() and output_check(), for each output_write(), then
 * output_publish() once for all.  After a failure output_discard() removes what was
 * made.  The functions return 0, or -1 with the message filled.
 */
struct output {
	char path[PATH_MAX];
	char temp[PATH_MAX];
	bool temp_made;
	bool reserved; /* what stands at path is ours to remove */
};

/* The file that is called NAME with the suffix, which begins with its only dot. */
int output_init(struct output *, const char *name, const char *suffix, struct errmsg *);

/* Whether the file may be made: nothing stands there, or (force) a regular file.  A link
 * or a device is no place for a key. */
int output_check(const struct output *, bool force, struct errmsg *);

/* Writes n texts, one behind the other, to a new file that nobody else may read before
 * it is complete and has its mode. */
int output_write(
    struct output *, mode_t, const char *const *texts, size_t n, struct errmsg *);

/* Brings n files, which are in one folder, under their names. */
int output_publish(struct output *, size_t n, bool force, struct errmsg *);

/* Removes what was made of n files. */
void output_discard(struct output *, size_t n);

#endif
