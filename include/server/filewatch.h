#ifndef SERVER_FILEWATCH_H_
#define SERVER_FILEWATCH_H_

#include <stdbool.h>

#include "base/errmsg.h"

/*
 * Notices when a path comes to mean another file, or its file is written: by an atomic
 * rename, a changed link anywhere on the way, a folder moved, or in place.  It
 * watches folders, not files, so that what is missing can come.
 */
struct filewatch;

/* Watches nothing yet.  Returns NULL with the message filled. */
struct filewatch *filewatch_new(struct errmsg *);
void filewatch_free(struct filewatch *);

/* Readable when something has happened. */
int filewatch_fd(const struct filewatch *);

/* A new set of paths, one after the other; what filewatch_end() does not find in it is watched no
 * more.  A folder counts with all that is in it.  What cannot be watched is a warning in the log.
 * keep: the set is added to the old one, and nothing is said. */
void filewatch_begin(struct filewatch *, bool keep);
void filewatch_file(struct filewatch *, const char *path);
void filewatch_folder(struct filewatch *, const char *path);
void filewatch_end(struct filewatch *);

/* Forgets what has happened so far; returns whether a path may have changed. */
bool filewatch_changed(struct filewatch *);

#endif
