#ifndef TLS_PASSPHRASE_H_
#define TLS_PASSPHRASE_H_

#include <stddef.h>

#include "base/errmsg.h"

/* The passphrases of keys for which keyPass names no file. */

/* Asks a person; as prompt_secret(). */
typedef int passphrase_fn(const char *question, char *buf, size_t cap, struct errmsg *);

/* Who is asked from now on; NULL, as at first: nobody.  Main only, as contexts are made there. */
void tls_passphrase_from(passphrase_fn *);

/* Those that were typed are kept, so that a key can be read again at a reload; this wipes them. */
void tls_passphrases_forget(void);

#endif
