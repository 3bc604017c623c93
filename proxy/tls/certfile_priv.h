#ifndef TLS_CERTFILE_PRIV_H_
#define TLS_CERTFILE_PRIV_H_

#include <stdbool.h>
#include <sys/stat.h>

#include "tls/cert.h"

/* cert_read_file(), which also tells the file's mode. */
int certfile_read(
    const char *file, char **data, size_t *len, mode_t *mode, struct errmsg *);

/* Whether the content of a file looks like DER, where PEM was expected. */
bool certfile_is_der(const char *data, size_t);

#endif
