/* What the command line said as a whole, in its words: see config_check() in conf/config.h. */
#include <assert.h>
#include <string.h>

#include "conf/config.h"
#include "conf/ocsp.h"
#include "conf/protocol.h"
#include "conf/rule.h"
#include "conf/sslopt.h"

/* How many addresses are of the kind. */
static size_t
count(const struct conf_addrs *list, enum addr_kind kind)
{
	size_t i, n = 0;

	for (i = 0; i < list->n; i++)
		n += list->items[i].kind == kind;
	return n;
}

static int
check_accept(const struct conf_service *s, struct errmsg *why)
{
	if (count(&s->accept, ADDR_ECHO) > 0)
		return errmsg_set(why,
		    "--accept echo: makes no sense: echo: is a target, for --connect of "
		    "a server");
	if (count(&s->accept, ADDR_STDIO) == 0)
		return 0;
	if (!s->client)
		return errmsg_set(why,
		    "--accept - is for client mode: a server listens on a port or "
		    "socket, e.g. --accept 4433");
	if (s->accept.n > 1)
		return errmsg_set(
		    why, "--accept - must be the only --accept: leave the others out");
	if (s->connect.n > 1)
		return errmsg_set(why,
		    "--accept - is a single tunnel: give one --connect, not %zu",
		    s->connect.n);
	return 0;
}

static int
check_connect_stdio(const struct conf_service *s, struct errmsg *why)
{
	size_t sockets = count(&s->accept, ADDR_UNIX);

	if (count(&s->connect, ADDR_STDIO) == 0)
		return 0;
	if (s->client)
		return errmsg_set(why,
		    "--connect - is for server mode: a client connects to a server, "
		    "e.g. --connect db.example.org:4433");
	if (s->connect.n > 1)
		return errmsg_set(
		    why, "--connect - must be the only --connect: leave the others out");
	if (sockets != 0 && sockets != s->accept.n)
		return errmsg_set(why,
		    "--connect - is a single tunnel: give --accept with ports or with "
		    "the path of a socket, not both");
	return 0;
}

static int
check_connect(const struct conf_service *s, struct errmsg *why)
{
	size_t i;

	if (s->client && count(&s->connect, ADDR_ECHO) > 0)
		return errmsg_set(why,
		    "--connect echo: is for server mode: a client connects to a server, "
		    "e.g. --connect db.example.org:4433");
	for (i = 0; i < s->connect.n; i++) {
		const struct addr_spec *a = &s->connect.items[i];

		if (a->kind == ADDR_TCP && a->port[strspn(a->port, "0")] == '\0')
			return errmsg_set(why,
			    "--connect %.128s: nothing listens on port 0: give the port "
			    "of the %s",
			    a->text, s->client ? "server" : "plain service");
	}
	return check_connect_stdio(s, why);
}

static int
check_missing(const struct conf_service *s, struct errmsg *why)
{
	if (s->accept.n == 0 && s->client)
		return errmsg_set(why,
		    "--accept is missing: add where to listen for plain connections, "
		    "e.g. --accept 127.0.0.1:6379, or --accept - for standard input and "
		    "output");
	if (s->accept.n == 0)
		return errmsg_set(why,
		    "--accept is missing: add where to listen for TLS connections, e.g. "
		    "--accept 4433");
	if (s->connect.n == 0 && s->client)
		return errmsg_set(why,
		    "--connect is missing: add where the server listens, e.g. --connect "
		    "db.example.org:4433");
	if (s->connect.n == 0 && !protocol_names_target(s))
		return errmsg_set(why,
		    "--connect is missing: add where the plain service listens, e.g. "
		    "--connect 127.0.0.1:6379");
	return 0;
}

static int
check_cert(const struct conf_service *s, struct errmsg *why)
{
	if (s->cert.n > 0)
		return 0;
	if (!s->client)
		return errmsg_set(why,
		    "--cert is missing: make a certificate with \"sluss keygen server "
		    "--dns HOST\" and add --cert server.pem");
	if (!s->insecure)
		return errmsg_set(why,
		    "--cert is missing: make a certificate with \"sluss keygen client\" "
		    "and add --cert client.pem");
	if (s->key.n > 0)
		return errmsg_set(
		    why, "--key without --cert: add --cert FILE, or leave --key out");
	return 0;
}

/* What insecure leaves nothing to do for, in the words of the command line. */
static int
check_insecure(const struct conf_service *s, struct errmsg *why)
{
	const struct {
		const char *flag;
		size_t n;
	} others[] = { { "--peer", s->peer.n }, { "--cafile", s->cafile.n },
		{ "--capath", s->capath.n }, { "--checkhost", s->checkhost.n },
		{ "--checkip", s->checkip.n }, { "--checkemail", s->checkemail.n },
		{ "--crlfile", s->crlfile.n }, { "--crlpath", s->crlpath.n },
		{ "--redirect", s->redirect.n }, { "--allow", s->allow.n },
		{ "--deny", s->deny.n } };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i].n > 0)
			return errmsg_set(why,
			    "--insecure contradicts %s: leave one of them out",
			    others[i].flag);
	return 0;
}

static bool
has_cas(const struct conf_service *s)
{
	return s->cafile.n > 0 || s->capath.n > 0;
}

static int
check_trust(const struct conf_service *s, struct errmsg *why)
{
	const char *other = s->client ? "server" : "client";

	if (s->insecure)
		return check_insecure(s, why);
	if (s->peer.n > 0 || has_cas(s) || rules_are_pins(s))
		return 0;
	return errmsg_set(why,
	    "nothing says which %s may pass: add --peer %s.crt (its certificate) or "
	    "--cafile ca.crt (the CA that issued it); for trying out only, --insecure "
	    "lets anyone pass",
	    other, other);
}

/* With a CA alone anyone whom it has issued for could be at the other end: the
 * certificate must name the host, and a unix socket has none. */
static int
check_names(const struct conf_service *s, struct errmsg *why)
{
	size_t i;

	if (!s->client || !has_cas(s) || s->peer.n > 0 || s->checkhost.n > 0 ||
	    s->checkip.n > 0 || s->checkemail.n > 0 || rules_name_peer(s))
		return 0;
	for (i = 0; i < s->connect.n; i++)
		if (s->connect.items[i].kind == ADDR_UNIX)
			return errmsg_set(why,
			    "--checkhost is missing: with --cafile the certificate must "
			    "name the server, and the socket %.128s gives no name: add "
			    "e.g. --checkhost db.example.org",
			    s->connect.items[i].text);
	if (s->connect.n == 0)
		return errmsg_set(why,
		    "--checkhost is missing: with --cafile the certificate must name the "
		    "server, and what connects says no name: add e.g. --checkhost "
		    "db.example.org");
	return 0;
}

/* Only a CA's signature makes a list of revoked certificates. */
static int
check_revocation(const struct conf_service *s, struct errmsg *why)
{
	if (s->crlfile.n > 0 || s->crlpath.n > 0)
		return has_cas(s) ? 0 : errmsg_set(why, "--crlfile and --crlpath need the CA that "
		    "signed the lists: add --cafile ca.crt; what --peer names is revoked by "
		    "taking it out of its file");
	if (s->crl_check_chain || s->crl_policy != CRL_STRICT)
		return errmsg_set(why, "--crlcheckchain and --crlpolicy do nothing by themselves: "
		    "add --crlfile FILE or --crlpath FOLDER");
	return 0;
}

static int
check_ocsp(const struct conf_service *s, struct errmsg *why)
{
	const char *option = ocsp_check(s, why);

	if (option != NULL)
		return errmsg_prefix(why, "%s", option);
	if (ocsp_asks(s) && !has_cas(s))
		return errmsg_set(why, "--ocsp and --ocspaia need the CA that vouches for the peer: add "
		    "--cafile ca.crt");
	if (!ocsp_asks(s) && (s->ocsp_nonce || !s->ocsp_require || s->ocsp_flags.n > 0))
		return errmsg_set(why, "--ocspnonce, --ocsprequire and --ocspflag do nothing by "
		    "themselves: add --ocspaia or --ocsp URL");
	return 0;
}

static int
check_rules(const struct conf_service *s, struct errmsg *why)
{
	const struct conf_rule *line;
	const char *option;

	if (s->insecure || (line = rules_check(s, &option, why)) == NULL)
		return 0;
	return errmsg_prefix(why, "--%s \"%.300s\"", option, line->text);
}

static int
check_sni(const struct conf_service *s, struct errmsg *why)
{
	if (s->sni == NULL || s->client)
		return 0;
	return errmsg_set(why,
	    "--sni is for client mode: sections that are chosen by the name that a "
	    "client asks for are a matter of configuration files");
}

static int
check_versions(const struct conf_service *s, struct errmsg *why)
{
	if (s->version_min <= s->version_max)
		return 0;
	return errmsg_set(why,
	    "--sslversionmin TLSv1.3 is above --sslversionmax TLSv1.2: raise the one or "
	    "lower the other");
}

static int
check_protocol(const struct conf_service *s, struct errmsg *why)
{
	const char *option = protocol_check(s, why);

	if (option != NULL)
		return errmsg_prefix(why, "%s", option);
	if (s->redirect.n > 0 && protocol_greets(s))
		return errmsg_set(why, "--redirect does not go with --protocol %s, whose target "
		    "is connected before anybody is verified: leave one of them out",
		    protocol_name(s->protocol));
	return 0;
}

int
config_check(const struct config *config, struct errmsg *why)
{
	static int (*const checks[])(
	    const struct conf_service *, struct errmsg *) = { check_missing, check_accept,
		check_connect, check_cert, check_trust, check_names, check_rules,
		check_revocation, check_ocsp, check_sni,
		check_versions, check_protocol };
	size_t i, j;

	assert(config->nservices > 0);
	for (i = 0; i < config->nservices; i++)
		for (j = 0; j < sizeof(checks) / sizeof(checks[0]); j++)
			if (checks[j](&config->services[i], why) == -1)
				return -1;
	return 0;
}
