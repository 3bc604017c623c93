#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/log.h"
#include "cmd/explain.h"
#include "explain_priv.h"
#include "run_priv.h"
#include "tls/library.h"
#include "tunnel/policy.h"

#define ADMITTED 0
#define FAILED 1
#define DENIED 2

struct request {
	const char *config, *service, *peer, *chain;
	int64_t at;
};

static void
usage(FILE *out)
{
	fputs("Usage: sluss explain CONFIG [--service NAME] --peer FILE [--chain FILE]\n"
	      "           [--at YYYY-MM-DD[THH:MM:SS]]\n\n"
	      "Says whether a section of the configuration lets the peer with this certificate\n"
	      "pass, by which rule (and where that stands), what else that rests on, and when\n"
	      "that will change. The certificates of the CAs between, as the peer would send\n"
	      "them, follow in the same file or in that of --chain. Times are in UTC.\n\n"
	      "Exit status: 0 it may pass, 2 it may not, 1 the question makes no sense.\n", out);
}

static int
read_time(const char *text, int64_t *at, struct errmsg *e)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%d", &tm);

	if (end != NULL && *end != '\0')
		end = strptime(end, *end == 'T' ? "T%H:%M:%S" : " %H:%M:%S", &tm);
	if (end != NULL && *end == 'Z')
		end++;
	if (end == NULL || *end != '\0')
		return errmsg_set(e, "--at: \"%.64s\" is no date: give one such as 2027-01-31 or "
		    "2027-01-31T08:30:00", text);
	*at = timegm(&tm);
	return 0;
}

static int
read_option(struct request *r, const char *name, const char *value, struct errmsg *e)
{
	const struct {
		const char *name;
		const char **field;
	} options[] = { { "--service", &r->service }, { "--peer", &r->peer },
		{ "--chain", &r->chain } };

	if (strcasecmp(name, "--at") == 0 && value != NULL)
		return read_time(value, &r->at, e);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (strcasecmp(name, options[i].name) == 0) {
			*options[i].field = value;
			return value != NULL ? 0 : errmsg_set(e, "%s needs a value", name);
		}
	return errmsg_set(e, "%.64s: there is no such option, or its value is missing", name);
}

static int
read_request(int argc, char **argv, struct request *r, struct errmsg *e)
{
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] != '-' && r->config == NULL) {
			r->config = argv[i];
			continue;
		}
		if (read_option(r, argv[i], i + 1 < argc ? argv[i + 1] : NULL, e) == -1)
			return -1;
		i++;
	}
	if (r->config == NULL || r->peer == NULL)
		return errmsg_set(e, "%s is missing: \"sluss explain --help\" tells more",
		    r->config == NULL ? "the configuration" : "--peer");
	return 0;
}

static const struct conf_service *
find_service(const struct config *c, const char *name, struct errmsg *e)
{
	if (name == NULL && c->nservices == 1)
		return &c->services[0];
	for (size_t i = 0; name != NULL && i < c->nservices; i++)
		if (strcmp(c->services[i].name, name) == 0)
			return &c->services[i];
	errmsg_set(e, name == NULL ? "there are several sections: say which one with --service"
				   : "--service: there is no section of that name");
	return NULL;
}

static void
add_moment(struct matter *m, int64_t t)
{
	if (m->n < MOMENTS)
		m->moments[m->n++] = t;
}

static int
add_certs(struct matter *m, const char *file, struct errmsg *e)
{
	struct der_list more;
	struct der *items;

	if (cert_load_chain(file, &more, e) == -1)
		return -1;
	items = reallocarray(m->certs.items, m->certs.n + more.n, sizeof(*items));
	if (items == NULL) {
		der_list_free(&more);
		return errmsg_set(e, "out of memory");
	}
	m->certs.items = items;
	memcpy(items + m->certs.n, more.items, more.n * sizeof(*items));
	m->certs.n += more.n;
	free(more.items);
	return 0;
}

static int
find_moments(struct matter *m, struct errmsg *e)
{
	struct cert_info *info;

	for (size_t i = 0; i < m->certs.n; i++) {
		if ((info = cert_info_new(&m->certs.items[i], e)) == NULL)
			return -1;
		add_moment(m, info->not_before);
		add_moment(m, info->not_after + 1);
		cert_info_free(info);
	}
	m->n += trust_moments(m->policy.trust, m->moments + m->n, MOMENTS - m->n);
	if (m->crls != NULL)
		m->n += crl_set_moments(m->crls, m->moments + m->n, MOMENTS - m->n);
	return 0;
}

/* The name that a client would expect, of the target that it tries first. */
static void
find_names(struct matter *m)
{
	const struct conf_service *c = m->conf;

	m->wanted = m->names;
	if (m->nnames > 0 || c->connect.n == 0 || !policy_names_host(c))
		return;
	m->host = c->connect.items[0].host != NULL ? c->connect.items[0].host : "localhost";
	m->wanted = &m->host;
	m->nnames = 1;
}

static int
prepare(struct matter *m, const struct request *r, struct errmsg *e)
{
	if (policy_names(m->conf, &m->names, &m->nnames, e) == -1 ||
	    policy_make(m->conf, &m->policy, e) == -1 ||
	    policy_crls(m->config, m->conf, &m->policy, &m->crls, e) == -1 ||
	    add_certs(m, r->peer, e) == -1 ||
	    (r->chain != NULL && add_certs(m, r->chain, e) == -1))
		return -1;
	find_names(m);
	return find_moments(m, e);
}

static void
release(struct matter *m)
{
	trust_free(m->policy.trust);
	crl_set_unref(m->crls);
	free(m->names);
	der_list_free(&m->certs);
}

static void
judge(const struct matter *m, int64_t at, struct judgement *j)
{
	j->rule = NULL;
	if (m->policy.insecure) {
		j->verdict = TRUST_OK;
		errmsg_set(&j->why, "nobody is verified in this section");
		return;
	}
	j->verdict = trust_explain(m->policy.trust, m->crls, m->certs.items, m->certs.n,
	    m->conf->client, m->wanted, m->nnames, at, &j->rule, &j->why);
}

static void
tell(const struct matter *m, const struct judgement *j)
{
	char place[PLACE_TEXT];

	explain_place(m, j, place);
	if (j->verdict != TRUST_OK)
		printf("denied: %s: %s%s\n", trust_verdict_text(j->verdict), j->why.text, place);
	else if (j->rule != NULL)
		printf("admitted by the rule \"allow = %s\"%s\n", j->rule, place);
	else
		printf("admitted%s\n", j->why.text[0] == '\0' ? ": no allow rule is asked" : "");
	if (j->verdict == TRUST_OK && j->why.text[0] != '\0')
		printf("note: %s\n", j->why.text);
}

static int
by_time(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* The next moment at which the answer is another one. */
static void
tell_change(struct matter *m, int64_t at, const struct judgement *now)
{
	struct judgement then;
	char when[32];

	qsort(m->moments, m->n, sizeof(m->moments[0]), by_time);
	for (size_t i = 0; i < m->n; i++) {
		if (m->moments[i] <= at || (i > 0 && m->moments[i] == m->moments[i - 1]))
			continue;
		judge(m, m->moments[i], &then);
		if (then.verdict == now->verdict && then.rule == now->rule)
			continue;
		printf("from %s on: ", cert_time_text(m->moments[i], when));
		tell(m, &then);
		return;
	}
	puts("no date changes that");
}

static int
explain(const struct config *c, const struct request *r, struct errmsg *e)
{
	struct matter *m = calloc(1, sizeof(*m));
	struct judgement now;
	char when[32];
	int rc = -1;

	if (m == NULL)
		return errmsg_set(e, "out of memory");
	m->config = c;
	if ((m->conf = find_service(c, r->service, e)) != NULL && prepare(m, r, e) == 0) {
		judge(m, r->at, &now);
		printf("[%s] at %s: ", m->conf->name, cert_time_text(r->at, when));
		tell(m, &now);
		explain_basis(m, &now, r->at);
		tell_change(m, r->at, &now);
		rc = now.verdict == TRUST_OK ? ADMITTED : DENIED;
	}
	release(m);
	free(m);
	return rc;
}

static int
run(const struct request *r, struct errmsg *e)
{
	struct config *c;
	int rc;

	if ((c = run_load(r->config)) == NULL)
		return errmsg_set(e, "Configuration failed");
	if ((rc = tls_library_start(e)) == 0) {
		rc = explain(c, r, e);
		tls_library_stop();
	}
	config_free(c);
	return rc;
}

int
cmd_explain(int argc, char **argv)
{
	struct request r = { .at = time(NULL) };
	struct errmsg e;
	int rc;

	if (argc == 2 && strcasecmp(argv[1], "--help") == 0) {
		usage(stdout);
		return ADMITTED;
	}
	log_hold();
	rc = read_request(argc, argv, &r, &e) == 0 ? run(&r, &e) : -1;
	if (rc == -1)
		log_line(LOG_ERR, RUN_ID, "%s", e.text);
	log_give_up();
	return rc == -1 ? FAILED : rc;
}
