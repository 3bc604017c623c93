#ifndef TUNNEL_OCSP_STEP_PRIV_H_
#define TUNNEL_OCSP_STEP_PRIV_H_

#include "tunnel/ocsp.h"
#include "tunnel/tunnel.h"

/* How far the questions about a peer have come. */
struct ocsp_talk {
	struct ocsp_question *questions[TLS_QUESTIONS]; /* the peer's own first */
	size_t n, at;
	struct ocsp_reply *reply; /* came, and was not looked at yet */
	bool waiting;             /* … is yet to come */
	bool limited;             /* the time for all of them runs */
	bool over;                /* … and is over */
};

void ocsp_talk_free(struct ocsp_talk *); /* NULL is fine */

/* Whether a responder has said of the peer of an open tunnel, lately and to whomever, that it is
 * revoked, and the service of now asks such: then the message is filled.  Nobody is asked. */
bool ocsp_has_heard(const struct tunnel *, const struct service *now, struct errmsg *);

#endif
