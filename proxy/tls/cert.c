#include <wolfssl/options.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/hash.h>

#include "tls/cert.h"
#include "tls/pubkey_priv.h"
#include "tls/x509_priv.h"

#define SUBJECT_TEXT 513
#define NAMES_TEXT 1025

void
x509_fingerprint(const struct x509 *c, unsigned char *fp)
{
	if (wc_Sha256Hash(c->der.p, (word32)c->der.n, fp) != 0)
		assert(!"a hash of bytes in memory");
}

void
x509_key_fingerprint(const struct x509 *c, unsigned char *fp)
{
	if (wc_Sha256Hash(c->spki.p, (word32)c->spki.n, fp) != 0)
		assert(!"a hash of bytes in memory");
}

static char *
append(char **at, const char *text)
{
	char *copy = *at;
	size_t n = strlen(text) + 1;

	memcpy(copy, text, n);
	*at += n;
	return copy;
}

struct cert_info *
cert_info_new(const struct der *der, struct errmsg *e)
{
	char subject[SUBJECT_TEXT], issuer[SUBJECT_TEXT], names[NAMES_TEXT], *at;
	struct cert_info *info;
	const char *wrong;
	struct x509 c;

	if ((wrong = x509_parse(&c, der->data, der->len)) != NULL) {
		errmsg_set(e, "the certificate is malformed: %s", wrong);
		return NULL;
	}
	x509_name_text(c.subject, subject, sizeof(subject));
	x509_name_text(c.issuer, issuer, sizeof(issuer));
	x509_names_text(&c, names, sizeof(names));
	info =
	    malloc(sizeof(*info) + strlen(subject) + strlen(issuer) + strlen(names) + 3);
	if (info == NULL) {
		errmsg_set(e, "out of memory");
		return NULL;
	}
	at = (char *)(info + 1);
	info->subject = append(&at, subject);
	info->issuer = append(&at, issuer);
	info->names = append(&at, names);
	info->not_before = c.not_before;
	info->not_after = c.not_after;
	x509_fingerprint(&c, info->fingerprint);
	return info;
}

void
cert_info_free(struct cert_info *info)
{
	free(info);
}

const char *
cert_fingerprint_text(const unsigned char *fp, char *text)
{
	size_t i;

	for (i = 0; i < CERT_FP_LEN; i++)
		snprintf(
		    text + 3 * i, 4, "%02X%s", fp[i], i + 1 < CERT_FP_LEN ? ":" : "");
	return text;
}

const char *
cert_time_text(int64_t when, char *text)
{
	time_t t = (time_t)when;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || tm.tm_year > 9999 - 1900 ||
	    strftime(text, 32, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		snprintf(text, 32, "an impossible date");
	return text;
}

const char *
cert_span_text(int64_t seconds, char *text)
{
	static const struct {
		int64_t seconds;
		const char *one;
	} units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };
	size_t i = 0;
	int64_t n;

	while (i < 3 && seconds < units[i].seconds)
		i++;
	n = seconds / units[i].seconds;
	snprintf(text, CERT_SPAN_TEXT, "%lld %s%s", (long long)n, units[i].one,
	    n == 1 ? "" : "s");
	return text;
}

int
cert_strong(const struct der *der, struct errmsg *e)
{
	char subject[NAME_TEXT], reason[sizeof(e->text)];
	const char *wrong;
	struct x509 c;

	if ((wrong = x509_parse(&c, der->data, der->len)) != NULL)
		return errmsg_set(e, "the certificate is malformed: %s", wrong);
	if (pubkey_judge(&c, e) == 0 && sigalg_judge(&c, e) == 0)
		return 0;
	snprintf(reason, sizeof(reason), "%s", e->text);
	return errmsg_set(e, "\"%s\": %s; %s",
	    x509_name_text(c.subject, subject, sizeof(subject)), reason,
	    x509_self_issued(&c)
		? "make a new key and certificate with \"sluss keygen\""
		: "have a new one issued for a key that \"openssl genpkey -algorithm EC "
		  "-pkeyopt ec_paramgen_curve:P-256\" makes, signed with SHA-256");
}
