#include <stdlib.h>

#include "base/log.h"
#include "tunnel/service.h"

static struct trust *
trust_of(const struct conf_service *c, struct errmsg *e)
{
	struct trust *t;
	int rc;

	if ((t = trust_new()) == NULL) {
		errmsg_set(e, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < c->peer.n; i++)
		if (trust_add_peers(t, c->peer.items[i], e) == -1)
			goto err;
	for (size_t i = 0; i < c->cafile.n; i++) {
		if ((rc = trust_add_cas(t, c->cafile.items[i], e)) == -1)
			goto err;
		if (rc == 1)
			log_line(LOG_WARNING, "main", "Service [%s] %s", c->name, e->text);
	}
	return t;

err:
	trust_free(t);
	return NULL;
}

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

struct service *
service_new(struct config *config, const struct conf_service *c, const struct service *old,
    struct errmsg *e)
{
	struct service *s;
	struct tls_policy policy = {
		.server = !c->client,
		.service = c->name,
		.cert = c->cert,
		.key = c->key,
		.min = c->version_min == VERSION_TLS13 ? TLS_1_3 : TLS_1_2,
		.max = c->version_max == VERSION_TLS13 ? TLS_1_3 : TLS_1_2,
		.ask = c->insecure ? TLS_ASK_OPTIONAL : TLS_ASK_REQUIRED,
		.insecure = c->insecure,
	};

	if ((s = calloc(1, sizeof(*s))) == NULL) {
		errmsg_set(e, "out of memory");
		goto err0;
	}
	s->conf = c;
	if (set_up_sockets(s, e) == -1)
		goto err1;
	if ((policy.trust = trust_of(c, e)) == NULL)
		goto err1;
	s->tls = tls_context_renew(&policy, old != NULL ? old->tls : NULL, e);
	if (s->tls == NULL)
		goto err2;
	s->config = config_ref(config);
	s->names = (const char *const *)c->checkhost.items;
	s->nnames = c->checkhost.n;
	atomic_init(&s->refs, 1);
	if (c->insecure)
		log_line(LOG_WARNING, "main", "Service [%s] INSECURE: whoever connects may "
		    "pass, since --insecure was given", c->name);
	return s;

err2:
	trust_free(policy.trust);
err1:
	addr_list_free(&s->sources);
	free(s);
err0:
	return NULL;
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
	tls_context_unref(s->tls);
	addr_list_free(&s->sources);
	config_free(s->config);
	free(s);
}
