#ifndef TLS_SESSION_H_
#define TLS_SESSION_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "base/iores.h"
#include "tls/cert.h"
#include "tls/context.h"
#include "tls/hello.h"
#include "tls/session_pool.h"
#include "tls/spare.h"

/*
 * One TLS connection, without its transport: every call gets the ciphertext
 * that is at hand and a place for the ciphertext that results.  One thread at
 * a time, which may change between calls.
 */
struct tls_session;

/*
 * The I/O of one call.  The session takes bytes from the front of in (in and
 * in_len move) and adds to out (out_len grows).  Out must have room for what a
 * call can produce: TLS_OUT_HANDSHAKE, or tls_out_room() of what is written or read.
 */
struct tls_io {
	const uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t out_len;
	size_t out_cap;
	struct tls_spares *spares; /* for reads and writes; may be NULL */
};

/* Ciphertext that a handshake call may produce at most, in bytes. */
#define TLS_OUT_HANDSHAKE ((size_t)192 * 1024)

/* Ciphertext that writing n bytes, or reading n bytes of ciphertext (KeyUpdate
 * replies, alerts), may produce at most. */
size_t tls_out_room(size_t n);

/* The most plaintext that a session may hold back for the next read. */
#define TLS_RECORD_MAX ((size_t)16384)

/*
 * What a call makes may go over what it was given, if it begins so much in front of that: decrypted
 * text over ciphertext, ciphertext over text.  A record is taken in whole before
 * anything of it is put out; one may have been taken in by an earlier call, and ciphertext is longer.
 */
#define TLS_LEAD (3 * TLS_RECORD_MAX)

/*
 * A session of a context.  name: in client mode the host that is asked for (SNI, when it
 * is a DNS name), else NULL.  names: in client mode the names of which the peer's certificate must
 * carry one, or nnames 0; they must live until the handshake is done.  Returns NULL with the message filled.
 */
struct tls_session *tls_session_new(struct tls_context *, const char *name,
    const char *const *names, size_t nnames, struct errmsg *);

/*
 * The same for a server whose client's hello was read, which chooses the application protocol: the
 * first of ours that the client offers.  A client that can have none fails its handshake at
 * once.  The hello is not kept.  NULL with the message filled: memory.
 */
struct tls_session *tls_session_answer(struct tls_context *, const struct hello *,
    const char *const *names, size_t nnames, struct errmsg *);

/* The lists of revoked certificates that the peer is judged by, which must live until the handshake is
 * done; NULL, as at first: none. */
void tls_session_revocation(struct tls_session *, struct crl_set *);

/*
 * Before the handshake of a client, after tls_session_revocation(): offers a session of the pool,
 * if there is one of this upstream whose server would pass by the rules of now, and puts into the pool what the
 * server offers.  Where: n texts, NULLs among them, that together tell this upstream from every
 * other; the session's names come on top.
 */
void tls_session_resume(struct tls_session *, struct session_pool *,
    const char *const *where, size_t n);

/* The handshake failed; to be called where nothing else says so, the peer having left or being silent.  What
 * was offered may be the reason, and is not offered again. */
void tls_session_forsake(struct tls_session *);

/*
 * Judges the peer of a session that is done once more, by another context of the same side and its
 * lists of revoked certificates, as trust_judge_with() does.  TRUST_OK, too, for an outcast: it is where such belong.
 */
enum trust_verdict tls_session_rejudge(const struct tls_session *, const struct tls_context *,
    struct crl_set *, const char *const *names, size_t nnames, time_t now,
    struct errmsg *why);

/* The last second at which the certificate of the peer, if it was judged by one, is valid; INT64_MAX
 * where there is none. */
int64_t tls_session_expires(const struct tls_session *);

/* Frees it without a word to the peer.  NULL is fine. */
void tls_session_free(struct tls_session *);

/*
 * Goes on with the handshake.  IO_OK: done, and the peer is authorised (or, where the
 * policy has outcasts, tls_session_refused() must be asked).  IO_WANT: more
 * ciphertext is needed.  IO_ALERT, IO_PROTOCOL, IO_NOMEM: failed; what is in out still goes
 * to the peer, and tls_session_failure() has the story.
 */
enum iores tls_session_handshake(struct tls_session *, struct tls_io *);

/* Decrypts at most one record into p.  IO_OK with *n > 0; IO_WANT: all ciphertext is
 * used up; IO_EOF: close_notify; IO_ALERT, IO_PROTOCOL, IO_NOMEM: failed. */
enum iores tls_session_read(struct tls_session *, struct tls_io *, void *p, size_t cap,
    size_t *n);

/* Encrypts all n bytes into out.  IO_OK, or IO_NOMEM. */
enum iores tls_session_write(struct tls_session *, struct tls_io *, const void *p,
    size_t n);

/* Puts our close_notify into out; nothing may be written afterwards.  IO_OK or IO_NOMEM. */
enum iores tls_session_finish(struct tls_session *, struct tls_io *);

/* Why the session failed: what the peer presented, which rule refused, which alert went where. */
const char *tls_session_failure(struct tls_session *, struct errmsg *);

/*
 * What there is to ask about the peer of a session whose handshake is done (tls/ocsp.h): its
 * certificate first, then the CAs above, without the anchor; none where no CA vouches for it.  The
 * caller frees them.  Returns how many, at most so many, or -1 with the message filled.
 */
struct ocsp_question;
#define TLS_QUESTIONS ((size_t)10)
int tls_session_questions(const struct tls_session *, struct ocsp_question **, struct errmsg *);

/* The peer of a session that is done may not pass after all, for that reason, which is a refusal
 * like any other: tls_session_refused(), tls_session_failure().  tell: the alert that says so goes
 * to out. */
void tls_session_refuse(struct tls_session *, enum trust_verdict, const struct errmsg *why,
    bool tell, struct tls_io *);
/* How far a session that failed, or is cut off, had come: "negotiation", as a part of a sentence. */
const char *tls_session_phase(const struct tls_session *);

/* Whether the peer has sent anything at all. */
bool tls_session_began(const struct tls_session *);

/* Whether it was our own judgement of the peer that ended the handshake, or, where the
 * policy has outcasts, that the peer may not pass although the handshake is done. */
bool tls_session_refused(const struct tls_session *);

/*
 * Before the handshake of a server: what a client shows is kept to be told to others, its
 * certificate and the name it asks for, until tls_session_forget().  Returns 0, or -1 (memory).
 */
int tls_session_keep(struct tls_session *);
void tls_session_forget(struct tls_session *);

/* Before the handshake: the channel binding tls-exporter (RFC 9266) will be asked for, until
 * tls_session_forget().  Returns 0, or -1 (memory). */
#define TLS_BINDING 32
int tls_session_bind(struct tls_session *);

/* The binding, TLS_BINDING bytes, once the handshake is done; or NULL, with why there is none as a part of
 * a sentence. */
const unsigned char *tls_session_binding(const struct tls_session *, const char **why);

/* Why a peer that was let in would be refused by the rules that only report; the text is in the
 * message, and forgotten.  NULL: it would not. */
const char *tls_session_reported(struct tls_session *, struct errmsg *);

/* What was kept: the certificate, the name; NULL where there is none. */
const struct der *tls_session_peer_der(const struct tls_session *);
const char *tls_session_asked_for(const struct tls_session *);

/* Whether a client offered an earlier session that was not resumed, or not to the end. */
bool tls_session_offered(const struct tls_session *);

/* Whether an earlier session was resumed: the peer was judged again, but has shown nothing. */
bool tls_session_resumed(const struct tls_session *);

/* Whether the peer presented a certificate that was judged and found good. */
bool tls_session_verified(const struct tls_session *);

/* The peer's certificate; NULL before the handshake and where none was presented. */
const struct cert_info *tls_session_peer(const struct tls_session *);

/* The identity whose shared key (PSKsecrets) was used; NULL before the handshake is done, and where there
 * are certificates. */
const char *tls_session_shared(const struct tls_session *);

/* The application protocol (ALPN) that both sides agreed on; NULL before the handshake is done and where
 * there is none.  It lives as long as the session. */
const char *tls_session_protocol(const struct tls_session *);

/* "TLSv1.3", "TLS_AES_128_GCM_SHA256", "X25519MLKEM768"; after the handshake. */
const char *tls_session_version(const struct tls_session *);
const char *tls_session_suite(const struct tls_session *);
const char *tls_session_group(const struct tls_session *);

#endif
