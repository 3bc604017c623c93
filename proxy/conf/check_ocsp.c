#include <syslog.h>

#include "check_priv.h"
#include "conf/ocsp.h"

static void
warn_moot_flags(struct judge *j)
{
	const struct conf_strings *list = &j->service->ocsp_flags;
	struct errmsg e;
	const char *moot;

	for (size_t i = 0; i < list->n; i++)
		if (ocsp_flag_of(list->items[i], &moot, &e) == OCSP_FLAG_MOOT)
			judge_option(j, LOG_WARNING, "OCSPflag", "%s changes nothing here: %s",
			    list->items[i], moot);
}

/* Whether a CA must vouch for the peer: not where the very certificate is all that is asked for. */
static bool
wants_chain(const struct conf_service *s)
{
	const bool exact = s->verify_peer || s->verify == 3 || s->verify == 4;

	if (s->insecure || (s->cafile.n == 0 && s->capath.n == 0))
		return false;
	return s->verify_chain || (s->verify >= 1 && s->verify <= 3) ||
	    (s->profile == PROFILE_STRICT && !exact);
}

/* Only about a certificate that a CA vouches for can anybody be asked. */
static void
warn_unasked(struct judge *j)
{
	const struct conf_service *s = j->service;
	const char *option = s->ocsp_url != NULL ? "OCSP" : "OCSPaia";

	if (wants_chain(s))
		return;
	judge_option(j, LOG_WARNING, option,
	    "nobody is asked, since no certificate is verified by a CA: add verifyChain = yes, with "
	    "CAfile");
}

static void
warn_useless(struct judge *j)
{
	static const char *const more[] = { "OCSPflag", "OCSPnonce", "OCSPrequire" };

	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
		if (judge_says(j, more[i]))
			judge_option(j, LOG_WARNING, more[i], "ignored without OCSP or OCSPaia");
}

static void
warn_staple(struct judge *j)
{
	const struct conf_service *s = j->service;
	const char *option = s->ocsp_staple.n > 0 ? "OCSPstaple" : "OCSPstapleFetch";

	if (s->ocsp_staple.n == 0 && !s->ocsp_staple_fetch)
		return;
	if (s->client)
		judge_option(j, LOG_WARNING, option, "ignored with client = yes: it is for servers");
	else if (s->psk_secrets != NULL)
		judge_option(j, LOG_WARNING, option, "ignored with PSKsecrets: there is no "
		    "certificate");
}

void
check_ocsp(struct judge *j)
{
	struct errmsg why;
	const char *option;

	warn_staple(j);
	if ((option = ocsp_check(j->service, &why)) != NULL)
		judge_option(j, LOG_ERR, option, "%s", why.text);
	else if (!ocsp_asks(j->service))
		warn_useless(j);
	else {
		warn_unasked(j);
		warn_moot_flags(j);
	}
}
