#ifndef BASE_FILE_H_
#define BASE_FILE_H_

#include <stddef.h>
#include <sys/types.h>

/*
 * Files and folders that the operator named, for reading.  Whoever reads one asks here
 * and not the kernel: once the process has given up its privileges or sits in a chroot,
 * these questions go to the helper process (net/helper.h), and paths mean what they
 * meant at the start.
 */
struct file_source {
	/* As file_open() and file_names(). */
	int (*open)(void *arg, const char *path);
	int (*names)(void *arg, const char *path, char ***names, size_t *n);
	void *arg;
};

/* Who is asked from now on; NULL: the kernel.  The source must stay.  Only main calls
 * it, and not while another thread reads files. */
void file_ask(const struct file_source *);

/* Opens for reading: close-on-exec, and without waiting for a pipe's other end.  Returns
 * the descriptor, or -1 with errno set. */
int file_open(const char *path);

/* The names in a folder but "." and "..", in no order, as one list that is freed with
 * file_names_free().  Returns 0, or -1 with errno set. */
int file_names(const char *path, char ***names, size_t *n);

/* The same two, whoever is to be asked, of the kernel. */
int file_open_here(const char *path);
int file_names_here(const char *path, char ***names, size_t *n);
void file_names_free(char **names, size_t n);

/* From now on links that belong to this user are not followed, wherever in a path they are:
 * what the kernel is asked for then fails with ELOOP.  For a process with more privileges
 * than the user who may have put a link there.  (uid_t)-1: all are followed. */
void file_distrust(uid_t);

#endif
