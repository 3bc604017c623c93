#ifndef CONF_FILE_H_
#define CONF_FILE_H_

#include <stddef.h>

/*
 * The text of a configuration file: lines, sections, keys and values.  It knows no option but
 * the word "include", which names a folder whose files stand in that place.
 *
 * A line is trimmed at both ends.  It is empty; or a comment, from '#' or ';' as the first
 * character; or "[name]", verbatim between the brackets; or "key = value", split at the first
 * '='.  There are no quotes, no escapes, no continued lines and no comments behind a value.
 */

/* The most bytes of a line, and of folders within folders. */
#define FILE_LINE_MAX 16384
#define FILE_DEPTH_MAX 100

/* Where something stands; valid during the call that it is passed to. */
struct file_place {
	const char *path;
	unsigned short file; /* what opened() gave */
	unsigned line;       /* from 1; 0: the file as a whole */
	const char *text;    /* the line, trimmed; NULL: the file as a whole */
};

/* Who is told.  Every function gets the reader's arg and may do as it likes with it. */
struct file_reader {
	void *arg;
	/* A file begins: its number, for the places in it. */
	unsigned short (*opened)(void *, const char *path);
	void (*section)(void *, const struct file_place *, const char *name);
	void (*option)(void *, const struct file_place *, const char *key,
	    const char *value);
	/* What cannot be read; reading goes on behind it. */
	void (*error)(void *, const struct file_place *, const char *why);
	/* A folder is about to be read; NULL: nobody wants to know. */
	void (*folder)(void *, const char *path);
};

/* Reads a file and all that it includes. */
void file_read(const char *path, const struct file_reader *);

/* The same from a descriptor, whose name is for messages; closes it. */
void file_read_fd(int fd, const char *name, const struct file_reader *);

#endif
