#ifndef TUNNEL_SERVICE_H_
#define TUNNEL_SERVICE_H_

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "conf/config.h"
#include "net/sock.h"
#include "tls/context.h"

/*
 * One section of the configuration at run time.  Immutable once made but for
 * the atomics; refcounted; any thread.
 */
struct service {
	atomic_uint refs;
	struct config *config;           /* a reference, for what conf and names point into */
	const struct conf_service *conf;
	struct tls_context *tls;
	const char *const *names;        /* checkHost, or none */
	size_t nnames;
	struct addr_list sources;        /* what local means */
	struct sock_setup setup;         /* of its sockets */
	atomic_uint turns;               /* of its targets, with failover = rr */
};

/* Turns a section of the configuration into a service, reading its files.  Returns NULL
 * with the message filled. */
struct service *service_new(struct config *, const struct conf_service *, struct errmsg *);
struct service *service_ref(struct service *);
void service_unref(struct service *);

#endif
