#include <string.h>

#include "conf/protocol.h"

#define SERVER 1u
#define CLIENT 2u

/* In the order of enum conf_protocol. */
static const struct {
	const char *name;
	unsigned modes;
} protocols[] = {
	[PROTOCOL_NONE] = { "none", SERVER | CLIENT },
	[PROTOCOL_CONNECT] = { "connect", SERVER | CLIENT },
	[PROTOCOL_IMAP] = { "imap", SERVER | CLIENT },
	[PROTOCOL_LDAP] = { "ldap", CLIENT },
	[PROTOCOL_NNTP] = { "nntp", CLIENT },
	[PROTOCOL_PGSQL] = { "pgsql", SERVER | CLIENT },
	[PROTOCOL_POP3] = { "pop3", SERVER | CLIENT },
	[PROTOCOL_PROXY] = { "proxy", SERVER | CLIENT },
	[PROTOCOL_PROXY2] = { "proxy2", SERVER | CLIENT },
	[PROTOCOL_SMTP] = { "smtp", SERVER | CLIENT },
	[PROTOCOL_SOCKS] = { "socks", SERVER | CLIENT },
};

const char *
protocol_name(enum conf_protocol p)
{
	return protocols[p].name;
}

bool
protocol_supported(enum conf_protocol p, bool client)
{
	return (protocols[p].modes & (client ? CLIENT : SERVER)) != 0;
}

bool
protocol_names_target(const struct conf_service *s)
{
	return !s->client &&
	    (s->protocol == PROTOCOL_SOCKS || s->protocol == PROTOCOL_CONNECT);
}

bool
protocol_greets(const struct conf_service *s)
{
	return !s->client && (s->protocol == PROTOCOL_SMTP ||
	    s->protocol == PROTOCOL_IMAP || s->protocol == PROTOCOL_POP3);
}

/* Fills the message and gives the option back. */
static const char *
fault(const char *option, struct errmsg *why, const char *text)
{
	errmsg_set(why, "%s", text);
	return option;
}

/* What goes into a line of the talk must not end it. */
static bool
is_line(const char *text)
{
	return text == NULL || text[strcspn(text, "\r\n")] == '\0';
}

static const char *
check_lines(const struct conf_service *s, struct errmsg *why)
{
	static const char no_breaks[] = "there is a line break in it: leave that out";

	if (!is_line(s->protocol_host))
		return fault("protocolHost", why, no_breaks);
	if (!is_line(s->protocol_username))
		return fault("protocolUsername", why, no_breaks);
	if (!is_line(s->protocol_password))
		return fault("protocolPassword", why, no_breaks);
	for (size_t i = 0; i < s->protocol_header.n; i++) {
		if (!is_line(s->protocol_header.items[i]))
			return fault("protocolHeader", why, no_breaks);
		if (strchr(s->protocol_header.items[i], ':') == NULL)
			return fault("protocolHeader", why, "this is no header: write NAME: "
			    "VALUE");
	}
	return NULL;
}

/* The client's connect and socks ask a proxy for one destination. */
static bool
asks_proxy(const struct conf_service *s)
{
	return s->client &&
	    (s->protocol == PROTOCOL_CONNECT || s->protocol == PROTOCOL_SOCKS);
}

static bool
logs_in(const struct conf_service *s)
{
	return s->client &&
	    (s->protocol == PROTOCOL_CONNECT || s->protocol == PROTOCOL_SMTP);
}

static const char *
check_destination(const struct conf_service *s, struct errmsg *why)
{
	struct addr_spec spec;
	bool good;

	if (!asks_proxy(s))
		return NULL;
	if (s->protocol_host == NULL)
		return fault("protocol", why, "protocolHost is missing: give the HOST:PORT "
		    "that the proxy is to connect to");
	if (addr_parse(s->protocol_host, &spec, why) == -1)
		return "protocolHost";
	good = spec.kind == ADDR_TCP && spec.host != NULL && strlen(spec.host) <= 255;
	addr_spec_free(&spec);
	return good ? NULL : fault("protocolHost", why, "this is no destination for a proxy: "
	    "give HOST:PORT");
}

static const char *
check_login(const struct conf_service *s, struct errmsg *why)
{
	if (!logs_in(s))
		return NULL;
	if (s->protocol_username != NULL && s->protocol_password == NULL)
		return fault("protocolUsername", why, "protocolPassword is missing: the two "
		    "belong together");
	if (s->protocol_username == NULL && s->protocol_password != NULL)
		return fault("protocolPassword", why, "protocolUsername is missing: the two "
		    "belong together");
	if (s->protocol_username != NULL && s->protocol == PROTOCOL_CONNECT &&
	    s->protocol_authentication != AUTH_BASIC)
		return fault("protocolAuthentication", why, "with protocol = connect it must be "
		    "basic: leave it out");
	return NULL;
}

static const char *
check_proxy_in(const struct conf_service *s, struct errmsg *why)
{
	if (!s->proxy_in && s->proxy_from.n > 0)
		return fault("proxyFrom", why, "proxyIn = yes is missing");
	if (!s->proxy_in)
		return NULL;
	for (size_t i = 0; i < s->accept.n; i++) {
		if (s->accept.items[i].kind == ADDR_STDIO)
			return fault("proxyIn", why, "it needs a port or socket to accept on: "
			    "nobody puts a header in front of standard input");
		if (s->accept.items[i].kind == ADDR_TCP && s->proxy_from.n == 0)
			return fault("proxyIn", why, "proxyFrom is missing: name the proxies "
			    "that may say where a connection comes from, e.g. 192.0.2.7");
	}
	return NULL;
}

const char *
protocol_check(const struct conf_service *s, struct errmsg *why)
{
	const char *wrong;

	if (!protocol_supported(s->protocol, s->client))
		return fault("protocol", why, s->client ? "it is for server mode only" :
		    "it is for client = yes only");
	if ((wrong = check_lines(s, why)) == NULL && (wrong = check_destination(s, why)) == NULL &&
	    (wrong = check_login(s, why)) == NULL)
		wrong = check_proxy_in(s, why);
	return wrong;
}

const char *
protocol_idle(const struct conf_service *s, size_t i)
{
	const struct {
		const char *option;
		bool idle;
	} rows[] = {
		{ "protocolHost", s->protocol_host != NULL && !asks_proxy(s) &&
		    !(s->client && s->protocol == PROTOCOL_SMTP) },
		{ "protocolUsername", s->protocol_username != NULL && !logs_in(s) },
		{ "protocolPassword", s->protocol_password != NULL && !logs_in(s) },
		{ "protocolHeader", s->protocol_header.n > 0 &&
		    !(s->client && s->protocol == PROTOCOL_CONNECT) },
	};

	for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
		if (rows[k].idle && i-- == 0)
			return rows[k].option;
	return NULL;
}
