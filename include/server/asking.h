#ifndef SERVER_ASKING_H_
#define SERVER_ASKING_H_

#include <sys/types.h>

#include "base/errmsg.h"

/*
 * `sluss upgrade` asks a running process with a signal, which names the asker and
 * carries nothing; what came of it is told through a socket of the asker's, in the
 * kernel's name space, by its pid.  Whoever may not signal the process cannot ask.
 */

/* The signal. */
int asking_signal(void);

/* The asker: listens for the answer.  Returns the descriptor, or -1 with the message
 * filled. */
int asking_open(struct errmsg *);

/* Asks, and waits for the answer of that very process.  Returns the pid of the process
 * that takes its place, or -1 with the message filled. */
pid_t asking_ask(int, pid_t process, struct errmsg *);

/* The asked: answers; why NULL: the process of that pid takes over.  An asker who is
 * gone is not missed. */
void asking_answer(pid_t asker, pid_t successor, const struct errmsg *why);

#endif
