/* What a verdict of explain rests on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain_priv.h"

static const char *
file_of(const struct matter *m, const struct conf_mark *at)
{
	return m->config->files.items[at->file < m->config->files.n ? at->file : 0];
}

const char *
explain_place(const struct matter *m, const struct judgement *j, char *text)
{
	const struct conf_rules *list =
	    j->verdict == TRUST_OK ? &m->conf->allow : &m->conf->deny;

	text[0] = '\0';
	for (size_t i = 0; j->rule != NULL && m->config->files.n > 0 && i < list->n; i++)
		if (strcmp(list->items[i].text, j->rule) == 0) {
			snprintf(text, PLACE_TEXT, " (%s:%u)", file_of(m, &list->items[i].at),
			    list->items[i].at.line);
			break;
		}
	return text;
}

/* The option that a configured name came with, as policy_names() lists them. */
static const char *
option_of(const struct matter *m, size_t i)
{
	if (i < m->conf->checkhost.n)
		return "checkHost";
	return i < m->conf->checkhost.n + m->conf->checkip.n ? "checkIP" : "checkEmail";
}

static void
tell_names(const struct matter *m)
{
	char place[PLACE_TEXT];

	for (size_t i = 0; i < m->nnames; i++) {
		if (m->host != NULL)
			snprintf(place, sizeof(place), "the host of connect");
		else
			snprintf(place, sizeof(place), "the rule %s = %s", option_of(m, i),
			    m->wanted[i]);
		printf("name: %s is %s\n", place,
		    trust_name_matches(&m->certs.items[0], m->wanted[i]) ? "met" : "not met");
	}
}

/* Whether a file of certificates has this very one. */
static bool
has_peer(const char *file, const struct der *cert)
{
	struct der_list list;
	struct errmsg why;
	bool yes = false;

	if (cert_load_chain(file, &list, &why) == -1)
		return false;
	for (size_t i = 0; i < list.n; i++)
		yes = yes || (list.items[i].len == cert->len &&
		    memcmp(list.items[i].data, cert->data, cert->len) == 0);
	der_list_free(&list);
	return yes;
}

static void
tell_pins(const struct matter *m)
{
	bool pinned = false;

	for (size_t i = 0; i < m->conf->peer.n; i++)
		if (has_peer(m->conf->peer.items[i], &m->certs.items[0])) {
			printf("pin: it is the certificate of peer = %s\n", m->conf->peer.items[i]);
			pinned = true;
		}
	if (m->conf->peer.n > 0 && !pinned)
		printf("pin: it is none of the %zu files of peer\n", m->conf->peer.n);
}

/* The first of the moments behind a time; INT64_MAX: there is none. */
static int64_t
first_after(const int64_t *moments, size_t n, int64_t at)
{
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < n; i++)
		if (moments[i] > at && moments[i] < first)
			first = moments[i];
	return first;
}

static void
tell_crls(const struct matter *m, const struct judgement *j, int64_t at)
{
	int64_t *moments, next = INT64_MAX;
	char when[32];

	if (m->crls == NULL) {
		puts("CRLs: none are configured");
		return;
	}
	if ((moments = calloc(MOMENTS, sizeof(*moments))) != NULL)
		next = first_after(moments, crl_set_moments(m->crls, moments, MOMENTS), at);
	free(moments);
	printf("CRLs: %s", j->verdict == TRUST_REVOKED ? "it is revoked" :
	    j->verdict == TRUST_CRL_MISSING || j->verdict == TRUST_CRL_EXPIRED ?
	    "none in date tells of it" : j->verdict == TRUST_OK ? "it is not revoked" :
	    "not what decided");
	if (next != INT64_MAX)
		printf("; the next of the %zu lists is to be renewed by %s",
		    crl_set_lists(m->crls), cert_time_text(next, when));
	putchar('\n');
}

/* Of those that were given, the one that ends first. */
static void
tell_dates(const struct matter *m, int64_t at)
{
	struct cert_info *info, *first = NULL;
	struct errmsg why;
	char when[32];

	for (size_t i = 0; i < m->certs.n; i++) {
		if ((info = cert_info_new(&m->certs.items[i], &why)) == NULL)
			continue;
		if (info->not_after >= at && (first == NULL || info->not_after < first->not_after)) {
			cert_info_free(first);
			first = info;
		} else
			cert_info_free(info);
	}
	if (first != NULL)
		printf("dates: \"%s\" is the first to expire, after %s\n", first->subject,
		    cert_time_text(first->not_after, when));
	cert_info_free(first);
}

void
explain_basis(const struct matter *m, const struct judgement *j, int64_t at)
{
	if (m->policy.insecure)
		return;
	tell_names(m);
	tell_pins(m);
	tell_crls(m, j, at);
	puts("OCSP: not asked here; a running sluss asks as the section says");
	tell_dates(m, at);
}
