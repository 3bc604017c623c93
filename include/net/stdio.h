#ifndef NET_STDIO_H_
#define NET_STDIO_H_

#include <stdbool.h>

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

/* Waits until a relaying thread has written all that it was given; impatiently, for
 * two seconds at most: after a failure nobody may be reading. */
void stdio_wait(bool patiently);

#endif
