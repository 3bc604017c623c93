#ifndef TUNNEL_PREFACE_H_
#define TUNNEL_PREFACE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/errmsg.h"
#include "conf/config.h"
#include "net/addr.h"

/*
 * What is said before a tunnel splices: STARTTLS talk, PROXY headers, CONNECT, SOCKS.
 * A talk is a function that is called with all bytes at hand of the side it wants to
 * hear; it takes some, answers into out, and says what comes next.  No sockets, no clock:
 * the same bytes give the same answers however they are cut.
 */
enum preface_side { PREFACE_DOWN, PREFACE_UP }; /* accepted, connected */

enum preface_verdict {
	PREFACE_MORE,   /* some were taken, or the other side is wanted, or there are too few */
	PREFACE_DONE,   /* over; bytes not taken belong to what follows */
	PREFACE_FAILED, /* the message says why; out may have a last word for the peer */
};

/* Where in the row of steps. */
enum preface_stage {
	PREFACE_PROXY_IN, /* in front of everything: a PROXY header from the accepted side */
	PREFACE_CLEAR,    /* in clear, before the TLS handshake */
	PREFACE_LATE,     /* behind it, inside TLS */
	PREFACE_HEADER,   /* once connected: a PROXY header towards the target */
	PREFACE_ANSWER,   /* once connected: the peer is told */
};

/* What a PROXY header tells about the accepted side.  Strings live elsewhere. */
struct preface_facts {
	const struct addr *from, *to; /* NULL or without an IP address: unknown, or unix */
	bool tls;                     /* it speaks TLS with us; then also: */
	bool verified;                /* its certificate was judged and found good */
	bool resumed;                 /* … which it showed in the session that was resumed */
	const char *version, *suite;
	const char *own_key, *own_sig; /* of our own certificate: see cert_algorithms() */
	const char *protocol;         /* that ALPN agreed on, or NULL */
	const char *authority;        /* the name that it asked for, or NULL */
	const uint8_t *cert;          /* DER, or NULL */
	size_t cert_len;
	const uint8_t *binding;       /* the channel binding, TLS_BINDING bytes, or NULL */
	const uint8_t *cn;            /* of a verified certificate alone; or NULL, like the next */
	size_t cn_len;
	const uint8_t *fingerprint;   /* CERT_FP_LEN bytes */
	const uint8_t *names;         /* see altnames_list() */
	size_t names_len;
};

/* What the peer is told of a target that was not connected to. */
enum preface_failure { PREFACE_CONNECTED, PREFACE_UNREACHABLE, PREFACE_FORBIDDEN };

#define PREFACE_WORD 256

struct preface {
	const struct conf_service *conf;
	const struct preface_facts *facts; /* PREFACE_HEADER only */
	enum preface_side from; /* whose bytes the next call gets */
	unsigned state;         /* the talk's own, 0 at its beginning */
	unsigned count;         /* messages taken in this talk */
	struct buf out[2];      /* to be written, by side */
	char word[PREFACE_WORD]; /* the talk's own */
	unsigned kind;          /* likewise, kept from one stage to a later one */
	char target[272];       /* where the peer wants to go, for addr_parse(); "": no word */
	struct addr source, destination; /* what a PROXY header said */
	bool has_source;
	enum preface_failure failure; /* PREFACE_ANSWER: what came of connecting */
};

typedef enum preface_verdict preface_fn(struct preface *, const uint8_t *, size_t n,
    size_t *used, struct errmsg *);

/* No talk takes more than this at once. */
#define PREFACE_MAX ((size_t)96 * 1024)

/* The talk of a service at a stage, NULL when nothing is said there. */
preface_fn *preface_at(const struct conf_service *, enum preface_stage);

/* Whether bytes that came in clear behind the talk are an attack: then they are dropped. */
bool preface_drops(const struct conf_service *, enum preface_stage);

/* Whether the target is told what the client shows in its handshake, and so is to be kept. */
bool preface_tells(const struct conf_service *);

/* Begins a talk: what was kept for a later stage stays. */
void preface_begin(struct preface *, const struct conf_service *);
void preface_free(struct preface *);

/* The lines of text that several talks are made of. */

#define PREFACE_LINE 2048 /* the longest, with its end */

/*
 * Takes a line that ends with LF or CR LF from the front into a buffer of PREFACE_LINE
 * bytes, without its end.  1: taken; 0: no whole line yet; -1 with the message filled: too
 * long, or with a NUL in it.
 */
int preface_line(const uint8_t *, size_t n, size_t *used, char *line, struct errmsg *);

/* The same for a talk of lines, of which there may be but so many.  Commands beyond
 * PREFACE_COMMANDS are refused where any can be given. */
#define PREFACE_COMMANDS 20
int preface_next_line(struct preface *, const uint8_t *, size_t n, size_t *used, char *line,
    struct errmsg *);

/* Adds the formatted text to what a side gets.  0, or -1 (memory, or cut) with the message. */
int preface_say(struct preface *, enum preface_side, struct errmsg *, const char *, ...)
    __attribute__((format(printf, 4, 5)));

/* Adds bytes.  0 or -1. */
int preface_put(struct preface *, enum preface_side, struct errmsg *, const void *, size_t);

/* Enough for preface_quote(), its NUL included. */
#define PREFACE_QUOTE 84

/* A peer's words for the log: cut, and nothing but printable ASCII.  Returns the buffer. */
const char *preface_quote(char *, const void *, size_t);

/* Base64 of n bytes into a buffer of 4 * (n + 2) / 3 + 1; returns it. */
char *preface_base64(char *, const void *, size_t);

/* Whether text begins with a word, in any case. */
bool preface_begins(const char *, const char *);

/* Notes where the peer wants to go, if that is a host (name or address) and a port.  0 or -1. */
int preface_target(struct preface *, const char *host, size_t, const char *port, size_t,
    struct errmsg *);

/* Whether the address leads to this very machine, where services may listen that are not
 * meant for those outside, or to its link alone: loopback and "any" in all their forms, the addresses
 * that the machine has now (the kernel is asked), link-local ones. */
bool preface_is_near(const struct addr *);

/* Whether a target is named by connect, and so may be anywhere. */
bool preface_may_go(const struct conf_service *, const char *target);

/* The talks: tables in preface.c name them. */
preface_fn preface_connect_client, preface_connect_server;
preface_fn preface_imap_client, preface_imap_server;
preface_fn preface_ldap_client;
preface_fn preface_nntp_client;
preface_fn preface_pgsql_client, preface_pgsql_server;
preface_fn preface_pop3_client, preface_pop3_server;
preface_fn preface_proxy_in, preface_proxy_v1, preface_proxy_v2;
preface_fn preface_smtp_client, preface_smtp_login, preface_smtp_server;
preface_fn preface_socks_client, preface_socks_server, preface_socks_answer;

#endif
