/* Cipher suites and groups by name, as the library wants them. */
#include "context_priv.h"

#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* AEAD with forward secrecy, the cheaper AES first. */
static const char *const own_suites12[] = {
	"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
	"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
	"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
	"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
	"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
	"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
};
static const char *const own_suites13[] = {
	"TLS_AES_128_GCM_SHA256",
	"TLS_AES_256_GCM_SHA384",
	"TLS_CHACHA20_POLY1305_SHA256",
};
static const char *const own_groups[] = { "X25519MLKEM768", "X25519", "P-256", "P-384" };

/* The library's own names: it knows those of IANA only where it has its error texts. */
static const struct suite {
	const char *iana, *library;
	uint16_t code;
	bool rsa; /* of TLS 1.2: with RSA certificates, not those of the other kinds */
} suites[] = {
	{ "TLS_AES_128_GCM_SHA256", "TLS13-AES128-GCM-SHA256", 0x1301, false },
	{ "TLS_AES_256_GCM_SHA384", "TLS13-AES256-GCM-SHA384", 0x1302, false },
	{ "TLS_CHACHA20_POLY1305_SHA256", "TLS13-CHACHA20-POLY1305-SHA256", 0x1303, false },
	{ "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", 0xc02b, false },
	{ "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", 0xc02f, true },
	{ "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", 0xc02c, false },
	{ "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", 0xc030, true },
	{ "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", 0xcca9,
	    false },
	{ "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305", 0xcca8,
	    true },
};

static const struct {
	const char *name;
	int library;
	bool only_13;  /* a hello of 1.2 must not offer it */
	unsigned size; /* bytes of a coordinate, of those of 1.2 */
} groups[] = {
	{ "X25519MLKEM768", WOLFSSL_X25519MLKEM768, true, 0 },
	{ "X25519", WOLFSSL_ECC_X25519, false, 32 },
	{ "P-256", WOLFSSL_ECC_SECP256R1, false, 32 },
	{ "P-384", WOLFSSL_ECC_SECP384R1, false, 48 },
	{ "P-521", WOLFSSL_ECC_SECP521R1, false, 66 },
};

/* A list with colons between. */
struct list {
	char text[768];
	size_t len;
};

static const struct suite *
find_suite(const char *iana)
{
	for (size_t i = 0; i < COUNT(suites); i++)
		if (strcmp(suites[i].iana, iana) == 0)
			return &suites[i];
	return NULL;
}

static int
add_suite(struct list *l, const char *iana, struct errmsg *e)
{
	const struct suite *s = find_suite(iana);
	int n;

	if (s == NULL)
		return errmsg_set(e, "the cipher suite %.64s is not there", iana);
	n = snprintf(l->text + l->len, sizeof(l->text) - l->len, "%s%s", l->len > 0 ? ":" : "",
	    s->library);
	if (n < 0 || (size_t)n >= sizeof(l->text) - l->len)
		return errmsg_set(e, "these are too many cipher suites");
	l->len += (size_t)n;
	return 0;
}

static int
add_suites(struct list *l, const char *const *names, size_t n, struct errmsg *e)
{
	for (size_t i = 0; i < n; i++)
		if (add_suite(l, names[i], e) == -1)
			return -1;
	return 0;
}

static int
add_suites12(struct list *l, const struct tls_policy *p, struct errmsg *e)
{
	return p->nsuites12 > 0 ? add_suites(l, p->suites12, p->nsuites12, e) :
	    add_suites(l, own_suites12, COUNT(own_suites12), e);
}

static int
add_suites13(struct list *l, const struct tls_policy *p, struct errmsg *e)
{
	return p->nsuites13 > 0 ? add_suites(l, p->suites13, p->nsuites13, e) :
	    add_suites(l, own_suites13, COUNT(own_suites13), e);
}

void
tls_list_suites12(struct tls_context *c, const struct tls_policy *p)
{
	const char *const *names = p->nsuites12 > 0 ? p->suites12 : own_suites12;
	size_t n = p->nsuites12 > 0 ? p->nsuites12 : COUNT(own_suites12);
	const struct suite *s;

	for (size_t i = 0; i < n && c->nsuites12 < SUITES12_MOST; i++)
		if ((s = find_suite(names[i])) != NULL) {
			c->suites12[c->nsuites12].code = s->code;
			c->suites12[c->nsuites12++].rsa = s->rsa;
		}
}

int
tls_set_suites(WOLFSSL_CTX *ctx, const struct tls_policy *p, struct errmsg *e)
{
	struct list l = { .len = 0 };

	if (p->max == TLS_1_3 && add_suites13(&l, p, e) == -1)
		return -1;
	if (p->min == TLS_1_2 && add_suites12(&l, p, e) == -1)
		return -1;
	if (wolfSSL_CTX_set_cipher_list(ctx, l.text) != WOLFSSL_SUCCESS)
		return errmsg_set(e, "wolfSSL lacks the cipher suites %s", l.text);
	if (p->client_order && wolfSSL_CTX_UseClientSuites(ctx) != 0)
		return errmsg_set(e, "wolfSSL cannot follow the client's order of suites");
	return 0;
}

/* The row of a group that the versions allow, or -1. */
static int
find_group(const char *name, const struct tls_policy *p)
{
	for (size_t i = 0; i < COUNT(groups); i++)
		if (strcmp(groups[i].name, name) == 0)
			return groups[i].only_13 && p->max == TLS_1_2 ? -1 : (int)i;
	return -1;
}

/* A share of the first group, and beside that of a hybrid one of the first other, so that a
 * peer without the hybrid loses no round trip. */
static void
choose_shares(struct tls_context *c, const int *rows, size_t n)
{
	size_t i;

	if (c->server || n == 0)
		return;
	c->shares[0] = groups[rows[0]].library;
	for (i = 1; i < n && groups[rows[0]].only_13 && c->shares[1] == 0; i++)
		if (!groups[rows[i]].only_13)
			c->shares[1] = groups[rows[i]].library;
}

/* As a server of 1.2 the library takes any group that the client offers; what it can be told is
 * the least size. */
static int
set_least_size(WOLFSSL_CTX *ctx, const int *rows, size_t n, struct errmsg *e)
{
	unsigned least = 0;

	for (size_t i = 0; i < n; i++)
		if (groups[rows[i]].size != 0 && (least == 0 || groups[rows[i]].size < least))
			least = groups[rows[i]].size;
	if (least != 0 &&
	    wolfSSL_CTX_SetTmpEC_DHE_Sz(ctx, (word16)least) != WOLFSSL_SUCCESS)
		return errmsg_set(e, "wolfSSL refuses curves of %u bytes", least);
	return 0;
}

int
tls_set_groups(struct tls_context *c, WOLFSSL_CTX *ctx, const struct tls_policy *p,
    struct errmsg *e)
{
	const char *const *names = p->ngroups > 0 ? p->groups : own_groups;
	size_t n = 0, all = p->ngroups > 0 ? p->ngroups : COUNT(own_groups);
	int rows[COUNT(groups)], ids[COUNT(groups)], row;

	for (size_t i = 0; i < all && n < COUNT(groups); i++) {
		if ((row = find_group(names[i], p)) == -1)
			continue;
		rows[n] = row;
		ids[n++] = groups[row].library;
	}
	if (n == 0)
		return errmsg_set(e, "none of the curves is one of TLS 1.2: add X25519 or P-256");
	if (wolfSSL_CTX_set_groups(ctx, ids, (int)n) != WOLFSSL_SUCCESS)
		return errmsg_set(e, "wolfSSL lacks one of the curves from %s on", names[0]);
	if (p->max == TLS_1_3)
		choose_shares(c, rows, n);
	return p->server && p->min == TLS_1_2 ? set_least_size(ctx, rows, n, e) : 0;
}
