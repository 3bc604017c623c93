#ifndef TLS_CRL_FILE_PRIV_H_
#define TLS_CRL_FILE_PRIV_H_

#include "tls/crl_priv.h"

/* Who gets the CRLs of a file, one after the other. */
struct crl_reader {
	const char *file;
	bool in_folder; /* what is no plain file is passed over */
	/* Takes over the reference; from names the place in messages.  Returns 0, or -1 with the
	 * message filled, which ends the reading. */
	int (*take)(void *arg, struct crl *, const char *from, struct errmsg *);
	void *arg;
};

/* Reads all CRLs of a file, PEM or DER, and tells how many there were.  Returns 0, or -1 with
 * the message filled: it names the file. */
int crl_read_file(const struct crl_reader *, size_t *found, struct errmsg *);

#endif
