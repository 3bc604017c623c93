#ifndef TUNNEL_SERVICE_H_
#define TUNNEL_SERVICE_H_

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "conf/config.h"
#include "net/sock.h"
#include "tls/context.h"
#include "tls/crl.h"
#include "tls/session_pool.h"

struct service;

/* A service that another one hands clients to, by the name that they ask for. */
struct service_name {
	const char *pattern;             /* lives in the configuration; see conf/sni.h */
	struct service *service;         /* a reference */
};

/*
 * One section of the configuration at run time.  Immutable once made but for
 * the atomics; refcounted; any thread.
 */
struct service {
	atomic_uint refs;
	struct config *config;           /* a reference, for what conf and names point into */
	const struct conf_service *conf;
	struct tls_context *tls;
	struct crl_set *crls;            /* who is revoked; NULL: nobody asks */
	struct session_pool *sessions;   /* of a client that resumes them, or NULL */
	const char **names;              /* checkHost, checkIP, checkEmail, or none */
	size_t nnames;
	struct service_name *named;      /* sections with sni, in their order; none: no hello is read */
	size_t nnamed;
	struct addr_list sources;        /* what local means */
	struct sock_setup setup;         /* of its sockets */
	unsigned ocsp_flags;             /* of tls/ocsp.h */
	atomic_ullong unasked;           /* peers let pass although no responder knew them */
	atomic_ullong reported;          /* peers that rules which only report would refuse */
	atomic_uint turns;               /* of its targets, with failover = rr */
};

/* Turns a section of the configuration into a service, reading its files.  Takes over the TLS
 * context of an old service (NULL: there is none) if it would be the same, and its sessions if they
 * have the same rules.  Returns NULL with the message filled. */
struct service *service_new(struct config *, const struct conf_service *,
    const struct service *old, struct errmsg *);
/* Adds a service for a pattern of names; before either is published.  0, or -1 (memory). */
int service_name(struct service *, const char *pattern, struct service *);

/* The service for a name: of an exact pattern, else of the first wildcard, else the one itself. */
struct service *service_for_name(struct service *, const char *);

/* Whether both let the same peers in, as long as time stands still. */
bool service_same_rules(const struct service *, const struct service *);

/* Counts one more of them; returns how many there are. */
unsigned long long service_count_reported(struct service *);

/* The same of those let pass although no responder knew whether they are revoked. */
unsigned long long service_count_unasked(struct service *);

struct service *service_ref(struct service *);
void service_unref(struct service *);

#endif
