#ifndef NET_STDIO_H_
#define NET_STDIO_H_

#include "base/errmsg.h"

/*
 * Our standard input and output as two descriptors that never block a loop and
 * whose closing is their end, since 0 and 1 become /dev/null.  The flags of the inherited
 * descriptors stay as they are, they are shared with others: pipes and
 * terminals are opened anew; where that is not allowed a thread relays.  One
 * socket on both gives one descriptor, twice.
 *
 * To be called once.  Returns 0, or -1 with the message filled.
 */
int stdio_take(int *rfd, int *wfd, struct errmsg *);

/* Whether both are open for their use, without taking them.  Returns 0 or -1. */
int stdio_check(struct errmsg *);

/* Waits so many milliseconds at most for a relaying thread to have written all that it
 * was given; where there is none, all is written. */
enum stdio_state { STDIO_WRITTEN, STDIO_WRITING, STDIO_LOST };
enum stdio_state stdio_wait(unsigned ms);

#endif
