/* NNTP (RFC 4642): the client's STARTTLS. */
#include <string.h>

#include "tunnel/preface.h"

enum { BEGINS, GREETED, STARTTLS };

static enum preface_verdict
unexpected(struct errmsg *why, const char *asked, const char *line)
{
	char quote[PREFACE_QUOTE];

	errmsg_set(why, "the NNTP server answers %s with \"%s\"", asked,
	    preface_quote(quote, line, strlen(line)));
	return PREFACE_FAILED;
}

enum preface_verdict
preface_nntp_client(struct preface *p, const uint8_t *in, size_t n, size_t *used,
    struct errmsg *why)
{
	char line[PREFACE_LINE];
	int rc;

	p->from = PREFACE_UP;
	if (p->state == BEGINS) {
		p->state = GREETED;
		return PREFACE_MORE;
	}
	if ((rc = preface_next_line(p, in, n, used, line, why)) != 1)
		return rc == -1 ? PREFACE_FAILED : PREFACE_MORE;
	if (p->state == STARTTLS)
		return preface_begins(line, "382") ? PREFACE_DONE :
		    unexpected(why, "STARTTLS", line);
	if (!preface_begins(line, "200") && !preface_begins(line, "201"))
		return unexpected(why, "the connection", line);
	p->state = STARTTLS;
	if (preface_say(p, PREFACE_DOWN, why, "%s\r\n", line) == -1 ||
	    preface_say(p, PREFACE_UP, why, "STARTTLS\r\n") == -1)
		return PREFACE_FAILED;
	return PREFACE_MORE;
}
