/* PostgreSQL's way to TLS: a request of eight bytes, an answer of one. */
#include <string.h>

#include "tunnel/preface.h"

#define REQUEST_LEN 8

static const uint8_t ssl_request[REQUEST_LEN] = { 0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f };
static const uint8_t gss_request[REQUEST_LEN] = { 0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30 };

/* A client may ask for GSSAPI first, once. */
#define REQUESTS_MAX 2

enum { ASK, HEAR };

enum preface_verdict
preface_pgsql_client(struct preface *p, const uint8_t *in, size_t n, size_t *used,
    struct errmsg *why)
{
	char quote[PREFACE_QUOTE];

	p->from = PREFACE_UP;
	if (p->state == ASK) {
		p->state = HEAR;
		return preface_put(p, PREFACE_UP, why, ssl_request, REQUEST_LEN) == 0 ?
		    PREFACE_MORE : PREFACE_FAILED;
	}
	if (n == 0)
		return PREFACE_MORE;
	*used = 1;
	if (in[0] == 'S')
		return PREFACE_DONE;
	if (in[0] == 'N')
		errmsg_set(why, "the PostgreSQL server has TLS turned off (ssl = on in its "
		    "postgresql.conf)");
	else
		errmsg_set(why, "no PostgreSQL server: it answered \"%s\"",
		    preface_quote(quote, in, n));
	return PREFACE_FAILED;
}

/* An error that every version of the client shows to its user. */
static enum preface_verdict
refuse(struct preface *p, struct errmsg *why, const char *text)
{
	static const char error[] = "SFATAL\0C28000\0MTLS is required here";
	uint8_t head[5] = { 'E', 0, 0, 0, 4 + sizeof(error) + 1 };

	if (preface_put(p, PREFACE_DOWN, why, head, sizeof(head)) == 0 &&
	    preface_put(p, PREFACE_DOWN, why, error, sizeof(error)) == 0 &&
	    preface_put(p, PREFACE_DOWN, why, "", 1) == 0)
		errmsg_set(why, "%s", text);
	return PREFACE_FAILED;
}

static enum preface_verdict
answer(struct preface *p, struct errmsg *why, const char *byte, enum preface_verdict then)
{
	return preface_put(p, PREFACE_DOWN, why, byte, 1) == 0 ? then : PREFACE_FAILED;
}

enum preface_verdict
preface_pgsql_server(struct preface *p, const uint8_t *in, size_t n, size_t *used,
    struct errmsg *why)
{
	if (n > 0 && in[0] == 0x16) {
		errmsg_set(why, "the client began TLS without asking for it: that needs "
		    "protocol = none (sslnegotiation=direct)");
		return PREFACE_FAILED;
	}
	if (n < REQUEST_LEN)
		return PREFACE_MORE;
	*used = REQUEST_LEN;
	if (memcmp(in, ssl_request, REQUEST_LEN) == 0)
		return answer(p, why, "S", PREFACE_DONE);
	if (memcmp(in, gss_request, REQUEST_LEN) == 0 && ++p->count < REQUESTS_MAX)
		return answer(p, why, "N", PREFACE_MORE);
	if (memcmp(in, "\0\0\0\x10\x04\xd2\x16\x2e", REQUEST_LEN) == 0) {
		errmsg_set(why, "the client wants to cancel a query, in clear");
		return PREFACE_FAILED;
	}
	if (in[4] == 0 && in[5] == 3)
		return refuse(p, why, "the client asks for no TLS (sslmode=disable?)");
	errmsg_set(why, "no PostgreSQL client");
	return PREFACE_FAILED;
}
