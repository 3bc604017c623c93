#ifndef TUNNEL_OCSP_H_
#define TUNNEL_OCSP_H_

#include <stdbool.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "base/inbox.h"
#include "net/resolve.h"
#include "tls/ocsp.h"

/*
 * Who asks responders whether certificates are revoked: one thread of its own, which begins
 * with the first question, so that a responder that is slow delays nobody but who
 * waits for its answer.  Equal questions in flight are one; so many responders are asked
 * at once and so many questions wait, and no more; answers are kept for all services until
 * their nextUpdate, but no longer than OCSP_KEPT seconds, the least used leaving first.
 */
struct ocsp_desk;

#define OCSP_KEPT 3600
#define OCSP_WAITING 1024 /* questions, in all */
#define OCSP_AT_ONCE 64   /* connections to responders */
#define OCSP_AT_ONE 16    /* … to one of them */

/* How to ask. */
struct ocsp_terms {
	const char *url;  /* the responder that the operator named; NULL: none */
	bool aia;         /* those that the certificate names, after it */
	bool nonce;       /* each question is asked anew and must be answered anew */
	unsigned flags;   /* of tls/ocsp.h */
	unsigned seconds; /* for each responder: to find, connect and answer */
};

/* What became of a question; whoever gets it frees it with ocsp_reply_free(). */
struct ocsp_reply {
	struct inbox_msg msg;
	uint64_t id;               /* the asker's own */
	bool told;                 /* a responder knows whether it is revoked */
	struct ocsp_answer answer; /* told */
	struct der der;            /* told: the answer as it came, where it was asked for */
	struct errmsg why;         /* not told */
};

void ocsp_reply_free(struct ocsp_reply *);

/* A desk whose thread has not begun.  The resolver must outlive it.  NULL: no memory. */
struct ocsp_desk *ocsp_desk_new(struct resolver *);

/* Ends the thread, and answers whoever waits, whose inboxes must still be there.  The resolver is to be
 * stopped next, and then the desk can be freed.  NULL is fine. */
void ocsp_desk_stop(struct ocsp_desk *);
void ocsp_desk_free(struct ocsp_desk *);

/* Whether an answer is kept, in date at that time.  Any thread. */
bool ocsp_desk_knows(struct ocsp_desk *, const struct ocsp_question *, unsigned flags,
    int64_t now, struct ocsp_answer *);

/* Keeps an answer that came another way. */
void ocsp_desk_learn(struct ocsp_desk *, const struct ocsp_question *, unsigned flags,
    int64_t now, const struct ocsp_answer *);

/* Whether there is anybody to ask. */
bool ocsp_can_ask(const struct ocsp_question *, const struct ocsp_terms *);

/*
 * Asks.  The reply arrives in the inbox with the given id and deliver function; an asker that
 * is gone by then is found missing by the id.  whole: the answer as it came is wanted, too.  Returns
 * 0, or -1 with the message filled: too many wait, or memory, or no thread.  Any thread.
 */
int ocsp_desk_ask(struct ocsp_desk *, struct ocsp_question *, const struct ocsp_terms *, bool whole,
    struct inbox *, uint64_t id, void (*deliver)(struct inbox_msg *, void *), struct errmsg *);

#endif
