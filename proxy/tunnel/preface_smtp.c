/* SMTP (RFC 3207): STARTTLS in both roles; a client may log in behind it (RFC 4954). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tunnel/preface.h"

/* A reply is lines of three digits, of which all but the last have a '-' behind them. */
static bool
is_last(const char *line)
{
	return strlen(line) < 4 || line[3] != '-';
}

static enum preface_verdict
unexpected(struct errmsg *why, const char *asked, const char *line)
{
	char quote[PREFACE_QUOTE];

	errmsg_set(why, "the SMTP server answers %s with \"%s\"", asked,
	    preface_quote(quote, line, strlen(line)));
	return PREFACE_FAILED;
}

static enum preface_verdict
more(int rc)
{
	return rc == -1 ? PREFACE_FAILED : PREFACE_MORE;
}

static const char *
own_name(const struct preface *p)
{
	return p->conf->protocol_host != NULL ? p->conf->protocol_host : "localhost";
}

enum { CLIENT_BEGINS, CLIENT_GREETED, CLIENT_EHLO, CLIENT_STARTTLS };

enum preface_verdict
preface_smtp_client(struct preface *p, const uint8_t *in, size_t n, size_t *used,
    struct errmsg *why)
{
	char line[PREFACE_LINE];
	int rc;

	p->from = PREFACE_UP;
	if (p->state == CLIENT_BEGINS) {
		p->state = CLIENT_GREETED;
		return PREFACE_MORE;
	}
	if ((rc = preface_next_line(p, in, n, used, line, why)) != 1)
		return more(rc);
	switch (p->state) {
	case CLIENT_GREETED:
		if (!preface_begins(line, "220"))
			return unexpected(why, "the connection", line);
		/* The server greets but once, and our client waits for it. */
		if (preface_say(p, PREFACE_DOWN, why, "%s\r\n", line) == -1)
			return PREFACE_FAILED;
		if (!is_last(line))
			return PREFACE_MORE;
		p->state = CLIENT_EHLO;
		return more(preface_say(p, PREFACE_UP, why, "EHLO %s\r\n", own_name(p)));
	case CLIENT_EHLO:
		if (!preface_begins(line, "250"))
			return unexpected(why, "EHLO", line);
		if (!is_last(line))
			return PREFACE_MORE;
		p->state = CLIENT_STARTTLS;
		return more(preface_say(p, PREFACE_UP, why, "STARTTLS\r\n"));
	default:
		if (!preface_begins(line, "220"))
			return unexpected(why, "STARTTLS", line);
		return is_last(line) ? PREFACE_DONE : PREFACE_MORE;
	}
}

/* A secret in base64, with a command in front. */
static enum preface_verdict
say_secret(struct preface *p, struct errmsg *why, const char *command, const void *secret,
    size_t n)
{
	size_t room = 4 * (n + 2) / 3 + 1;
	enum preface_verdict v = PREFACE_FAILED;
	char *text;

	if ((text = malloc(room)) == NULL) {
		errmsg_set(why, "out of memory");
	} else {
		preface_base64(text, secret, n);
		v = more(preface_say(p, PREFACE_UP, why, "%s%s\r\n", command, text));
		explicit_bzero(text, room);
	}
	free(text);
	return v;
}

/* NUL, name, NUL, password (RFC 4616). */
static enum preface_verdict
say_plain(struct preface *p, struct errmsg *why)
{
	const char *name = p->conf->protocol_username, *password = p->conf->protocol_password;
	size_t room = strlen(name) + strlen(password) + 2;
	enum preface_verdict v;
	char *all;

	if ((all = calloc(1, room + 1)) == NULL) {
		errmsg_set(why, "out of memory");
		return PREFACE_FAILED;
	}
	strcpy(all + 1, name);
	strcpy(all + 2 + strlen(name), password);
	v = say_secret(p, why, "AUTH PLAIN ", all, room);
	explicit_bzero(all, room);
	free(all);
	return v;
}

enum { LOGIN_BEGINS, LOGIN_EHLO, LOGIN_NAME, LOGIN_PASSWORD, LOGIN_DONE };

static enum preface_verdict
begin_login(struct preface *p, struct errmsg *why)
{
	if (p->conf->protocol_authentication != AUTH_LOGIN) {
		p->state = LOGIN_DONE;
		return say_plain(p, why);
	}
	p->state = LOGIN_NAME;
	return more(preface_say(p, PREFACE_UP, why, "AUTH LOGIN\r\n"));
}

enum preface_verdict
preface_smtp_login(struct preface *p, const uint8_t *in, size_t n, size_t *used,
    struct errmsg *why)
{
	const char *name = p->conf->protocol_username, *password = p->conf->protocol_password;
	char line[PREFACE_LINE];
	int rc;

	p->from = PREFACE_UP;
	if (p->state == LOGIN_BEGINS) {
		p->state = LOGIN_EHLO;
		return more(preface_say(p, PREFACE_UP, why, "EHLO %s\r\n", own_name(p)));
	}
	if ((rc = preface_next_line(p, in, n, used, line, why)) != 1)
		return more(rc);
	switch (p->state) {
	case LOGIN_EHLO:
		if (!preface_begins(line, "250"))
			return unexpected(why, "EHLO", line);
		return is_last(line) ? begin_login(p, why) : PREFACE_MORE;
	case LOGIN_NAME:
		if (!preface_begins(line, "334"))
			return unexpected(why, "AUTH LOGIN", line);
		p->state = LOGIN_PASSWORD;
		return say_secret(p, why, "", name, strlen(name));
	case LOGIN_PASSWORD:
		if (!preface_begins(line, "334"))
			return unexpected(why, "the user's name", line);
		p->state = LOGIN_DONE;
		return say_secret(p, why, "", password, strlen(password));
	default:
		if (!preface_begins(line, "235"))
			return unexpected(why, "protocolUsername and protocolPassword", line);
		return is_last(line) ? PREFACE_DONE : PREFACE_MORE;
	}
}

enum { SERVER_BEGINS, SERVER_GREETED, SERVER_TALKS };

/* The target's greeting goes to the client, who needs it; its name is used again. */
static enum preface_verdict
greet(struct preface *p, const char *line, struct errmsg *why)
{
	size_t len = strlen(line) > 4 ? strcspn(line + 4, " ") : 0;

	if (preface_say(p, PREFACE_DOWN, why, "%s\r\n", line) == -1)
		return PREFACE_FAILED;
	if (!preface_begins(line, "220"))
		return unexpected(why, "the connection", line);
	if (!is_last(line))
		return PREFACE_MORE;
	if (len == 0 || len >= PREFACE_WORD)
		strcpy(p->word, "localhost");
	else
		snprintf(p->word, sizeof(p->word), "%.*s", (int)len, line + 4);
	p->state = SERVER_TALKS;
	p->count = 0;
	p->from = PREFACE_DOWN;
	return PREFACE_MORE;
}

/* A command alone, or with something behind it. */
static bool
is_command(const char *line, const char *word)
{
	size_t n = strlen(word);

	return preface_begins(line, word) && (line[n] == '\0' || line[n] == ' ');
}

static enum preface_verdict
obey(struct preface *p, const char *line, struct errmsg *why)
{
	char quote[PREFACE_QUOTE];

	if (is_command(line, "STARTTLS"))
		return preface_say(p, PREFACE_DOWN, why, "220 Ready to start TLS\r\n") == -1 ?
		    PREFACE_FAILED : PREFACE_DONE;
	if (is_command(line, "EHLO") || is_command(line, "LHLO"))
		return more(preface_say(p, PREFACE_DOWN, why, "250-%s\r\n250 STARTTLS\r\n",
		    p->word));
	if (is_command(line, "HELO"))
		return more(preface_say(p, PREFACE_DOWN, why, "250 %s\r\n", p->word));
	if (is_command(line, "NOOP") || is_command(line, "RSET"))
		return more(preface_say(p, PREFACE_DOWN, why, "250 OK\r\n"));
	if (is_command(line, "QUIT")) {
		if (preface_say(p, PREFACE_DOWN, why, "221 Bye\r\n") == 0)
			errmsg_set(why, "the client said QUIT");
		return PREFACE_FAILED;
	}
	if (p->count <= PREFACE_COMMANDS)
		return more(preface_say(p, PREFACE_DOWN, why,
		    "530 Must issue a STARTTLS command first\r\n"));
	if (preface_say(p, PREFACE_DOWN, why, "421 Too many commands in clear\r\n") == 0)
		errmsg_set(why, "the client never asks for TLS: \"%s\"",
		    preface_quote(quote, line, strlen(line)));
	return PREFACE_FAILED;
}

enum preface_verdict
preface_smtp_server(struct preface *p, const uint8_t *in, size_t n, size_t *used,
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
