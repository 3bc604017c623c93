/* Which rules a trust has, and what they say of a peer whose certificate is good. */
#include <stdlib.h>
#include <string.h>

#include "tls/trust_priv.h"

int
trust_add_rule(struct trust *t, struct rule *r, struct errmsg *e)
{
	struct rule **grown = reallocarray(t->rules, t->nrules + 1, sizeof(struct rule *));

	if (grown == NULL)
		return errmsg_set(e, "out of memory");
	t->rules = grown;
	t->rules[t->nrules++] = r;
	return 0;
}

void
trust_pin_by_rules(struct trust *t)
{
	t->by_rules = true;
}

static const struct rule *
first_match(const struct trust *t, const struct applicant *a, bool deny, bool report, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < t->nrules; i++) {
		if (t->rules[i]->deny != deny || t->rules[i]->report != report)
			continue;
		++*n;
		if (rule_matches(t->rules[i], a))
			return t->rules[i];
	}
	return NULL;
}

static void
about(const struct applicant *a, struct errmsg *e)
{
	char subject[NAME_TEXT], names[256];

	x509_names_text(a->leaf, names, sizeof(names));
	errmsg_prefix(e, "\"%s\" (%s)", x509_name_text(a->leaf->subject, subject, sizeof(subject)),
	    names[0] != '\0' ? names : "no names");
}

/* By the lines that are enforced, or by those that only report. */
static bool
admits(const struct trust *t, const struct applicant *a, bool report, const struct rule **by,
    struct errmsg *e)
{
	const char *kind = report ? "report-only " : "";
	size_t n;

	if ((*by = first_match(t, a, true, report, &n)) != NULL) {
		errmsg_set(e, "the rule \"deny = %s\" refuses it", (*by)->text);
		about(a, e);
		return false;
	}
	if ((*by = first_match(t, a, false, report, &n)) != NULL)
		return true;
	/* Where the rules alone say who may pass, none let nobody pass. */
	if (n == 0 && (report || !t->by_rules))
		return true;
	if (n == 0)
		errmsg_set(e, "there is no allow rule that is enforced");
	else if (n == 1)
		errmsg_set(e, "the only %sallow rule does not match it", kind);
	else
		errmsg_set(e, "none of the %zu %sallow rules matches it", n, kind);
	about(a, e);
	return false;
}

enum trust_verdict
authorise(const struct trust *t, const struct applicant *a, const struct rule **by,
    struct errmsg *why)
{
	const struct rule *other;

	if (!admits(t, a, false, by, why))
		return TRUST_DENIED;
	admits(t, a, true, &other, why);
	return TRUST_OK;
}
