#include "conf/ocsp.h"

#include <strings.h>

#include "net/http.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* OpenSSL's flags for its own judgement of answers, as stunnel hands them on. */
static const struct {
	const char *name;
	enum ocsp_flag means;
	const char *why;
} flags[] = {
	{ "NOCASIGN", OCSP_FLAG_MOOT, "of CAs only the one that was asked about counts anyway" },
	{ "NOCERTS", OCSP_FLAG_MOOT, "it is for responders" },
	{ "NOCHAIN", OCSP_FLAG_MOOT, "no chain is looked for behind the signer anyway" },
	{ "NOCHECKS", OCSP_FLAG_REFUSED, "whoever has any certificate of the CA could answer" },
	{ "NODELEGATED", OCSP_FLAG_NO_DELEGATES, NULL },
	{ "NOEXPLICIT", OCSP_FLAG_MOOT, "there is no such trust anyway" },
	{ "NOINTERN", OCSP_FLAG_NO_DELEGATES, NULL },
	{ "NOSIGS", OCSP_FLAG_REFUSED, "whoever is on the way could answer" },
	{ "NOTIME", OCSP_FLAG_MOOT, "it is for responders" },
	{ "NOVERIFY", OCSP_FLAG_REFUSED, "whoever has a certificate could answer" },
	{ "RESPID_KEY", OCSP_FLAG_MOOT, "it is for responders" },
	{ "TRUSTOTHER", OCSP_FLAG_REFUSED, "whoever is on the way could answer" },
};

enum ocsp_flag
ocsp_flag_of(const char *name, const char **moot, struct errmsg *e)
{
	for (size_t i = 0; i < COUNT(flags); i++) {
		if (strcasecmp(name, flags[i].name) != 0)
			continue;
		*moot = flags[i].why;
		if (flags[i].means == OCSP_FLAG_REFUSED)
			errmsg_set(e, "%s would make OCSP useless: %s; leave it out", name,
			    flags[i].why);
		return flags[i].means;
	}
	errmsg_set(e, "\"%.64s\" is not known here: give NODELEGATED, or leave it out", name);
	return OCSP_FLAG_REFUSED;
}

bool
ocsp_no_delegates(const struct conf_service *s)
{
	const char *moot;
	struct errmsg e;

	for (size_t i = 0; i < s->ocsp_flags.n; i++)
		if (ocsp_flag_of(s->ocsp_flags.items[i], &moot, &e) == OCSP_FLAG_NO_DELEGATES)
			return true;
	return false;
}

bool
ocsp_asks(const struct conf_service *s)
{
	return s->ocsp_url != NULL || s->ocsp_aia;
}

const char *
ocsp_check(const struct conf_service *s, struct errmsg *e)
{
	struct http_url url;
	const char *moot;

	if (s->ocsp_url != NULL && http_url_parse(s->ocsp_url, &url, e) == -1)
		return "OCSP";
	for (size_t i = 0; i < s->ocsp_flags.n; i++)
		if (ocsp_flag_of(s->ocsp_flags.items[i], &moot, e) == OCSP_FLAG_REFUSED)
			return "OCSPflag";
	return NULL;
}
