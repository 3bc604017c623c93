#ifndef CONF_PATHS_H_
#define CONF_PATHS_H_

#include <stdbool.h>

#include "conf/config.h"

/* Which files are read for a configuration: what a reload reads again, what is watched for changes, and
 * what the helper process may open. */

/* Asked about a path; of a folder, every file right in it is read.  True: no more. */
typedef bool paths_fn(void *arg, const char *path, bool folder);

/* Asks about each path, those of the configuration's own text and those that its options name.  Whether
 * one answer was true. */
bool paths_each(const struct config *, paths_fn *, void *arg);

/* The file that a value of CAfile stands for: itself, or for "system" that of the system's CAs, NULL
 * where there is none. */
const char *paths_cas(const char *);

#endif
