#include <arpa/inet.h>
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tls/x509_priv.h"

/*
 * Names for people.  A certificate is written by somebody else: whatever could hide,
 * move the cursor or pass for another name is escaped.
 */

/* A text that grows inside a buffer and knows when it was cut. */
struct text {
	char *start;
	size_t size;
	size_t len;
	bool cut;
};

/* Adds a piece whole or not at all, so that no escape and no character is torn. */
static void
add(struct text *t, const char *piece, size_t n)
{
	if (t->cut || n >= t->size - t->len) {
		t->cut = true;
		return;
	}
	memcpy(t->start + t->len, piece, n);
	t->len += n;
	t->start[t->len] = '\0';
}

static void
add_text(struct text *t, const char *s)
{
	add(t, s, strlen(s));
}

static void
add_escaped(struct text *t, unsigned char byte)
{
	char piece[5];

	snprintf(piece, sizeof(piece), "\\x%02X", byte);
	add_text(t, piece);
}

/* Gives a cut text its dots, over the end of what stands there. */
static const char *
finish(struct text *t)
{
	size_t at = t->len + 4 > t->size ? t->size - 4 : t->len;

	if (!t->cut)
		return t->start;
	/* The dots must not stand inside of a character. */
	while (at > 0 && ((unsigned char)t->start[at] & 0xc0) == 0x80)
		at--;
	memcpy(t->start + at, "...", 4);
	return t->start;
}

/* How many bytes the UTF-8 character at p has, and what it is; 0 when it is none. */
static size_t
utf8_char(const unsigned char *p, size_t n, unsigned long *c)
{
	static const unsigned long least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len, i;

	len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if ((p[0] >= 0x80 && p[0] < 0xc2) || p[0] > 0xf4 || len > n)
		return 0;
	*c = len == 1 ? p[0] : p[0] & (0x7fu >> len);
	for (i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (p[i] & 0x3f);
	}
	if (*c < least[len] || *c > 0x10ffff || (*c >= 0xd800 && *c <= 0xdfff))
		return 0;
	return len;
}

/* Control characters, and those that change the direction of what follows. */
static bool
is_hidden(unsigned long c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f ||
	    (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

bool
text_is_plain(struct span s)
{
	unsigned long c;
	size_t n;

	for (; s.n > 0; s.p += n, s.n -= n)
		if ((n = utf8_char(s.p, s.n, &c)) == 0 || is_hidden(c))
			return false;
	return true;
}

static void
add_value(struct text *t, struct span s)
{
	unsigned long c;
	size_t n, i;

	for (; s.n > 0; s.p += n, s.n -= n) {
		n = utf8_char(s.p, s.n, &c);
		if (n == 0 || is_hidden(c)) {
			n = n == 0 ? 1 : n;
			for (i = 0; i < n; i++)
				add_escaped(t, s.p[i]);
			continue;
		}
		if (strchr("\\\",+", (int)c) != NULL && c < 0x80)
			add_text(t, "\\");
		add(t, (const char *)s.p, n);
	}
}

/* A BMPString: two bytes a character. */
static void
add_bmp(struct text *t, struct span s)
{
	unsigned char utf8[3];
	unsigned c;

	for (; s.n >= 2; s.p += 2, s.n -= 2) {
		c = (unsigned)s.p[0] << 8 | s.p[1];
		utf8[0] = (unsigned char)(0xe0 | c >> 12);
		utf8[1] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
		utf8[2] = (unsigned char)(0x80 | (c & 0x3f));
		if (c >= 0x800) {
			add_value(t, (struct span){ utf8, 3 });
			continue;
		}
		utf8[1] = (unsigned char)(c >= 0x80 ? 0xc0 | c >> 6 : c);
		add_value(t,
		    c >= 0x80 ? (struct span){ utf8 + 1, 2 }
			      : (struct span){ utf8 + 1, 1 });
	}
	add_value(t, s);
}

static void
add_attr_name(struct text *t, struct span oid)
{
	static const struct {
		const char *oid, *name;
	} names[] = {
		{ "2.5.4.3", "CN" },
		{ "2.5.4.4", "SN" },
		{ "2.5.4.5", "serialNumber" },
		{ "2.5.4.6", "C" },
		{ "2.5.4.7", "L" },
		{ "2.5.4.8", "ST" },
		{ "2.5.4.9", "street" },
		{ "2.5.4.10", "O" },
		{ "2.5.4.11", "OU" },
		{ "2.5.4.12", "title" },
		{ "2.5.4.42", "GN" },
		{ "0.9.2342.19200300.100.1.1", "UID" },
		{ "0.9.2342.19200300.100.1.25", "DC" },
		{ "1.2.840.113549.1.9.1", "emailAddress" },
	};
	char dotted[64];
	size_t i;

	asn1_oid_text(oid, dotted, sizeof(dotted));
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].oid, dotted) == 0)
			break;
	add_text(t, i < sizeof(names) / sizeof(names[0]) ? names[i].name : dotted);
}

const char *
x509_name_text(struct span name, char *buf, size_t size)
{
	struct text t = { .start = buf, .size = size };
	struct name_walk w = name_walk(name);
	struct name_attr a;

	assert(size >= 16);
	buf[0] = '\0';
	while (name_next(&w, &a)) {
		if (t.len > 0)
			add_text(&t, a.joined ? " + " : ", ");
		add_attr_name(&t, a.oid);
		add_text(&t, "=");
		if (a.value.tag == TAG_BMP)
			add_bmp(&t, a.value.body);
		else
			add_value(&t, a.value.body);
	}
	if (t.len == 0)
		add_text(&t, "(no subject)");
	return finish(&t);
}

static void
add_ip(struct text *t, struct span ip)
{
	char text[INET6_ADDRSTRLEN];

	/* That of a name constraint has a mask, and another length. */
	if ((ip.n != 4 && ip.n != 16) ||
	    inet_ntop(ip.n == 4 ? AF_INET : AF_INET6, ip.p, text, sizeof(text)) == NULL)
		text[0] = '\0';
	add_text(t, text);
}

/* What an alternative name of a kind that we know begins with, or NULL. */
static const char *
kind_of(unsigned tag)
{
	switch (tag) {
	case NAME_DNS:
		return "DNS:";
	case NAME_IP:
		return "IP:";
	case NAME_URI:
		return "URI:";
	case NAME_EMAIL:
		return "email:";
	default:
		return NULL;
	}
}

static void
add_alt_name(struct text *t, const struct general_name *name)
{
	add_text(t, kind_of(name->tag));
	if (name->tag == NAME_IP)
		add_ip(t, name->value);
	else
		add_value(t, name->value);
}

const char *
general_name_text(const struct general_name *name, char *buf, size_t size)
{
	struct text t = { .start = buf, .size = size };

	assert(size >= 32);
	if (name->tag == NAME_DIRECTORY)
		return x509_name_text(name->value, buf, size);
	buf[0] = '\0';
	if (kind_of(name->tag) == NULL) {
		snprintf(buf, size, "(of the kind %u)", name->tag & 0x1f);
		return buf;
	}
	add_alt_name(&t, name);
	return finish(&t);
}

const char *
x509_names_text(const struct x509 *c, char *buf, size_t size)
{
	struct text t = { .start = buf, .size = size };
	struct span rest = c->san;
	struct general_name name;

	assert(size >= 16);
	buf[0] = '\0';
	while (general_name_next(&rest, &name)) {
		if (kind_of(name.tag) == NULL)
			continue;
		if (t.len > 0)
			add_text(&t, ", ");
		add_alt_name(&t, &name);
	}
	return finish(&t);
}
