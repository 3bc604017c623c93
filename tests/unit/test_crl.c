#include "crls.h"

#include <check.h>
#include <malloc.h>

#include "base/log.h"
#include "tls/crl.h"
#include "tls/crl_priv.h"
#include "tls/library.h"

#define DAY 86400
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct crl_spec specs[] = {
	{ "root_none", "root", NULL, 1, -1, 5, "", NULL },
	{ "root_leaf", "root", NULL, 2, -1, 5, "leaf", NULL },
	{ "root_freed", "root", NULL, 300, -1, 5, "", NULL },
	{ "root_held", "root", NULL, 4, -1, 5, "leaf", "held" },
	{ "root_removed", "root", NULL, 2, -1, 5, "no_ids !leaf", NULL },
	{ "root_v1", "root", NULL, 0, -1, 5, "leaf", "v1" },
	{ "root_v1_none", "root", NULL, 0, 0, 5, "", "v1" },
	{ "root_harmless", "root", NULL, 2, -1, 5, "leaf", "harmless" },
	{ "root_old", "root", NULL, 1, -9, -1, "", NULL },
	{ "root_old_leaf", "root", NULL, 1, -9, -1, "leaf", NULL },
	{ "root_future", "root", NULL, 9, 1, 5, "", NULL },
	{ "root_users", "root", NULL, 5, -1, 5, "leaf", "users" },
	{ "root_cas", "root", NULL, 5, -1, 5, "leaf", "cas" },
	{ "root_many", "root", NULL, 5, -1, 5,
	    "self_leaf other sub no_ids leaf server_only client_only", NULL },
	{ "b_none", "root_b", NULL, 1, -1, 5, "", NULL },
	{ "b_sub", "root_b", NULL, 1, -1, 5, "sub_by_b", NULL },
	{ "b_users", "root_b", NULL, 1, -1, 5, "sub_by_b", "users" },
	{ "b_cas", "root_b", NULL, 1, -1, 5, "sub_by_b", "cas" },
	{ "sub_none", "sub", NULL, 1, -1, 5, "", NULL },
	{ "sub_leaf_", "sub", NULL, 1, -1, 5, "sub_leaf", NULL },
	{ "sub_broken", "sub", NULL, 1, -1, 5, "", "broken" },
	{ "sub_evil", "sub", "evil", 1, -1, 5, "sub_leaf", NULL },
	{ "sub_old", "sub", NULL, 1, -9, -1, "", NULL },
	{ "sub_freed", "sub", NULL, 2, -1, 5, "", NULL },
	{ "twin_leaf", "twin", NULL, 9, -1, 5, "leaf", NULL },
	{ "root_by_evil", "root", "evil", 9, -1, 5, "leaf", NULL },
	{ "root_broken", "root", NULL, 9, -1, 5, "leaf", "broken" },
	{ "root_sha1", "root", NULL, 9, -1, 5, "leaf", "sha1" },
	{ "root_critical", "root", NULL, 9, -1, 5, "leaf", "critical" },
	{ "root_delta", "root", NULL, 9, -1, 5, "leaf", "delta" },
	{ "root_reasons", "root", NULL, 9, -1, 5, "leaf", "reasons" },
	{ "root_indirect", "root", NULL, 9, -1, 5, "leaf", "indirect" },
	{ "root_attributes", "root", NULL, 9, -1, 5, "leaf", "attributes" },
	{ "root_point", "root", NULL, 9, -1, 5, "leaf point_a", "point-a" },
	{ "root_point_none", "root", NULL, 8, -1, 5, "", "point-a" },
	{ "root_relative", "root", NULL, 9, -1, 5, "leaf", "relative" },
	{ "root_twice", "root", NULL, 9, -1, 5, "leaf", "twice" },
	{ "root_strange", "root", NULL, 9, -1, 5, "leaf", "strange-entry" },
	{ "root_other", "root", NULL, 9, -1, 5, "leaf", "other-issuer" },
	{ "root_endless", "root", NULL, 9, -1, 0, "leaf", NULL },
	{ "root_backwards", "root", NULL, 9, 5, 1, "leaf", NULL },
	{ "root_v3", "root", NULL, 9, -1, 5, "leaf", "v3" },
	{ "root_v1_ext", "root", NULL, 9, -1, 5, "leaf", "v1" },
	{ "sub_no_sign", "sub2", "sub2", 1, -1, 5, "", NULL },
};

/* Splits at blanks; the words point into buf. */
static size_t
split(const char *text, char *buf, size_t size, const char **words)
{
	char *word, *save;
	size_t n = 0;

	snprintf(buf, size, "%s", text);
	for (word = strtok_r(buf, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save))
		words[n++] = word;
	return n;
}

static struct trust *
make_trust(const char *peers, const char *cas)
{
	struct trust *t = trust_new();
	const char *words[16];
	struct errmsg e;
	char buf[256];
	size_t i, n;

	n = split(peers, buf, sizeof(buf), words);
	for (i = 0; i < n; i++)
		if (trust_add_peers(t, certs_path(words[i], ".pem"), &e) != 0)
			ck_abort_msg("%s", e.text);
	n = split(cas, buf, sizeof(buf), words);
	for (i = 0; i < n; i++)
		if (trust_add_cas(t, certs_path(words[i], ".pem"), &e) == -1)
			ck_abort_msg("%s", e.text);
	return t;
}

/* A set of the named CRLs; flags: 'w'hole path, 's'oft, 'd'er. */
static struct crl_set *
make_set(const struct trust *t, const char *names, const char *flags, struct errmsg *e)
{
	const char *words[8], *files[8];
	char buf[256], paths[8][256];
	struct crl_source from = { .service = "test", .files = files,
		.whole_path = strchr(flags, 'w') != NULL,
		.soft = strchr(flags, 's') != NULL };

	from.nfiles = split(names, buf, sizeof(buf), words);
	for (size_t i = 0; i < from.nfiles; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s", certs_path(words[i],
		    strchr(flags, 'd') != NULL ? ".der" : ".crl"));
		files[i] = paths[i];
	}
	return crl_set_new(&from, t, e);
}

struct row {
	const char *chain, *peers, *cas, *crls, *flags;
	int days;
	enum trust_verdict verdict;
	const char *says;
};

static const struct row rows[] = {
	/* The peer's certificate. */
	{ "leaf", "", "root", "root_none", "", 0, TRUST_OK, NULL },
	{ "leaf", "", "root", "root_none", "d", 0, TRUST_OK, NULL },
	{ "leaf", "", "root", "root_leaf", "", 0, TRUST_REVOKED,
	    "\"CN=leaf.example.com\" is revoked by \"C=SE, O=Test, CN=Root\"" },
	{ "leaf", "", "root", "root_leaf", "d", 0, TRUST_REVOKED, "root_leaf.der" },
	{ "leaf", "", "root", "root_held", "", 0, TRUST_REVOKED, "root_held.crl: line 1" },
	{ "leaf", "", "root", "root_v1", "", 0, TRUST_REVOKED, NULL },
	{ "leaf", "", "root", "root_harmless", "", 0, TRUST_REVOKED, NULL },
	{ "leaf", "", "root", "root_many", "", 0, TRUST_REVOKED, NULL },
	{ "no_ids", "", "root", "root_many", "", 0, TRUST_REVOKED, NULL },
	{ "server_only", "", "root", "root_many", "", 0, TRUST_REVOKED, NULL },
	{ "leaf_short", "", "root", "root_many", "", 0, TRUST_OK, NULL },
	{ "leaf", "", "root", "root_removed", "", 0, TRUST_OK, NULL },
	{ "no_ids", "", "root", "root_removed", "", 0, TRUST_REVOKED, NULL },
	/* Other faults come first, and a path that does not hold is none. */
	{ "leaf", "", "root", "root_leaf", "", 99, TRUST_EXPIRED, NULL },
	{ "leaf", "", "root_b", "b_none", "", 0, TRUST_UNKNOWN_CA, NULL },
	{ "evil_leaf", "", "root", "root_none", "", 0, TRUST_UNKNOWN_CA, NULL },

	/* Newer ones replace older ones, whatever their order. */
	{ "leaf", "", "root", "root_leaf root_freed", "", 0, TRUST_OK, NULL },
	{ "leaf", "", "root", "root_freed root_leaf", "", 0, TRUST_OK, NULL },
	{ "leaf", "", "root", "root_none root_leaf", "", 0, TRUST_REVOKED, NULL },
	{ "leaf", "", "root", "root_leaf root_none", "", 0, TRUST_REVOKED, NULL },
	{ "leaf", "", "root", "root_v1 root_v1_none", "", 0, TRUST_OK, NULL },
	{ "leaf", "", "root", "root_v1_none root_v1", "", 0, TRUST_OK, NULL },
	{ "sub_leaf sub_by_b", "", "root_b", "sub_old sub_none", "", 0, TRUST_OK, NULL },
	{ "sub_leaf sub_by_b", "", "root_b", "sub_leaf_ sub_freed", "", 0, TRUST_OK, NULL },
	{ "sub_leaf sub_by_b", "", "root_b", "sub_freed sub_leaf_", "", 0, TRUST_OK, NULL },

	/* Out of date, or not yet: closed, unless soft; but who is on it is on it. */
	{ "leaf", "", "root", "root_old", "", 0, TRUST_CRL_EXPIRED,
	    "was to be renewed by" },
	{ "leaf", "", "root", "root_old", "s", 0, TRUST_OK, NULL },
	{ "leaf", "", "root", "root_old_leaf", "", 0, TRUST_REVOKED, NULL },
	{ "leaf", "", "root", "root_old_leaf", "s", 0, TRUST_REVOKED, NULL },
	{ "leaf", "", "root", "root_none", "", 6, TRUST_CRL_EXPIRED, NULL },
	{ "leaf", "", "root", "root_none", "", 4, TRUST_OK, NULL },
	{ "leaf", "", "root", "root_future", "", 0, TRUST_CRL_EXPIRED, "is valid from" },
	{ "leaf", "", "root", "root_future", "", 2, TRUST_OK, NULL },

	/* Missing: closed, unless soft. */
	{ "leaf", "", "root", "", "", 0, TRUST_CRL_MISSING,
	    "no CRL of \"C=SE, O=Test, CN=Root\", which issued \"CN=leaf.example.com\"" },
	{ "leaf", "", "root", "", "s", 0, TRUST_OK, NULL },
	{ "leaf", "", "root root_b", "b_none", "", 0, TRUST_CRL_MISSING, NULL },
	{ "leaf", "", "root root_b", "b_none", "s", 0, TRUST_OK, NULL },
	/* The same name, another key: it says nothing about the first one's certificates. */
	{ "leaf", "", "root twin", "twin_leaf", "", 0, TRUST_CRL_MISSING, "another key's" },
	{ "leaf", "", "root twin", "twin_leaf root_none", "", 0, TRUST_OK, NULL },
	{ "leaf", "", "twin root", "twin_leaf root_leaf", "", 0, TRUST_REVOKED, NULL },
	/* Of which certificates it speaks. */
	{ "leaf", "", "root", "root_users", "", 0, TRUST_REVOKED, NULL },
	{ "leaf", "", "root", "root_cas", "", 0, TRUST_CRL_MISSING, NULL },
	{ "leaf", "", "root", "root_cas root_none", "", 0, TRUST_OK, NULL },
	{ "leaf", "", "root", "root_users root_freed", "", 0, TRUST_REVOKED, NULL },

	/* A part is about certificates that name its point, and others need another list. */
	{ "point_a", "", "root", "root_point", "", 0, TRUST_REVOKED, NULL },
	{ "point_a", "", "root", "root_point_none", "", 0, TRUST_OK, NULL },
	{ "point_a", "", "root", "root_point_none root_point", "", 0, TRUST_REVOKED, NULL },
	{ "point_a", "", "root", "root_point root_freed", "", 0, TRUST_REVOKED, NULL },
	{ "point_a", "", "root", "root_none", "", 0, TRUST_OK, NULL },
	{ "point_ba", "", "root", "root_point", "", 0, TRUST_OK, NULL },
	{ "point_b", "", "root", "root_point", "", 0, TRUST_CRL_MISSING, "about other" },
	{ "point_b", "", "root", "root_point root_none", "", 0, TRUST_OK, NULL },
	{ "leaf", "", "root", "root_point", "", 0, TRUST_CRL_MISSING, NULL },
	{ "leaf", "", "root", "root_point root_none", "", 0, TRUST_OK, NULL },
	{ "point_reasons", "", "root", "root_point", "", 0, TRUST_CRL_MISSING, NULL },
	{ "point_odd", "", "root", "root_point", "", 0, TRUST_CRL_MISSING, NULL },

	/* CAs between. */
	{ "sub_leaf sub_by_b", "", "root_b", "sub_none", "", 0, TRUST_OK, NULL },
	{ "sub_leaf sub_by_b", "", "root_b", "sub_leaf_", "", 0, TRUST_REVOKED, NULL },
	{ "sub_leaf sub_by_b", "", "root_b", "b_sub", "", 0, TRUST_CRL_MISSING, NULL },
	{ "sub_leaf sub_by_b", "", "root_b", "b_sub sub_none", "", 0, TRUST_OK, NULL },
	{ "sub_leaf sub_by_b", "", "root_b", "b_sub sub_none", "w", 0, TRUST_REVOKED,
	    "\"O=Test, CN=Sub\" is revoked" },
	{ "sub_leaf sub_by_b", "", "root_b", "b_none sub_none", "w", 0, TRUST_OK, NULL },
	{ "sub_leaf sub_by_b", "", "root_b", "b_none sub_leaf_", "w", 0, TRUST_REVOKED,
	    "\"CN=sub-leaf\" is revoked" },
	{ "sub_leaf sub_by_b", "", "root_b", "sub_none", "w", 0, TRUST_CRL_MISSING,
	    "which issued \"O=Test, CN=Sub\"" },
	{ "sub_leaf sub_by_b", "", "root_b", "b_cas sub_none", "w", 0, TRUST_REVOKED, NULL },
	{ "sub_leaf sub_by_b", "", "root_b", "b_users sub_none", "w", 0, TRUST_CRL_MISSING,
	    NULL },
	{ "sub_leaf sub_by_b", "", "root_b", "b_sub", "ws", 0, TRUST_REVOKED, NULL },
	/* What is wrong with a CRL of a CA that only the peer brings shows with the peer. */
	{ "sub_leaf sub_by_b", "", "root_b", "sub_broken", "", 0, TRUST_CRL_MISSING,
	    "another key's" },
	{ "sub_leaf sub_by_b", "", "root_b", "sub_evil", "", 0, TRUST_CRL_MISSING, NULL },
	{ "sub_leaf sub_by_b", "", "root_b", "sub_evil sub_none", "", 0, TRUST_OK, NULL },
	{ "sub_leaf sub_by_b", "", "root_b", "sub_old", "", 0, TRUST_CRL_EXPIRED, NULL },
	{ "sub_leaf sub", "", "root", "sub_none", "", 0, TRUST_CRL_MISSING,
	    "its keyUsage lacks cRLSign" },
	/* Another path on which nothing is revoked will do. */
	{ "sub_leaf sub_by_b sub", "", "root_b root", "b_sub sub_none root_none", "w", 0,
	    TRUST_REVOKED, NULL },

	/* Trusted exactly. */
	{ "self_leaf", "", "self_leaf root", "root_none", "", 0, TRUST_OK, NULL },
	{ "leaf", "", "leaf root", "root_leaf", "", 0, TRUST_REVOKED, NULL },
	{ "leaf", "", "leaf root", "root_old", "", 0, TRUST_OK, NULL },
	{ "leaf", "leaf", "root", "root_leaf", "", 0, TRUST_REVOKED, NULL },
	{ "leaf", "leaf", "root", "root_none", "", 0, TRUST_OK, NULL },
};

START_TEST(judges)
{
	const struct row *r = &rows[_i];
	struct trust *t = make_trust(r->peers, r->cas);
	const char *words[8];
	struct der chain[8];
	struct errmsg why;
	struct crl_set *set;
	enum trust_verdict v;
	char buf[256];
	size_t n;

	if ((set = make_set(t, r->crls, r->flags, &why)) == NULL)
		ck_abort_msg("[%s]: %s", r->crls, why.text);
	n = split(r->chain, buf, sizeof(buf), words);
	for (size_t i = 0; i < n; i++)
		chain[i] = certs_load(words[i]);
	/* The second time knows whose signature is whose. */
	for (int i = 0; i < 2; i++) {
		why.text[0] = '\0';
		v = trust_judge_with(t, set, chain, n, true, NULL, 0,
		    time(NULL) + (time_t)r->days * DAY, &why);
		if (v != r->verdict)
			ck_abort_msg("[%s] cas [%s] crls [%s] %s: %s (%s) instead of %s",
			    r->chain, r->cas, r->crls, r->flags, trust_verdict_text(v),
			    why.text, trust_verdict_text(r->verdict));
		if (r->says != NULL && strstr(why.text, r->says) == NULL)
			ck_abort_msg("[%s]: \"%s\" does not say \"%s\"", r->crls, why.text,
			    r->says);
		ck_assert_int_eq(v == TRUST_OK, why.text[0] == '\0');
	}
	for (size_t i = 0; i < n; i++)
		free(chain[i].data);
	crl_set_unref(set);
	trust_free(t);
}
END_TEST

/* What cannot be used is refused when it is read, with the file and the reason. */
static const struct {
	const char *cas, *crls, *says;
} bad_rows[] = {
	{ "root", "root_by_evil", "root_by_evil.crl: line 1: the CRL is of no use: its "
	    "signature is not by the key of \"C=SE, O=Test, CN=Root\"" },
	{ "root", "root_broken", "its signature is not by the key" },
	{ "root", "root_leaf root_broken", "root_broken.crl" },
	{ "root", "root_sha1", "it is signed with ECDSA with SHA-1" },
	{ "root", "root_critical", "it has the critical extension 1.2.3.4, which is not" },
	{ "root", "root_delta", "it is a delta" },
	{ "root", "root_reasons", "onlySomeReasons" },
	{ "root", "root_indirect", "indirectCRL" },
	{ "root", "root_attributes", "onlyContainsAttributeCerts" },
	{ "root", "root_relative", "its distributionPoint is a relative name" },
	{ "root", "root_twice", "the same extension twice" },
	{ "root", "root_strange", "an entry has the critical extension 1.2.3.5" },
	{ "root", "root_other", "several CAs" },
	{ "root", "root_endless", "it has no nextUpdate" },
	{ "root", "root_backwards", "its nextUpdate cannot be read" },
	{ "root", "root_v3", "its version is not 2" },
	{ "root", "root_v1_ext", "unexpected behind its entries" },
	{ "root sub", "sub_none", "the keyUsage of \"O=Test, CN=Sub\" lacks cRLSign" },
	{ "root", "absent", "absent.crl: cannot be read: No such file" },
	{ "self_leaf", "root_none", "there is no CA in CAfile or CApath" },
};

START_TEST(refuses)
{
	struct trust *t = make_trust("", bad_rows[_i].cas);
	struct errmsg e = { "" };

	ck_assert_msg(make_set(t, bad_rows[_i].crls, "", &e) == NULL, "%s", bad_rows[_i].crls);
	ck_assert_msg(strstr(e.text, bad_rows[_i].says) != NULL, "%s", e.text);
	trust_free(t);
}
END_TEST

/* peer= alone: nobody there could have signed a CRL. */
START_TEST(pins_alone_have_no_crls)
{
	struct trust *t = make_trust("leaf", "");
	struct errmsg e;

	ck_assert_ptr_null(make_set(t, "root_leaf", "", &e));
	ck_assert_msg(strstr(e.text, "revoked by taking it out of its file") != NULL, "%s",
	    e.text);
	trust_free(t);
}
END_TEST

START_TEST(files_of_other_things)
{
	static const char *const texts[] = { "", "nothing\n",
		"-----BEGIN X509 CRL-----\nAAAA\n", "-----BEGIN X509 CRL-----\n!\n"
		"-----END X509 CRL-----\n", "-----BEGIN X509 CRL-----\nMAA=\n"
		"-----END X509 CRL-----\n", "0\x80" };
	static const char *const says[] = { "no CRL in this file", "no CRL in this file",
		"no \"END X509 CRL\"", "not base64", "line 1: the CRL is of no use",
		"it is not DER" };
	struct trust *t = make_trust("", "root");
	struct errmsg e = { "" };

	certs_write_text(certs_path("odd", ".crl"), texts[_i]);
	ck_assert_ptr_null(make_set(t, "odd", "", &e));
	ck_assert_msg(strstr(e.text, says[_i]) != NULL && strstr(e.text, "odd.crl") != NULL,
	    "%s", e.text);
	trust_free(t);
}
END_TEST

static void
append(FILE *to, const char *name, const char *suffix)
{
	FILE *f = fopen(certs_path(name, suffix), "r");
	int c;

	while ((c = fgetc(f)) != EOF)
		fputc(c, to);
	fclose(f);
}

START_TEST(several_in_a_file)
{
	struct trust *t = make_trust("", "root root_b");
	FILE *f = fopen(certs_path("several", ".crl"), "w");
	struct crl_set *set;
	struct errmsg e;

	append(f, "root", ".pem");
	append(f, "root_many", ".crl");
	append(f, "b_sub", ".crl");
	append(f, "root_none", ".crl");
	fclose(f);
	ck_assert_ptr_nonnull(set = make_set(t, "several", "", &e));
	/* The older one of the same CA is gone. */
	ck_assert_uint_eq(crl_set_lists(set), 2);
	ck_assert_uint_eq(crl_set_revoked(set), 8);
	crl_set_unref(set);
	trust_free(t);
}
END_TEST

static struct crl_set *
read_folder(const struct trust *t, const char *folder, struct errmsg *e)
{
	const struct crl_source from = { .service = "test", .folders = &folder, .nfolders = 1 };

	return crl_set_new(&from, t, e);
}

static void
link_into(const char *folder, const char *name, const char *suffix)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s%s", folder, name, suffix);
	ck_assert_int_eq(link(certs_path(name, suffix), path), 0);
}

/* A folder: CRLs in both forms, and whatever else is there. */
START_TEST(folders)
{
	struct trust *t = make_trust("", "root root_b");
	const char *folder = certs_path("folder", ".d");
	struct crl_set *set;
	struct errmsg e = { "" };
	char path[512];

	ck_assert_ptr_null(read_folder(t, certs_path("nowhere", ".d"), &e));
	ck_assert_msg(strstr(e.text, "the folder cannot be read") != NULL, "%s", e.text);
	ck_assert_int_eq(mkdir(folder, 0700), 0);
	ck_assert_ptr_nonnull(set = read_folder(t, folder, &e));
	ck_assert_uint_eq(crl_set_lists(set), 0);
	crl_set_unref(set);
	link_into(folder, "root_leaf", ".crl");
	link_into(folder, "b_sub", ".der");
	link_into(folder, "root", ".pem");
	snprintf(path, sizeof(path), "%s/sub", folder);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	if ((set = read_folder(t, folder, &e)) == NULL)
		ck_abort_msg("%s", e.text);
	ck_assert_uint_eq(crl_set_lists(set), 2);
	ck_assert_uint_eq(crl_set_revoked(set), 2);
	crl_set_unref(set);
	link_into(folder, "root_broken", ".crl");
	ck_assert_ptr_null(read_folder(t, folder, &e));
	ck_assert_msg(strstr(e.text, "root_broken.crl") != NULL, "%s", e.text);
	trust_free(t);
}
END_TEST

/* Threads that ask at the same time whose signature it is. */
struct asker {
	struct trust *trust;
	struct crl_set *set;
	enum trust_verdict want;
};

static void *
ask(void *arg)
{
	struct asker *a = arg;
	struct der chain[] = { certs_load("sub_leaf"), certs_load("sub_by_b") };
	enum trust_verdict v = a->want;
	struct errmsg e;

	for (int i = 0; i < 20 && v == a->want; i++)
		v = trust_judge_with(a->trust, a->set, chain, 2, true, NULL, 0, time(NULL), &e);
	free(chain[0].data);
	free(chain[1].data);
	return v == a->want ? arg : NULL;
}

START_TEST(threads)
{
	static const char *const crls[] = { "sub_leaf_", "sub_broken", "sub_none" };
	static const enum trust_verdict wants[] = { TRUST_REVOKED, TRUST_CRL_MISSING, TRUST_OK };
	struct asker a = { .trust = make_trust("", "root_b"), .want = wants[_i] };
	pthread_t ids[4];
	struct errmsg e;
	void *result;

	ck_assert_ptr_nonnull(a.set = make_set(a.trust, crls[_i], "", &e));
	for (size_t i = 0; i < COUNT(ids); i++)
		ck_assert_int_eq(pthread_create(&ids[i], NULL, ask, &a), 0);
	for (size_t i = 0; i < COUNT(ids); i++) {
		ck_assert_int_eq(pthread_join(ids[i], &result), 0);
		ck_assert_ptr_eq(result, &a);
	}
	crl_set_unref(a.set);
	trust_free(a.trust);
}
END_TEST

/* The same CRL is in memory once, whatever file it is from. */
START_TEST(shared)
{
	struct trust *t = make_trust("", "root"), *u = make_trust("", "root root_b");
	struct crl_set *a, *b, *c, *d;
	struct errmsg e;

	ck_assert_ptr_nonnull(a = make_set(t, "root_leaf", "", &e));
	ck_assert_ptr_nonnull(b = make_set(u, "root_leaf", "d", &e));
	ck_assert_ptr_nonnull(c = make_set(t, "root_none", "", &e));
	ck_assert_ptr_nonnull(d = make_set(t, "root_leaf", "w", &e));
	ck_assert_ptr_eq(a->items[0].crl, b->items[0].crl);
	ck_assert(crl_set_equal(a, b));
	ck_assert(!crl_set_equal(a, c));
	ck_assert(!crl_set_equal(a, d));
	ck_assert(!crl_set_equal(a, NULL));
	ck_assert(crl_set_equal(NULL, NULL));
	crl_set_unref(a);
	ck_assert_uint_eq(crl_set_revoked(b), 1);
	crl_set_unref(b);
	crl_set_unref(c);
	crl_set_unref(d);
	trust_free(t);
	trust_free(u);
}
END_TEST

START_TEST(soft_is_counted)
{
	struct trust *t = make_trust("", "root");
	struct der leaf = certs_load("leaf");
	struct crl_set *set;
	struct errmsg e;

	ck_assert_ptr_nonnull(set = make_set(t, "root_old", "s", &e));
	for (unsigned i = 1; i <= 3; i++) {
		ck_assert_int_eq(trust_judge_with(t, set, &leaf, 1, true, NULL, 0, time(NULL),
		    &e), TRUST_OK);
		ck_assert_uint_eq(crl_set_passed(set), i);
	}
	free(leaf.data);
	crl_set_unref(set);
	trust_free(t);
}
END_TEST

/* Numbers are compared as numbers, with their signs. */
START_TEST(serial_numbers)
{
	static const struct {
		const char *text;
		size_t n;
	} numbers[] = { { "\x00\xff", 2 }, { "\x05", 1 }, { "\xff", 1 }, { "\x7f\xff", 2 },
		{ "\x01\x02\x03", 3 } };
	struct writer w = writer_new(1024);
	size_t end = w.at, steps = 0;
	struct serials s;
	struct crl_text t = { .n = COUNT(numbers), .width = 3 };

	for (size_t i = 0; i < COUNT(numbers); i++)
		crl_write_entry(&w, NULL, numbers[i].text, numbers[i].n, 0);
	t.entries = (struct span){ w.buf + w.at, end - w.at };
	ck_assert_int_eq(serials_make(&s, &t), 0);
#define HAS(literal) serials_have( \
    &s, (struct span){ (const unsigned char *)(literal), sizeof(literal) - 1 }, &steps)
	ck_assert(HAS("\x00\xff"));
	ck_assert(HAS("\x00\x00\xff"));
	ck_assert(HAS("\x05"));
	ck_assert(HAS("\x00\x00\x00\x00\x05"));
	ck_assert(HAS("\xff"));
	ck_assert(HAS("\x7f\xff"));
	ck_assert(HAS("\x01\x02\x03"));
	ck_assert(!HAS("\x06"));
	ck_assert(!HAS("\x01\x02"));
	ck_assert(!HAS("\xff\x7f"));
	ck_assert(!HAS("\x00\x05\x05"));
	ck_assert(!HAS("\x01\x01\x02\x03"));
#undef HAS
	serials_free(&s);
	free(w.buf);
}
END_TEST

/* The i-th serial number of a large CRL: 16 bytes, in no order. */
static void
make_serial(size_t i, unsigned char *serial)
{
	uint64_t x = i * 0x9e3779b97f4a7c15u + 1;

	for (size_t k = 0; k < 16; k++) {
		x ^= x >> 29;
		x *= 0xbf58476d1ce4e5b9u;
		serial[k] = (unsigned char)(x >> 56);
	}
	serial[0] = (unsigned char)(0x40 | (serial[0] & 0x3f));
}

static struct der
make_large(size_t n)
{
	const struct crl_spec s = { "large", "root", NULL, 7, -1, 5, "", NULL };
	struct writer w = writer_new(n * 40 + 4096);
	size_t end = w.at, entries;
	unsigned char serial[16];
	struct der tbs;

	crl_write_extensions(&w, &s);
	entries = w.at;
	for (size_t i = 0; i < n; i++) {
		make_serial(i, serial);
		crl_write_entry(&w, NULL, serial, sizeof(serial), 0);
	}
	tbs = crl_write_tbs(&w, &s, entries, end);
	return crl_finish(&w, &s, &tbs);
}

static size_t
allocated(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Looking one up costs the same, or a few comparisons more, however long the list is. */
START_TEST(large)
{
	static const size_t sizes[] = { 10, 1000, 100000, 500000 };
	static const size_t most[] = { 4, 10, 17, 19 };
	const size_t n = sizes[_i];
	struct trust *t = make_trust("", "root");
	struct der crl = make_large(n);
	struct crl_set *set;
	struct errmsg e;
	unsigned char serial[16];
	size_t steps, before, used;
	double began;

	crl_put_files("large", &crl);
	free(crl.data);
	before = allocated();
	began = seconds();
	if ((set = make_set(t, "large", _i % 2 == 0 ? "d" : "", &e)) == NULL)
		ck_abort_msg("%s", e.text);
	began = seconds() - began;
	used = allocated() - before;
	printf("%zu entries: read in %.3f s, %zu bytes\n", n, began, used);
	ck_assert_uint_eq(crl_set_revoked(set), n);
	for (size_t i = 0; i < n; i += n / 10) {
		make_serial(i, serial);
		steps = 0;
		ck_assert(serials_have(&set->items[0].crl->serials, (struct span){ serial, 16 },
		    &steps));
		ck_assert_uint_le(steps, most[_i]);
		serial[15] ^= 1;
		steps = 0;
		ck_assert(!serials_have(&set->items[0].crl->serials, (struct span){ serial, 16 },
		    &steps));
		ck_assert_uint_le(steps, most[_i]);
	}
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	/* 16 bytes a certificate, and what is around them. */
	ck_assert_uint_le(used, 16 * n + 64 * 1024);
	crl_set_unref(set);
	ck_assert_uint_le(allocated(), before + 32 * 1024);
#else
	(void)used;
	crl_set_unref(set);
#endif
	trust_free(t);
}
END_TEST

/* A CRL with any byte changed is refused, or one that has not been signed. */
START_TEST(damaged)
{
	struct trust *t = make_trust("", "root");
	const struct crl_spec s = { "damaged", "root", NULL, 2, -1, 5, "leaf !no_ids", NULL };
	struct der crl = crl_make(&s);
	struct crl_set *set;
	struct errmsg e;

	for (size_t i = 0; i < crl.len; i++) {
		crl.data[i] ^= (unsigned char)(1u << (i % 8));
		certs_write(certs_path("damaged", ".crl"), crl.data, crl.len);
		/* Its issuer's name may be another's: then it belongs to nobody. */
		set = make_set(t, "damaged", "", &e);
		if (set != NULL)
			ck_assert(!atomic_load(&set->items[0].crl->proven));
		crl_set_unref(set);
		crl.data[i] ^= (unsigned char)(1u << (i % 8));
	}
	for (size_t i = 1; i < crl.len; i++) {
		certs_write(certs_path("damaged", ".crl"), crl.data, crl.len - i);
		ck_assert_ptr_null(make_set(t, "damaged", "", &e));
	}
	free(crl.data);
	trust_free(t);
}
END_TEST

static Suite *
crl_suite(void)
{
	Suite *s = suite_create("crl");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, judges, 0, (int)COUNT(rows));
	tcase_add_loop_test(tc, refuses, 0, (int)COUNT(bad_rows));
	tcase_add_test(tc, pins_alone_have_no_crls);
	tcase_add_loop_test(tc, files_of_other_things, 0, 6);
	tcase_add_test(tc, several_in_a_file);
	tcase_add_test(tc, folders);
	tcase_add_loop_test(tc, threads, 0, 3);
	tcase_add_test(tc, shared);
	tcase_add_test(tc, soft_is_counted);
	tcase_add_test(tc, serial_numbers);
	tcase_add_loop_test(tc, large, 0, 4);
	tcase_add_test(tc, damaged);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	struct errmsg e;
	SRunner *r;
	int failed;

	log_level(LOG_EMERG);
	if (tls_library_start(&e) == -1 || certs_make() == -1)
		return 1;
	for (size_t i = 0; i < COUNT(specs); i++)
		crl_make_file(&specs[i]);
	r = srunner_create(crl_suite());
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	certs_remove();
	tls_library_stop();
	return failed == 0 ? 0 : 1;
}
