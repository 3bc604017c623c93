#ifndef TUNNEL_SOURCE_H_
#define TUNNEL_SOURCE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/config.h"
#include "net/addr.h"

/*
 * Where connections come from.  A source is an address, or a prefix as long as the section's maxPerSource
 * says, of one section (two of the same name are one here); its tunnels are
 * counted, the handshakes that it begins are paced, and of its failures only some are logged.
 *
 * The table is bounded: a source with tunnels is in it, of the others those that were
 * there last.  Any thread; under the lock inside only the log's is taken.  Times are milliseconds of a
 * monotonic clock that the callers share.
 */
struct sources;
struct source;

/* Sources without a tunnel that are remembered. */
#define SOURCES_IDLE 4096

/* Of one source so many failures are logged in so many milliseconds; the rest is counted. */
#define SOURCE_LINES 10
#define SOURCE_PERIOD_MS 10000

/* Returns NULL with errno set. */
struct sources *sources_new(void);

/* No tunnel may hold a source any more.  NULL is fine. */
void sources_free(struct sources *);

enum admission {
	SOURCE_ADMITTED,
	SOURCE_DENIED,  /* denyFrom, allowFrom */
	SOURCE_CROWDED, /* maxPerSource */
	SOURCE_HASTY,   /* handshakeRate */
};

/*
 * Judges a connection.  Admitted, *result counts it until source_leave(); it is NULL for an address
 * without IP (unix sockets: their file's mode says who may come) and when memory ran
 * out.  Refused, *say tells whether that may be logged.
 */
enum admission source_admit(struct sources *, const struct conf_service *,
    const struct addr *, uint64_t now, struct source **result, bool *say);

/* Whether the section's denyFrom or allowFrom refuses an address of IP. */
bool source_is_denied(const struct conf_service *, const struct addr *);

/* Gives back a place, once for each that was admitted.  NULL is fine. */
void source_leave(struct source *);

/* Whether another failure of this source may be logged; if not, it is counted.  NULL: it may. */
bool source_may_log(struct source *, uint64_t now);

/* Whether failures of this source are being counted only.  NULL: no. */
bool source_is_noisy(struct source *, uint64_t now);

/* Logs how many failures were not logged, for each source whose period is over (UINT64_MAX: for
 * each).  Returns when to come back, or 0: there are none. */
uint64_t sources_tell(struct sources *, uint64_t now);

/* "maxPerSource", "allowFrom" … for the log. */
const char *admission_text(enum admission);

#endif
