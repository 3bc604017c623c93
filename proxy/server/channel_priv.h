#ifndef SERVER_CHANNEL_PRIV_H_
#define SERVER_CHANNEL_PRIV_H_

#include <stddef.h>
#include <sys/types.h>

/*
 * What a process and the one that takes its place tell each other, over a socket that
 * keeps packets apart.  A message is a word, maybe more text, maybe a descriptor.  The
 * socket is also the new one's stderr while it starts: a packet that is no message is
 * text.
 */

/* Enough for any packet's text, its NUL included. */
#define CHANNEL_TEXT 2048

/* The new process finds the number of its descriptor in this variable. */
#define CHANNEL_VARIABLE "SLUSS_UPGRADE"

/* Two ends, close-on-exec; sending on the first waits no longer than ten seconds.
 * Returns 0, or -1 with errno set. */
int channel_pair(int fds[2]);

/* Sends a message; pass -1 for no descriptor.  Returns 0, or -1 with errno set. */
int channel_send(int, int pass, const char *, ...)
    __attribute__((format(printf, 3, 4)));

enum channel_packet { CHANNEL_NONE, CHANNEL_MESSAGE, CHANNEL_STDERR, CHANNEL_END };

/* Takes a packet; *passed is the descriptor that came with it, close-on-exec, or -1.
 * wait_ms as poll()'s.  CHANNEL_NONE: nothing came in this time. */
enum channel_packet channel_take(int, int wait_ms, char text[CHANNEL_TEXT], int *passed);

#endif
