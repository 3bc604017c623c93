/* Which of several certificates a client is shown, by its hello. */
#include "shown_priv.h"

#include <stdio.h>
#include <string.h>

/* Whether both sides have a suite of TLS 1.2 for certificates with RSA, or for the others. */
static bool
has_suite(const struct tls_context *c, const struct hello *h, bool rsa)
{
	for (size_t i = 0; i < c->nsuites12; i++)
		if (c->suites12[i].rsa == rsa && hello_offers_suite(h, c->suites12[i].code))
			return true;
	return false;
}

static bool
suits(const struct tls_context *c, const struct tls_shown *s, const struct hello *h, bool tls13)
{
	return own_suits(s->kind, h, tls13) && (tls13 || has_suite(c, h, s->kind->rsa));
}

/* Whether the versions or the suites have nothing in common. */
static bool
is_lost_anyway(const struct tls_context *c, const struct hello *h, bool tls13)
{
	return !tls13 && (!c->tls12 || (!has_suite(c, h, true) && !has_suite(c, h, false)));
}

static const struct tls_shown *
by_our_order(const struct tls_context *c, const struct hello *h, bool tls13)
{
	for (size_t i = 0; i < c->nshown; i++)
		if (suits(c, &c->shown[i], h, tls13))
			return &c->shown[i];
	return NULL;
}

static const struct tls_shown *
by_clients_order(const struct tls_context *c, const struct hello *h, bool tls13)
{
	for (size_t k = 0; k < h->nsigalgs; k++)
		for (size_t i = 0; i < c->nshown; i++)
			if (own_signs(c->shown[i].kind, hello_scheme(h, k), tls13) &&
			    suits(c, &c->shown[i], h, tls13))
				return &c->shown[i];
	return by_our_order(c, h, tls13);
}

const struct tls_shown *
shown_choose(const struct tls_context *c, const struct hello *h)
{
	const bool tls13 = c->tls13 && h->tls13;

	if (c->nshown == 1 || is_lost_anyway(c, h, tls13))
		return &c->shown[0];
	return c->client_order ? by_clients_order(c, h, tls13) : by_our_order(c, h, tls13);
}

/* A list of words with commas between, cut when it is full. */
struct words {
	char text[320];
	size_t len;
};

static void
add(struct words *w, const char *word)
{
	int n = snprintf(w->text + w->len, sizeof(w->text) - w->len, "%s%s", w->len > 0 ? ", " : "",
	    word);

	w->len += n < 0 ? 0 : (size_t)n;
	if (w->len > sizeof(w->text) - 1)
		w->len = sizeof(w->text) - 1;
}

/* RFC 8446, 4.2.3. */
static void
add_scheme(struct words *w, uint16_t scheme)
{
	static const struct {
		uint16_t code;
		const char *name;
	} names[] = {
		{ 0x0201, "rsa_pkcs1_sha1" }, { 0x0203, "ecdsa_sha1" },
		{ 0x0401, "rsa_pkcs1_sha256" }, { 0x0501, "rsa_pkcs1_sha384" },
		{ 0x0601, "rsa_pkcs1_sha512" }, { 0x0403, "ecdsa_secp256r1_sha256" },
		{ 0x0503, "ecdsa_secp384r1_sha384" }, { 0x0603, "ecdsa_secp521r1_sha512" },
		{ 0x0804, "rsa_pss_rsae_sha256" }, { 0x0805, "rsa_pss_rsae_sha384" },
		{ 0x0806, "rsa_pss_rsae_sha512" }, { 0x0807, "ed25519" }, { 0x0808, "ed448" },
		{ 0x0809, "rsa_pss_pss_sha256" }, { 0x080a, "rsa_pss_pss_sha384" },
		{ 0x080b, "rsa_pss_pss_sha512" },
	};
	char number[8];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].code == scheme) {
			add(w, names[i].name);
			return;
		}
	snprintf(number, sizeof(number), "0x%04x", scheme);
	add(w, number);
}

/* In TLS 1.2 the suites have a say, too. */
static const char *
of_suites(const struct tls_context *c, const struct hello *h)
{
	if (c->tls13 && h->tls13)
		return "";
	if (has_suite(c, h, true) && has_suite(c, h, false))
		return ", in TLS 1.2";
	return has_suite(c, h, true) ? ", and in TLS 1.2 no suite but with RSA" :
	    ", and in TLS 1.2 no suite but with ECDSA";
}

void
shown_explain(const struct tls_context *c, const struct hello *h, struct errmsg *e)
{
	struct words ours = { .len = 0 }, theirs = { .len = 0 };

	for (size_t i = 0; i < c->nshown; i++)
		add(&ours, c->shown[i].kind->name);
	for (size_t i = 0; i < h->nsigalgs; i++)
		add_scheme(&theirs, hello_scheme(h, i));
	errmsg_set(e, "the client can use none of our certificates (%s): it takes the signatures %s%s",
	    ours.text, h->sigalgs != NULL ? theirs.text : "that need not be said", of_suites(c, h));
}
