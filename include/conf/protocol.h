#ifndef CONF_PROTOCOL_H_
#define CONF_PROTOCOL_H_

#include <stdbool.h>

#include "base/errmsg.h"
#include "conf/config.h"

/* What of `protocol` goes with what: facts that the checks and the tunnel share. */

/* Its name, as the option has it. */
const char *protocol_name(enum conf_protocol);

/* Whether it is there in client mode, or in server mode. */
bool protocol_supported(enum conf_protocol, bool client);

/* Whether the peer says where to connect to: no connect line is needed. */
bool protocol_names_target(const struct conf_service *);

/* Whether the service greets with its target's words, so that the target is connected
 * to before anybody has shown who he is. */
bool protocol_greets(const struct conf_service *);

/* Judges the options protocol* and proxy* of a service.  Returns the option that is wrong or
 * missing, with the message filled, or NULL. */
const char *protocol_check(const struct conf_service *, struct errmsg *);

/* An option that does nothing with the service's protocol although it is set, or NULL; the
 * i-th of them. */
const char *protocol_idle(const struct conf_service *, size_t i);

#endif
