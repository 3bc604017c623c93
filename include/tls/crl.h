#ifndef TLS_CRL_H_
#define TLS_CRL_H_

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "tls/trust.h"

/*
 * Lists of revoked certificates (CRLs): what the operator configured for a service, in
 * an index of our own outside the TLS contexts, so that a reload changes it without
 * making those anew.
 *
 * Only what a CA signed counts: a CRL is heeded for the certificates of the CA whose
 * key made its signature.  With CRLs configured, a peer passes only when a CRL of its
 * issuer that is in date does not list it.  Of several CRLs of one CA, the
 * newest counts (crlNumber, without one thisUpdate).
 */
struct crl_set;

struct crl_source {
	const char *service; /* for the log */
	const char *where;   /* likewise: where they are configured, as "FILE:LINE: ", or "" */
	const char *const *files; /* PEM with one CRL or more, or DER with one */
	size_t nfiles;
	const char *const *folders; /* every file with CRLs in them; others are passed over */
	size_t nfolders;
	bool whole_path; /* CAs between the peer and the anchor can be revoked, too */
	bool soft;       /* a missing or outdated CRL lets pass; it is counted and logged */
};

/*
 * Reads CRLs for a service that trusts these CAs.  One that cannot be used is an error
 * (also when none of the CAs it names has signed it); one that is out of date, or that belongs
 * to no CA we know (peers may bring it), a warning in the log.  NULL with the message filled.
 * Where no set is given, nobody is asked whether he is revoked.
 */
struct crl_set *crl_set_new(const struct crl_source *, const struct trust *,
    struct errmsg *);
struct crl_set *crl_set_ref(struct crl_set *);
void crl_set_unref(struct crl_set *);

/* Whether both say the same. */
bool crl_set_equal(const struct crl_set *, const struct crl_set *);

/* A SHA-256 of the CRLs and of what follows from them; of NULL, zeros. */
#define CRL_DIGEST 32
void crl_set_digest(const struct crl_set *, unsigned char[CRL_DIGEST]);
/* When they begin and cease to be in date, as trust_moments(). */
size_t crl_set_moments(const struct crl_set *, int64_t *, size_t most);

/* How many CRLs, and how many certificates they revoke. */
size_t crl_set_lists(const struct crl_set *);
size_t crl_set_revoked(const struct crl_set *);

/* How many certificates passed for which a soft policy had no CRL in date. */
unsigned long long crl_set_passed(const struct crl_set *);

#endif
