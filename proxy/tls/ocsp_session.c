/* What a session's peer is asked about, and its refusal afterwards. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alert.h"
#include "ocsp_priv.h"
#include "session_priv.h"
#include "trust_priv.h"

/* Finds the path by which the chain was let in once more; there may be none, where the certificate
 * itself is trusted. */
static void
find_path(const struct trust *t, const struct der *chain, size_t n, struct x509 *presented,
    struct path_search *s, bool peer_is_server)
{
	const struct occasion o = { peer_is_server, time(NULL), t->level, NULL };
	struct errmsg why;

	*s = (struct path_search){ .presented = presented, .anchors = t->anchors,
		.nanchors = t->nanchors, .occasion = &o, .depth = t->depth };
	for (size_t i = 0; i < n && s->npresented < PATH_PRESENTED; i++)
		if (x509_parse(&presented[s->npresented], chain[i].data, chain[i].len) == NULL)
			s->npresented++;
		else if (i == 0)
			return;
	if (s->npresented > 0)
		path_find(s, &why);
	s->occasion = NULL;
}

/* Whether the certificate must have a path: it does not stand in the CA file itself. */
static bool
needs_path(const struct trust *t, const struct path_search *s)
{
	const struct x509 *leaf = &s->presented[0];

	return t->nanchors > 0 && s->npresented > 0 &&
	    (!trust_has_anchor(t, leaf) || (t->chain && !x509_self_issued(leaf)));
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
	find_path(s->context->trust, chain, n, presented, &search, !s->context->server);
	/* A path that was there, of more certificates than are kept, must not save the questions. */
	if (search.nfound == 0 && needs_path(s->context->trust, &search))
		return errmsg_set(e, "the peer sent more certificates along than are kept");
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
