#ifndef TLS_CERT_H_
#define TLS_CERT_H_

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/errmsg.h"

/*
 * Certificates and keys as they stand in files, and what a certificate says.
 * No trust is decided here: see tls/trust.h.
 */

/* One DER object; a value that owns its bytes unless its maker says otherwise. */
struct der {
	unsigned char *data;
	size_t len;
};

/* A list of DER objects, in the order of the file. */
struct der_list {
	struct der *items;
	size_t n;
};

void der_list_free(struct der_list *);

/* The size of a SHA-256 fingerprint in bytes, and as "AB:CD:…" with its NUL. */
#define CERT_FP_LEN 32
#define CERT_FP_TEXT 96

/* Reads a whole file of at most 1 MiB.  *data is malloc'ed, with a NUL behind
 * its *len bytes.  Errors name the file and what to change (missing, unreadable,
 * a directory, empty, too big).  Returns 0 or -1. */
int cert_read_file(const char *file, char **data, size_t *len, struct errmsg *);

/* Frees text of the given length after overwriting it: for keys. */
void cert_free_secret(void *, size_t);

/* The CERTIFICATE blocks of a PEM file, in order; other blocks are passed over.
 * A file without any, or with a malformed one, is an error that names the file
 * (and the block's line).  Returns 0 or -1. */
int cert_load_chain(const char *file, struct der_list *, struct errmsg *);

/* The first private key block of a PEM file ("PRIVATE KEY", "EC PRIVATE KEY",
 * "RSA PRIVATE KEY"), wherever it stands, as DER that cert_free_secret() must
 * free.  An encrypted key, no key, a malformed key: errors that name the file
 * and the command that mends it.  *loose becomes 1 when group or others may read the
 * file, else 0.  Returns 0 or -1. */
int cert_load_key(const char *file, struct der *, int *loose, struct errmsg *);

/* The longest passphrase in bytes. */
#define CERT_PASS_MAX 1024

/* The passphrase that a file holds: its only line.  There is a NUL behind it;
 * cert_free_secret() must free it.  Loose as above.  Returns 0 or -1. */
int cert_read_pass(const char *file, struct der *, int *loose, struct errmsg *);

/*
 * Our own certificate with those of the CAs between, and its key: from PEM files (key NULL: it is in
 * cert, too), or, when cert is a PKCS#12 file, from that.  What is encrypted needs the
 * passphrase; without one pass is NULL.  The key must be freed as above.  Returns 0, -1, or CERT_LOCKED, with
 * the message filled, too, when another passphrase may help.
 */
#define CERT_LOCKED 1
int cert_load_own(const char *cert, const char *key, const struct der *pass,
    struct der_list *, struct der *, int *loose, struct errmsg *);

/* What a certificate says, for logs and rules; one allocation each. */
struct cert_info {
	unsigned char fingerprint[CERT_FP_LEN]; /* SHA-256 of the whole DER */
	char *subject;      /* "CN=a, O=b"; control characters escaped, cut at 512 */
	char *issuer;
	char *names;        /* "DNS:a, IP:192.0.2.1, URI:x, email:y" or ""; cut at 1024 */
	int64_t not_before; /* seconds since the epoch */
	int64_t not_after;
};

/* Reads a certificate.  Returns NULL with the message filled when it is not one. */
struct cert_info *cert_info_new(const struct der *, struct errmsg *);
void cert_info_free(struct cert_info *);

/* "AB:CD:…" of a fingerprint into a buffer of CERT_FP_TEXT bytes; returns it. */
const char *cert_fingerprint_text(const unsigned char *, char *);

/* "2027-01-31 08:30:59 UTC" into a buffer of 32 bytes; returns it. */
const char *cert_time_text(int64_t, char *);

/* "3 days", "1 hour", "20 seconds": a time that passed or has to, in its largest whole unit. */
#define CERT_SPAN_TEXT 48
const char *cert_span_text(int64_t seconds, char *);

/* Judges a certificate of ours or of the peer's by itself: key type and size
 * (RSA from 2048 bits, ECDSA from P-256, Ed25519) and signature hash (no MD5, no
 * SHA-1; the signature of a self-signed certificate is judged too, since the old
 * recipes make such ones).  Returns 0, or -1 with a message that says
 * why and what command to run instead. */
int cert_strong(const struct der *, struct errmsg *);

/* Judges its key's size, once it is strong, by a level: up to 2 nothing more is wanted,
 * 3 wants RSA 3072, 4 RSA 7680 and ECDSA P-384, 5 RSA 15360 and P-521.  Returns 0 or -1. */
int cert_level(const struct der *, unsigned level, struct errmsg *);

/* What its key is and what it was signed with, of one that is strong: "EC256", "RSA3072", "ED25519", and
 * "SHA256", "SHA384", "SHA512", "ED25519"; each into a buffer of CERT_ALG_TEXT bytes. */
#define CERT_ALG_TEXT 16
void cert_algorithms(const struct der *, char *key, char *sig);

#endif
