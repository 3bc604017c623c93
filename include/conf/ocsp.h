#ifndef CONF_OCSP_H_
#define CONF_OCSP_H_

#include <stdbool.h>

#include "base/errmsg.h"
#include "conf/config.h"

/* Whether the section asks responders about its peers. */
bool ocsp_asks(const struct conf_service *);

/* Judges what it says about that.  Returns NULL, or the option that is wrong with the message filled. */
const char *ocsp_check(const struct conf_service *, struct errmsg *);

/* What an OCSPflag means here: to take none but the CA's own answers; or nothing, and
 * *moot says why; or it is refused with the message filled. */
enum ocsp_flag { OCSP_FLAG_REFUSED, OCSP_FLAG_MOOT, OCSP_FLAG_NO_DELEGATES };
enum ocsp_flag ocsp_flag_of(const char *, const char **moot, struct errmsg *);

/* Whether one of the section's flags is such. */
bool ocsp_no_delegates(const struct conf_service *);

#endif
