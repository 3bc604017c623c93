#ifndef CMD_DOCTOR_PRIV_H_
#define CMD_DOCTOR_PRIV_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "conf/config.h"
#include "net/addr.h"
#include "tls/context.h"
#include "tls/session.h"

/* What is asked for. */
struct doctor_args {
	struct config *config;
	struct conf_service *service; /* of it: has the options */
	const char *file, *section;   /* whence it is, or NULL */
	struct addr_spec target;
	unsigned timeout;         /* seconds, for each handshake */
};

/* Reads the arguments; argv[0] is "doctor".  Returns 0, 1 (help was asked for) or -1 with the
 * message filled; on 0 doctor_args_free() is to be called. */
int doctor_args_read(struct doctor_args *, int argc, char **argv, struct errmsg *);
void doctor_args_free(struct doctor_args *);
void doctor_args_help(void);

/* How far an attempt came. */
enum attempt_end {
	ATTEMPT_DONE,        /* the server let us in */
	ATTEMPT_UNREACHABLE,
	ATTEMPT_PREFACE,     /* what stands before TLS went wrong */
	ATTEMPT_SILENT,      /* the server said nothing */
	ATTEMPT_SLOW,        /* it began, but did not finish in time */
	ATTEMPT_CLOSED,      /* the connection ended without an alert */
	ATTEMPT_ALERT,       /* the server sent an alert */
	ATTEMPT_FAILED,      /* we cannot go on with what it sent */
};

struct attempt {
	enum attempt_end end;
	struct errmsg why;        /* unless done */
	struct tls_session *tls;  /* NULL: none was begun */
	uint8_t *heard;           /* what came until the handshake was over */
	size_t nheard;
	bool greeted;             /* the handshake was done, whatever came then */
};

/* One handshake with the server at the address, whatever certificate it shows.  What
 * stands before TLS is that of the service.  attempt_free() is to be called. */
void attempt_run(struct attempt *, const struct conf_service *, const struct addr *,
    struct tls_context *, const char *sni, unsigned seconds);
void attempt_free(struct attempt *);

/* Connects and no more: 0, or -1 with the message. */
int attempt_reach(struct attempt *, const struct addr *, unsigned seconds);

/* A socket that is waited for until a deadline; all return 0, or -1 with the attempt's
 * end set. */
struct phone {
	int fd;
	uint64_t deadline; /* milliseconds of the monotonic clock */
	struct attempt *attempt;
};

/* Everything from now on within so many seconds. */
void phone_patience(struct phone *, unsigned);

/* Sets the attempt's end; -1. */
int phone_fail(struct phone *, enum attempt_end);

int phone_dial(struct phone *, const struct addr *);
int phone_send(struct phone *, const void *, size_t);
/* Receives some bytes: how many, 0 at the end, -1. */
int phone_receive(struct phone *, void *, size_t);

/* Says what the protocol wants to be said before TLS. */
int phone_preface(struct phone *, const struct conf_service *);
bool phone_knows(enum conf_protocol);

/* What is said of an attempt, as a line; and why it ended, into a buffer (DOCTOR_TEXT). */
#define DOCTOR_TEXT 2400
void report_attempt(const char *label, const struct attempt *);
const char *report_reason(const struct attempt *, char *);

/* Whether the server sent us away because of the certificate that we showed, or did not. */
bool attempt_refused(const struct attempt *);

/* The certificates that were shown. */
void report_chain(const struct der *, size_t);

/* Whether the server asks for a certificate: what it said in TLS 1.2 (NULL: that is not
 * spoken), and what became of an attempt without one. */
void report_asked(const struct attempt *old, const struct attempt *bare);

#endif
