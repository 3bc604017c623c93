/* The CertificateRequest of TLS 1.2 (RFC 5246, 7.4.4), which the library keeps to itself. */
#include "tls/inspect.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls/x509_priv.h"

#define RECORD_HEADER 5
#define RECORD_HANDSHAKE 22
#define CERTIFICATE_REQUEST 13

/* Takes n bytes off the front. */
static bool
cut(struct span *in, size_t n, struct span *part)
{
	if (in->n < n)
		return false;
	*part = (struct span){ in->p, n };
	in->p += n;
	in->n -= n;
	return true;
}

/* Takes a number of so many bytes, and then as many bytes as it says. */
static bool
cut_vector(struct span *in, size_t width, struct span *body)
{
	struct span number;
	size_t n = 0;

	if (!cut(in, width, &number))
		return false;
	for (size_t i = 0; i < width; i++)
		n = n << 8 | number.p[i];
	return cut(in, n, body);
}

/* The handshake messages in clear: what stands in records until another kind comes. */
static size_t
gather(struct span wire, uint8_t *to)
{
	struct span head, body;
	size_t n = 0;

	while (wire.n >= RECORD_HEADER && wire.p[0] == RECORD_HANDSHAKE &&
	    cut(&wire, RECORD_HEADER - 2, &head) && cut_vector(&wire, 2, &body)) {
		memcpy(to + n, body.p, body.n);
		n += body.n;
	}
	return n;
}

static int
read_names(struct span names, char *text, size_t size)
{
	char one[NAME_TEXT];
	struct span name, dn;
	size_t used = 0;
	int n = 0;

	*text = '\0';
	while (cut_vector(&names, 2, &name)) {
		if (!asn1_take(&name, TAG_SEQUENCE, &dn) || !name_is_sound(dn))
			continue;
		x509_name_text(dn, one, sizeof(one));
		if (used + strlen(one) + 3 < size)
			used += (size_t)snprintf(text + used, size - used, "%s%s",
			    n > 0 ? "; " : "", one);
		n++;
	}
	return n;
}

static int
read_messages(struct span messages, char *text, size_t size)
{
	struct span type, body, skipped, names;

	while (cut(&messages, 1, &type) && cut_vector(&messages, 3, &body)) {
		if (type.p[0] != CERTIFICATE_REQUEST)
			continue;
		if (!cut_vector(&body, 1, &skipped) || !cut_vector(&body, 2, &skipped) ||
		    !cut_vector(&body, 2, &names))
			return 0;
		return read_names(names, text, size);
	}
	return -1;
}

int
tls_wanted_issuers(const uint8_t *wire, size_t n, char *text, size_t size)
{
	uint8_t *messages;
	int found;

	*text = '\0';
	if (n == 0 || (messages = malloc(n)) == NULL)
		return -1;
	found = read_messages((struct span){ messages, gather((struct span){ wire, n },
	    messages) }, text, size);
	free(messages);
	return found;
}
