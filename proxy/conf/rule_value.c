/* The values of rules: what no certificate can have is refused. */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "net/prefix.h"
#include "rule_priv.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

#define HOST_MAX 253
#define LABEL_MAX 63

static int
read_glob(const char *text, struct errmsg *why)
{
	if (*text == '\0')
		return errmsg_set(why, "the value is empty");
	for (const char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return errmsg_set(why, "there is a control character in it");
	if (strstr(text, "***") != NULL)
		return errmsg_set(why, "\"%.128s\": \"*\" stands for a part of a segment, \"**\" for "
		    "any number of segments, and *** for nothing", text);
	return 0;
}

/* The first character that is none of these, or NULL. */
static const char *
stray(const char *text, const char *these)
{
	text += strspn(text, these);
	return *text != '\0' ? text : NULL;
}

static int
read_labels(const char *text, struct errmsg *why)
{
	for (const char *label = text;;) {
		size_t n = strcspn(label, ".");

		if (n == 0)
			return errmsg_set(why, "\"%.128s\": there is nothing between two dots, or at "
			    "an end", text);
		if (n > LABEL_MAX && memchr(label, '*', n) == NULL)
			return errmsg_set(why, "\"%.128s\": a label of more than %d bytes can never "
			    "match", text, LABEL_MAX);
		if (label[n] == '\0')
			return 0;
		label += n + 1;
	}
}

static int
read_dns(const char *text, struct errmsg *why)
{
	unsigned char ip[16];
	const char *bad;

	if (inet_pton(AF_INET, text, ip) == 1 || inet_pton(AF_INET6, text, ip) == 1)
		return errmsg_set(why, "\"%s\" is an IP address: give ip=%s", text, text);
	if ((bad = stray(text, LETTERS CAPITALS DIGITS "-_.*")) != NULL)
		return errmsg_set(why, "\"%.128s\" can never match, because of \"%.8s\": names of hosts "
		    "have letters, digits, - and _, those of other scripts are written xn--…",
		    text, bad);
	if (strlen(text) > HOST_MAX)
		return errmsg_set(why, "\"%.64s…\" can never match: it is longer than %d bytes", text,
		    HOST_MAX);
	return read_labels(text, why);
}

/* https://github.com/spiffe/spiffe: a trust domain, then segments; nothing else. */
static int
read_spiffe(const char *text, struct errmsg *why)
{
	const char *domain = text + 9, *path, *s;
	size_t n;

	if (strncmp(text, "spiffe://", 9) != 0)
		return errmsg_set(why, "\"%.256s\" can never match: a SPIFFE ID begins with "
		    "spiffe://, in lower case", text);
	n = strcspn(domain, "/");
	if (n == 0 || strspn(domain, LETTERS DIGITS "-_.*") != n)
		return errmsg_set(why, "\"%.256s\" can never match: the trust domain of a SPIFFE ID is "
		    "of lower case letters, digits, dots, - and _", text);
	path = domain + n;
	if ((s = stray(path, LETTERS CAPITALS DIGITS "-_./*")) != NULL)
		return errmsg_set(why, "\"%.256s\" can never match, because of \"%.8s\": the path of a "
		    "SPIFFE ID is of letters, digits, dots, - and _, without query or %%XX", text, s);
	for (s = path; *s == '/'; s += n) {
		n = strcspn(++s, "/");
		if (n == 0 || (n == 1 && *s == '.') || (n == 2 && strncmp(s, "..", 2) == 0))
			return errmsg_set(why, "\"%.256s\" can never match: a SPIFFE ID has no empty "
			    "segments, no . and .., and no / at its end", text);
	}
	return 0;
}

static int
read_uri(const char *text, struct errmsg *why)
{
	for (const char *p = text; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return errmsg_set(why, "\"%.256s\" can never match: a URI is of visible ASCII, "
			    "all else is written %%XX", text);
	if (strncasecmp(text, "spiffe:", 7) == 0)
		return read_spiffe(text, why);
	if (*text == '*')
		return 0;
	if (!isalpha((unsigned char)*text) ||
	    text[strspn(text, LETTERS CAPITALS DIGITS "+-.*")] != ':')
		return errmsg_set(why, "\"%.256s\" can never match: a URI begins with a scheme, as in "
		    "spiffe://example.org/db", text);
	return 0;
}

static int
read_email(const char *text, struct errmsg *why)
{
	const char *at = strchr(text, '@');

	for (const char *p = text; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return errmsg_set(why, "\"%.128s\" can never match: it must be of visible "
			    "ASCII", text);
	if (at == NULL || at == text || at[1] == '\0' || strchr(at + 1, '@') != NULL)
		return errmsg_set(why, "\"%.128s\" can never match: give user@example.org, or "
		    "*@example.org", text);
	return read_labels(at + 1, why);
}

static int
read_ip(struct rule_term *t, struct errmsg *why)
{
	struct addr_prefix p;

	if (prefix_parse(t->text, &p, why) == -1)
		return -1;
	memcpy(t->bytes, p.bytes, sizeof(p.bytes));
	t->n = sizeof(p.bytes);
	t->bits = p.bits;
	return 0;
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Hexadecimal digits, in any case; colons between pairs count for nothing.  Returns how many digits
 * there are, or -1. */
static int
read_digits(const char *text, int *digits, int most)
{
	int n = 0;

	for (; *text != '\0'; text++) {
		if (*text == ':' && n > 0 && n % 2 == 0 && text[1] != '\0' && text[1] != ':')
			continue;
		if (n == most || (digits[n++] = digit(*text)) == -1)
			return -1;
	}
	return n;
}

static int
read_fingerprint(struct rule_term *t, struct errmsg *why)
{
	int digits[2 * RULE_BYTES];

	if (read_digits(t->text, digits, 2 * RULE_BYTES) != 2 * RULE_BYTES)
		return errmsg_set(why, "\"%.128s\" is no SHA-256: give 64 hexadecimal digits, with or "
		    "without colons", t->text);
	for (t->n = 0; t->n < RULE_BYTES; t->n++)
		t->bytes[t->n] = (unsigned char)(digits[2 * t->n] << 4 | digits[2 * t->n + 1]);
	return 0;
}

static int
read_serial(struct rule_term *t, struct errmsg *why)
{
	const char *text = strncasecmp(t->text, "0x", 2) == 0 ? t->text + 2 : t->text;
	int digits[2 * RULE_BYTES + 1], n, i;

	if ((n = read_digits(text, digits + 1, 2 * RULE_BYTES)) <= 0)
		return errmsg_set(why, "\"%.128s\" is no serial number: give up to %d hexadecimal "
		    "digits, as \"openssl x509 -serial\" prints them", t->text, 2 * RULE_BYTES);
	digits[0] = 0;
	for (i = n % 2 == 0 ? 1 : 0; i <= n; i += 2) {
		unsigned char byte = (unsigned char)(digits[i] << 4 | digits[i + 1]);

		if (t->n > 0 || byte != 0)
			t->bytes[t->n++] = byte;
	}
	return 0;
}

int
rule_read_value(struct rule_term *t, struct errmsg *why)
{
	switch (t->key) {
	case RULE_CERT:
	case RULE_SPKI:
	case RULE_ISSUER:
		return read_fingerprint(t, why);
	case RULE_SERIAL:
		return read_serial(t, why);
	case RULE_IP:
		return read_ip(t, why);
	default:
		break;
	}
	if (read_glob(t->text, why) == -1)
		return -1;
	return t->key == RULE_DNS ? read_dns(t->text, why)
	    : t->key == RULE_URI  ? read_uri(t->text, why)
	    : t->key == RULE_EMAIL ? read_email(t->text, why)
				   : 0;
}
