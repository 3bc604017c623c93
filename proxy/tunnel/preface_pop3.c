/* POP3 (RFC 2595): STLS in both roles. */
#include <string.h>
#include <strings.h>

#include "tunnel/preface.h"

static enum preface_verdict
more(int rc)
{
	return rc == -1 ? PREFACE_FAILED : PREFACE_MORE;
}

static enum preface_verdict
unexpected(struct errmsg *why, const char *asked, const char *line)
{
	char quote[PREFACE_QUOTE];

	errmsg_set(why, "the POP3 server answers %s with \"%s\"", asked,
	    preface_quote(quote, line, strlen(line)));
	return PREFACE_FAILED;
}

enum { BEGINS, GREETED, TALKS };

/* The greeting goes on as it is: there may be a time stamp for APOP in it. */
static enum preface_verdict
greet(struct preface *p, const char *line, struct errmsg *why)
{
	if (preface_say(p, PREFACE_DOWN, why, "%s\r\n", line) == -1)
		return PREFACE_FAILED;
	if (!preface_begins(line, "+OK"))
		return unexpected(why, "the connection", line);
	p->state = TALKS;
	return PREFACE_MORE;
}

enum preface_verdict
preface_pop3_client(struct preface *p, const uint8_t *in, size_t n, size_t *used,
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
		return more(rc);
	if (p->state == GREETED) {
		if (greet(p, line, why) == PREFACE_FAILED)
			return PREFACE_FAILED;
		return more(preface_say(p, PREFACE_UP, why, "STLS\r\n"));
	}
	return preface_begins(line, "+OK") ? PREFACE_DONE : unexpected(why, "STLS", line);
}

static enum preface_verdict
obey(struct preface *p, const char *line, struct errmsg *why)
{
	char quote[PREFACE_QUOTE];

	if (strcasecmp(line, "STLS") == 0)
		return preface_say(p, PREFACE_DOWN, why, "+OK Begin TLS negotiation\r\n") == -1 ?
		    PREFACE_FAILED : PREFACE_DONE;
	if (strcasecmp(line, "CAPA") == 0)
		return more(preface_say(p, PREFACE_DOWN, why,
		    "+OK Capability list follows\r\nSTLS\r\n.\r\n"));
	if (strcasecmp(line, "QUIT") == 0) {
		if (preface_say(p, PREFACE_DOWN, why, "+OK Bye\r\n") == 0)
			errmsg_set(why, "the client said QUIT");
		return PREFACE_FAILED;
	}
	if (p->count <= PREFACE_COMMANDS)
		return more(preface_say(p, PREFACE_DOWN, why, "-ERR STLS comes first\r\n"));
	if (preface_say(p, PREFACE_DOWN, why, "-ERR too many commands in clear\r\n") == 0)
		errmsg_set(why, "the client never asks for TLS: \"%s\"",
		    preface_quote(quote, line, strcspn(line, " ")));
	return PREFACE_FAILED;
}

enum preface_verdict
preface_pop3_server(struct preface *p, const uint8_t *in, size_t n, size_t *used,
    struct errmsg *why)
{
	char line[PREFACE_LINE];
	enum preface_verdict v;
	int rc;

	if (p->state == BEGINS) {
		p->from = PREFACE_UP;
		p->state = GREETED;
		return PREFACE_MORE;
	}
	if ((rc = preface_next_line(p, in, n, used, line, why)) != 1)
		return more(rc);
	if (p->state == TALKS)
		return obey(p, line, why);
	if ((v = greet(p, line, why)) == PREFACE_MORE)
		p->from = PREFACE_DOWN;
	return v;
}
