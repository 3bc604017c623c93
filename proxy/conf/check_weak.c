#include <syslog.h>

#include "check_priv.h"
#include "conf/rule.h"

/* Who connects, or whom we connect to, is not asked who it is. */
static void
warn_unverified(struct judge *j)
{
	const struct conf_service *s = j->service;
	const bool cas = s->cafile.n > 0 || s->capath.n > 0;

	if (s->insecure || s->psk_secrets != NULL || judge_verifies(s))
		return;
	if (s->client)
		judge_section(j, LOG_WARNING,
		    "Service [%s] needs authentication to prevent MITM "
		    "attacks: add verifyChain = yes%s and checkHost = NAME",
		    s->name, cas ? "" : ", CAfile = FILE");
	else
		judge_section(j, LOG_WARNING,
		    "every client may pass: add "
		    "verifyChain = yes%s, or insecure = yes if that is meant",
		    cas ? "" : " and CAfile = FILE");
}

static void
warn_unnamed(struct judge *j)
{
	const struct conf_service *s = j->service;

	if (!s->client || s->insecure || !judge_verifies(s) || judge_names(s) ||
	    rules_name_peer(s) ||
	    s->peer.n > 0 || s->verify_peer ||
	    (s->verify != CONF_VERIFY_OFF && s->verify >= 3))
		return;
	judge_section(j, LOG_WARNING,
	    "whoever has a certificate of the CA is taken for the "
	    "server: add checkHost = NAME");
}

static void
warn_defaults(struct judge *j)
{
	const struct conf_service *s = j->service;

	if (!judge_says(j, "TIMEOUTbusy"))
		judge_section(j, LOG_WARNING,
		    "a handshake may take %u seconds: "
		    "add TIMEOUTbusy = 10",
		    s->timeout_busy);
	if (!judge_says(j, "abort"))
		judge_section(j, LOG_WARNING,
		    "a tunnel that was cut off ends as if it were "
		    "whole: add abort = strict");
}

void
check_weak(struct judge *j)
{
	if (j->service->profile != PROFILE_STUNNEL)
		return;
	warn_unverified(j);
	warn_unnamed(j);
	warn_defaults(j);
}
