#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls/altnames.h"
#include "tls/inspect.h"
#include "tunnel/exec.h"
#include "tunnel/exec_priv.h"

/* A name in a certificate that is about so long may have been cut, and then it ends like
 * this: it might be the beginning of somebody else's. */
#define LONG_NAME 500
static const char cut[] = "...";

/* Enough for any address and any port. */
#define HOST_TEXT 64
#define PORT_TEXT 8

static bool
is_whole(const char *name)
{
	size_t n = strlen(name);

	return n < LONG_NAME || strcmp(name + n - (sizeof(cut) - 1), cut) != 0;
}

/* A variable; without a value it is removed from what the program inherits, so that
 * nobody takes another's for ours. */
static int
add(struct exec_request *r, const char *name, const char *value)
{
	char *text;
	int n;

	n = value != NULL ? asprintf(&text, "%s=%s", name, value)
			  : asprintf(&text, "%s", name);
	if (n == -1)
		return -1;
	r->made[r->nmade++] = text;
	return 0;
}

static const struct tls_session *
tls_of(const struct tunnel *t)
{
	return t->service->conf->client ? t->up.tls : t->down.tls;
}

/* Who the other end of the TLS connection is; NULL: nobody has verified that. */
static const struct cert_info *
verified_peer(const struct tunnel *t)
{
	const struct tls_session *s = tls_of(t);

	return s != NULL && tls_session_verified(s) ? tls_session_peer(s) : NULL;
}

/* The other end's address: whom we accepted, or whom we connected to. */
static void
remote(const struct tunnel *t, struct addr *a)
{
	*a = t->opening->peer;
	if (!exec_is_source(t->service->conf))
		return;
	a->len = t->up.ops != NULL ? sizeof(a->u) : 0;
	if (t->up.ops != NULL && getpeername(t->up.wire.rfd, &a->u.sa, &a->len) == -1)
		a->len = 0;
}

static int
add_remote(struct exec_request *r, const struct tunnel *t)
{
	char host[HOST_TEXT], port[PORT_TEXT];
	struct addr a;
	bool known;

	remote(t, &a);
	known = a.len > 0 && a.u.sa.sa_family != AF_UNIX &&
	    getnameinfo(&a.u.sa, a.len, host, sizeof(host), port, sizeof(port),
	    NI_NUMERICHOST | NI_NUMERICSERV) == 0;
	return add(r, "REMOTE_HOST", known ? host : NULL) |
	    add(r, "REMOTE_PORT", known ? port : NULL);
}

static int
add_names(struct exec_request *r, const struct tunnel *t)
{
	const struct cert_info *peer = verified_peer(t);
	bool whole = peer != NULL && is_whole(peer->subject) && is_whole(peer->issuer);

	return add(r, "SSL_CLIENT_DN", whole ? peer->subject : NULL) |
	    add(r, "SSL_CLIENT_I_DN", whole ? peer->issuer : NULL);
}

/* A list of names is given whole or not at all: one that is not there is no grant. */
static int
add_list(struct exec_request *r, const char *name, const struct der *cert, enum altname kind)
{
	char text[EXEC_LIST];
	size_t n = cert != NULL ? altnames_text(cert, kind, text, sizeof(text)) : 0;

	if (n >= sizeof(text))
		r->left_out = name;
	return add(r, name, n > 0 && n < sizeof(text) ? text : NULL);
}

static int
add_common_name(struct exec_request *r, const struct der *cert)
{
	const unsigned char *cn = NULL;
	char text[EXEC_LIST];
	size_t n = 0;

	if (cert != NULL && (cn = cert_common_name(cert, &n)) != NULL && n < sizeof(text))
		snprintf(text, sizeof(text), "%.*s", (int)n, (const char *)cn);
	return add(r, "SLUSS_PEER_CN", cn != NULL && n < sizeof(text) ? text : NULL);
}

/* Bytes in hexadecimal digits. */
static int
add_bytes(struct exec_request *r, const char *name, const unsigned char *p, size_t n)
{
	char text[2 * CERT_FP_LEN + 1];

	for (size_t i = 0; p != NULL && i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", p[i]);
	return add(r, name, p != NULL ? text : NULL);
}

/* Of a verified certificate, what needs no reader of names. */
static int
add_identity(struct exec_request *r, const struct tunnel *t)
{
	const struct cert_info *peer = verified_peer(t);
	const struct der *cert;
	size_t n;

	cert = peer != NULL ? tls_session_chain(tls_of(t), &n) : NULL;
	return add_common_name(r, cert) |
	    add_list(r, "SLUSS_PEER_DNS", cert, ALTNAME_DNS) |
	    add_list(r, "SLUSS_PEER_URI", cert, ALTNAME_URI) |
	    add_list(r, "SLUSS_PEER_IP", cert, ALTNAME_IP) |
	    add_list(r, "SLUSS_PEER_EMAIL", cert, ALTNAME_EMAIL) |
	    add_bytes(r, "SLUSS_PEER_SHA256", peer != NULL ? peer->fingerprint : NULL,
		CERT_FP_LEN);
}

static int
add_binding(struct exec_request *r, const struct tunnel *t)
{
	const struct tls_session *s = tls_of(t);
	const char *why;

	_Static_assert(TLS_BINDING <= CERT_FP_LEN, "see add_bytes()");
	return add_bytes(r, "SLUSS_TLS_EXPORTER",
	    s != NULL ? tls_session_binding(s, &why) : NULL, TLS_BINDING);
}

static int
add_shared(struct exec_request *r, const struct tunnel *t)
{
	const struct tls_session *s = tls_of(t);

	return add(r, "SSL_PSK_IDENTITY", s != NULL ? tls_session_shared(s) : NULL);
}

static int
add_protocol(struct exec_request *r, const struct tunnel *t)
{
	const struct tls_session *s = tls_of(t);

	return add(r, "SLUSS_ALPN", s != NULL ? tls_session_protocol(s) : NULL);
}

/* Ours come last: they hold. */
static int
set_environment(struct exec_request *r, const struct tunnel *t)
{
	const struct conf_strings *extra = &t->service->config->setenv;

	if (add_remote(r, t) != 0 || add_names(r, t) != 0 || add_shared(r, t) != 0 ||
	    add_identity(r, t) != 0 || add_binding(r, t) != 0 || add_protocol(r, t) != 0)
		return -1;
	if ((r->env = calloc(extra->n + r->nmade + 1, sizeof(*r->env))) == NULL)
		return -1;
	for (size_t i = 0; i < extra->n; i++)
		r->env[i] = extra->items[i];
	for (size_t i = 0; i < r->nmade; i++)
		r->env[extra->n + i] = r->made[i];
	return 0;
}

static int
set_arguments(struct exec_request *r, const struct conf_service *c)
{
	size_t n = c->execargs.n;

	if ((r->argv = calloc(n + 2, sizeof(*r->argv))) == NULL)
		return -1;
	for (size_t i = 0; i < n; i++)
		r->argv[i] = c->execargs.items[i];
	if (n == 0)
		r->argv[0] = c->exec;
	return 0;
}

int
exec_request(struct exec_request *r, const struct tunnel *t)
{
	const struct conf_service *c = t->service->conf;

	*r = (struct exec_request){ 0 };
	if (set_arguments(r, c) == -1 || set_environment(r, t) == -1)
		return -1;
	r->program = (struct helper_program){
		.path = c->exec, .argv = r->argv, .env = r->env, .pty = c->pty
	};
	return 0;
}

void
exec_request_free(struct exec_request *r)
{
	for (size_t i = 0; i < r->nmade; i++)
		free(r->made[i]);
	free(r->argv);
	free(r->env);
}
