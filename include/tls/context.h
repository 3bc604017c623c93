#ifndef TLS_CONTEXT_H_
#define TLS_CONTEXT_H_

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "tls/trust.h"

/*
 * What the sessions of one service share: our certificate and key, the protocol's
 * settings, and whom to trust.  Immutable once made; any thread; refcounted.
 */
struct tls_context;

enum tls_version { TLS_1_2, TLS_1_3 };

/* Whether a server asks its clients for a certificate.  A client always gets the server's. */
enum tls_ask { TLS_ASK_REQUIRED, TLS_ASK_OPTIONAL, TLS_ASK_NOT };

/* Whether and how a server lets its clients resume sessions, which then are tickets that carry who
 * the client is.  Of a client only on counts: it asks for tickets; see tls_session_resume(). */
struct tls_resume {
	bool on;
	unsigned size;          /* how many clients to know */
	unsigned seconds;       /* how long after a full handshake */
	const char *key_secret; /* ticketKeySecret and ticketMacSecret: hexadecimal; NULL: none */
	const char *mac_secret;
	const char *key_file;   /* ticketKeyFile, instead; all NULL: keys of the process */
};

struct tls_policy {
	bool server;         /* we are the TLS server */
	const char *service; /* for warnings in the log */
	const char *const *certs; /* PEM files: our certificate, then its chain; or PKCS#12; none: none
	                      * (client).  Of a server, one for each type of key, shown to clients that
	                      * can use it */
	size_t ncerts;
	const char *const *keys; /* PEM files of the keys, in any order; a key may be in its
	                      * certificate's file, too */
	size_t nkeys;
	const char *key_pass; /* file with the passphrase of an encrypted key; NULL: none */
	const char *psk_secrets; /* file of keys shared beforehand; then there are no certificates at
	                      * all: no certs, ask TLS_ASK_NOT, own suites */
	const char *psk_identity; /* client: which of them; NULL: the first */
	enum tls_version min, max;
	const char *const *suites12; /* IANA names, the best first; none: our own choice */
	size_t nsuites12;
	const char *const *suites13;
	size_t nsuites13;
	const char *const *groups;   /* X25519MLKEM768, X25519, P-256, P-384, P-521; likewise */
	size_t ngroups;
	const char *const *protocols; /* ALPN, the best first, without commas in them; none: no word */
	size_t nprotocols;
	bool require_protocol; /* a peer that agrees to none of them is refused */
	bool client_order;   /* of the suites, and of the certificates that a client can use, a server takes
	                      * the client's first */
	unsigned level;      /* of our own certificate's key: see cert_level() */
	enum tls_ask ask;
	bool insecure;       /* whatever certificate is presented may pass */
	bool outcasts;       /* server: who may not pass gets a session all the same, of which
	                      * tls_session_refused() tells */
	bool staple;         /* of a server: its certificates can be shown with what a responder said
	                      * of them: see tls/staple.h */
	struct tls_resume resume;
	struct trust *trust; /* taken over by a context that is made */
};

/*
 * Makes a context, reading the files now.  An own certificate that is weak, malformed or
 * does not match the key is an error (of dates and the like see tls/own.h); a key file that others may
 * read is a warning in the log, as is one that another of the same type of key replaces.  Returns NULL with the message filled; the trust is then still the caller's.
 */
struct tls_context *tls_context_new(const struct tls_policy *, struct errmsg *);

/* The same, but the old context again, with one more reference, when all that goes into it (digest)
 * is what it was: live sessions then share it with new ones.  Old may be NULL.  The trust is taken
 * over either way. */
struct tls_context *tls_context_renew(const struct tls_policy *, struct tls_context *old,
    struct errmsg *);

/* Whether a server of the context has something to choose by the client's hello: see
 * tls_session_answer(). */
bool tls_context_reads_hello(const struct tls_context *);

/* The size of a digest. */
#define TLS_DIGEST 32

/*
 * A SHA-256 of all that goes into a context: the content of the files of certificate and
 * key, the certificates that the trust holds, and every other field but service.  Equal digests:
 * a context would be the same.  It is no secret, but not for the log either.  Returns 0, or -1 with the
 * message filled (a file cannot be read).
 */
int tls_policy_digest(const struct tls_policy *, unsigned char digest[TLS_DIGEST],
    struct errmsg *);

/* The digest of what a context was made from. */
const unsigned char *tls_context_digest(const struct tls_context *);

struct tls_context *tls_context_ref(struct tls_context *);
void tls_context_unref(struct tls_context *);

#endif
