#include "tunnel/policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "conf/paths.h"
#include "conf/rule.h"
#include "conf/sslopt.h"

/* What stunnel calls no limit. */
#define SESSIONS_MOST 1000000

/* What all the options about verifying come to. */
struct verification {
	bool chain;  /* a path to a CA in CAfile or CApath */
	bool exact;  /* the very certificate in CAfile or CApath */
	bool pins;   /* the certificates and keys in allow, and no other says who may pass */
	bool anyone; /* nothing is verified */
	enum tls_ask ask;
};

static bool
has_cas(const struct conf_service *c)
{
	return c->cafile.n > 0 || c->capath.n > 0;
}

/* Of stunnel's old levels: 1, 2 and 3 want a chain, 3 and 4 the certificate itself; only with 1
 * may a client go without. */
static struct verification
verification_of(const struct conf_service *c)
{
	const unsigned level = c->verify;
	struct verification v = {
		.chain = c->verify_chain || (level >= 1 && level <= 3),
		.exact = c->verify_peer || level == 3 || level == 4,
		.ask = TLS_ASK_REQUIRED,
	};

	if (c->profile == PROFILE_STRICT && !v.exact)
		v.chain = has_cas(c);
	v.pins = !v.chain && !v.exact && c->peer.n == 0 && rules_are_pins(c);
	v.anyone = c->insecure || (!v.chain && !v.exact && !v.pins && c->peer.n == 0);
	if (c->insecure)
		v.ask = TLS_ASK_OPTIONAL;
	else if (v.anyone && !c->require_cert)
		v.ask = level == 0 ? TLS_ASK_OPTIONAL : TLS_ASK_NOT;
	else if (level == 1 && !c->verify_chain && !c->verify_peer && !c->require_cert &&
	    c->peer.n == 0)
		v.ask = TLS_ASK_OPTIONAL;
	if (c->psk_secrets != NULL)
		v = (struct verification){ .anyone = true, .ask = TLS_ASK_NOT };
	return v;
}

bool
policy_names_host(const struct conf_service *c)
{
	return c->client && c->profile == PROFILE_STRICT && !c->insecure && has_cas(c) &&
	    !rules_name_peer(c);
}

static int
warned(const struct conf_service *c, int rc, const struct errmsg *e)
{
	if (rc == 1)
		log_line(LOG_WARNING, "main", "Service [%s] %s", c->name, e->text);
	return rc == -1 ? -1 : 0;
}

/* In our profile a CA file may hold exact certificates as well; stunnel tells by the option
 * what it holds. */
static int
add_cas(struct trust *t, const struct conf_service *c, const struct verification *v,
    struct errmsg *e)
{
	bool ours = c->profile == PROFILE_STRICT && !v->exact;
	int rc;

	if (!ours)
		trust_read_as(t, v->chain, v->exact);
	for (size_t i = 0; i < c->cafile.n; i++) {
		const char *file = paths_cas(c->cafile.items[i]);

		if (file == NULL)
			return errmsg_set(e, "CAfile = system: this system has no file of CAs "
			    "where one is looked for: install ca-certificates, or name the file");
		rc = ours ? trust_add_cas(t, file, e) : trust_add_file(t, file, e);
		/* Among so many some are always out of date. */
		if (rc == 1 && file != c->cafile.items[i])
			rc = 0;
		if (warned(c, rc, e) == -1)
			return -1;
	}
	for (size_t i = 0; i < c->capath.n; i++)
		if (warned(c, trust_add_folder(t, c->capath.items[i], e), e) == -1)
			return -1;
	return 0;
}

static int
add_rules(struct trust *t, const struct conf_rules *list, bool deny, struct errmsg *e)
{
	struct rule *r;

	for (size_t i = 0; i < list->n; i++) {
		if ((r = rule_parse(list->items[i].text, deny, e)) == NULL)
			return -1;
		if (trust_add_rule(t, r, e) == -1) {
			free(r);
			return -1;
		}
	}
	return 0;
}

static struct trust *
trust_of(const struct conf_service *c, const struct verification *v, struct errmsg *e)
{
	struct trust *t;

	if ((t = trust_new()) == NULL) {
		errmsg_set(e, "out of memory");
		return NULL;
	}
	trust_set_level(t, c->security_level);
	trust_set_depth(t, c->chain_depth);
	if (v->anyone)
		return t;
	if (v->pins)
		trust_pin_by_rules(t);
	if (add_rules(t, &c->allow, false, e) == -1 || add_rules(t, &c->deny, true, e) == -1)
		goto err;
	if ((v->chain || v->exact) && add_cas(t, c, v, e) == -1)
		goto err;
	for (size_t i = 0; i < c->peer.n; i++)
		if (trust_add_peers(t, c->peer.items[i], e) == -1)
			goto err;
	if (trust_is_empty(t) && !v->pins && c->profile == PROFILE_STRICT) {
		errmsg_set(e, "there is no certificate in CApath, so nobody could pass: add "
		    "those of the CAs to trust");
		goto err;
	}
	return t;

err:
	trust_free(t);
	return NULL;
}

/* What the checks of the configuration have refused already, for all I know: an option that is
 * passed over would let strangers in. */
static int
check(const struct conf_service *c, const struct verification *v, struct errmsg *e)
{
	if (c->insecure || !v->anyone || c->psk_secrets != NULL)
		return 0;
	if (c->profile == PROFILE_STRICT)
		return errmsg_set(e, "nothing says who may pass: add peer or CAfile");
	if (c->checkhost.n + c->checkip.n + c->checkemail.n > 0)
		return errmsg_set(e, "checkHost, checkIP and checkEmail need verifyChain or "
		    "verifyPeer");
	if (c->allow.n + c->deny.n > 0)
		return errmsg_set(e, "allow and deny need verifyChain, verifyPeer or peer");
	if (c->redirect.n > 0)
		return errmsg_set(e, "redirect needs verifyChain or verifyPeer");
	return 0;
}

static enum tls_version
version_of(enum conf_version v)
{
	return v == VERSION_TLS13 ? TLS_1_3 : TLS_1_2;
}

int
policy_make(const struct conf_service *c, struct tls_policy *p, struct errmsg *e)
{
	const struct verification v = verification_of(c);
	enum conf_version min, max;

	if (check(c, &v, e) == -1)
		return -1;
	if (sslopt_versions(c, &min, &max) == -1)
		return errmsg_set(e, "no TLS version is left by sslVersion and options");
	*p = (struct tls_policy){
		.server = !c->client,
		.service = c->name,
		.certs = (const char *const *)c->cert.items,
		.ncerts = c->cert.n,
		.keys = (const char *const *)c->key.items,
		.nkeys = c->key.n,
		.key_pass = c->key_pass,
		.min = version_of(min),
		.max = version_of(max),
		.suites12 = (const char *const *)c->suites12.items,
		.nsuites12 = c->suites12.n,
		.suites13 = (const char *const *)c->suites13.items,
		.nsuites13 = c->suites13.n,
		.groups = (const char *const *)c->groups.items,
		.ngroups = c->groups.n,
		.protocols = (const char *const *)c->alpn.items,
		.nprotocols = c->alpn.n,
		.require_protocol = c->alpn_require,
		.client_order = c->profile == PROFILE_STUNNEL && !c->server_preference,
		.level = c->security_level,
		.ask = v.ask,
		.insecure = v.anyone && c->psk_secrets == NULL,
		.psk_secrets = c->psk_secrets,
		.psk_identity = c->psk_identity,
		.outcasts = !c->client && c->redirect.n > 0,
		.staple = !c->client && c->psk_secrets == NULL &&
		    (c->ocsp_staple.n > 0 || c->ocsp_staple_fetch),
		.resume = {
			.on = c->session_resume && c->psk_secrets == NULL,
			.size = c->session_cache_size != 0 ? c->session_cache_size : SESSIONS_MOST,
			.seconds = c->session_cache_timeout,
			.key_secret = c->client ? NULL : c->ticket_key_secret,
			.mac_secret = c->client ? NULL : c->ticket_mac_secret,
			.key_file = c->client ? NULL : c->ticket_key_file,
		},
	};
	p->trust = trust_of(c, &v, e);
	return p->trust == NULL ? -1 : 0;
}

int
policy_crls(const struct config *config, const struct conf_service *c,
    const struct tls_policy *p, struct crl_set **crls, struct errmsg *e)
{
	char where[512];
	const struct crl_source from = {
		.service = c->name,
		.where = config_where(config, c, c->crlfile.n > 0 ? "CRLfile" : "CRLpath", where,
		    sizeof(where)),
		.files = (const char *const *)c->crlfile.items,
		.nfiles = c->crlfile.n,
		.folders = (const char *const *)c->crlpath.items,
		.nfolders = c->crlpath.n,
		.whole_path = c->crl_check_chain,
		.soft = c->crl_policy == CRL_SOFT,
	};

	*crls = NULL;
	if (from.nfiles == 0 && from.nfolders == 0)
		return 0;
	*crls = crl_set_new(&from, p->trust, e);
	return *crls != NULL ? 0 : -1;
}

static size_t
append(const char **names, size_t n, const struct conf_strings *list)
{
	for (size_t i = 0; i < list->n; i++)
		names[n++] = list->items[i];
	return n;
}

int
policy_names(const struct conf_service *c, const char ***names, size_t *n, struct errmsg *e)
{
	size_t all = c->checkhost.n + c->checkip.n + c->checkemail.n;

	for (size_t i = 0; i < c->checkemail.n; i++)
		/* Without it, it would be a host's name to the TLS layer. */
		if (strchr(c->checkemail.items[i], '@') == NULL)
			return errmsg_set(e, "checkEmail: \"%.128s\" is no email address: give "
			    "it whole, as user@example.org", c->checkemail.items[i]);
	if ((*names = calloc(all + 1, sizeof(**names))) == NULL)
		return errmsg_set(e, "out of memory");
	*n = append(*names, 0, &c->checkhost);
	*n = append(*names, *n, &c->checkip);
	*n = append(*names, *n, &c->checkemail);
	return 0;
}

const char *
policy_sni(const struct conf_service *c, const char *host)
{
	if (c->sni != NULL)
		return *c->sni != '\0' ? c->sni : NULL;
	if (host == NULL && c->checkhost.n > 0)
		return c->checkhost.items[0];
	return host;
}
