/* The rules of a section as a whole. */
#include <stdlib.h>
#include <string.h>

#include "check_priv.h"
#include "conf/rule.h"

static struct rule *
read_again(const struct conf_rule *line, bool deny)
{
	struct errmsg why;

	return rule_parse(line->text, deny, &why);
}

/* Whether it holds of a line; not when memory is short. */
static bool
holds(const struct conf_rule *line, bool (*what)(const struct rule *))
{
	struct rule *r = read_again(line, false);
	bool yes = r != NULL && what(r);

	free(r);
	return yes;
}

static bool
is_report(const struct rule *r)
{
	return r->report;
}

static bool
names_peer(const struct rule *r)
{
	for (size_t i = 0; i < r->n; i++)
		switch (r->terms[i].key) {
		case RULE_DNS:
		case RULE_URI:
		case RULE_IP:
		case RULE_EMAIL:
		case RULE_CN:
		case RULE_CERT:
		case RULE_SPKI:
			return true;
		default:
			break;
		}
	return false;
}

/* Whether it holds of every allow line that is enforced, and there is one. */
static bool
all_hold(const struct conf_service *s, bool (*what)(const struct rule *))
{
	size_t n = 0;

	for (size_t i = 0; i < s->allow.n; i++) {
		if (holds(&s->allow.items[i], is_report))
			continue;
		if (!holds(&s->allow.items[i], what))
			return false;
		n++;
	}
	return n > 0;
}

bool
rules_are_pins(const struct conf_service *s)
{
	return all_hold(s, rule_is_pin);
}

bool
rules_name_peer(const struct conf_service *s)
{
	return all_hold(s, names_peer);
}

static bool
has_cas(const struct conf_service *s)
{
	return s->cafile.n > 0 || s->capath.n > 0;
}

static int
check_line(const struct conf_service *s, const struct conf_rule *line, struct errmsg *why)
{
	if (!judge_verifies(s))
		return errmsg_set(why, "nobody's certificate is verified, so what it says proves "
		    "nothing: add CAfile, with verifyChain = yes, or a key to this line: "
		    "spki-sha256=");
	if (!has_cas(s) && holds(line, rule_asks_issuer))
		return errmsg_set(why, "this can never match, since there is no CA here: add CAfile, "
		    "with verifyChain = yes");
	return 0;
}

static bool
has_term(const struct rule *r, const struct rule_term *t)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->terms[i].key == t->key && strcmp(r->terms[i].text, t->text) == 0)
			return true;
	return false;
}

/* Whether whoever the one matches is matched by the other: it asks for nothing more. */
static bool
covers(const struct rule *wide, const struct rule *narrow)
{
	if (wide->report != narrow->report)
		return false;
	for (size_t i = 0; i < wide->n; i++)
		if (!has_term(narrow, &wide->terms[i]))
			return false;
	return true;
}

static bool
is_covered(const struct conf_rule *deny, const struct conf_rule *allow)
{
	struct rule *wide = read_again(deny, true), *narrow = read_again(allow, false);
	bool yes = wide != NULL && narrow != NULL && covers(wide, narrow);

	free(wide);
	free(narrow);
	return yes;
}

static int
check_denied(const struct conf_service *s, const struct conf_rule *line, struct errmsg *why)
{
	for (size_t i = 0; i < s->deny.n; i++)
		if (is_covered(&s->deny.items[i], line))
			return errmsg_set(why, "this can never let anybody pass: line %u denies the "
			    "same%s", s->deny.items[i].at.line,
			    strcmp(s->deny.items[i].text, line->text) == 0 ? "" : ", and more");
	return 0;
}

const struct conf_rule *
rules_check(const struct conf_service *s, const char **option, struct errmsg *why)
{
	*option = "allow";
	for (size_t i = 0; i < s->allow.n; i++)
		if (check_line(s, &s->allow.items[i], why) == -1 ||
		    check_denied(s, &s->allow.items[i], why) == -1)
			return &s->allow.items[i];
	*option = "deny";
	for (size_t i = 0; i < s->deny.n; i++)
		if (check_line(s, &s->deny.items[i], why) == -1)
			return &s->deny.items[i];
	return NULL;
}
