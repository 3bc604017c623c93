#include "tls/altnames.h"

#include <arpa/inet.h>
#include <string.h>

#include "tls/x509_priv.h"

#define HEAD 3 /* of a name in a list */

static bool
is_graphic(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.n > 0;
}

static bool
is_sound(const struct general_name *name)
{
	switch (name->tag) {
	case NAME_DNS:
	case NAME_URI:
	case NAME_EMAIL:
		return is_graphic(name->value);
	case NAME_IP:
		return name->value.n == 4 || name->value.n == 16;
	default:
		return false;
	}
}

/* Takes the next one that counts. */
static bool
next(struct span *rest, struct general_name *name)
{
	while (general_name_next(rest, name))
		if (is_sound(name))
			return true;
	return false;
}

static void
put(uint8_t *list, const struct general_name *name)
{
	list[0] = (uint8_t)(name->tag & 0x1f);
	list[1] = (uint8_t)(name->value.n >> 8);
	list[2] = (uint8_t)name->value.n;
	memcpy(list + HEAD, name->value.p, name->value.n);
}

size_t
altnames_list(const struct der *der, uint8_t *list, size_t size)
{
	struct general_name name;
	struct span rest;
	struct x509 c;
	size_t used = 0;

	if (x509_parse(&c, der->data, der->len) != NULL)
		return 0;
	for (rest = c.san; next(&rest, &name); used += HEAD + name.value.n) {
		if (name.value.n > UINT16_MAX)
			return SIZE_MAX;
		if (used + HEAD + name.value.n <= size)
			put(list + used, &name);
	}
	return used;
}

static struct span
text_of(const struct general_name *name, char *buf, size_t size)
{
	if (name->tag != NAME_IP)
		return name->value;
	inet_ntop(name->value.n == 4 ? AF_INET : AF_INET6, name->value.p, buf, (socklen_t)size);
	return (struct span){ (const unsigned char *)buf, strlen(buf) };
}

size_t
altnames_text(const struct der *der, enum altname kind, char *text, size_t size)
{
	char ip[INET6_ADDRSTRLEN];
	struct general_name name;
	struct span rest, one;
	struct x509 c;
	size_t used = 0;

	text[0] = '\0';
	if (x509_parse(&c, der->data, der->len) != NULL)
		return 0;
	for (rest = c.san; next(&rest, &name);) {
		if ((name.tag & 0x1f) != kind)
			continue;
		one = text_of(&name, ip, sizeof(ip));
		if (used + (used > 0) + one.n < size) {
			memcpy(text + used, " ", used > 0);
			memcpy(text + used + (used > 0), one.p, one.n);
			text[used + (used > 0) + one.n] = '\0';
		}
		used += (used > 0) + one.n;
	}
	return used;
}

const unsigned char *
cert_common_name(const struct der *der, size_t *n)
{
	struct span found = { NULL, 0 };
	struct name_walk w;
	struct name_attr a;
	struct x509 c;

	if (x509_parse(&c, der->data, der->len) != NULL)
		return NULL;
	for (w = name_walk(c.subject); name_next(&w, &a);) {
		if (!SPAN_IS(a.oid, OID_COMMON_NAME))
			continue;
		if (found.p != NULL || (a.value.tag != TAG_UTF8 && a.value.tag != TAG_PRINTABLE &&
		    a.value.tag != TAG_IA5))
			return NULL;
		found = a.value.body;
	}
	if (found.p == NULL || found.n == 0 || !text_is_plain(found))
		return NULL;
	*n = found.n;
	return found.p;
}
