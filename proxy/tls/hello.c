#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "flight_priv.h"
#include "tls/hello.h"

#define RECORD_HEADER 5
#define RECORD_MAX ((size_t)16384)
#define CONTENT_HANDSHAKE 22

#define MESSAGE_HEADER ((size_t)4)
#define CLIENT_HELLO 1

#define EXT_SERVER_NAME 0
#define EXT_SUPPORTED_GROUPS 10
#define EXT_SIGNATURE_ALGORITHMS 13
#define EXT_ALPN 16
#define EXT_SUPPORTED_VERSIONS 43

#define HOST_NAME 0
#define VERSION_13 0x0304

#define HOST_NAME_MAX_BYTES 253

static size_t
get16(const uint8_t *p)
{
	return (size_t)p[0] << 8 | p[1];
}

/*
 * Records.
 */

/* How long the whole message is, as far as that is known: 0, not yet. */
static size_t
message_length(const struct hello_reader *r)
{
	if (r->len < MESSAGE_HEADER)
		return 0;
	return MESSAGE_HEADER + ((size_t)r->msg[1] << 16 | get16(r->msg + 2));
}

/* A record's header at p: its length, or 0 when it is none of a hello's. */
static size_t
record_length(const uint8_t *p)
{
	size_t n = get16(p + 3);

	if (p[0] != CONTENT_HANDSHAKE || p[1] != 3 || n > RECORD_MAX)
		return 0;
	return n;
}

/* Adds to the message what the current record has of it. */
static void
take(struct hello_reader *r, const uint8_t *p, size_t n)
{
	if (n > HELLO_MAX - r->len)
		n = HELLO_MAX - r->len;
	memcpy(r->msg + r->len, p, n);
	r->len += n;
}

enum hello_state
hello_read(struct hello_reader *r, const uint8_t *in, size_t len)
{
	size_t n, whole;

	if (r->msg == NULL && (r->msg = malloc(HELLO_MAX)) == NULL)
		return HELLO_NOMEM;
	for (;;) {
		whole = message_length(r);
		if ((r->len > 0 && r->msg[0] != CLIENT_HELLO) || whole > HELLO_MAX)
			return HELLO_ELSE;
		if (whole > 0 && r->len >= whole)
			return HELLO_WHOLE;
		if (r->record == 0) {
			/* Its first byte tells at once what is no TLS at all. */
			if (len > r->at && in[r->at] != CONTENT_HANDSHAKE)
				return HELLO_ELSE;
			if (len - r->at < RECORD_HEADER)
				return HELLO_MORE;
			if ((r->record = record_length(in + r->at)) == 0)
				return HELLO_ELSE;
			r->at += RECORD_HEADER;
		}
		n = len - r->at < r->record ? len - r->at : r->record;
		if (n == 0)
			return HELLO_MORE;
		take(r, in + r->at, n);
		r->at += n;
		r->record -= n;
	}
}

void
hello_free(struct hello_reader *r)
{
	free(r->msg);
	*r = (struct hello_reader){ 0 };
}

/*
 * The message.
 */

static bool
number(struct span *in, size_t *n)
{
	struct span bytes;

	if (!flight_cut(in, 2, &bytes))
		return false;
	*n = get16(bytes.p);
	return true;
}

/* Only what can be a host name is kept; anything else is as if it had not been said. */
static void
keep_name(struct hello *h, struct span name)
{
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n > HOST_NAME_MAX_BYTES)
		return;
	for (size_t i = 0; i < name.n; i++) {
		int c = name.p[i];

		if (!isalnum(c) && c != '-' && c != '.' && c != '_') {
			h->name[0] = '\0';
			return;
		}
		h->name[i] = (char)tolower(c);
	}
	h->name[name.n] = '\0';
}

/* RFC 6066, 3: a list of names, of which only the type host_name is known, once. */
static bool
server_name(struct span ext, struct hello *h)
{
	struct span list, type, name;
	bool found = false;

	if (!flight_vector(&ext, 2, &list) || ext.n > 0 || list.n == 0)
		return false;
	while (list.n > 0) {
		if (!flight_cut(&list, 1, &type) || !flight_vector(&list, 2, &name) || name.n == 0)
			return false;
		if (type.p[0] == HOST_NAME && found)
			return false;
		if (type.p[0] == HOST_NAME) {
			keep_name(h, name);
			found = true;
		}
	}
	return true;
}

/* RFC 7301, 3.1. */
static bool
protocols(struct span ext, struct hello *h)
{
	struct span list, one;

	if (!flight_vector(&ext, 2, &list) || ext.n > 0 || list.n == 0)
		return false;
	h->alpn = list.p;
	h->alpn_len = list.n;
	while (list.n > 0)
		if (!flight_vector(&list, 1, &one) || one.n == 0)
			return false;
	return true;
}

static bool
signature_schemes(struct span ext, struct hello *h)
{
	struct span list;

	if (!flight_vector(&ext, 2, &list) || ext.n > 0 || list.n == 0 || list.n % 2 != 0)
		return false;
	h->sigalgs = list.p;
	h->nsigalgs = list.n / 2;
	return true;
}

/* RFC 8422, 5.1.1. */
static bool
groups(struct span ext, struct hello *h)
{
	struct span list;

	if (!flight_vector(&ext, 2, &list) || ext.n > 0 || list.n == 0 || list.n % 2 != 0)
		return false;
	h->groups = list.p;
	h->ngroups = list.n / 2;
	return true;
}

static bool
versions(struct span ext, struct hello *h)
{
	struct span list;
	size_t version;

	if (!flight_vector(&ext, 1, &list) || ext.n > 0 || list.n == 0 || list.n % 2 != 0)
		return false;
	while (number(&list, &version))
		h->tls13 = h->tls13 || version == VERSION_13;
	return true;
}

static bool
extension(size_t type, struct span body, struct hello *h)
{
	switch (type) {
	case EXT_SERVER_NAME:
		return server_name(body, h);
	case EXT_ALPN:
		return protocols(body, h);
	case EXT_SUPPORTED_GROUPS:
		return groups(body, h);
	case EXT_SIGNATURE_ALGORITHMS:
		return signature_schemes(body, h);
	case EXT_SUPPORTED_VERSIONS:
		return versions(body, h);
	default:
		return true;
	}
}

/* The one of those that are read that a type is, as a bit; 0: another. */
static unsigned
known(size_t type)
{
	switch (type) {
	case EXT_SERVER_NAME:
		return 1;
	case EXT_ALPN:
		return 2;
	case EXT_SIGNATURE_ALGORITHMS:
		return 4;
	case EXT_SUPPORTED_VERSIONS:
		return 8;
	case EXT_SUPPORTED_GROUPS:
		return 16;
	default:
		return 0;
	}
}

static bool
extensions(struct span list, struct hello *h)
{
	struct span body;
	unsigned seen = 0;
	size_t type;

	while (list.n > 0) {
		if (!number(&list, &type) || !flight_vector(&list, 2, &body))
			return false;
		/* Said twice it could mean one thing here and another one in the session. */
		if ((seen & known(type)) != 0 || !extension(type, body, h))
			return false;
		seen |= known(type);
	}
	return true;
}

bool
hello_parse(const struct hello_reader *r, struct hello *h)
{
	struct span b = { r->msg + MESSAGE_HEADER, message_length(r) - MESSAGE_HEADER }, v, suites;

	*h = (struct hello){ 0 };
	/* Version and random, session id, cipher suites, compression methods. */
	if (!flight_cut(&b, 2 + 32, &v) || !flight_vector(&b, 1, &v) || v.n > 32 ||
	    !flight_vector(&b, 2, &suites) || suites.n == 0 || suites.n % 2 != 0 ||
	    !flight_vector(&b, 1, &v) || v.n == 0)
		return false;
	h->suites = suites.p;
	h->nsuites = suites.n / 2;
	if (b.n == 0)
		return true;
	return flight_vector(&b, 2, &v) && b.n == 0 && extensions(v, h);
}

bool
hello_offers_protocol(const struct hello *h, const char *name)
{
	struct span list = { h->alpn, h->alpn_len }, one;

	while (list.n > 0 && flight_vector(&list, 1, &one))
		if (one.n == strlen(name) && memcmp(one.p, name, one.n) == 0)
			return true;
	return false;
}

static bool
has(const uint8_t *list, size_t n, uint16_t wanted)
{
	for (size_t i = 0; i < n; i++)
		if (get16(list + 2 * i) == wanted)
			return true;
	return false;
}

uint16_t
hello_scheme(const struct hello *h, size_t i)
{
	return (uint16_t)get16(h->sigalgs + 2 * i);
}

bool
hello_offers_suite(const struct hello *h, uint16_t suite)
{
	return has(h->suites, h->nsuites, suite);
}

bool
hello_knows_group(const struct hello *h, uint16_t group)
{
	return h->groups == NULL || has(h->groups, h->ngroups, group);
}
