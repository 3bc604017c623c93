/* What a server makes of a client's hello that was read beforehand, and of what was agreed on. */
#include <stdlib.h>

#include "alert.h"
#include "session_priv.h"
#include "shown_priv.h"

bool
tls_context_reads_hello(const struct tls_context *c)
{
	return c->server && (c->protocols.n > 0 || c->nshown > 1);
}

/* Such a handshake ends as it begins. */
static int
give_up(struct tls_session *s, int alert, const struct errmsg *why)
{
	if ((s->why = malloc(sizeof(*s->why))) == NULL)
		return -1;
	*s->why = *why;
	s->hopeless = alert;
	return 0;
}

static int
choose_protocol(struct tls_session *s, const struct hello *h)
{
	const struct protocols *p = &s->context->protocols;
	const char *chosen = protocols_choose(p, h);
	struct errmsg why;

	/* Who offers none may be of the time before there were any. */
	if (chosen != NULL || (h->alpn == NULL && !s->context->require_protocol) || p->n == 0)
		return protocols_use(p, chosen, s->ssl);
	protocols_explain(p, h, &why);
	return give_up(s, no_application_protocol, &why);
}

/* Who suits no certificate hears of that first. */
static int
answer(struct tls_session *s, const struct hello *h, const struct tls_shown *shown)
{
	struct errmsg why;

	if (shown != NULL)
		return choose_protocol(s, h);
	shown_explain(s->context, h, &why);
	return give_up(s, handshake_failure, &why);
}

struct tls_session *
tls_session_answer(struct tls_context *c, const struct hello *h, const char *const *names,
    size_t nnames, struct errmsg *e)
{
	const struct tls_shown *shown = shown_choose(c, h);
	struct tls_session *s;

	if ((s = session_make(c, shown != NULL ? shown : &c->shown[0], names, nnames, e)) == NULL)
		return NULL;
	if (answer(s, h, shown) == 0)
		return s;
	tls_session_free(s);
	errmsg_set(e, "cannot make a TLS session: out of memory");
	return NULL;
}

bool
session_agree(struct tls_session *s)
{
	const struct protocols *p = &s->context->protocols;
	struct errmsg why;

	s->protocol = protocols_agreed(p, s->ssl);
	if (s->protocol != NULL || !s->context->require_protocol)
		return true;
	errmsg_set(&why, "the peer agrees to no application protocol, and alpnRequire wants one of "
	    "%.400s", p->text);
	free(s->why);
	if (give_up(s, no_application_protocol, &why) == 0)
		alert_send(s->ssl, s->hopeless);
	return false;
}

const char *
tls_session_protocol(const struct tls_session *s)
{
	return s->protocol;
}
