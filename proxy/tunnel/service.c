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

struct service *
service_new(struct config *config, const struct conf_service *c, struct errmsg *e)
{
	struct service *s;
	struct tls_policy policy = {
		.server = !c->client,
		.service = c->name,
		.cert = c->cert,
		.key = c->key,
		.min = c->version_min == VERSION_TLS13 ? TLS_1_3 : TLS_1_2,
		.max = c->version_max == VERSION_TLS13 ? TLS_1_3 : TLS_1_2,
		.insecure = c->insecure,
	};

	if ((s = calloc(1, sizeof(*s))) == NULL) {
		errmsg_set(e, "out of memory");
		goto err0;
	}
	if ((policy.trust = trust_of(c, e)) == NULL)
		goto err1;
	if ((s->tls = tls_context_new(&policy, e)) == NULL)
		goto err2;
	s->config = config_ref(config);
	s->conf = c;
	s->names = (const char *const *)c->checkhost.items;
	s->nnames = c->checkhost.n;
	atomic_init(&s->refs, 1);
	atomic_init(&s->stdio_taken, false);
	if (c->insecure)
		log_line(LOG_WARNING, "main", "Service [%s] INSECURE: whoever connects may "
		    "pass, since --insecure was given", c->name);
	return s;

err2:
	trust_free(policy.trust);
err1:
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
	config_free(s->config);
	free(s);
}
