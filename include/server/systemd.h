#ifndef SERVER_SYSTEMD_H_
#define SERVER_SYSTEMD_H_

#include <stdbool.h>
#include <stdint.h>

#include "base/errmsg.h"

/*
 * What a service manager and its service tell each other, without its library: sockets
 * that it opened for us, and notices.  Without a manager every function does nothing.
 */

/*
 * Takes the variables of the environment away, so that no child believes to be meant:
 * LISTEN_*, NOTIFY_SOCKET, WATCHDOG_*.  At the start of the program, before a
 * fork.  Returns 0, or -1 with the message filled.
 */
int systemd_open(struct errmsg *);
void systemd_close(void);

/* Whether a manager that waits for our notice started this very process: then going
 * into the background would look like the end. */
bool systemd_waits(void);

/* The next of the sockets that were passed, or -1.  The caller's from here on. */
int systemd_take(void);

/* How many were passed, and how many of them nobody took. */
unsigned systemd_sockets(void);
unsigned systemd_left(void);

/* Notices; the text is a short line about how we are, or NULL. */
void systemd_ready(const char *status);
void systemd_reloading(void);
void systemd_stopping(const char *status);
void systemd_status(const char *status);

/* Another process takes our place: notices are its from here on. */
void systemd_hand_over(long pid);

/* How many milliseconds may pass between two signs of life; 0: none are wanted. */
unsigned systemd_watchdog_ms(void);
void systemd_alive(void);

/* For a process that takes our place: the variables as we got them, as "NAME=VALUE"
 * strings, which live until systemd_close(); NULL behind the last. */
const char *const *systemd_environment(void);

#endif
