#ifndef TLS_CRL_PRIV_H_
#define TLS_CRL_PRIV_H_

#include <pthread.h>
#include <stdatomic.h>

#include "base/errmsg.h"
#include "tls/cert.h"
#include "tls/crl.h"
#include "tls/rules_priv.h"
#include "tls/x509_priv.h"

/*
 * A CRL as it is written (RFC 5280 section 5), read strictly: the spans point into the
 * bytes, and what a reader must not pass over makes it unusable.
 */
struct crl_text {
	struct span der, tbs; /* all of it; the part that is signed */
	struct span issuer;   /* a Name, without tag and length */
	struct span sig_alg, sig;
	struct span number;   /* crlNumber, as its INTEGER has it; p is NULL: none */
	struct span akid;     /* key identifier of the issuer; likewise */
	int64_t this_update;  /* seconds since the epoch */
	int64_t next_update;
	unsigned version;     /* 1 or 2 */
	struct span points;   /* names of the distribution point that it is the list of (GeneralNames);
	                       * p is NULL: it is the whole of the CA's */
	bool only_users;      /* it is about certificates of others than CAs */
	bool only_cas;
	struct span entries;
	size_t n;             /* how many of them revoke */
	size_t width;         /* bytes of the longest serial number */
};

/* An entry: which certificate, and whether it is revoked or freed again. */
struct crl_entry {
	struct span serial;
	bool removed; /* removeFromCRL */
};

/* A longer serial number has no CA that keeps the rules (20 bytes). */
#define CRL_SERIAL_MOST 32

/* Reads a CRL, of which the bytes must outlive the struct.  Returns 0, or -1 with a
 * message that can follow "the CRL is of no use: ". */
int crl_parse(struct crl_text *, const unsigned char *, size_t, struct errmsg *);

/* Takes the next entry off the list of a CRL that was read. */
bool crl_next(struct span *entries, struct crl_entry *);

/*
 * Serial numbers, sorted, each as wide as the longest of them: nothing else is kept of
 * an entry.
 */
struct serials {
	unsigned char *bytes;
	size_t n, width;
};

/* Collects those that the CRL revokes.  Returns 0 or -1 (memory). */
int serials_make(struct serials *, const struct crl_text *);
void serials_free(struct serials *);

/* Whether it is among them; adds to *steps the comparisons that it took. */
bool serials_have(const struct serials *, struct span serial, size_t *steps);

/*
 * A CRL in memory.  The same one (byte for byte) exists once in the process, whoever
 * asks for it, so that services and configurations share it.  Immutable but for the
 * proof; refcounted; any thread.
 */
struct crl {
	struct crl *next; /* of all that there are, like refs under their lock */
	unsigned refs;
	unsigned char digest[CERT_FP_LEN]; /* of its DER */
	unsigned char issuer[CERT_FP_LEN]; /* of the Name */
	unsigned char akid[CERT_FP_LEN];   /* of the key identifier, if any */
	bool has_akid, has_number;
	bool only_users, only_cas;
	unsigned char number[CRL_SERIAL_MOST]; /* with leading zeros */
	int64_t this_update, next_update;
	struct der points; /* of crl_text */
	struct serials serials;

	/* Whose signature it bears, once that is known; until then the bytes are kept. */
	pthread_mutex_t lock;
	atomic_bool proven;
	unsigned char key[CERT_FP_LEN];     /* whose, when it is proven */
	unsigned char refuted[CERT_FP_LEN]; /* the last that it was not */
	struct der der;
};

/* Gives the CRL that the bytes are, with one more reference; where that keeps the bytes, they
 * are taken over and no longer the caller's.  Returns NULL with the message filled, as
 * crl_parse(). */
struct crl *crl_get(struct der *, struct errmsg *);
void crl_put(struct crl *);

/* What the CRLs of an issuer are found by. */
void crl_hash_name(struct span name, unsigned char digest[CERT_FP_LEN]);

/* Whether the key of the issuer, which has been judged, has signed it.  The first proof
 * hashes the whole CRL; after that it is a comparison. */
bool crl_proven_by(struct crl *, const struct x509 *issuer);

/* Whether it may be the issuer's, as far as names say. */
bool crl_may_be_of(const struct crl *, const struct x509 *issuer);

/* Whether the issuer's keyUsage lets it sign CRLs. */
bool crl_signing_allowed(const struct x509 *issuer);

/* Whether one of the names (GeneralNames) is among those of the certificate's distribution points
 * that are lists of the CA's own, for all reasons. */
bool crl_points_match(struct span points, const struct x509 *);

/* Whether it speaks about such a certificate at all. */
bool crl_covers(const struct crl *, const struct x509 *);

/* Whether it is about the same certificates as the other one, and newer. */
bool crl_supersedes(const struct crl *, const struct crl *);

/* CRLs, where they come from, and what follows from them. */
struct crl_item {
	struct crl *crl;
	char *from; /* for messages: the file, and the line of the block */
};

struct crl_set {
	atomic_uint refs;
	char *service;
	bool whole_path, soft;
	struct crl_item *items; /* sorted by issuer */
	size_t n;
	atomic_ullong passed; /* by a soft policy */
	unsigned char digest[CRL_DIGEST];
};

/* Judges a path as rules_path() has it, from which the peer's certificate is free of other
 * faults; TRUST_OK without a set. */
enum trust_verdict crl_judge_path(struct crl_set *, const struct x509 *const *path,
    size_t n, int64_t now, struct errmsg *);

#endif
