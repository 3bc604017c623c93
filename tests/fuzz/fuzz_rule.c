/* A rule and a certificate, with a zero byte between: a rule that reads is whole and reads the same again,
 * and asking it of whatever certificate is safe. */
#include <stdlib.h>
#include <string.h>

#include "conf/rule.h"
#include "tls/rule.h"
#include "tls/rule_priv.h"

int LLVMFuzzerTestOneInput(const unsigned char *, size_t);

/* The library is not there: any function of the bytes will do. */
static void
hash(struct span s, unsigned char *fp)
{
	memset(fp, 0, CERT_FP_LEN);
	for (size_t i = 0; i < s.n; i++)
		fp[i % CERT_FP_LEN] ^= s.p[i];
}

void
x509_fingerprint(const struct x509 *c, unsigned char *fp)
{
	hash(c->der, fp);
}

void
x509_key_fingerprint(const struct x509 *c, unsigned char *fp)
{
	hash(c->spki, fp);
}

static void
check(bool holds)
{
	if (!holds)
		abort();
}

static void
check_again(const struct rule *r)
{
	struct errmsg e;
	struct rule *again = rule_parse(r->text, r->deny, &e);

	check(again != NULL && again->n == r->n && again->report == r->report);
	check(memcmp(again->words, r->words, sizeof(r->words)) == 0);
	free(again);
}

static void
ask(const struct rule *r, const unsigned char *data, size_t n)
{
	const struct der cert = { (unsigned char *)(uintptr_t)data, n };
	char text[256];
	struct x509 c;

	trust_rule_matches(r, &cert, &cert);
	if (x509_parse(&c, data, n) != NULL)
		return;
	check(c.spki.p >= data && c.spki.p + c.spki.n <= data + n);
	check(strlen(x509_names_text(&c, text, sizeof(text))) < sizeof(text));
	check(strlen(x509_name_text(c.subject, text, sizeof(text))) < sizeof(text));
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	const unsigned char *end = n == 0 ? NULL : memchr(data, 0, n);
	size_t len = end == NULL ? n : (size_t)(end - data);
	char *text = strndup((const char *)data, len);
	struct errmsg e = { "" };
	struct rule *r;

	check(text != NULL);
	if ((r = rule_parse(text, n % 2 == 0, &e)) != NULL) {
		check_again(r);
		ask(r, data + len + (end != NULL), n - len - (end != NULL));
	} else {
		check(e.text[0] != '\0');
	}
	free(r);
	free(text);
	return 0;
}
