/* What a PROXY header tells its target of the client. */
#include "preface_facts_priv.h"

#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "net/sock.h"
#include "tls/altnames.h"
#include "tls/inspect.h"
#include "tunnel/trace.h"

/* Who the client is: no word of that which was not verified. */
static void
find_identity(const struct tls_session *tls, struct facts *f, const struct der *cert)
{
	f->told.cn = cert_common_name(cert, &f->told.cn_len);
	f->told.fingerprint = tls_session_peer(tls)->fingerprint;
	f->told.names_len = altnames_list(cert, f->names, sizeof(f->names));
	if (f->told.names_len > 0 && f->told.names_len <= sizeof(f->names))
		f->told.names = f->names;
}

/* Where sections are told apart by the name, no other is told than the one that was read for that: the
 * library's may be another, of a second hello or cut at a NUL, and stand for a section that would
 * have refused. */
static const char *
find_authority(const struct tunnel *t)
{
	const char *name = tls_session_asked_for(t->down.tls);
	const struct opening *o = t->opening;
	size_t n;

	if (name == NULL || !o->by_name)
		return name;
	n = strlen(name);
	if (n > 0 && name[n - 1] == '.')
		n--;
	return n > 0 && n == strlen(o->name) && strncasecmp(name, o->name, n) == 0 ? name : NULL;
}

static enum verdict
find_tls(struct tunnel *t, struct facts *f)
{
	const struct tls_session *tls = t->down.tls;
	const struct der *cert = tls_session_peer_der(tls);

	f->told.tls = true;
	f->told.verified = tls_session_verified(tls);
	f->told.resumed = tls_session_resumed(tls);
	f->told.version = tls_session_version(tls);
	f->told.suite = tls_session_suite(tls);
	f->told.own_key = tls_session_key_alg(tls);
	f->told.own_sig = tls_session_sig_alg(tls);
	f->told.protocol = tls_session_protocol(tls);
	f->told.authority = find_authority(t);
	f->told.binding = tls_session_binding(tls, &f->unbound);
	if (cert == NULL)
		return tls_session_peer(tls) == NULL ? STEP_NEXT : tunnel_fail(t, REASON_NOMEM);
	f->told.cert = cert->data;
	f->told.cert_len = cert->len;
	if (f->told.verified)
		find_identity(tls, f, cert);
	return STEP_NEXT;
}

enum verdict
facts_find(struct tunnel *t, struct facts *f)
{
	const struct preface *p = &t->opening->preface;

	f->told = (struct preface_facts){ .from = &t->opening->peer };
	if (p->has_source)
		f->told.to = &p->destination;
	else if (!t->stdio && sock_local(t->down.wire.rfd, &f->local) == 0)
		f->told.to = &f->local;
	/* In client mode nobody is told: what is connected to comes before TLS, and cannot read it. */
	return preface_tells(t->service->conf) && t->down.tls != NULL ? find_tls(t, f) : STEP_NEXT;
}

void
facts_told(const struct tunnel *t, const struct facts *f)
{
	if (!f->told.tls)
		return;
	if (f->told.binding == NULL)
		tunnel_log(t, LOG_INFO, "Service [%s] the target is not told the channel binding of "
		    "%s: %s", t->service->conf->name, t->from, f->unbound);
	if (f->told.names_len > sizeof(f->names))
		tunnel_log(t, LOG_INFO, "Service [%s] the target is not told the alternative names "
		    "of %s: they are more than %d bytes", t->service->conf->name, t->from,
		    FACTS_NAMES);
}
