/* Which talk is held at which stage, and what all talks are made of. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "conf/protocol.h"
#include "tunnel/preface.h"

#define LINES_MAX 100

static const struct talk {
	enum conf_protocol protocol;
	bool client;
	enum preface_stage stage;
	preface_fn *run;
	bool drops; /* TLS begins with words of ours: what came before them is no TLS */
} talks[] = {
	{ PROTOCOL_CONNECT, true, PREFACE_CLEAR, preface_connect_client, false },
	{ PROTOCOL_CONNECT, false, PREFACE_CLEAR, preface_connect_server, false },
	{ PROTOCOL_IMAP, true, PREFACE_CLEAR, preface_imap_client, true },
	{ PROTOCOL_IMAP, false, PREFACE_CLEAR, preface_imap_server, true },
	{ PROTOCOL_LDAP, true, PREFACE_CLEAR, preface_ldap_client, true },
	{ PROTOCOL_NNTP, true, PREFACE_CLEAR, preface_nntp_client, true },
	{ PROTOCOL_PGSQL, true, PREFACE_CLEAR, preface_pgsql_client, true },
	{ PROTOCOL_PGSQL, false, PREFACE_CLEAR, preface_pgsql_server, true },
	{ PROTOCOL_POP3, true, PREFACE_CLEAR, preface_pop3_client, true },
	{ PROTOCOL_POP3, false, PREFACE_CLEAR, preface_pop3_server, true },
	{ PROTOCOL_PROXY, true, PREFACE_HEADER, preface_proxy_v1, false },
	{ PROTOCOL_PROXY, false, PREFACE_HEADER, preface_proxy_v1, false },
	{ PROTOCOL_PROXY2, true, PREFACE_HEADER, preface_proxy_v2, false },
	{ PROTOCOL_PROXY2, false, PREFACE_HEADER, preface_proxy_v2, false },
	{ PROTOCOL_SMTP, true, PREFACE_CLEAR, preface_smtp_client, true },
	{ PROTOCOL_SMTP, true, PREFACE_LATE, preface_smtp_login, false },
	{ PROTOCOL_SMTP, false, PREFACE_CLEAR, preface_smtp_server, true },
	{ PROTOCOL_SOCKS, true, PREFACE_LATE, preface_socks_client, false },
	{ PROTOCOL_SOCKS, false, PREFACE_LATE, preface_socks_server, false },
	{ PROTOCOL_SOCKS, false, PREFACE_ANSWER, preface_socks_answer, false },
};

static const struct talk *
talk_of(const struct conf_service *c, enum preface_stage stage)
{
	for (size_t i = 0; i < sizeof(talks) / sizeof(talks[0]); i++)
		if (talks[i].protocol == c->protocol && talks[i].client == c->client &&
		    talks[i].stage == stage)
			return &talks[i];
	return NULL;
}

preface_fn *
preface_at(const struct conf_service *c, enum preface_stage stage)
{
	const struct talk *t = talk_of(c, stage);

	if (stage == PREFACE_PROXY_IN)
		return c->proxy_in ? preface_proxy_in : NULL;
	if (t == NULL || (t->run == preface_smtp_login && c->protocol_username == NULL))
		return NULL;
	return t->run;
}

bool
preface_drops(const struct conf_service *c, enum preface_stage stage)
{
	const struct talk *t = talk_of(c, stage);

	return t != NULL && t->drops;
}

bool
preface_tells(const struct conf_service *c)
{
	return !c->client && c->protocol == PROTOCOL_PROXY2;
}

void
preface_begin(struct preface *p, const struct conf_service *c)
{
	p->conf = c;
	p->from = PREFACE_DOWN;
	p->state = p->count = 0;
	p->word[0] = '\0';
}

void
preface_free(struct preface *p)
{
	buf_free(&p->out[PREFACE_DOWN]);
	buf_free(&p->out[PREFACE_UP]);
}

int
preface_line(const uint8_t *p, size_t n, size_t *used, char *line, struct errmsg *why)
{
	const uint8_t *lf = memchr(p, '\n', n < PREFACE_LINE ? n : PREFACE_LINE);
	char quote[PREFACE_QUOTE];
	size_t len;

	*used = 0;
	if (lf == NULL) {
		if (n < PREFACE_LINE)
			return 0;
		return errmsg_set(why, "a line of more than %d bytes: \"%s\"", PREFACE_LINE,
		    preface_quote(quote, p, n));
	}
	*used = (size_t)(lf - p) + 1;
	len = (size_t)(lf - p);
	if (len > 0 && p[len - 1] == '\r')
		len--;
	if (memchr(p, '\0', len) != NULL)
		return errmsg_set(why, "a line with a NUL in it: \"%s\"",
		    preface_quote(quote, p, len));
	memcpy(line, p, len);
	line[len] = '\0';
	return 1;
}

int
preface_next_line(struct preface *p, const uint8_t *in, size_t n, size_t *used, char *line,
    struct errmsg *why)
{
	int rc = n == 0 ? 0 : preface_line(in, n, used, line, why);

	if (rc == 1 && ++p->count > LINES_MAX)
		return errmsg_set(why, "more than %d lines", LINES_MAX);
	return rc;
}

int
preface_put(struct preface *p, enum preface_side to, struct errmsg *why, const void *data,
    size_t n)
{
	if (buf_append(&p->out[to], data, n) == 0)
		return 0;
	return errmsg_set(why, "out of memory");
}

int
preface_say(struct preface *p, enum preface_side to, struct errmsg *why, const char *fmt, ...)
{
	char text[2 * PREFACE_LINE];
	va_list ap;
	int n, rc;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		rc = errmsg_set(why, "an option of the protocol is too long");
	else
		rc = preface_put(p, to, why, text, (size_t)n);
	/* There may have been a password in it. */
	explicit_bzero(text, sizeof(text));
	return rc;
}

const char *
preface_quote(char *text, const void *data, size_t n)
{
	const uint8_t *p = data;
	size_t most = PREFACE_QUOTE - sizeof("...");
	size_t i;

	while (n > 0 && (p[n - 1] == '\r' || p[n - 1] == '\n'))
		n--;
	for (i = 0; i < n && i < most; i++)
		text[i] = (char)(p[i] >= 0x20 && p[i] < 0x7f ? p[i] : '.');
	strcpy(text + i, n > most ? "..." : "");
	return text;
}

char *
preface_base64(char *text, const void *data, size_t n)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = data;
	char *out = text;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t three = (uint32_t)p[i] << 16;

		if (i + 1 < n)
			three |= (uint32_t)p[i + 1] << 8;
		if (i + 2 < n)
			three |= p[i + 2];
		*out++ = digits[three >> 18];
		*out++ = digits[three >> 12 & 63];
		*out++ = i + 1 < n ? digits[three >> 6 & 63] : '=';
		*out++ = i + 2 < n ? digits[three & 63] : '=';
	}
	*out = '\0';
	return text;
}

bool
preface_begins(const char *text, const char *word)
{
	return strncasecmp(text, word, strlen(word)) == 0;
}
