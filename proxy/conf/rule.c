#include <stdlib.h>
#include <string.h>

#include "conf/rule.h"
#include "conf/value.h"
#include "rule_priv.h"

static const struct {
	const char *word;
	bool one; /* a certificate has only one */
} keys[] = {
#define RULE_ROW(name, word, one) { word, one },
	RULE_KEYS(RULE_ROW)
#undef RULE_ROW
};

#define NKEYS (sizeof(keys) / sizeof(keys[0]))

#define BLANKS " \t"

/* A line while it is read. */
struct reading {
	const char *at;
	struct rule *rule;
	char *word; /* where the next value goes */
};

static int
unknown(const char *name, struct errmsg *why)
{
	const char *words[NKEYS], *nearest;

	for (size_t i = 0; i < NKEYS; i++)
		words[i] = keys[i].word;
	if ((nearest = value_nearest(name, words, NKEYS)) != NULL)
		return errmsg_set(why, "there is no key \"%.64s\" (did you mean %s?)", name, nearest);
	return errmsg_set(why, "there is no key \"%.64s\": give cn, ou, dns, uri, ip, email, "
	    "cert-sha256, spki-sha256, serial or issuer-spki-sha256", name);
}

static int
read_key(struct reading *r, enum rule_key *key, struct errmsg *why)
{
	size_t n = strcspn(r->at, "=" BLANKS);
	char name[65] = "";

	memcpy(name, r->at, n < 64 ? n : 64);
	if (r->at[n] != '=')
		return errmsg_set(why, "\"%s\" is no KEY=VALUE; a value with blanks goes in double "
		    "quotes, as in cn=\"Ann Smith\"", name);
	for (size_t i = 0; i < NKEYS; i++)
		if (strcmp(name, keys[i].word) == 0) {
			*key = (enum rule_key)i;
			r->at += n + 1;
			return 0;
		}
	return unknown(name, why);
}

/* Between quotes; \ takes away the meaning of what follows. */
static int
read_quoted(struct reading *r, struct errmsg *why)
{
	for (r->at++; *r->at != '"'; r->at++) {
		if (*r->at == '\\' && (r->at[1] == '"' || r->at[1] == '\\'))
			r->at++;
		if (*r->at == '\0')
			return errmsg_set(why, "a quote is not closed");
		*r->word++ = *r->at;
	}
	if (*++r->at != '\0' && strchr(BLANKS, *r->at) == NULL)
		return errmsg_set(why, "put a blank behind the closing quote");
	return 0;
}

static int
read_bare(struct reading *r, struct errmsg *why)
{
	size_t n = strcspn(r->at, BLANKS);

	if (n > 0 && (r->at[n - 1] == ',' || r->at[n - 1] == ';'))
		return errmsg_set(why, "\"%.128s\": keys are parted by blanks alone", r->at);
	if (memchr(r->at, '"', n) != NULL)
		return errmsg_set(why, "\"%.128s\": a quote stands inside a value: put all of it in "
		    "quotes", r->at);
	memcpy(r->word, r->at, n);
	r->word += n;
	r->at += n;
	return 0;
}

static int
read_term(struct reading *r, struct errmsg *why)
{
	struct rule *rule = r->rule;
	struct rule_term *t = &rule->terms[rule->n];

	if (rule->n == RULE_TERMS)
		return errmsg_set(why, "there are more than %d keys on this line", RULE_TERMS);
	if (read_key(r, &t->key, why) == -1)
		return -1;
	t->text = r->word;
	if ((*r->at == '"' ? read_quoted(r, why) : read_bare(r, why)) == -1)
		return -1;
	*r->word++ = '\0';
	if (rule_read_value(t, why) == -1)
		return errmsg_prefix(why, "%s", keys[t->key].word);
	rule->n++;
	return 0;
}

/* What can be said of the terms together: of some a certificate has one, or else it does
 * not count. */
static int
check_once(const struct rule *r, struct errmsg *why)
{
	size_t n[NKEYS] = { 0 }, uris = 0;
	bool spiffe = false;

	for (size_t i = 0; i < r->n; i++) {
		n[r->terms[i].key]++;
		uris += r->terms[i].key == RULE_URI;
		spiffe = spiffe ||
		    (r->terms[i].key == RULE_URI && strncmp(r->terms[i].text, "spiffe:", 7) == 0);
	}
	for (size_t k = 0; k < NKEYS; k++)
		if (n[k] > 1 && keys[k].one)
			return errmsg_set(why, "%s stands there twice, and a certificate has only "
			    "one: this can never match; give each a line of its own", keys[k].word);
	if (spiffe && uris > 1)
		return errmsg_set(why, "a SPIFFE ID is a certificate's only URI: with another uri "
		    "this can never match; give each a line of its own");
	return 0;
}

static int
read_terms(struct reading *r, struct errmsg *why)
{
	size_t n = strcspn(r->at, BLANKS);

	if (n == 6 && strncmp(r->at, "report", n) == 0) {
		r->rule->report = true;
		r->at += n;
	}
	for (;;) {
		r->at += strspn(r->at, BLANKS);
		if (*r->at == '\0')
			break;
		if (read_term(r, why) == -1)
			return -1;
	}
	if (r->rule->n == 0)
		return errmsg_set(why, "no key: give one such as cn=NAME or uri=URI");
	return check_once(r->rule, why);
}

struct rule *
rule_parse(const char *text, bool deny, struct errmsg *why)
{
	struct reading r = { .at = text + strspn(text, BLANKS) };
	size_t n = strlen(r.at);

	while (n > 0 && strchr(BLANKS, r.at[n - 1]) != NULL)
		n--;
	if (n >= RULE_TEXT) {
		errmsg_set(why, "the rule is longer than %d bytes", RULE_TEXT - 1);
		return NULL;
	}
	if ((r.rule = calloc(1, sizeof(*r.rule))) == NULL) {
		errmsg_set(why, "out of memory");
		return NULL;
	}
	memcpy(r.rule->text, r.at, n);
	r.at = r.rule->text;
	r.word = r.rule->words;
	r.rule->deny = deny;
	if (read_terms(&r, why) == 0)
		return r.rule;
	free(r.rule);
	return NULL;
}

bool
rule_is_pin(const struct rule *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->terms[i].key == RULE_CERT || r->terms[i].key == RULE_SPKI)
			return true;
	return false;
}

bool
rule_asks_issuer(const struct rule *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->terms[i].key == RULE_ISSUER)
			return true;
	return false;
}
