#ifndef TLS_ALERT_H_
#define TLS_ALERT_H_

#include <stdbool.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#define ALERT_NONE (-1)

/* The fatal alert that was sent or received last, or ALERT_NONE; a close_notify is none. */
int alert_sent(WOLFSSL *);
int alert_received(WOLFSSL *);

/* Sends the fatal alert that fits an error of the library's for which it sends none
 * itself; where the library does not let us, nothing is sent. */
void alert_send_for(WOLFSSL *, int error);

/* Sends a fatal alert of our choice.  Returns whether that was possible. */
bool alert_send(WOLFSSL *, int code);

/* "bad_certificate (42)"; the same buffer of the thread again at the next call. */
const char *alert_name(int);

#endif
