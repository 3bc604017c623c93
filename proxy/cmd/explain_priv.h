#ifndef CMD_EXPLAIN_PRIV_H_
#define CMD_EXPLAIN_PRIV_H_

#include <stdint.h>

#include "conf/config.h"
#include "tls/crl.h"
#include "tunnel/policy.h"

/* At how many moments something begins or ends to be valid, at most. */
#define MOMENTS 8192

/* All that is judged, and by what. */
struct matter {
	const struct config *config;
	const struct conf_service *conf;
	struct tls_policy policy;
	struct crl_set *crls;
	const char **names; /* configured */
	const char *const *wanted;
	size_t nnames;
	const char *host; /* where no names are */
	struct der_list certs;
	int64_t moments[MOMENTS];
	size_t n;
};

struct judgement {
	enum trust_verdict verdict;
	const char *rule; /* of the policy's trust; NULL: none decided */
	struct errmsg why;
};

/* " (FILE:LINE)" of the rule that decided, into a buffer; "" where none did. */
#define PLACE_TEXT 512
const char *explain_place(const struct matter *, const struct judgement *, char *);

/* What the judgement at that time rests on, a line for each: names, pins, CRLs, responders, dates. */
void explain_basis(const struct matter *, const struct judgement *, int64_t at);

#endif
