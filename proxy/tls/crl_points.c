#include "tls/crl_priv.h"

/*
 * A CA may part its CRL: each certificate then names the point where the part that would
 * list it is published, and each part says which point it is of (RFC 5280 sections
 * 4.2.1.13 and 5.2.5).  A part says nothing about certificates that do not name it.
 */

/* Whether both lists have a name in common, byte for byte. */
static bool
share_name(struct span a, struct span b)
{
	struct element x, y;
	struct span rest;

	while (asn1_next(&a, &x))
		for (rest = b; asn1_next(&rest, &y);)
			if (span_equal(x.whole, y.whole))
				return true;
	return false;
}

/* DistributionPoint: a point for some reasons only, or of another issuer, has a list that is
 * not the one we have. */
static bool
point_matches(struct span body, struct span points)
{
	struct span name, full;

	return asn1_take(&body, TAG_CONTEXT_OF(0), &name) && body.n == 0 &&
	    asn1_take(&name, TAG_CONTEXT_OF(0), &full) && name.n == 0 &&
	    share_name(points, full);
}

bool
crl_points_match(struct span points, const struct x509 *c)
{
	struct span value = c->cdp, list, body;

	if (value.p == NULL || !asn1_take(&value, TAG_SEQUENCE, &list) || value.n != 0)
		return false;
	while (asn1_take(&list, TAG_SEQUENCE, &body))
		if (point_matches(body, points))
			return true;
	return false;
}
