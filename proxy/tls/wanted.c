/* The CertificateRequest of TLS 1.2 (RFC 5246, 7.4.4), which the library keeps to itself. */
#include "tls/inspect.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flight_priv.h"
#include "tls/x509_priv.h"

#define CERTIFICATE_REQUEST 13

static int
read_names(struct span names, char *text, size_t size)
{
	char one[NAME_TEXT];
	struct span name, dn;
	size_t used = 0;
	int n = 0;

	*text = '\0';
	while (flight_vector(&names, 2, &name)) {
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

	while (flight_cut(&messages, 1, &type) && flight_vector(&messages, 3, &body)) {
		if (type.p[0] != CERTIFICATE_REQUEST)
			continue;
		if (!flight_vector(&body, 1, &skipped) || !flight_vector(&body, 2, &skipped) ||
		    !flight_vector(&body, 2, &names))
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
	found = read_messages((struct span){ messages, flight_messages((struct span){ wire, n },
	    messages) }, text, size);
	free(messages);
	return found;
}
