/* IMAP (RFC 9051): STARTTLS in both roles. */
#include <string.h>

#include "tunnel/preface.h"

#define CAPABILITIES "IMAP4rev1 STARTTLS LOGINDISABLED"
#define TAG "sluss"

/* Characters that may stand in a tag: an atom without '+' (RFC 9051, "tag"). */
static bool
is_tag(const char *tag, size_t n)
{
	static const char others[] = "(){%*\"\\]+";

	if (n == 0 || n > 64)
		return false;
	for (size_t i = 0; i < n; i++)
		if (tag[i] <= 0x20 || tag[i] >= 0x7f || strchr(others, tag[i]) != NULL)
			return false;
	return true;
}

static enum preface_verdict
more(int rc)
{
	return rc == -1 ? PREFACE_FAILED : PREFACE_MORE;
}

/* The greeting's text for people, without its code: the capabilities are those in clear. */
static const char *
greeting_text(const char *line)
{
	const char *text = line + strcspn(line, " "), *end;

	text += strspn(text, " ");
	text += strcspn(text, " ");
	text += strspn(text, " ");
	if (*text == '[' && (end = strchr(text, ']')) != NULL)
		text = end + 1 + strspn(end + 1, " ");
	return *text != '\0' ? text : "ready";
}

static bool
check_greeting(const char *line, struct errmsg *why)
{
	char quote[PREFACE_QUOTE];

	if (preface_begins(line, "* OK"))
		return true;
	errmsg_set(why, preface_begins(line, "* PREAUTH") ?
	    "the IMAP server takes us for logged in, which rules out STARTTLS: \"%s\"" :
	    "the IMAP server does not greet: \"%s\"", preface_quote(quote, line, strlen(line)));
	return false;
}

enum { CLIENT_BEGINS, CLIENT_GREETED, CLIENT_STARTTLS };

enum preface_verdict
preface_imap_client(struct preface *p, const uint8_t *in, size_t n, size_t *used,
    struct errmsg *why)
{
	char line[PREFACE_LINE], quote[PREFACE_QUOTE];
	int rc;

	p->from = PREFACE_UP;
	if (p->state == CLIENT_BEGINS) {
		p->state = CLIENT_GREETED;
		return PREFACE_MORE;
	}
	if ((rc = preface_next_line(p, in, n, used, line, why)) != 1)
		return more(rc);
	if (p->state == CLIENT_GREETED) {
		if (!check_greeting(line, why) || preface_say(p, PREFACE_DOWN, why,
		    "* OK %s\r\n", greeting_text(line)) == -1)
			return PREFACE_FAILED;
		p->state = CLIENT_STARTTLS;
		return more(preface_say(p, PREFACE_UP, why, TAG " STARTTLS\r\n"));
	}
	if (preface_begins(line, TAG " OK"))
		return PREFACE_DONE;
	if (preface_begins(line, "* ") && !preface_begins(line, "* BYE"))
		return PREFACE_MORE;
	errmsg_set(why, "the IMAP server answers STARTTLS with \"%s\"",
	    preface_quote(quote, line, strlen(line)));
	return PREFACE_FAILED;
}

enum { SERVER_BEGINS, SERVER_GREETED, SERVER_TALKS };

static enum preface_verdict
greet(struct preface *p, const char *line, struct errmsg *why)
{
	struct errmsg other;

	if (!check_greeting(line, why)) {
		preface_say(p, PREFACE_DOWN, &other, "* BYE the server is not ready\r\n");
		return PREFACE_FAILED;
	}
	p->state = SERVER_TALKS;
	p->count = 0;
	p->from = PREFACE_DOWN;
	return more(preface_say(p, PREFACE_DOWN, why, "* OK [CAPABILITY " CAPABILITIES "] %s\r\n",
	    greeting_text(line)));
}

static bool
is_command(const char *text, const char *word)
{
	size_t n = strlen(word);

	return preface_begins(text, word) && (text[n] == '\0' || text[n] == ' ');
}

static enum preface_verdict
obey(struct preface *p, const char *line, struct errmsg *why)
{
	int len = (int)strcspn(line, " ");
	const char *command = line + len;
	char quote[PREFACE_QUOTE];

	if (p->count > PREFACE_COMMANDS) {
		if (preface_say(p, PREFACE_DOWN, why, "* BYE too many commands in clear\r\n") == 0)
			errmsg_set(why, "the client never asks for TLS: \"%s\"",
			    preface_quote(quote, command, strlen(command)));
		return PREFACE_FAILED;
	}
	if (*command != ' ' || !is_tag(line, (size_t)len))
		return more(preface_say(p, PREFACE_DOWN, why, "* BAD no tag\r\n"));
	command++;
	if (is_command(command, "STARTTLS"))
		return preface_say(p, PREFACE_DOWN, why, "%.*s OK Begin TLS negotiation now\r\n",
		    len, line) == -1 ? PREFACE_FAILED : PREFACE_DONE;
	if (is_command(command, "CAPABILITY"))
		return more(preface_say(p, PREFACE_DOWN, why, "* CAPABILITY " CAPABILITIES
		    "\r\n%.*s OK done\r\n", len, line));
	if (is_command(command, "NOOP"))
		return more(preface_say(p, PREFACE_DOWN, why, "%.*s OK done\r\n", len, line));
	if (is_command(command, "LOGOUT")) {
		if (preface_say(p, PREFACE_DOWN, why, "* BYE\r\n%.*s OK done\r\n", len,
		    line) == 0)
			errmsg_set(why, "the client said LOGOUT");
		return PREFACE_FAILED;
	}
	return more(preface_say(p, PREFACE_DOWN, why, "%.*s NO [PRIVACYREQUIRED] STARTTLS comes "
	    "first\r\n", len, line));
}

enum preface_verdict
preface_imap_server(struct preface *p, const uint8_t *in, size_t n, size_t *used,
    struct errmsg *why)
{
	char line[PREFACE_LINE];
	int rc;

	if (p->state == SERVER_BEGINS) {
		p->from = PREFACE_UP;
		p->state = SERVER_GREETED;
		return PREFACE_MORE;
	}
	if ((rc = preface_next_line(p, in, n, used, line, why)) != 1)
		return more(rc);
	return p->state == SERVER_GREETED ? greet(p, line, why) : obey(p, line, why);
}
