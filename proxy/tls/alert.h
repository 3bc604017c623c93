#ifndef TLS_ALERT_H_
#define TLS_ALERT_H_

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#define ALERT_NONE (-1)

/* The fatal alert that was sent or received last, or ALERT_NONE; a close_notify is none. */
int alert_sent(WOLFSSL *);
int alert_received(WOLFSSL *);

/* "bad_certificate (42)"; the same buffer of the thread again at the next call. */
const char *alert_name(int);

#endif
