/* What a session's peer is asked about, and its refusal afterwards. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alert.h"
#include "ocsp_priv.h"
#include "session_priv.h"
#include "trust_priv.h"

/* Finds the path by which the chain was let in once more.  Returns TRUST_OK also where there is none
 * since the certificate itself is trusted; but a CA may have expired since. */
static enum trust_verdict
find_path(const struct trust *t, const struct der *chain, size_t n, struct x509 *presented,
    struct path_search *s, bool peer_is_server, struct errmsg *why)
{
	const struct occasion o = { peer_is_server, time(NULL), t->level, NULL };
	enum trust_verdict v = TRUST_OK;

	*s = (struct path_search){ .presented = presented, .anchors = t->anchors,
		.nanchors = t->nanchors, .occasion = &o, .depth = t->depth };
	for (size_t i = 0; i < n && s->npresented < PATH_PRESENTED; i++)
		if (x509_parse(&presented[s->npresented], chain[i].data, chain[i].len) == NULL)
			s->npresented++;
		else if (i == 0)
			return TRUST_MALFORMED;
	if (t->nanchors > 0 && s->npresented > 0)
		v = path_find(s, why);
	s->occasion = NULL;
	return trust_has_anchor(t, &presented[0]) && (!t->chain || x509_self_issued(&presented[0])) ?
	    TRUST_OK : v;
}

int
tls_session_questions(const struct tls_session *s, struct ocsp_question **questions,
    struct errmsg *e)
{
	struct x509 presented[PATH_PRESENTED];
	const struct der *chain;
	struct path_search search;
	size_t n, i;

	_Static_assert(TLS_QUESTIONS >= PATH_DEPTH + 1, "a path fits");
	if (s->identity == NULL || !tls_session_verified(s))
		return 0;
	chain = identity_chain(s->identity, &n);
	if (find_path(s->context->trust, chain, n, presented, &search, !s->context->server, e) !=
	    TRUST_OK)
		return -1;
	for (i = 0; i + 1 < search.nfound; i++) {
		questions[i] = ocsp_question_of(search.found[i]->der, search.found[i + 1]->der, e);
		if (questions[i] != NULL)
			continue;
		while (i-- > 0)
			ocsp_question_free(questions[i]);
		return -1;
	}
	return (int)i;
}

void
tls_session_refuse(struct tls_session *s, enum trust_verdict v, const struct errmsg *why,
    bool tell, struct tls_io *io)
{
	int code = v == TRUST_REVOKED ? certificate_revoked : certificate_unknown;

	s->verdict = v;
	if (s->why == NULL)
		s->why = malloc(sizeof(*s->why));
	if (s->why != NULL)
		*s->why = *why;
	if (!tell)
		return;
	s->io = io;
	if (alert_send(s->ssl, code))
		s->alert = code;
	s->io = NULL;
}
