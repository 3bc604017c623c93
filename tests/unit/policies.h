#ifndef UNIT_POLICIES_H_
#define UNIT_POLICIES_H_

#include <assert.h>
#include <check.h>
#include <time.h>

#include "certs.h"
#include "conf/rule.h"
#include "tls/crl.h"
#include "tls/trust.h"

/*
 * Whom to trust, in words, for the tests of judging.  X is a certificate of make_certs.sh or
 * a CRL of crl_specs.h:
 *
 *   peer:X        may pass exactly              ca:X    a CA
 *   file:X        a CA file as read:c, read:e or read:ce says
 *   crl:X         a CRL (der: from NAME.der); crls: CRLs are asked for, but there is none
 *   whole, soft   of CRLs                       depth:N, level:N
 *   client        the peer is one               host:X  a name that it must have
 *
 * Behind "|" stand rules, with ";" between: "allow cn=a; deny ou=b".  {SPKI:X} and {FP:X} are
 * hashes of certificates, as openssl has them.
 */
#define POLICY_MOST 24

struct policy {
	char buf[1024];
	const char *words[POLICY_MOST];
	size_t n;
	char *rules; /* NULL: none */
};

/* Splits at blanks, in place; returns how many words there are. */
static inline size_t
split(char *text, const char **words, size_t most)
{
	char *word, *save;
	size_t n = 0;

	for (word = strtok_r(text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
		assert(n < most);
		words[n++] = word;
	}
	return n;
}

static inline struct policy *
policy_new(const char *text)
{
	struct policy *p = calloc(1, sizeof(*p));

	assert(p != NULL && strlen(text) < sizeof(p->buf));
	strcpy(p->buf, text);
	if ((p->rules = strchr(p->buf, '|')) != NULL)
		*p->rules++ = '\0';
	p->n = split(p->buf, p->words, POLICY_MOST);
	return p;
}

static inline bool
policy_has(const struct policy *p, const char *word)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->words[i], word) == 0)
			return true;
	return false;
}

/* The values of a key, which ends with ":", in their order; returns how many there are. */
static inline size_t
policy_values(const struct policy *p, const char *key, const char **values)
{
	size_t found = 0;

	for (size_t i = 0; i < p->n; i++)
		if (strncmp(p->words[i], key, strlen(key)) == 0)
			values[found++] = p->words[i] + strlen(key);
	return found;
}

/* The only value, or another. */
static inline const char *
policy_value(const struct policy *p, const char *key, const char *other)
{
	const char *values[POLICY_MOST];

	return policy_values(p, key, values) > 0 ? values[0] : other;
}

static inline void
hash_of(const char *kind, const char *cert, char *hex)
{
	bool key = strcmp(kind, "SPKI") == 0;
	char command[640];
	FILE *f;

	snprintf(command, sizeof(command), "openssl x509 -in '%s' %s | sha256sum",
	    certs_path(cert, ".pem"), key ? "-noout -pubkey | openssl pkey -pubin -outform DER" :
	    "-outform DER");
	f = popen(command, "r");
	if (f == NULL || fread(hex, 1, 64, f) != 64)
		abort();
	hex[64] = '\0';
	pclose(f);
}

/* Puts hashes in the place of their names. */
static inline void
fill_hashes(const char *from, char *to)
{
	char kind[8], cert[32], hex[65];
	int n;

	while (*from != '\0')
		if (sscanf(from, "{%7[A-Z]:%31[a-z0-9_]}%n", kind, cert, &n) == 2) {
			hash_of(kind, cert, hex);
			to = stpcpy(to, hex);
			from += n;
		} else {
			*to++ = *from++;
		}
	*to = '\0';
}

/* "allow KEY=VALUE..." or "deny ...". */
static inline void
policy_add_rule(struct trust *t, const char *text)
{
	bool deny = strncmp(text, "deny ", 5) == 0;
	char line[1024];
	struct errmsg e;
	struct rule *r;

	assert(deny || strncmp(text, "allow ", 6) == 0);
	fill_hashes(text + (deny ? 5 : 6), line);
	if ((r = rule_parse(line, deny, &e)) == NULL || trust_add_rule(t, r, &e) == -1)
		ck_abort_msg("%s: %s", line, e.text);
}

static inline void
policy_add_rules(const struct policy *p, struct trust *t)
{
	char copy[sizeof(p->buf)], *rule, *save;

	if (p->rules == NULL)
		return;
	strcpy(copy, p->rules);
	for (rule = strtok_r(copy, ";", &save); rule != NULL; rule = strtok_r(NULL, ";", &save))
		policy_add_rule(t, rule + strspn(rule, " "));
	if (policy_has(p, "pins"))
		trust_pin_by_rules(t);
}

static inline void
policy_add_files(const struct policy *p, const char *key, struct trust *t,
    int (*add)(struct trust *, const char *, struct errmsg *))
{
	const char *names[POLICY_MOST];
	size_t n = policy_values(p, key, names);
	struct errmsg e;

	for (size_t i = 0; i < n; i++)
		if (add(t, certs_path(names[i], ".pem"), &e) == -1)
			ck_abort_msg("%s", e.text);
}

static inline struct trust *
policy_trust(const struct policy *p)
{
	const char *as = policy_value(p, "read:", "");
	struct trust *t = trust_new();

	assert(t != NULL);
	trust_read_as(t, strchr(as, 'c') != NULL, strchr(as, 'e') != NULL);
	trust_set_level(t, (unsigned)atoi(policy_value(p, "level:", "2")));
	if (policy_has(p, "depth:0") || atoi(policy_value(p, "depth:", "0")) > 0)
		trust_set_depth(t, (unsigned)atoi(policy_value(p, "depth:", "0")));
	policy_add_files(p, "peer:", t, trust_add_peers);
	policy_add_files(p, "ca:", t, trust_add_cas);
	policy_add_files(p, "file:", t, trust_add_file);
	policy_add_rules(p, t);
	return t;
}

/* NULL with the message filled where the CRLs are of no use; NULL without one where none are asked
 * for. */
static inline struct crl_set *
policy_crls(const struct policy *p, const struct trust *t, struct errmsg *e)
{
	const char *names[POLICY_MOST], *files[POLICY_MOST];
	char paths[POLICY_MOST][256];
	struct crl_set *set;
	struct crl_source from = { .service = "test", .files = files,
		.nfiles = policy_values(p, "crl:", names),
		.whole_path = policy_has(p, "whole"), .soft = policy_has(p, "soft") };

	e->text[0] = '\0';
	if (from.nfiles == 0 && !policy_has(p, "crls"))
		return NULL;
	for (size_t i = 0; i < from.nfiles; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s",
		    certs_path(names[i], policy_has(p, "der") ? ".der" : ".crl"));
		files[i] = paths[i];
	}
	if ((set = crl_set_new(&from, t, e)) != NULL)
		e->text[0] = '\0'; /* what was found wrong on the way */
	return set;
}

/* Both at once. */
static inline struct trust *
trust_of(const char *text)
{
	struct policy *p = policy_new(text);
	struct trust *t = policy_trust(p);

	free(p);
	return t;
}

static inline struct crl_set *
crls_of(const struct trust *t, const char *text, struct errmsg *e)
{
	struct policy *p = policy_new(text);
	struct crl_set *set = policy_crls(p, t, e);

	free(p);
	return set;
}

/* The certificates of a chain by name; free each one's data. */
static inline size_t
load_chain(const char *names, struct der *chain, size_t most)
{
	const char *words[POLICY_MOST];
	char buf[512];
	size_t n;

	assert(strlen(names) < sizeof(buf));
	strcpy(buf, names);
	n = split(buf, words, POLICY_MOST);
	assert(n <= most);
	for (size_t i = 0; i < n; i++)
		chain[i] = certs_load_any(words[i]);
	return n;
}

static inline void
free_chain(struct der *chain, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(chain[i].data);
}

#endif
