/* HTTP's CONNECT (RFC 9110, 9.3.6): a client asks a proxy for the server, in clear; a server is
 * asked for a target, in clear, and connects to it once it knows who asks. */
#include <stdlib.h>
#include <string.h>

#include "tunnel/preface.h"

static enum preface_verdict
more(int rc)
{
	return rc == -1 ? PREFACE_FAILED : PREFACE_MORE;
}

enum { CLIENT_ASKS, CLIENT_HEARS, CLIENT_HEADERS };

/* "NAME:PASSWORD" in base64 (RFC 7617). */
static int
say_login(struct preface *p, struct errmsg *why)
{
	const char *name = p->conf->protocol_username, *password = p->conf->protocol_password;
	size_t n = strlen(name) + 1 + strlen(password), room = 4 * (n + 2) / 3 + 1;
	char *both = malloc(n + 1), *text = malloc(room);
	int rc = -1;

	if (both == NULL || text == NULL) {
		errmsg_set(why, "out of memory");
		goto out;
	}
	strcpy(both, name);
	strcat(both, ":");
	strcat(both, password);
	preface_base64(text, both, n);
	rc = preface_say(p, PREFACE_UP, why, "Proxy-Authorization: Basic %s\r\n", text);
	explicit_bzero(both, n);
	explicit_bzero(text, room);
out:
	free(both);
	free(text);
	return rc;
}

static enum preface_verdict
ask(struct preface *p, struct errmsg *why)
{
	const struct conf_service *c = p->conf;

	if (preface_say(p, PREFACE_UP, why, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n",
	    c->protocol_host, c->protocol_host) == -1)
		return PREFACE_FAILED;
	if (c->protocol_username != NULL && say_login(p, why) == -1)
		return PREFACE_FAILED;
	for (size_t i = 0; i < c->protocol_header.n; i++)
		if (preface_say(p, PREFACE_UP, why, "%s\r\n", c->protocol_header.items[i]) == -1)
			return PREFACE_FAILED;
	p->state = CLIENT_HEARS;
	return more(preface_say(p, PREFACE_UP, why, "\r\n"));
}

/* "HTTP/1.1 200 Fine" */
static bool
is_success(const char *line)
{
	return strncmp(line, "HTTP/1.", 7) == 0 && line[7] != '\0' && line[8] == ' ' &&
	    line[9] == '2';
}

enum preface_verdict
preface_connect_client(struct preface *p, const uint8_t *in, size_t n, size_t *used,
    struct errmsg *why)
{
	char line[PREFACE_LINE], quote[PREFACE_QUOTE];
	int rc;

	p->from = PREFACE_UP;
	if (p->state == CLIENT_ASKS)
		return ask(p, why);
	if ((rc = preface_next_line(p, in, n, used, line, why)) != 1)
		return more(rc);
	if (p->state == CLIENT_HEADERS)
		return *line == '\0' ? PREFACE_DONE : PREFACE_MORE;
	p->state = CLIENT_HEADERS;
	if (is_success(line))
		return PREFACE_MORE;
	errmsg_set(why, "the proxy answers CONNECT with \"%s\"",
	    preface_quote(quote, line, strlen(line)));
	return PREFACE_FAILED;
}

enum { SERVER_HEARS, SERVER_HEADERS };

static enum preface_verdict
refuse(struct preface *p, struct errmsg *why, const char *line)
{
	char quote[PREFACE_QUOTE];

	if (preface_say(p, PREFACE_DOWN, why, "HTTP/1.0 400 Bad Request\r\n\r\n") == 0)
		errmsg_set(why, "the client asks for no host and port with CONNECT: \"%s\"",
		    preface_quote(quote, line, strlen(line)));
	return PREFACE_FAILED;
}

/* "CONNECT host:port HTTP/1.1" */
static enum preface_verdict
take_request(struct preface *p, char *line, struct errmsg *why)
{
	char *text = line + strlen("CONNECT "), *end, *colon, *close;
	struct errmsg other;
	size_t n;

	if (strncmp(line, "CONNECT ", 8) != 0 || (end = strchr(text, ' ')) == NULL ||
	    strncmp(end, " HTTP/1.", 8) != 0)
		return refuse(p, why, line);
	n = (size_t)(end - text);
	if ((colon = memrchr(text, ':', n)) == NULL)
		return refuse(p, why, line);
	close = colon;
	if (*text == '[') {
		text++;
		close--;
		if (close < text || *close != ']' ||
		    memchr(text, ':', (size_t)(close - text)) == NULL)
			return refuse(p, why, line);
	}
	if (preface_target(p, text, (size_t)(close - text), colon + 1,
	    (size_t)(end - colon - 1), &other) == -1)
		return refuse(p, why, line);
	p->state = SERVER_HEADERS;
	return PREFACE_MORE;
}

enum preface_verdict
preface_connect_server(struct preface *p, const uint8_t *in, size_t n, size_t *used,
    struct errmsg *why)
{
	char line[PREFACE_LINE];
	int rc;

	if ((rc = preface_next_line(p, in, n, used, line, why)) != 1)
		return more(rc);
	if (p->state == SERVER_HEARS)
		return take_request(p, line, why);
	if (*line != '\0')
		return PREFACE_MORE;
	return preface_say(p, PREFACE_DOWN, why, "HTTP/1.0 200 OK\r\nServer: sluss\r\n\r\n") == -1 ?
	    PREFACE_FAILED : PREFACE_DONE;
}
