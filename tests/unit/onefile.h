#ifndef ONEFILE_H_
#define ONEFILE_H_

#include <stddef.h>

/* A list of one file, as policies want their certificates and keys; good for the next 63 calls. */
static inline const char *const *
one_file(const char *file)
{
	static _Thread_local const char *files[64];
	static _Thread_local size_t next;
	const char **place = &files[next++ % 64];

	*place = file;
	return place;
}

#define SET_CERT(p, file) ((p).certs = one_file(file), (p).ncerts = 1)
#define SET_KEY(p, file) ((p).keys = one_file(file), (p).nkeys = 1)

#endif
