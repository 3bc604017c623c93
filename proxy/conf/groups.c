/* The suites of TLS 1.3 and the groups: lists of names. */
#include "conf/ciphers.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "names_priv.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct name {
	const char *says;  /* as one may write it */
	const char *means; /* our spelling; NULL: known, but not to be had */
};

static const struct name suites[] = {
	{ "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256" },
	{ "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384" },
	{ "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256" },
	{ "TLS_AES_128_CCM_SHA256", NULL },
	{ "TLS_AES_128_CCM_8_SHA256", NULL },
	{ "TLS_SHA256_SHA256", NULL },
	{ "TLS_SHA384_SHA384", NULL },
};

static const struct name groups[] = {
	{ "X25519MLKEM768", "X25519MLKEM768" },
	{ "X25519", "X25519" },
	{ "P-256", "P-256" },
	{ "prime256v1", "P-256" },
	{ "secp256r1", "P-256" },
	{ "P-384", "P-384" },
	{ "secp384r1", "P-384" },
	{ "P-521", "P-521" },
	{ "secp521r1", "P-521" },
	{ "X448", NULL },
	{ "P-192", NULL },
	{ "P-224", NULL },
	{ "prime192v1", NULL },
	{ "secp224r1", NULL },
	{ "secp256k1", NULL },
	{ "brainpoolP256r1", NULL },
	{ "brainpoolP384r1", NULL },
	{ "brainpoolP512r1", NULL },
	{ "brainpoolP256r1tls13", NULL },
	{ "brainpoolP384r1tls13", NULL },
	{ "brainpoolP512r1tls13", NULL },
	{ "ffdhe2048", NULL },
	{ "ffdhe3072", NULL },
	{ "ffdhe4096", NULL },
	{ "ffdhe6144", NULL },
	{ "ffdhe8192", NULL },
	{ "MLKEM512", NULL },
	{ "MLKEM768", NULL },
	{ "MLKEM1024", NULL },
	{ "SecP256r1MLKEM768", NULL },
	{ "SecP384r1MLKEM1024", NULL },
	{ "curveSM2", NULL },
};

static const struct name *
find(const struct name *table, size_t rows, const char *text, size_t n)
{
	for (size_t i = 0; i < rows; i++)
		if (strlen(table[i].says) == n && strncasecmp(table[i].says, text, n) == 0)
			return &table[i];
	return NULL;
}

struct lists {
	struct conf_strings found;
	struct names_text missing, unknown;
};

static int
add(struct lists *l, const struct name *name, const char *text, size_t n, struct errmsg *why)
{
	if (name == NULL)
		names_text_add(&l->unknown, text, n);
	else if (name->means == NULL)
		names_text_add(&l->missing, text, n);
	else if (!names_have(&l->found, name->means))
		return names_add(&l->found, name->means, why);
	return 0;
}

/* What is found takes the list's place; of the rest it is told. */
static int
finish(struct lists *l, const struct name *table, size_t rows, const char *text,
    struct conf_strings *list, struct errmsg *why)
{
	struct names_text there = { .n = 0 };

	for (size_t i = 0; i < rows; i++)
		if (table[i].means != NULL && strcmp(table[i].says, table[i].means) == 0)
			names_text_add(&there, table[i].says, strlen(table[i].says));
	if (l->found.n == 0)
		return errmsg_set(why, "nothing of \"%.256s\" can be had: give some of %s, with "
		    "colons between", text, there.text);
	names_replace(list, &l->found);
	if (l->missing.n == 0 && l->unknown.n == 0)
		return 0;
	errmsg_set(why, "%s%s%s%s%s", l->missing.n > 0 ? "left out, since they are not there: " : "",
	    l->missing.text, l->missing.n > 0 && l->unknown.n > 0 ? "; " : "",
	    l->unknown.n > 0 ? "passed over, since unknown: " : "", l->unknown.text);
	return 1;
}

static int
translate(const char *text, const char *separators, const char *prefixes,
    const struct name *table, size_t rows, struct conf_strings *list, struct errmsg *why)
{
	struct lists l = { .found = { 0 } };
	const char *p;
	int rc = -1;
	size_t n;

	for (p = text + strspn(text, separators); *p != '\0'; p += strspn(p, separators)) {
		n = strcspn(p, separators);
		while (n > 0 && strchr(prefixes, *p) != NULL) {
			p++;
			n--;
		}
		if (n > 0 && add(&l, find(table, rows, p, n), p, n, why) == -1)
			goto out;
		p += n;
	}
	rc = finish(&l, table, rows, text, list, why);
out:
	names_free(&l.found);
	return rc;
}

int
ciphers_tls13(const char *text, struct conf_strings *list, struct errmsg *why)
{
	return translate(text, ": ,", "", suites, COUNT(suites), list, why);
}

/* OpenSSL 3.5 has "/" between groups of like worth, "*" in front of one to send a share of, and
 * "?" in front of one that may be missing. */
int
ciphers_groups(const char *text, struct conf_strings *list, struct errmsg *why)
{
	return translate(text, ": ,/", "*?", groups, COUNT(groups), list, why);
}
