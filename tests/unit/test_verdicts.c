/*
 * The verifier as a table: certificate, chain, policy, time; verdict and reason; and where openssl
 * verify differs, what it says and why.  "test_verdicts --print" prints all of it.
 */
#include "changes.h"

#include "base/log.h"
#include "crl_specs.h"
#include "opinions.h"
#include "tls/library.h"

#define DAY 86400
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct row {
	const char *chain;   /* names of certificates, the peer's own first */
	const char *policy;  /* see policies.h */
	const char *when;    /* "": now; "+2d"; "X.begin-1", "X.end+1": seconds around X's dates */
	enum trust_verdict verdict;
	const char *says;    /* a part of the reason, or NULL */
	const char *differs; /* what openssl says ("OK", "26", "unreadable") and why; NULL: it says
	                      * the same, or nothing */
};

#include "verdict_rows.h"

static const struct part {
	const char *name;
	const struct row *rows;
	size_t n;
} parts[] = {
#define PART(rows) { #rows, rows, COUNT(rows) }
	PART(pin_rows),
	PART(ca_rows),
	PART(forged_rows),
	PART(date_rows),
	PART(strength_rows),
	PART(use_rows),
	PART(constraint_rows),
	PART(odd_rows),
	PART(name_rows),
	PART(rule_rows),
	PART(file_rows),
	PART(crl_rows),
#undef PART
};

static const struct row *
row_of(size_t i)
{
	for (size_t k = 0; k < COUNT(parts); i -= parts[k++].n)
		if (i < parts[k].n)
			return &parts[k].rows[i];
	return NULL;
}

/* The certificates that no tool makes. */
static void
make_all(void)
{
	make_clone("clone", "root", "evil");
	make_broken("leaf", "broken_leaf");
	make_broken("sub", "broken_sub");
	make_broken("by_rsa", "broken_by_rsa");
	make_broken("by_sha1_self", "broken_by_sha1");
	make_broken("by_rsa_pss", "broken_by_rsa_pss");
	make_broken("by_ed25519", "broken_by_ed25519");
	make_nul("nul");
	make_nul("nul_cn");
	make_v1("self_ca", "v1", "self_ca");
	make_v1("root", "v1_root", "root");
	make_verdict_certs();
	for (size_t i = 0; i < COUNT(crl_specs); i++)
		crl_make_file(&crl_specs[i]);
}

/* The time that a row means. */
static time_t
time_of(const char *when)
{
	char name[64], *dot;
	struct cert_info *info;
	struct errmsg e;
	struct der der;
	time_t t;

	if (strchr(when, '.') == NULL)
		return time(NULL) + atol(when) * DAY;
	snprintf(name, sizeof(name), "%s", when);
	dot = strchr(name, '.');
	*dot++ = '\0';
	der = certs_load_any(name);
	if ((info = cert_info_new(&der, &e)) == NULL)
		ck_abort_msg("%s: %s", when, e.text);
	t = (time_t)(*dot == 'b' ? info->not_before : info->not_after);
	cert_info_free(info);
	free(der.data);
	return t + atol(dot + strcspn(dot, "+-"));
}

struct judgement {
	enum trust_verdict verdict;
	struct errmsg why;
	struct opinion openssl;
};

/* Judges twice: nothing that the first time leaves behind may matter. */
static void
judge_here(const struct row *r, struct judgement *j)
{
	struct policy *p = policy_new(r->policy);
	struct trust *t = policy_trust(p);
	const char *names[POLICY_MOST], *rule;
	struct der chain[POLICY_MOST];
	size_t n = load_chain(r->chain, chain, POLICY_MOST);
	size_t nnames = policy_values(p, "host:", names);
	const time_t now = time_of(r->when);
	struct crl_set *set = policy_crls(p, t, &j->why);
	enum trust_verdict again;

	if (j->why.text[0] != '\0')
		ck_abort_msg("[%s]: %s", r->policy, j->why.text);
	again = trust_judge_with(
	    t, set, chain, n, !policy_has(p, "client"), names, nnames, now, &j->why);
	j->verdict = trust_explain(
	    t, set, chain, n, !policy_has(p, "client"), names, nnames, now, &rule, &j->why);
	if (j->verdict != again)
		ck_abort_msg("[%s] by [%s]: another verdict the second time", r->chain, r->policy);
	crl_set_unref(set);
	free_chain(chain, n);
	trust_free(t);
	free(p);
}

static void
judge(const struct row *r, struct judgement *j)
{
	struct policy *p = policy_new(r->policy);

	judge_here(r, j);
	j->openssl = opinion_of(r->chain, p, time_of(r->when));
	free(p);
}

/* What openssl says is what we say, or what the row says that it says. */
static bool
as_listed(const struct row *r, const struct judgement *j)
{
	bool agrees = opinion_agrees(&j->openssl, r->verdict);

	if (j->openssl.errors[0] == OPINION_NONE)
		return true;
	if (r->differs == NULL || agrees)
		return agrees && r->differs == NULL;
	if (strncmp(r->differs, "OK:", 3) == 0)
		return j->openssl.errors[0] == OPINION_OK;
	if (strncmp(r->differs, "unreadable:", 11) == 0)
		return j->openssl.errors[0] == OPINION_UNREADABLE;
	return opinion_has(&j->openssl, atoi(r->differs));
}

START_TEST(verdicts)
{
	const struct row *r = row_of((size_t)_i);
	struct judgement j;
	char text[64];

	judge(r, &j);
	if (j.verdict != r->verdict)
		ck_abort_msg("[%s] by [%s] at [%s]: %s (%s) instead of %s", r->chain, r->policy,
		    r->when, trust_verdict_text(j.verdict), j.why.text,
		    trust_verdict_text(r->verdict));
	if (r->says != NULL && strstr(j.why.text, r->says) == NULL)
		ck_abort_msg("[%s] by [%s]: \"%s\" does not say \"%s\"", r->chain, r->policy,
		    j.why.text, r->says);
	/* A rule that only reports has a message, too. */
	if ((j.verdict == TRUST_OK) != (j.why.text[0] == '\0') && strstr(r->policy, "report") == NULL)
		ck_abort_msg("[%s] by [%s]: %s with the message \"%s\"", r->chain, r->policy,
		    trust_verdict_text(j.verdict), j.why.text);
	if (!as_listed(r, &j))
		ck_abort_msg("[%s] by [%s] at [%s]: %s (%s); openssl says %s; listed is %s",
		    r->chain, r->policy, r->when, trust_verdict_text(j.verdict), j.why.text,
		    opinion_text(&j.openssl, text, sizeof(text)),
		    r->differs == NULL ? "no difference" : r->differs);
}
END_TEST

/* All rows in one process, so that each finds what the others left behind: signatures that
 * are known to be right. */
START_TEST(one_behind_the_other)
{
	const struct row *r;
	struct judgement j;

	for (int round = 0; round < 2; round++)
		for (size_t i = 0; (r = row_of(i)) != NULL; i++) {
			judge_here(r, &j);
			if (j.verdict != r->verdict)
				ck_abort_msg("[%s] by [%s] at [%s]: %s (%s) instead of %s",
				    r->chain, r->policy, r->when,
				    trust_verdict_text(j.verdict), j.why.text,
				    trust_verdict_text(r->verdict));
		}
}
END_TEST

static void
print_row(const struct row *r)
{
	struct judgement j;
	char text[64];

	judge(r, &j);
	printf("%-36s | %-40s | %-12s | %s%s%s | openssl: %s%s%s\n", r->chain, r->policy, r->when,
	    trust_verdict_text(j.verdict), j.why.text[0] == '\0' ? "" : ": ", j.why.text,
	    opinion_text(&j.openssl, text, sizeof(text)), r->differs == NULL ? "" : " DIFFERS ",
	    r->differs == NULL ? "" : r->differs);
}

static int
print_all(void)
{
	for (size_t k = 0; k < COUNT(parts); k++) {
		printf("%s%s (%zu)\n", k > 0 ? "\n" : "", parts[k].name, parts[k].n);
		for (size_t i = 0; i < parts[k].n; i++)
			print_row(&parts[k].rows[i]);
	}
	return 0;
}

static int
run(void)
{
	Suite *s = suite_create("verdicts");
	TCase *t = tcase_create("table");
	SRunner *r;
	size_t n = 0;
	int failed;

	for (size_t k = 0; k < COUNT(parts); k++)
		n += parts[k].n;
	tcase_add_loop_test(t, verdicts, 0, (int)n);
	tcase_set_timeout(t, 250);
	tcase_add_test(t, one_behind_the_other);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

int
main(int argc, char **argv)
{
	struct errmsg e;
	int rc;

	log_level(LOG_EMERG);
	if (tls_library_start(&e) == -1 || certs_make() == -1)
		return 1;
	make_all();
	opinion_start();
	rc = argc > 1 && strcmp(argv[1], "--print") == 0 ? print_all() : run();
	certs_remove();
	tls_library_stop();
	return rc;
}
