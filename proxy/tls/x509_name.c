#include <assert.h>

#include "tls/x509_priv.h"

struct name_walk
name_walk(struct span name)
{
	return (struct name_walk){ .rdns = name };
}

bool
name_next(struct name_walk *w, struct name_attr *a)
{
	struct span pair;

	a->joined = w->rdn.n > 0;
	w->broken = true;
	if (!a->joined) {
		if (w->rdns.n == 0) {
			w->broken = false;
			return false;
		}
		if (!asn1_take(&w->rdns, TAG_SET, &w->rdn) || w->rdn.n == 0)
			return false;
	}
	if (!asn1_take(&w->rdn, TAG_SEQUENCE, &pair) ||
	    !asn1_take(&pair, TAG_OID, &a->oid) || !asn1_next(&pair, &a->value) ||
	    pair.n != 0)
		return false;
	w->broken = false;
	return true;
}

bool
name_is_sound(struct span name)
{
	struct name_walk w = name_walk(name);
	struct name_attr a;

	while (name_next(&w, &a))
		;
	return !w.broken;
}

bool
general_name_read(const struct element *e, struct general_name *name)
{
	struct span body = e->body;

	*name = (struct general_name){ e->tag, e->body };
	if ((e->tag & 0xc0) != 0x80)
		return false;
	return e->tag != NAME_DIRECTORY ||
	    (asn1_take(&body, TAG_SEQUENCE, &name->value) && body.n == 0 &&
		name_is_sound(name->value));
}

bool
general_name_next(struct span *names, struct general_name *name)
{
	struct element e;

	if (names->n == 0)
		return false;
	if (!asn1_next(names, &e) || !general_name_read(&e, name))
		assert(!"a list of names that was found sound");
	return true;
}

bool
general_names_are_sound(struct span names)
{
	struct general_name name;
	struct element e;

	while (names.n > 0) {
		if (!asn1_next(&names, &e) || !general_name_read(&e, &name))
			return false;
		if (name.tag == NAME_IP && name.value.n != 4 && name.value.n != 16)
			return false;
	}
	return true;
}
