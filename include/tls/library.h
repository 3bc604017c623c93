#ifndef TLS_LIBRARY_H_
#define TLS_LIBRARY_H_

#include "base/errmsg.h"

/* The TLS library as a whole. */

/* Starts it, once, before any other thread exists: CPU features are looked up
 * here, since the library would do so without a lock.  Returns 0 or -1. */
int tls_library_start(struct errmsg *);

/* Gives back what the library holds; no session or context may be left. */
void tls_library_stop(void);

/* Its name and version, for --version. */
const char *tls_library_text(void);

#endif
