/* LDAP (RFC 4511): the client's StartTLS request, in as much BER as that needs. */
#include <string.h>

#include "tunnel/preface.h"

/* LDAPMessage { 1, ExtendedRequest { "1.3.6.1.4.1.1466.20037" } } */
static const uint8_t request[] =
    "\x30\x1d\x02\x01\x01\x77\x18\x80\x16" "1.3.6.1.4.1.1466.20037";

#define SEQUENCE 0x30
#define INTEGER 0x02
#define OCTETS 0x04
#define ENUMERATED 0x0a
#define EXTENDED_RESPONSE 0x78

#define ANSWER_MAX ((size_t)16 * 1024)

struct bytes {
	const uint8_t *p;
	size_t n;
};

enum taken { TAKEN, SHORT, BROKEN };

/* Takes the element of the tag off the front; SHORT when it is not all there. */
static enum taken
take(struct bytes *in, uint8_t tag, struct bytes *body)
{
	size_t len, head = 2, more;

	if (in->n > 0 && in->p[0] != tag)
		return BROKEN;
	if (in->n < 2)
		return SHORT;
	len = in->p[1];
	if (len >= 0x80) {
		more = len & 0x7f;
		if (more == 0 || more > 4)
			return BROKEN;
		if (in->n < 2 + more)
			return SHORT;
		for (len = 0; head < 2 + more; head++)
			len = len << 8 | in->p[head];
	}
	if (len > ANSWER_MAX)
		return BROKEN;
	if (in->n - head < len)
		return SHORT;
	*body = (struct bytes){ in->p + head, len };
	in->p += head + len;
	in->n -= head + len;
	return TAKEN;
}

static enum preface_verdict
malformed(struct errmsg *why)
{
	errmsg_set(why, "no LDAP server: its answer to StartTLS is none");
	return PREFACE_FAILED;
}

/* { messageID, ExtendedResponse { resultCode, matchedDN, diagnosticMessage, … } } */
static enum preface_verdict
judge(struct bytes message, struct errmsg *why)
{
	struct bytes id, response, code, dn, text = { NULL, 0 };
	char quote[PREFACE_QUOTE];

	if (take(&message, INTEGER, &id) != TAKEN || id.n != 1 || id.p[0] != 1 ||
	    take(&message, EXTENDED_RESPONSE, &response) != TAKEN ||
	    take(&response, ENUMERATED, &code) != TAKEN || code.n != 1)
		return malformed(why);
	if (code.p[0] == 0)
		return PREFACE_DONE;
	if (take(&response, OCTETS, &dn) != TAKEN || take(&response, OCTETS, &text) != TAKEN)
		text.n = 0;
	errmsg_set(why, "the LDAP server refuses StartTLS: result %u \"%s\"", code.p[0],
	    preface_quote(quote, text.p, text.n));
	return PREFACE_FAILED;
}

enum { ASK, HEAR };

enum preface_verdict
preface_ldap_client(struct preface *p, const uint8_t *in, size_t n, size_t *used,
    struct errmsg *why)
{
	struct bytes rest = { in, n }, message;

	p->from = PREFACE_UP;
	if (p->state == ASK) {
		p->state = HEAR;
		return preface_put(p, PREFACE_UP, why, request, sizeof(request) - 1) == -1 ?
		    PREFACE_FAILED : PREFACE_MORE;
	}
	switch (take(&rest, SEQUENCE, &message)) {
	case TAKEN:
		*used = n - rest.n;
		return judge(message, why);
	case SHORT:
		return PREFACE_MORE;
	default:
		return malformed(why);
	}
}
