/* A handshake that failed because of a session of before: some servers that do not know it any more
 * cannot go on from there, or the library cannot.  Once, the tunnel connects anew. */
#include <syslog.h>

#include "conf/protocol.h"
#include "open_priv.h"
#include "tunnel/trace.h"

bool
again_may(const struct tunnel *t, const struct endpoint *ep)
{
	const struct conf_service *c = t->service->conf;

	/* Nothing was said in clear that would have to be said again. */
	return c->client && c->protocol == PROTOCOL_NONE && !t->opening->again &&
	    tls_session_offered(ep->tls) && !tls_session_refused(ep->tls);
}

enum verdict
again_run(struct tunnel *t, struct endpoint *ep, enum iores r)
{
	const struct step *s = tunnel_open(t->service);
	struct errmsg why = { .text = "the server left" };

	if (r == IO_ALERT || r == IO_PROTOCOL)
		tls_session_failure(ep->tls, &why);
	tunnel_log(t, LOG_INFO, "Service [%s] %s does not go on with the session of before: "
	    "connecting again without it (%s)", t->service->conf->name, t->to, why.text);
	t->opening->again = true;
	wire_leave(&ep->wire, t->lane->loop);
	endpoint_close(ep);
	while (s->run != connect_run)
		s++;
	return tunnel_go(t, s);
}
