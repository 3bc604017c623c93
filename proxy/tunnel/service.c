#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "conf/ocsp.h"
#include "conf/sni.h"
#include "tls/ocsp.h"
#include "tls/own.h"
#include "tunnel/policy.h"
#include "tunnel/service.h"
#include "tunnel/stapling.h"

/* The addresses to connect from; the port is any. */
static int
find_sources(struct service *s, struct errmsg *e)
{
	char any[] = "0";
	struct addr_spec spec = { .kind = ADDR_TCP, .host = s->conf->local, .port = any,
		.text = s->conf->local };

	if (s->conf->local == NULL)
		return 0;
	if (addr_resolve(&spec, true, false, &s->sources, e) != 0)
		return errmsg_prefix(e, "local = %s", s->conf->local);
	return 0;
}

static int
set_up_sockets(struct service *s, struct errmsg *e)
{
	if (find_sources(s, e) == -1)
		return -1;
	s->setup = (struct sock_setup){
		.opts = s->conf->sockopts.items,
		.nopts = s->conf->sockopts.n,
		.sources = s->sources.items,
		.nsources = s->sources.n,
		.foreign = (s->conf->transparent & TRANSPARENT_DESTINATION) != 0,
	};
	return 0;
}

static bool
same_names(const struct service *a, const struct service *b)
{
	if (a->nnames != b->nnames)
		return false;
	for (size_t i = 0; i < a->nnames; i++)
		if (strcmp(a->names[i], b->names[i]) != 0)
			return false;
	return true;
}

bool
service_same_rules(const struct service *a, const struct service *b)
{
	return a == b || (a->tls == b->tls && crl_set_equal(a->crls, b->crls) && same_names(a, b));
}

/* What was verified by other rules, or shown another certificate of ours, is not resumed. */
static int
find_sessions(struct service *s, const struct tls_resume *r, const struct service *old,
    struct errmsg *e)
{
	if (!s->conf->client || !r->on)
		return 0;
	if (old != NULL && old->sessions != NULL && service_same_rules(old, s))
		s->sessions = session_pool_ref(old->sessions);
	else if ((s->sessions = session_pool_new(r->size, r->seconds)) == NULL)
		return errmsg_set(e, "out of memory");
	return 0;
}

/* What its certificates will meet at the other end. */
static void
judge_own(const struct service *s)
{
	char where[512];
	struct errmsg e;
	int level;

	config_where(s->config, s->conf, "cert", where, sizeof(where));
	for (size_t i = 0; i < tls_context_certs(s->tls); i++)
		if ((level = tls_own_judge(s->tls, i, s->crls, time(NULL), &e)) != 0)
			log_line(level, "main", "Service [%s] %s%s", s->conf->name, where, e.text);
}

struct service *
service_new(struct config *config, const struct conf_service *c, const struct service *old,
    struct errmsg *e)
{
	struct service *s;
	struct tls_policy policy;

	if ((s = calloc(1, sizeof(*s))) == NULL) {
		errmsg_set(e, "out of memory");
		goto err0;
	}
	s->conf = c;
	s->ocsp_flags = ocsp_no_delegates(c) ? OCSP_NO_DELEGATES : 0;
	if (set_up_sockets(s, e) == -1)
		goto err1;
	if (policy_names(c, &s->names, &s->nnames, e) == -1 ||
	    policy_make(c, &policy, e) == -1)
		goto err1;
	if (policy_crls(config, c, &policy, &s->crls, e) == -1)
		goto err2;
	s->tls = tls_context_renew(&policy, old != NULL ? old->tls : NULL, e);
	if (s->tls == NULL)
		goto err2;
	if (find_sessions(s, &policy.resume, old, e) == -1)
		goto err3;
	stapling_read(s);
	s->config = config_ref(config);
	atomic_init(&s->refs, 1);
	judge_own(s);
	if (c->insecure)
		log_line(LOG_WARNING, "main", "Service [%s] INSECURE: whoever connects may "
		    "pass, since --insecure was given", c->name);
	return s;

err3:
	tls_context_unref(s->tls);
	policy.trust = NULL;
err2:
	trust_free(policy.trust);
	crl_set_unref(s->crls);
err1:
	free(s->names);
	addr_list_free(&s->sources);
	free(s);
err0:
	return NULL;
}

int
service_name(struct service *s, const char *pattern, struct service *other)
{
	struct service_name *named;

	if ((named = reallocarray(s->named, s->nnamed + 1, sizeof(*named))) == NULL)
		return -1;
	s->named = named;
	named[s->nnamed++] = (struct service_name){ pattern, service_ref(other) };
	return 0;
}

struct service *
service_for_name(struct service *s, const char *name)
{
	for (int wild = 0; wild < 2; wild++)
		for (size_t i = 0; i < s->nnamed; i++)
			if ((s->named[i].pattern[0] == '*') == wild &&
			    sni_matches(s->named[i].pattern, name))
				return s->named[i].service;
	return s;
}

unsigned long long
service_count_reported(struct service *s)
{
	return atomic_fetch_add_explicit(&s->reported, 1, memory_order_relaxed) + 1;
}

unsigned long long
service_count_unasked(struct service *s)
{
	return atomic_fetch_add_explicit(&s->unasked, 1, memory_order_relaxed) + 1;
}

struct service *
service_ref(struct service *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void
service_unref(struct service *s)
{
	if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < s->nnamed; i++)
		service_unref(s->named[i].service);
	free(s->named);
	tls_context_unref(s->tls);
	session_pool_unref(s->sessions);
	crl_set_unref(s->crls);
	free(s->names);
	addr_list_free(&s->sources);
	config_free(s->config);
	free(s);
}
