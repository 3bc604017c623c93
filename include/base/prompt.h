#ifndef BASE_PROMPT_H_
#define BASE_PROMPT_H_

#include <stddef.h>

#include "base/errmsg.h"

/*
 * Asks whoever sits at the terminal of the process (/dev/tty, whatever stdin is) for a secret, which is not
 * shown.  At most cap - 1 bytes of one line go into the buffer, with a NUL behind.  A signal that would end
 * or stop the process does so once the terminal is as it was.  Call while there is one thread.  Returns 0;
 * 1 when there is no terminal; -1 with the message filled: interrupted, ended, or too long.
 */
int prompt_secret(const char *question, char *buf, size_t cap, struct errmsg *);

#endif
