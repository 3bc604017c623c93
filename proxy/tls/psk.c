#include "psk_priv.h"

#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/random.h>

#include "base/log.h"
#include "certfile_priv.h"
#include "session_priv.h"

#define KEY_LEAST 16
#define KEY_MOST 64 /* the library's own limit */
#define IDENTITY_LEN 128

/* With forward secrecy, and the hash that keys without one of their own have. */
#define SUITE13 "TLS13-AES128-GCM-SHA256"
#define SUITES12 "ECDHE-PSK-AES128-GCM-SHA256:ECDHE-PSK-CHACHA20-POLY1305"

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 32) >= 'a' && (c | 32) <= 'f')
		return (c | 32) - 'a' + 10;
	return -1;
}

/* Of hexadecimal digits alone, two a byte; anything else is the key as it stands. */
static size_t
decode(unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (digit((char)p[i]) == -1)
			return n;
	if (n % 2 != 0)
		return n;
	for (size_t i = 0; i < n / 2; i++)
		p[i] = (unsigned char)(digit((char)p[2 * i]) << 4 | digit((char)p[2 * i + 1]));
	return n / 2;
}

static int
add(struct psk_set *set, const char *line, size_t n, const char *colon, struct errmsg *e)
{
	size_t idlen = (size_t)(colon - line), keylen = n - idlen - 1;
	struct psk *grown, *p;

	if (idlen == 0 || idlen > IDENTITY_LEN || memchr(line, 0, n) != NULL)
		return errmsg_set(e, "the identity must have 1 to %d characters", IDENTITY_LEN);
	for (size_t i = 0; i < set->n; i++)
		if (strlen(set->items[i].identity) == idlen &&
		    memcmp(set->items[i].identity, line, idlen) == 0)
			return errmsg_set(e, "the identity %.*s is there twice", (int)idlen, line);
	if ((grown = reallocarray(set->items, set->n + 1, sizeof(*grown))) == NULL)
		return errmsg_set(e, "out of memory");
	set->items = grown;
	p = &grown[set->n++];
	*p = (struct psk){ strndup(line, idlen), malloc(keylen + 1), keylen };
	if (p->identity == NULL || p->key == NULL)
		return errmsg_set(e, "out of memory");
	memcpy(p->key, colon + 1, keylen);
	p->len = decode(p->key, keylen);
	if (p->len < KEY_LEAST || p->len > KEY_MOST)
		return errmsg_set(e, "the key of %s has %zu bytes: give %d to %d, "
		    "\"openssl rand -hex 32\" makes one", p->identity, p->len, KEY_LEAST, KEY_MOST);
	return 0;
}

static int
read_lines(struct psk_set *set, const char *file, const char *data, struct errmsg *e)
{
	const char *colon;
	size_t n;

	for (unsigned line = 1; *data != '\0'; line++) {
		n = strcspn(data, "\n");
		while (n > 0 && data[n - 1] == '\r')
			n--;
		colon = memchr(data, ':', n);
		if (n > 0 && colon == NULL)
			return errmsg_set(e, "%s: line %u: write identity:key", file, line);
		if (n > 0 && add(set, data, n, colon, e) == -1)
			return errmsg_prefix(e, "%s: line %u", file, line);
		data += strcspn(data, "\n");
		data += *data == '\n';
	}
	return set->n > 0 ? 0 :
	    errmsg_set(e, "%s: there is no key in this file: write identity:key", file);
}

static int
choose_own(struct psk_set *set, const struct tls_policy *p, struct errmsg *e)
{
	if (p->psk_identity == NULL)
		return 0;
	for (set->own = 0; set->own < set->n; set->own++)
		if (strcmp(set->items[set->own].identity, p->psk_identity) == 0)
			return 0;
	return errmsg_set(e, "%s: there is no key of the identity %.128s", p->psk_secrets,
	    p->psk_identity);
}

struct psk_set *
psk_set_new(const struct tls_policy *p, struct errmsg *e)
{
	struct psk_set *set;
	mode_t mode;
	size_t len;
	char *data;
	int rc;

	if (certfile_read(p->psk_secrets, &data, &len, &mode, e) == -1)
		return NULL;
	if ((mode & S_IROTH) != 0)
		log_line(LOG_WARNING, "main", "Service [%s] the keys in %s can be read by others; "
		    "run: chmod 600 %s", p->service, p->psk_secrets, p->psk_secrets);
	if ((set = calloc(1, sizeof(*set))) == NULL)
		rc = errmsg_set(e, "out of memory");
	else if (strlen(data) != len)
		rc = errmsg_set(e, "%s: there is a NUL in it", p->psk_secrets);
	else if ((rc = read_lines(set, p->psk_secrets, data, e)) == 0)
		rc = choose_own(set, p, e);
	cert_free_secret(data, len);
	if (rc == 0)
		return set;
	psk_set_free(set);
	return NULL;
}

void
psk_set_free(struct psk_set *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->n; i++) {
		cert_free_secret(set->items[i].key, set->items[i].len);
		free(set->items[i].identity);
	}
	free(set->items);
	free(set);
}

static const struct psk *
find(const struct psk_set *set, const char *identity)
{
	for (size_t i = 0; i < set->n; i++)
		if (strcmp(set->items[i].identity, identity) == 0)
			return &set->items[i];
	return NULL;
}

bool
psk_set_has(const struct psk_set *set, const struct psk *p)
{
	const struct psk *q = find(set, p->identity);

	return q != NULL && q->len == p->len && memcmp(q->key, p->key, p->len) == 0;
}

/* A stranger gets a key that nobody has, so that what follows is what a wrong key leads to:
 * nobody learns which identities there are. */
static unsigned
no_key(unsigned char *key)
{
	WC_RNG rng;
	int rc;

	if (wc_InitRng(&rng) != 0)
		return 0;
	rc = wc_RNG_GenerateBlock(&rng, key, 32);
	wc_FreeRng(&rng);
	return rc == 0 ? 32 : 0;
}

static unsigned
give(WOLFSSL *ssl, const struct psk *p, unsigned char *key, unsigned most)
{
	struct tls_session *s = wolfSSL_GetIOReadCtx(ssl);

	s->psk = p;
	if (p == NULL)
		return most >= 32 ? no_key(key) : 0;
	if (p->len > most)
		return 0;
	memcpy(key, p->key, p->len);
	return (unsigned)p->len;
}

/* In 1.3 it is called twice for a hello. */
static unsigned
server12(WOLFSSL *ssl, const char *identity, unsigned char *key, unsigned most)
{
	struct tls_session *s = wolfSSL_GetIOReadCtx(ssl);

	return give(ssl, find(s->context->psk, identity), key, most);
}

static unsigned
server13(WOLFSSL *ssl, const char *identity, unsigned char *key, unsigned most,
    const char **suite)
{
	*suite = SUITE13;
	return server12(ssl, identity, key, most);
}

static unsigned
client12(WOLFSSL *ssl, const char *hint, char *identity, unsigned idmost,
    unsigned char *key, unsigned most)
{
	struct tls_session *s = wolfSSL_GetIOReadCtx(ssl);
	const struct psk *own = &s->context->psk->items[s->context->psk->own];

	(void)hint;
	if (strlen(own->identity) > idmost)
		return 0;
	memcpy(identity, own->identity, strlen(own->identity) + 1);
	return give(ssl, own, key, most);
}

static unsigned
client13(WOLFSSL *ssl, const char *hint, char *identity, unsigned idmost,
    unsigned char *key, unsigned most, const char **suite)
{
	*suite = SUITE13;
	return client12(ssl, hint, identity, idmost, key, most);
}

int
psk_use(struct tls_context *c, const struct tls_policy *p, struct errmsg *e)
{
	WOLFSSL_CTX *ctx = c->shown[0].ctx;
	const char *suites = p->max == TLS_1_2 ? SUITES12 :
	    p->min == TLS_1_3 ? SUITE13 : SUITE13 ":" SUITES12;

	if ((c->psk = psk_set_new(p, e)) == NULL)
		return -1;
	if (wolfSSL_CTX_set_cipher_list(ctx, suites) != WOLFSSL_SUCCESS)
		return errmsg_set(e, "wolfSSL lacks the cipher suites %s", suites);
	if (p->server) {
		wolfSSL_CTX_set_psk_server_callback(ctx, server12);
		wolfSSL_CTX_set_psk_server_tls13_callback(ctx, server13);
	} else {
		wolfSSL_CTX_set_psk_client_callback(ctx, client12);
		wolfSSL_CTX_set_psk_client_tls13_callback(ctx, client13);
	}
	if (p->max == TLS_1_3 && wolfSSL_CTX_only_dhe_psk(ctx) != 0)
		return errmsg_set(e, "wolfSSL cannot leave PSK without a key exchange out");
	/* As a client the library sees a key exchange only where the server takes the first share. */
	c->shares[1] = 0;
	wolfSSL_CTX_set_verify(ctx, p->server ? WOLFSSL_VERIFY_NONE :
	    WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_EXCEPT_PSK, tls_session_verify);
	return 0;
}
