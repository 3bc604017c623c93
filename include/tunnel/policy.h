#ifndef TUNNEL_POLICY_H_
#define TUNNEL_POLICY_H_

#include <stdbool.h>

#include "base/errmsg.h"
#include "conf/config.h"
#include "tls/context.h"
#include "tls/crl.h"

/* What a section's options mean to the TLS layer. */

/* Fills a policy, reading the files of those who may pass; its strings stay the
 * configuration's, its trust is new.  Warnings go to the log.  Returns 0, or -1 with the message filled. */
int policy_make(const struct conf_service *, struct tls_policy *, struct errmsg *);

/* Reads the section's lists of revoked certificates, if any, for those whom the policy trusts.
 * Returns 0, or -1 with the message filled. */
int policy_crls(const struct config *, const struct conf_service *, const struct tls_policy *,
    struct crl_set **, struct errmsg *);

/* Whether the peer's certificate must name the host that is connected to, where no name is configured. */
bool policy_names_host(const struct conf_service *);

/* All names of which the peer's certificate must carry one, as one list (free it; its
 * strings stay the configuration's).  Returns 0 or -1. */
int policy_names(const struct conf_service *, const char ***names, size_t *n, struct errmsg *);

/* The name to ask the server for, when the target is that host (NULL: it has none). */
const char *policy_sni(const struct conf_service *, const char *host);

#endif
