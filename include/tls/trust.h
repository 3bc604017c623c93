#ifndef TLS_TRUST_H_
#define TLS_TRUST_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/errmsg.h"
#include "base/rule.h"
#include "tls/cert.h"

/*
 * Who may pass.  A struct trust is what the operator configured; trust_judge()
 * is the one place where a peer's certificates are judged.
 *
 * No trust lives in the TLS library: its certificate store stays empty (what a
 * peer sends can therefore never become an anchor for a later connection).  The path
 * from the peer's certificate to an anchor is built here from this
 * connection's certificates alone, and each link's signature is checked by the library.
 */
struct trust;

/* Why a peer was refused: X(name, text for log lines). */
#define TRUST_VERDICTS(X)                                                      \
	X(TRUST_OK, "accepted")                                                \
	X(TRUST_NO_CERT, "no certificate presented")                           \
	X(TRUST_MALFORMED, "malformed certificate")                            \
	X(TRUST_NOT_PINNED, "certificate is none of the peer certificates")    \
	X(TRUST_UNKNOWN_CA, "issued by no trusted CA")                         \
	X(TRUST_EXPIRED, "certificate has expired")                            \
	X(TRUST_NOT_YET, "certificate is not valid yet")                       \
	X(TRUST_WRONG_USE, "certificate is not meant for this use")            \
	X(TRUST_WEAK, "key or signature is too weak")                          \
	X(TRUST_BAD_CHAIN, "certificate chain breaks a rule")                  \
	X(TRUST_WRONG_NAME, "certificate names another host")                  \
	X(TRUST_REVOKED, "certificate is revoked")                             \
	X(TRUST_STATUS_UNKNOWN, "not known whether it is revoked (OCSP)")     \
	X(TRUST_CRL_EXPIRED, "list of revoked certificates is out of date")    \
	X(TRUST_CRL_MISSING, "no list of revoked certificates")                \
	X(TRUST_DENIED, "denied by the rules")

enum trust_verdict {
#define TRUST_ENUM(name, text) name,
	TRUST_VERDICTS(TRUST_ENUM)
#undef TRUST_ENUM
};

const char *trust_verdict_text(enum trust_verdict);

struct trust *trust_new(void);
void trust_free(struct trust *);

/* Adds every certificate of the PEM file to the exact certificates that may pass
 * (by SHA-256 fingerprint).  A weak one is refused (cert_strong).  Returns 0 or -1. */
int trust_add_peers(struct trust *, const char *file, struct errmsg *);

/* The same with one certificate. */
int trust_add_peer(struct trust *, const struct der *, struct errmsg *);

/* Adds the CAs of the PEM file as anchors.  A certificate that is not a CA is
 * trusted exactly, never as an issuer: the library would let it issue.  An expired anchor
 * is kept and a message about it returned in the errmsg with result 1.  Returns 0,
 * 1 (usable, with a warning in the message) or -1. */
int trust_add_cas(struct trust *, const char *file, struct errmsg *);

/*
 * CA files as stunnel reads them: by trust_read_as(), before any is added, their
 * certificates become anchors (chain), exact certificates (exact), or both, and then both must hold.
 * Then, as an anchor, only a CA counts, or a self-signed certificate for itself.  Weak or expired
 * certificates let nobody in; when a file has no others, that is a warning.  What is added to a trust with chain or exact set
 * is asked for even when nothing was found to add.
 */
void trust_read_as(struct trust *, bool chain, bool exact);

/* Whether exact was set so. */
bool trust_reads_exact(const struct trust *);

/* Adds the certificates of a PEM file.  Returns 0, 1 (with a warning) or -1. */
int trust_add_file(struct trust *, const char *file, struct errmsg *);

/* Adds those of every PEM file in a folder, as trust_add_cas() does where nothing else was told, in the order of their names; hidden files, folders and
 * files without certificates are passed over.  Returns 0, 1 (with a warning: a file cannot be used,
 * or there was none) or -1. */
int trust_add_folder(struct trust *, const char *folder, struct errmsg *);

/* The least size of the keys on a peer's path: a level of 0 … 5 as the option
 * securityLevel has them (cert_level()). */
void trust_set_level(struct trust *, unsigned);

/* How many CAs may stand between a peer's certificate and an anchor: up to 8, as at first. */
void trust_set_depth(struct trust *, unsigned);

/*
 * Adds a rule, which is taken over (and given back with free()).  Whoever passes all
 * else is refused when a deny rule matches; where there are allow rules, one must match.  Those that
 * only report are judged by themselves, with the result in the message alone.  Returns 0 or -1.
 */
int trust_add_rule(struct trust *, struct rule *, struct errmsg *);

/* All allow rules are exact ones (cert-sha256, spki-sha256), and without CAs and peers they say who may
 * pass. */
void trust_pin_by_rules(struct trust *);

/* Whether anything at all was added. */
bool trust_is_empty(const struct trust *);

/* Whether CAs were added: then a client must know the name to expect. */
bool trust_has_cas(const struct trust *);

/*
 * Judges the chain that a peer presented, chain[0] its own certificate, the
 * rest in any order.  peer_is_server: the peer acts as TLS server (serverAuth use,
 * names matter).  names: the peer must match one of these (DNS names, IP
 * addresses as text, or email addresses, which have an "@"), or any when nnames is 0.  now: seconds since the epoch.
 *
 * Rules: with peers configured the fingerprint must be one of them; with CAs
 * configured a path to an anchor must hold; with both, both.  Dates are judged in
 * every case, as are use (extended key usage, along the whole path), key sizes and hashes, CA flag,
 * key usage, path length, name constraints and unknown critical extensions of each certificate on the path.
 *
 * Last the rules that were added.
 *
 * Returns the verdict; anything but TRUST_OK has filled the message with the detail: which
 * certificate, what was expected, what was found.  With TRUST_OK the message is empty, or says why a rule
 * that only reports would have refused.  Pure: no clock, no state but the memory of signatures that
 * were found right (proxy/tls/seen_priv.h); any thread.
 */
enum trust_verdict trust_judge(const struct trust *, const struct der *chain,
    size_t nchain, bool peer_is_server, const char *const *names, size_t nnames,
    time_t now, struct errmsg *why);

/* The same, and (where CRLs are configured: not NULL) neither the peer's certificate nor, if the
 * set says so, a CA on the path may be revoked (tls/crl.h).  What the trust names exactly
 * needs no CRL. */
struct crl_set;
enum trust_verdict trust_judge_with(const struct trust *, struct crl_set *,
    const struct der *chain, size_t nchain, bool peer_is_server, const char *const *names,
    size_t nnames, time_t now, struct errmsg *why);

/* The same, and which rule decided: the text of an allow rule that matched, of a deny rule with
 * TRUST_DENIED; NULL: none. */
enum trust_verdict trust_explain(const struct trust *, struct crl_set *,
    const struct der *chain, size_t nchain, bool peer_is_server, const char *const *names,
    size_t nnames, time_t now, const char **rule, struct errmsg *why);

/* When its anchors begin and cease to be valid, in seconds since the epoch, as many as there is room
 * for.  Returns how many. */
size_t trust_moments(const struct trust *, int64_t *, size_t most);

/*
 * Whether a certificate names a host.  An IP address in the pattern is compared with
 * the IP SANs only (bytes); a DNS name with DNS SANs, ASCII case-insensitive, a trailing
 * dot ignored, "*" only as the whole leftmost label of a name of three labels or more and for exactly one
 * label; the CN counts only where the certificate has no SAN at all.  Names with
 * embedded NULs never match.
 */
bool trust_name_matches(const struct der *, const char *name);

/* How many signatures of certificates and CRLs were calculated so far by the process. */
unsigned long long signatures_checked(void);

#endif
