#include "passphrase_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 3
/* More keys with passphrases of their own nobody types. */
#define KNOWN 16

static passphrase_fn *ask;

static struct {
	struct der pass[KNOWN];
	size_t n;
} known;

void
tls_passphrase_from(passphrase_fn *fn)
{
	ask = fn;
}

void
tls_passphrases_forget(void)
{
	while (known.n > 0) {
		known.n--;
		cert_free_secret(known.pass[known.n].data, known.pass[known.n].len + 1);
		known.pass[known.n] = (struct der){ NULL, 0 };
	}
}

/* Without memory it is typed again, or the reload fails. */
static void
keep(const char *text)
{
	const size_t n = strlen(text);
	unsigned char *copy;

	if (known.n == KNOWN || (copy = malloc(n + 1)) == NULL)
		return;
	memcpy(copy, text, n + 1);
	known.pass[known.n++] = (struct der){ copy, n };
}

/* The files of one certificate, read with a passphrase. */
struct wanted {
	const char *cert, *key_file;
	const char *key; /* NULL: in cert */
	struct der_list *chain;
	struct der *der;
	int *loose;
};

static int
load(const struct wanted *w, const struct der *pass, struct errmsg *e)
{
	return cert_load_own(w->cert, w->key, pass, w->chain, w->der, w->loose, e);
}

/* With what was typed before, for this key or another. */
static int
load_with_known(const struct wanted *w, struct errmsg *e)
{
	int rc = CERT_LOCKED;

	for (size_t i = 0; i < known.n && rc == CERT_LOCKED; i++)
		rc = load(w, &known.pass[i], e);
	return rc;
}

/* One that is typed now; 1: nobody can be asked. */
static int
load_with_typed(const struct wanted *w, struct errmsg *e)
{
	char question[512], text[CERT_PASS_MAX + 1];
	int rc = CERT_LOCKED, asked;

	snprintf(question, sizeof(question), "Passphrase of %.400s: ", w->key_file);
	for (int i = 0; i < TRIES && rc == CERT_LOCKED; i++) {
		if ((asked = ask(question, text, sizeof(text), e)) != 0)
			return asked == 1 ? 1 : errmsg_prefix(e, "%s", w->key_file);
		rc = load(w, &(struct der){ (unsigned char *)text, strlen(text) }, e);
		if (rc == 0)
			keep(text);
		explicit_bzero(text, sizeof(text));
	}
	if (rc == CERT_LOCKED)
		return errmsg_set(e, "%s: none of the %d passphrases that were typed opens the key, or "
		    "it is damaged", w->key_file, TRIES);
	return rc;
}

int
passphrase_load(const char *cert, const char *key, const struct der *pass, struct der_list *chain,
    struct der *der, int *loose, struct errmsg *e)
{
	const struct wanted w = { .cert = cert, .key_file = key != NULL ? key : cert, .key = key,
		.chain = chain, .der = der, .loose = loose };
	struct errmsg other;
	int rc = load(&w, pass, e);

	if (pass != NULL || rc != CERT_LOCKED)
		return rc == 0 ? 0 : -1;
	if ((rc = load_with_known(&w, &other)) == CERT_LOCKED && ask != NULL)
		rc = load_with_typed(&w, &other);
	if (rc == -1)
		*e = other;
	return rc == 0 ? 0 : -1;
}
