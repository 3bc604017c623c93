#include <wolfssl/options.h>

#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/coding.h>
#include <wolfssl/wolfcrypt/types.h>

#include "tls/pem_priv.h"

struct line {
	const char *text; /* without blanks around it */
	size_t len;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

struct pem_reader
pem_start(const char *text, size_t len)
{
	/* The mark that editors on Windows put in front of UTF-8. */
	size_t mark = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	return (struct pem_reader){ text + mark, text + len, 1 };
}

static bool
next_line(struct pem_reader *r, struct line *l)
{
	const char *end;

	if (r->next == r->end)
		return false;
	end = memchr(r->next, '\n', (size_t)(r->end - r->next));
	if (end == NULL)
		end = r->end;
	*l = (struct line){ r->next, (size_t)(end - r->next) };
	r->next = end == r->end ? end : end + 1;
	r->line++;
	while (l->len > 0 && is_blank(l->text[0])) {
		l->text++;
		l->len--;
	}
	while (l->len > 0 && is_blank(l->text[l->len - 1]))
		l->len--;
	return true;
}

/* Whether the line is "-----BEGIN label-----" or the same with END. */
static bool
is_boundary(const struct line *l, const char *kind, struct line *label)
{
	size_t n = strlen(kind);

	if (l->len < n + 6 || memcmp(l->text, kind, n) != 0 ||
	    memcmp(l->text + l->len - 5, "-----", 5) != 0)
		return false;
	*label = (struct line){ l->text + n, l->len - n - 5 };
	return true;
}

static bool
contains(const struct line *l, const char *word)
{
	return memmem(l->text, l->len, word, strlen(word)) != NULL;
}

/* Passes over the headers that the old format has: "Name: value", then an empty line. */
static void
skip_headers(struct pem_reader *r, struct pem_block *b)
{
	struct pem_reader ahead = *r;
	struct line l;

	b->encrypted = false;
	while (next_line(&ahead, &l) && l.len > 0 && contains(&l, ":")) {
		if (contains(&l, "ENCRYPTED") || contains(&l, "DEK-Info"))
			b->encrypted = true;
		*r = ahead;
	}
}

int
pem_next(struct pem_reader *r, struct pem_block *b, struct errmsg *e)
{
	struct line l, label, end;

	do {
		b->line = r->line;
		if (!next_line(r, &l))
			return 0;
	} while (!is_boundary(&l, "-----BEGIN ", &label));
	b->label = label.text;
	b->label_len = label.len;
	skip_headers(r, b);
	b->body = r->next;
	while (next_line(r, &l)) {
		if (is_boundary(&l, "-----BEGIN ", &end))
			break;
		if (!is_boundary(&l, "-----END ", &end))
			continue;
		if (end.len != label.len || memcmp(end.text, label.text, end.len) != 0)
			break;
		b->body_len = (size_t)(l.text - b->body);
		return 1;
	}
	return errmsg_set(e,
	    "line %zu: the block \"BEGIN %.*s\" has no \"END %.*s\"; "
	    "was the file cut short?",
	    b->line, (int)(label.len > 40 ? 40 : label.len), label.text,
	    (int)(label.len > 40 ? 40 : label.len), label.text);
}

bool
pem_is(const struct pem_block *b, const char *label)
{
	return b->label_len == strlen(label) &&
	    memcmp(b->label, label, b->label_len) == 0;
}

/* Copies the base64 characters alone; the library trips over other blanks. */
static size_t
squeeze(const struct pem_block *b, char *out)
{
	size_t i, n = 0;

	for (i = 0; i < b->body_len; i++)
		if (!is_blank(b->body[i]))
			out[n++] = b->body[i];
	return n;
}

/* Whether padding stands at the end only, where it belongs, and nothing is missing. */
static bool
is_well_padded(const char *text, size_t n)
{
	size_t pad = n;

	while (pad > 0 && text[pad - 1] == '=')
		pad--;
	return n > 0 && n % 4 == 0 && n - pad <= 2 && memchr(text, '=', pad) == NULL &&
	    memchr(text, '\0', n) == NULL;
}

int
pem_decode(const struct pem_block *b, struct der *der, struct errmsg *e)
{
	char *text = malloc(b->body_len + 1);
	unsigned char *data = malloc(b->body_len + 1);
	word32 len = (word32)b->body_len;
	size_t n;
	int result = -1;

	*der = (struct der){ NULL, 0 };
	if (text == NULL || data == NULL) {
		errmsg_set(e, "out of memory");
	} else if (n = squeeze(b, text),
	    !is_well_padded(text, n) ||
		Base64_Decode((const byte *)text, (word32)n, data, &len) != 0 ||
		len == 0) {
		errmsg_set(e, "line %zu: the block \"%.*s\" is damaged: it is not base64",
		    b->line, (int)(b->label_len > 40 ? 40 : b->label_len), b->label);
	} else {
		*der = (struct der){ data, len };
		data = NULL;
		result = 0;
	}
	cert_free_secret(text, text == NULL ? 0 : b->body_len);
	cert_free_secret(data, data == NULL ? 0 : b->body_len);
	return result;
}
