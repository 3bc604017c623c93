#ifndef TLS_SPARE_PRIV_H_
#define TLS_SPARE_PRIV_H_

#include "tls/spare.h"

/* From now on all memory of the library is asked for here; before it is started. */
void spares_install(void);

/* What the library asks for in this thread, from here on, is taken from these and kept in
 * them.  NULL, as at first: no spares. */
void spares_use(struct tls_spares *);

#endif
