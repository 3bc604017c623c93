#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "check_priv.h"
#include "conf/sni.h"
#include "conf/protocol.h"
#include "conf/rule.h"

bool
judge_verifies(const struct conf_service *s)
{
	return !s->insecure &&
	    (rules_are_pins(s) || s->verify_chain || s->verify_peer || s->peer.n > 0 ||
		(s->verify != CONF_VERIFY_OFF && s->verify >= 1) ||
		(s->profile == PROFILE_STRICT && (s->cafile.n > 0 || s->capath.n > 0)));
}

bool
judge_names(const struct conf_service *s)
{
	return s->checkhost.n > 0 || s->checkip.n > 0 || s->checkemail.n > 0;
}

/* The option that asks for CAfile or CApath, or NULL. */
static const char *
needs_cas(const struct conf_service *s)
{
	if (s->verify_chain)
		return "verifyChain";
	if (s->verify_peer)
		return "verifyPeer";
	return s->verify != CONF_VERIFY_OFF && s->verify >= 1 ? "verify" : NULL;
}

static void
check_cert(struct judge *j)
{
	const struct conf_service *s = j->service;

	if (s->cert.n > 0 || s->psk_secrets != NULL || judge_says(j, "cert") ||
	    judge_says(j, "PSKsecrets"))
		return;
	if (!s->client)
		judge_section(j, LOG_ERR,
		    "TLS server needs a certificate: make one with "
		    "\"sluss keygen server --dns HOST\" and add cert = server.pem");
	else if (s->key.n > 0)
		judge_option(
		    j, LOG_ERR, "key", "there is no cert: add it, or leave key out");
	else if (s->profile == PROFILE_STRICT && !s->insecure)
		judge_section(j, LOG_ERR,
		    "cert is missing, which profile = strict asks for: "
		    "make it with \"sluss keygen client\" and add cert = client.pem");
}

static void
check_key_pass(struct judge *j)
{
	if (j->service->key_pass != NULL && j->service->cert.n == 0 && !judge_says(j, "cert"))
		judge_option(
		    j, LOG_ERR, "keyPass", "there is no cert: add it, or leave keyPass out");
}

static void
check_insecure(struct judge *j)
{
	static const char *const others[] = { "verifyChain", "verifyPeer", "requireCert",
		"verify", "peer", "checkHost", "checkIP", "checkEmail", "allow", "deny" };
	const struct conf_service *s = j->service;
	const bool said[] = { s->verify_chain, s->verify_peer, s->require_cert,
		s->verify != CONF_VERIFY_OFF && s->verify >= 1, s->peer.n > 0,
		s->checkhost.n > 0, s->checkip.n > 0, s->checkemail.n > 0,
		s->allow.n > 0, s->deny.n > 0 };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (said[i])
			judge_option(j, LOG_ERR, others[i],
			    "insecure = yes contradicts it: leave "
			    "one of them out");
}

/* Keys shared beforehand stand alone. */
static void
check_psk(struct judge *j)
{
	static const char *const others[] = { "cert", "key", "keyPass", "peer", "CAfile",
		"CApath", "verifyChain", "verifyPeer", "requireCert", "verify", "checkHost",
		"checkIP", "checkEmail", "insecure", "redirect", "CRLfile", "CRLpath",
		"allow", "deny", "ciphersuites" };
	const struct conf_service *s = j->service;
	bool word = s->suites12.n == 1 && strcmp(s->suites12.items[0], "PSK") == 0;

	if (s->psk_secrets == NULL) {
		if (word)
			judge_option(j, LOG_ERR, "ciphers", "PSKsecrets is missing: add it");
		if (s->psk_identity != NULL)
			judge_option(j, LOG_ERR, "PSKidentity", "PSKsecrets is missing: add it");
		return;
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (judge_says(j, others[i]))
			judge_option(j, LOG_ERR, others[i],
			    "with PSKsecrets there are no certificates, and the suites of TLS "
			    "1.3 are fixed: leave one of them out");
	if (s->session_resume)
		judge_option(j, LOG_ERR, "sessionResume",
		    "with PSKsecrets no session is resumed: leave one of them out");
	if (s->suites12.n > 0 && !word)
		judge_option(j, LOG_ERR, "ciphers",
		    "with PSKsecrets the suites are fixed: leave it out, or write PSK");
	if (s->psk_identity != NULL && !s->client)
		judge_option(j, LOG_WARNING, "PSKidentity", "ignored: it is for client = yes");
}

static void
check_peer(struct judge *j)
{
	const struct conf_service *s = j->service;
	const char *asks = needs_cas(s);

	if (asks != NULL && !judge_says(j, "CAfile") && !judge_says(j, "CApath"))
		judge_option(j, LOG_ERR, asks,
		    "CAfile and CApath are both missing: give the "
		    "file or the folder of the certificates to trust");
	if (s->profile == PROFILE_STRICT && !judge_verifies(s) && asks == NULL)
		judge_section(j, LOG_ERR,
		    "nothing says which %s may pass, which profile = strict "
		    "asks for: add peer = %s.crt (its certificate) or CAfile = ca.crt (the CA "
		    "that issued it)",
		    s->client ? "server" : "client", s->client ? "server" : "client");
}

/* With a CA alone anyone whom it has issued for could be at the other end: the
 * certificate must name the host, and a unix socket has none. */
static void
check_socket_names(struct judge *j)
{
	const struct conf_service *s = j->service;

	if (s->profile != PROFILE_STRICT || !s->client || s->peer.n > 0 ||
	    judge_names(s) || rules_name_peer(s) || s->insecure || (s->cafile.n == 0 && s->capath.n == 0))
		return;
	if (s->connect.n == 0)
		judge_section(j, LOG_ERR,
		    "checkHost is missing: the certificate must name the "
		    "server, and nothing else here does");
	for (size_t i = 0; i < s->connect.n; i++)
		if (s->connect.items[i].kind == ADDR_UNIX) {
			judge_option(j, LOG_ERR, "connect",
			    "checkHost is missing: the certificate "
			    "must name the server, and the path of a socket gives no name");
			return;
		}
}

static void
check_names(struct judge *j)
{
	const struct conf_service *s = j->service;
	const char *option = s->checkhost.n > 0 ? "checkHost"
	    : s->checkip.n > 0                  ? "checkIP"
						: "checkEmail";

	if (judge_names(s) && !judge_verifies(s))
		judge_option(j, LOG_ERR, option,
		    "a name proves nothing by itself: add "
		    "verifyChain = yes or verifyPeer = yes, with CAfile");
	else
		check_socket_names(j);
}

static void
check_rules(struct judge *j)
{
	const struct conf_rule *line;
	const char *option;
	char text[320];
	struct errmsg why;

	if ((line = rules_check(j->service, &option, &why)) == NULL)
		return;
	snprintf(text, sizeof(text), "%s = %.300s", option, line->text);
	judge_line(j, LOG_ERR, &line->at, text, "%s", why.text);
}

static void
check_redirect(struct judge *j)
{
	const struct conf_service *s = j->service;

	if (s->redirect.n == 0)
		return;
	if (s->client)
		judge_option(
		    j, LOG_ERR, "redirect", "it is for servers, not with client = yes");
	else if (protocol_greets(s))
		judge_option(j, LOG_ERR, "redirect",
		    "with protocol = %s the target is connected "
		    "before anybody is verified: leave one of them out",
		    protocol_name(s->protocol));
	else if (!judge_verifies(s))
		judge_option(j, LOG_ERR, "redirect",
		    "nobody is ever redirected: add "
		    "verifyChain = yes or verifyPeer = yes, with CAfile");
}

static void
check_alpn(struct judge *j)
{
	if (j->service->alpn_require && !judge_says(j, "alpn"))
		judge_option(j, LOG_ERR, "alpnRequire", "alpn is missing: add it");
}

/* Only a CA's signature makes a list of revoked certificates. */
static void
check_revocation(struct judge *j)
{
	const struct conf_service *s = j->service;
	const char *option = s->crlfile.n > 0 ? "CRLfile" : "CRLpath";

	if (s->crlfile.n == 0 && s->crlpath.n == 0) {
		if (s->crl_check_chain)
			judge_option(j, LOG_ERR, "CRLcheckChain",
			    "CRLfile and CRLpath are both "
			    "missing: give the lists of revoked certificates");
		else if (s->crl_policy != CRL_STRICT)
			judge_option(j, LOG_WARNING, "crlPolicy",
			    "it changes nothing without "
			    "CRLfile or CRLpath");
	} else if (s->insecure || !judge_verifies(s)) {
		judge_option(j, LOG_ERR, option,
		    "nobody's certificate is verified: add "
		    "verifyChain = yes, with CAfile");
	} else if (s->cafile.n == 0 && s->capath.n == 0) {
		judge_option(j, LOG_ERR, option,
		    "no CA is there that could have signed it: add "
		    "CAfile; what peer names is revoked by taking it out of its file");
	}
}

/* What a level asks for and cannot have. */
static void
check_level(struct judge *j)
{
	const unsigned level = j->service->security_level;

	if (level < 2)
		judge_option(j, LOG_WARNING, "securityLevel",
		    "keys that are too small for level "
		    "2 are refused all the same");
	else if (level > 3)
		judge_option(j, LOG_WARNING, "securityLevel",
		    "no RSA key will do: above 4096 "
		    "bits they are not taken");
}

static void
check_sni(struct judge *j)
{
	struct errmsg why;
	int rc = sni_is_named(j->service) ? sni_check(j->config, j->service, &why) : 0;

	if (rc != 0)
		judge_option(j, rc == -1 ? LOG_ERR : LOG_WARNING, "sni", "%s", why.text);
}

static void
ignore(struct judge *j, const char *const *names, const char *why)
{
	for (; *names != NULL; names++)
		if (judge_says(j, *names))
			judge_option(j, LOG_WARNING, *names, "ignored%s", why);
}

static void
check_resumption(struct judge *j)
{
	static const char *const bounds[] = { "sessionCacheSize", "sessionCacheTimeout", NULL };
	static const char *const keys[] = { "ticketKeySecret", "ticketMacSecret", "ticketKeyFile",
		NULL };
	const struct conf_service *s = j->service;

	if ((s->ticket_key_secret != NULL) != (s->ticket_mac_secret != NULL))
		judge_option(j, LOG_ERR, s->ticket_key_secret != NULL ? "ticketKeySecret" :
		    "ticketMacSecret", "ticketKeySecret and ticketMacSecret go together: give "
		    "both");
	if (s->ticket_key_file != NULL && s->ticket_key_secret != NULL)
		judge_option(j, LOG_ERR, "ticketKeyFile", "ticketKeySecret says the same: leave "
		    "one of them out");
	if (!s->session_resume)
		ignore(j, bounds, " without sessionResume = yes");
	if (s->client)
		ignore(j, keys, ": it is for client = no");
	else if (!s->session_resume)
		ignore(j, keys, " without sessionResume = yes");
}

void
check_identity(struct judge *j)
{
	check_cert(j);
	check_key_pass(j);
	check_psk(j);
	if (j->service->insecure)
		check_insecure(j);
	else if (j->service->psk_secrets == NULL && !judge_says(j, "PSKsecrets")) {
		check_peer(j);
		check_names(j);
		check_rules(j);
	}
	check_redirect(j);
	check_level(j);
	check_revocation(j);
	check_ocsp(j);
	check_sni(j);
	check_alpn(j);
	check_resumption(j);
}
