#include "net/http.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool
is_plain(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
			return false;
	return true;
}

static int
keep(char *to, size_t cap, const char *from, size_t n, const char *what, struct errmsg *e)
{
	if (n >= cap)
		return errmsg_set(e, "its %s is too long", what);
	memcpy(to, from, n);
	to[n] = '\0';
	return 0;
}

static int
read_port(const char *s, size_t n, struct http_url *u, struct errmsg *e)
{
	unsigned long port = 0;

	if (n == 0)
		return keep(u->port, sizeof(u->port), "80", 2, "port", e);
	if (strspn(s, "0123456789") < n || n > 5)
		return errmsg_set(e, "its port is not a number");
	for (size_t i = 0; i < n; i++)
		port = port * 10 + (unsigned long)(s[i] - '0');
	if (port < 1 || port > 65535)
		return errmsg_set(e, "its port is not 1 to 65535");
	return keep(u->port, sizeof(u->port), s, n, "port", e);
}

/* HOST, HOST:PORT, [V6] or [V6]:PORT. */
static int
read_authority(const char *s, size_t n, struct http_url *u, struct errmsg *e)
{
	const char *end = s + n, *host = s, *host_end, *port;
	static const char names[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

	if (n > 0 && *s == '[') {
		host = s + 1;
		host_end = memchr(s, ']', n);
		if (host_end == NULL || strspn(host, "0123456789abcdefABCDEF:.") <
		    (size_t)(host_end - host))
			return errmsg_set(e, "its IPv6 address is malformed");
		port = host_end + 1;
	} else {
		host_end = s + strspn(s, names);
		if (host_end > end)
			host_end = end;
		port = host_end;
	}
	if (host_end == host)
		return errmsg_set(e, "it has no host");
	if (port < end && *port != ':')
		return errmsg_set(e, "its host is malformed");
	if (keep(u->host, sizeof(u->host), host, (size_t)(host_end - host), "host", e) == -1)
		return -1;
	if (port < end)
		port++;
	return read_port(port, (size_t)(end - port), u, e);
}

int
http_url_parse(const char *text, struct http_url *u, struct errmsg *e)
{
	const char *s = text, *path;
	size_t n;

	if (!is_plain(text))
		return errmsg_set(e, "it has blanks or control characters in it");
	if (strncasecmp(s, "https://", 8) == 0)
		return errmsg_set(e, "https is not spoken to responders: their answers are signed; "
		    "give its http:// URL");
	if (strncasecmp(s, "http://", 7) != 0)
		return errmsg_set(e, "it does not begin with http://");
	s += 7;
	n = strcspn(s, "/?#");
	path = s + n;
	if (read_authority(s, n, u, e) == -1)
		return -1;
	n = strcspn(path, "#");
	if (n == 0)
		return keep(u->path, sizeof(u->path), "/", 1, "path", e);
	if (*path == '?')
		return errmsg_set(e, "a / is missing in front of the ?");
	return keep(u->path, sizeof(u->path), path, n, "path", e);
}

size_t
http_post(const struct http_url *u, const char *type, size_t body, char *out)
{
	bool v6 = strchr(u->host, ':') != NULL;
	int n;

	/* Answers to version 1.0 are neither in chunks nor kept open. */
	n = snprintf(out, HTTP_HEAD_MOST, "POST %s HTTP/1.0\r\nHost: %s%s%s%s%s\r\n"
	    "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n", u->path, v6 ? "[" : "", u->host,
	    v6 ? "]" : "", strcmp(u->port, "80") == 0 ? "" : ":",
	    strcmp(u->port, "80") == 0 ? "" : u->port, type, body);
	return n > 0 && n < HTTP_HEAD_MOST ? (size_t)n : 0;
}

/*
 * The answer.
 */

struct head {
	const char *s;
	size_t n;          /* without the empty line */
	size_t size;       /* with it */
	const char *type;  /* a value, or NULL */
	size_t type_n;
	bool has_length;
	size_t length;
};

/* Whether the head is whole: at the end of its empty line. */
static bool
find_end(const char *s, size_t n, struct head *h)
{
	for (size_t i = 0; i + 1 < n; i++) {
		if (s[i] != '\n')
			continue;
		if (s[i + 1] == '\n') {
			h->n = i + 1;
			h->size = i + 2;
			return true;
		}
		if (i + 2 < n && s[i + 1] == '\r' && s[i + 2] == '\n') {
			h->n = i + 1;
			h->size = i + 3;
			return true;
		}
	}
	return false;
}

static int
read_status(const struct head *h, struct errmsg *e)
{
	const char *s = h->s;

	if (h->n < 13 || memcmp(s, "HTTP/1.", 7) != 0 || (s[7] != '0' && s[7] != '1') ||
	    s[8] != ' ')
		return errmsg_set(e, "what came is no answer of HTTP/1.x");
	for (int i = 9; i < 12; i++)
		if (s[i] < '0' || s[i] > '9')
			return errmsg_set(e, "what came is no answer of HTTP/1.x");
	if (memcmp(s + 9, "200", 3) != 0 || (s[12] != ' ' && s[12] != '\r' && s[12] != '\n'))
		return errmsg_set(e, "its HTTP status is %.3s%s", s + 9, s[9] == '3' ?
		    ": a redirect, which is not followed" : "");
	return 0;
}

static bool
is_field(const char *line, size_t n, const char *name)
{
	size_t k = strlen(name);

	return n > k && line[k] == ':' && strncasecmp(line, name, k) == 0;
}

static int
read_length(struct head *h, const char *s, size_t n, size_t most, struct errmsg *e)
{
	size_t value = 0;

	if (n == 0 || h->has_length)
		return errmsg_set(e, "its Content-Length is malformed");
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return errmsg_set(e, "its Content-Length is malformed");
		value = value * 10 + (size_t)(s[i] - '0');
		if (value > most)
			return errmsg_set(e, "its body is larger than %zu bytes", most);
	}
	h->has_length = true;
	h->length = value;
	return 0;
}

static int
read_field(struct head *h, const char *line, size_t n, size_t most, struct errmsg *e)
{
	const char *colon = memchr(line, ':', n), *value, *end = line + n;

	if (colon == NULL)
		return errmsg_set(e, "its head is malformed");
	for (value = colon + 1; value < end && (*value == ' ' || *value == '\t');)
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	if (is_field(line, n, "Content-Length"))
		return read_length(h, value, (size_t)(end - value), most, e);
	if (is_field(line, n, "Transfer-Encoding"))
		return errmsg_set(e, "it has a Transfer-Encoding, which HTTP/1.0 does not know");
	if (is_field(line, n, "Content-Type")) {
		h->type = value;
		h->type_n = (size_t)(end - value);
	}
	return 0;
}

static int
read_head(struct head *h, size_t most, struct errmsg *e)
{
	const char *line, *next, *end = h->s + h->n;

	if (read_status(h, e) == -1)
		return -1;
	for (line = memchr(h->s, '\n', h->n); line != NULL && ++line < end; line = next) {
		next = memchr(line, '\n', (size_t)(end - line));
		if (read_field(h, line, (size_t)((next != NULL ? next : end) - line), most, e) == -1)
			return -1;
	}
	return 0;
}

/* Parameters may follow. */
static bool
is_type(const struct head *h, const char *type)
{
	size_t n = strlen(type);

	return h->type == NULL || (h->type_n >= n && strncasecmp(h->type, type, n) == 0 &&
	    (h->type_n == n || h->type[n] == ';' || h->type[n] == ' '));
}

static enum http_state
failed(struct errmsg *e, const char *why)
{
	errmsg_set(e, "%s", why);
	return HTTP_FAILED;
}

enum http_state
http_answer(const char *s, size_t n, bool ended, const char *type, size_t most,
    const char **body, size_t *len, struct errmsg *e)
{
	struct head h = { .s = s };
	size_t have;

	if (!find_end(s, n, &h)) {
		if (n > HTTP_ANSWER_HEAD)
			return failed(e, "its head does not end");
		return !ended ? HTTP_MORE : failed(e, n == 0 ? "it closed without an answer" :
		    "it closed in the middle of an answer");
	}
	if (h.n > HTTP_ANSWER_HEAD)
		return failed(e, "its head does not end");
	if (read_head(&h, most, e) == -1)
		return HTTP_FAILED;
	if (!is_type(&h, type)) {
		errmsg_set(e, "its body is of another type than %s", type);
		return HTTP_FAILED;
	}
	have = n - h.size;
	if (!h.has_length && have > most) {
		errmsg_set(e, "its body is larger than %zu bytes", most);
		return HTTP_FAILED;
	}
	if (h.has_length ? have < h.length : !ended)
		return !ended ? HTTP_MORE : failed(e, "it closed in the middle of an answer");
	*body = s + h.size;
	*len = h.has_length ? h.length : have;
	return *len > 0 ? HTTP_DONE : failed(e, "its body is empty");
}
