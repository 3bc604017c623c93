/*
 * The channel binding tls-exporter (RFC 9266): a value that both ends of a TLS connection, and nobody
 * else, can make of it.
 *
 * In TLS 1.2 it is one only where the extended master secret (RFC 7627) was agreed on: else a third
 * party between two connections can make both have the same.  The library does not tell, but the
 * ServerHello does, which is in clear there.
 */
#include "binding_priv.h"

#include <stdlib.h>
#include <string.h>

#include "flight_priv.h"

#define SERVER_HELLO 2
#define HELLO_FIXED 34 /* version and random */
#define HELLO_CHOICE 3 /* suite and compression */
#define EXT_EXTENDED_MASTER_SECRET 23

static const char label[] = "EXPORTER-Channel-Binding";

int
tls_session_bind(struct tls_session *s)
{
	if ((s->binding = calloc(1, sizeof(*s->binding))) == NULL)
		return -1;
	s->binding->missing = "the handshake is not done";
	wolfSSL_KeepArrays(s->ssl);
	return 0;
}

void
binding_hear(struct binding *b, const void *p, size_t n)
{
	if (b == NULL)
		return;
	if (n > BINDING_HEARD - b->nheard)
		n = BINDING_HEARD - b->nheard;
	memcpy(b->heard + b->nheard, p, n);
	b->nheard += n;
}

/* Whether the extended master secret is among a ServerHello's extensions. */
static bool
agrees(struct span hello)
{
	struct span skipped, extensions, kind, value;

	if (!flight_cut(&hello, HELLO_FIXED, &skipped) || !flight_vector(&hello, 1, &skipped) ||
	    !flight_cut(&hello, HELLO_CHOICE, &skipped) || !flight_vector(&hello, 2, &extensions))
		return false;
	while (flight_cut(&extensions, 2, &kind) && flight_vector(&extensions, 2, &value))
		if (kind.p[0] == 0 && kind.p[1] == EXT_EXTENDED_MASTER_SECRET)
			return true;
	return false;
}

static bool
has_extended_secret(const struct binding *b)
{
	uint8_t messages[BINDING_HEARD];
	struct span rest = { messages, 0 }, type, body;

	rest.n = flight_messages((struct span){ b->heard, b->nheard }, messages);
	return flight_cut(&rest, 1, &type) && flight_vector(&rest, 3, &body) &&
	    type.p[0] == SERVER_HELLO && agrees(body);
}

/* Without a context: of TLS 1.3 an empty one is the same, and of TLS 1.2 it is what others take. */
void
binding_make(struct tls_session *s)
{
	struct binding *b = s->binding;

	if (b == NULL)
		return;
	if (wolfSSL_version(s->ssl) < TLS1_3_VERSION && !has_extended_secret(b))
		b->missing = "TLS 1.2 without the extended master secret";
	else if (wolfSSL_export_keying_material(s->ssl, b->value, sizeof(b->value), label,
	    sizeof(label) - 1, NULL, 0, 0) != WOLFSSL_SUCCESS)
		b->missing = "the TLS library cannot export it";
	else
		b->missing = NULL;
	wolfSSL_FreeArrays(s->ssl);
}

const unsigned char *
tls_session_binding(const struct tls_session *s, const char **why)
{
	if (s->binding == NULL)
		*why = "it was not kept";
	else if ((*why = s->binding->missing) == NULL)
		return s->binding->value;
	return NULL;
}
