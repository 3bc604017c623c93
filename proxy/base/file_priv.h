#ifndef BASE_FILE_PRIV_H_
#define BASE_FILE_PRIV_H_

#include <sys/types.h>

/* As open(), but no link of that user is followed ((uid_t)-1: nobody's are refused). */
int file_walk(const char *path, int flags, uid_t distrusted);

#endif
