#include "tls/constraints_priv.h"
#include "tls/subtree_priv.h"

/* Takes the next subtree's base.  The distances that a subtree can have are not used by
 * anybody and must not be there (RFC 5280). */
static bool
next_base(struct span *list, struct general_name *base)
{
	struct span subtree;
	struct element e;

	return asn1_take(list, TAG_SEQUENCE, &subtree) && asn1_next(&subtree, &e) &&
	    subtree.n == 0 && general_name_read(&e, base);
}

static bool
same_kind(const struct general_name *a, const struct general_name *b)
{
	return ((a->tag ^ b->tag) & 0x1f) == 0;
}

/* What a CA's list of excluded names says against a name, or NULL. */
static const char *
judge_excluded(struct span list, const struct general_name *name)
{
	struct general_name base;

	while (list.n > 0) {
		if (!next_base(&list, &base))
			return "has name constraints that cannot be read";
		if (!same_kind(name, &base))
			continue;
		switch (subtree_match(name, &base, EXCLUDED)) {
		case INSIDE:
			return "excludes that name";
		case IN_DOUBT:
			return "excludes names of that kind, in a way not understood";
		case OUTSIDE:
			break;
		}
	}
	return NULL;
}

/* Likewise its list of permitted names: one of the name's kind must permit it, if there
 * is any of that kind. */
static const char *
judge_permitted(struct span list, const struct general_name *name)
{
	struct general_name base;
	bool any = false, inside = false;

	while (list.n > 0) {
		if (!next_base(&list, &base))
			return "has name constraints that cannot be read";
		if (!same_kind(name, &base))
			continue;
		any = true;
		switch (subtree_match(name, &base, PERMITTED)) {
		case INSIDE:
			inside = true;
			break;
		case IN_DOUBT:
			return "permits names of that kind, in a way not understood";
		case OUTSIDE:
			break;
		}
	}
	return any && !inside ? "does not permit that name" : NULL;
}

static int
judge_name(const struct x509 *ca, unsigned tag, struct span value, struct errmsg *e)
{
	struct general_name name = { tag, value };
	char text[NAME_TEXT], ca_text[NAME_TEXT];
	const char *wrong;

	wrong = judge_excluded(ca->excluded, &name);
	if (wrong == NULL)
		wrong = judge_permitted(ca->permitted, &name);
	if (wrong == NULL)
		return 0;
	return errmsg_set(e, "has the name %s, but its CA \"%s\" %s",
	    general_name_text(&name, text, sizeof(text)),
	    x509_name_text(ca->subject, ca_text, sizeof(ca_text)), wrong);
}

/* The subject is a directory name, and may hold addresses and a host's name. */
static int
judge_subject(
    const struct x509 *ca, const struct x509 *below, bool leaf, struct errmsg *e)
{
	struct name_walk w = name_walk(below->subject);
	struct name_attr a;
	struct span cn;

	if (below->subject.n > 0 &&
	    judge_name(ca, NAME_DIRECTORY, below->subject, e) == -1)
		return -1;
	while (name_next(&w, &a))
		if (SPAN_IS(a.oid, OID_EMAIL) &&
		    judge_name(ca, NAME_EMAIL, a.value.body, e) == -1)
			return -1;
	if (leaf && x509_host_common_name(below, &cn))
		return judge_name(ca, NAME_DNS, cn, e);
	return 0;
}

int
constraints_judge(
    const struct x509 *ca, const struct x509 *below, bool leaf, struct errmsg *e)
{
	struct span rest = below->san;
	struct general_name name;

	if (ca->permitted.p == NULL && ca->excluded.p == NULL)
		return 0;
	while (general_name_next(&rest, &name))
		if (judge_name(ca, name.tag, name.value, e) == -1)
			return -1;
	return judge_subject(ca, below, leaf, e);
}
