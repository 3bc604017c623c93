#ifndef TLS_HELLO_H_
#define TLS_HELLO_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reads a ClientHello (RFC 8446, 4.1.2; RFC 5246, 7.4.1.2) before any TLS session exists, so
 * that a section can be chosen by it.  It is put together from as many records
 * as it comes in.  Nothing is taken away: whoever received the bytes keeps them for the session.
 */

/* No honest hello is longer; what is goes to the session unread, which refuses it. */
#define HELLO_MAX ((size_t)16 * 1024)

/* A host name is 253 characters at most. */
#define HELLO_NAME 256

struct hello_reader {
	uint8_t *msg;    /* the handshake message so far, its header included */
	size_t len;      /* bytes of it */
	size_t at;       /* bytes of the input that were looked at */
	size_t record;   /* bytes left of the record that begins before at */
};

enum hello_state {
	HELLO_MORE,      /* not whole yet */
	HELLO_WHOLE,
	HELLO_ELSE,      /* no hello that can be read here: the session will say what is wrong */
	HELLO_NOMEM,
};

/* What a hello says; the pointers lead into the reader's message. */
struct hello {
	char name[HELLO_NAME];  /* host_name of server_name, lower case, no dot at its end; "": none,
	                           or nothing that is a host name */
	const uint8_t *alpn;    /* protocols, each behind its length; NULL: none */
	size_t alpn_len;
	const uint8_t *sigalgs; /* signature schemes, two bytes each; NULL: none */
	size_t nsigalgs;
	const uint8_t *suites;  /* cipher suites, two bytes each */
	size_t nsuites;
	const uint8_t *groups;  /* supported_groups, two bytes each; NULL: not said */
	size_t ngroups;
	bool tls13;             /* supported_versions has 1.3 */
};

/* Goes on with all that was received so far, from its first byte; all zero is a reader that
 * has read nothing.  Each byte is looked at once, however they arrive. */
enum hello_state hello_read(struct hello_reader *, const uint8_t *, size_t);

/* What the whole hello says.  Returns false when it is malformed. */
bool hello_parse(const struct hello_reader *, struct hello *);

/* Whether the client's list has the protocol. */
bool hello_offers_protocol(const struct hello *, const char *);

/* The i-th of the signature schemes. */
uint16_t hello_scheme(const struct hello *, size_t i);

/* Whether the client offers the cipher suite. */
bool hello_offers_suite(const struct hello *, uint16_t);

/* Whether the client knows the group; of one that tells of none it is assumed (RFC 8422, 4). */
bool hello_knows_group(const struct hello *, uint16_t);

/* Frees what it holds; it can be used again. */
void hello_free(struct hello_reader *);

#endif
