#include "passphrase_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

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

/* The files of a policy, read with a passphrase. */
struct own {
	const struct tls_policy *policy;
	struct der_list *chain;
	struct der *key;
	int loose; /* the file of the key */
};

static const char *
key_file(const struct tls_policy *p)
{
	return p->key != NULL ? p->key : p->cert;
}

static void
warn_loose(const struct tls_policy *p, const char *what, const char *file)
{
	log_line(LOG_WARNING, "main", "Service [%s] the %s in %s can be read by others; run: "
	    "chmod 600 %s", p->service, what, file, file);
}

static int
load(struct own *o, const struct der *pass, struct errmsg *e)
{
	return cert_load_own(o->policy->cert, o->policy->key, pass, o->chain, o->key, &o->loose,
	    e);
}

static int
load_with_file(struct own *o, struct errmsg *e)
{
	struct der pass;
	int loose, rc;

	if (cert_read_pass(o->policy->key_pass, &pass, &loose, e) == -1)
		return -1;
	if (loose)
		warn_loose(o->policy, "passphrase", o->policy->key_pass);
	rc = load(o, &pass, e);
	cert_free_secret(pass.data, pass.len);
	return rc;
}

/* With what was typed before, for this key or another. */
static int
load_with_known(struct own *o, struct errmsg *e)
{
	int rc = CERT_LOCKED;

	for (size_t i = 0; i < known.n && rc == CERT_LOCKED; i++)
		rc = load(o, &known.pass[i], e);
	return rc;
}

/* One that is typed now; 1: nobody can be asked. */
static int
load_with_typed(struct own *o, struct errmsg *e)
{
	char question[512], text[CERT_PASS_MAX + 1];
	int rc = CERT_LOCKED, asked;

	snprintf(question, sizeof(question), "Passphrase of %.400s: ", key_file(o->policy));
	for (int i = 0; i < TRIES && rc == CERT_LOCKED; i++) {
		if ((asked = ask(question, text, sizeof(text), e)) != 0)
			return asked == 1 ? 1 : errmsg_prefix(e, "%s", key_file(o->policy));
		rc = load(o, &(struct der){ (unsigned char *)text, strlen(text) }, e);
		if (rc == 0)
			keep(text);
		explicit_bzero(text, sizeof(text));
	}
	if (rc == CERT_LOCKED)
		return errmsg_set(e, "%s: none of the %d passphrases that were typed opens the key, or "
		    "it is damaged", key_file(o->policy), TRIES);
	return rc;
}

static int
load_any(struct own *o, struct errmsg *e)
{
	struct errmsg other;
	int rc;

	if (o->policy->key_pass != NULL)
		return load_with_file(o, e);
	if ((rc = load(o, NULL, e)) != CERT_LOCKED)
		return rc;
	if ((rc = load_with_known(o, &other)) == CERT_LOCKED && ask != NULL)
		rc = load_with_typed(o, &other);
	if (rc == -1)
		*e = other;
	return rc;
}

int
own_load(const struct tls_policy *p, struct der_list *chain, struct der *key, struct errmsg *e)
{
	struct own o = { .policy = p, .chain = chain, .key = key };

	if (load_any(&o, e) != 0)
		return -1;
	if (o.loose)
		warn_loose(p, "private key", key_file(p));
	return 0;
}
