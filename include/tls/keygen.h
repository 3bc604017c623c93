#ifndef TLS_KEYGEN_H_
#define TLS_KEYGEN_H_

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"

/* Making keys and certificates; see sluss keygen. */
enum key_type { KEY_ECDSA_P256, KEY_ED25519, KEY_RSA3072 };

/* What the certificate is to say.  Strings stay the caller's. */
struct keygen_request {
	enum key_type type;
	const char *common_name;
	const char *const *dns;   size_t ndns;
	const char *const *ip;    size_t nip;    /* IPv4 or IPv6 as text */
	const char *const *uri;   size_t nuri;
	const char *const *email; size_t nemail;
	int days;                 /* 1 … 36500 */
	bool make_ca;             /* a CA (pathlen 0), else both EKUs, no CA */
	const char *ca_pem;       /* PEM text with the issuer's certificate and key,
	                           * or NULL: self-signed */
	size_t ca_len;
};

/* The result, as PEM text; free with keygen_result_free(), which overwrites the key. */
struct keygen_result {
	char *key_pem;
	char *cert_pem;
	unsigned char fingerprint[32];
	char not_after[32]; /* "2027-01-31 08:30:59 UTC" */
};

/* Makes a key and its certificate.  Returns 0, or -1 with the message filled. */
int keygen_make(const struct keygen_request *, struct keygen_result *, struct errmsg *);
void keygen_result_free(struct keygen_result *);

#endif
