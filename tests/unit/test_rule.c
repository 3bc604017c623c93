#include "policies.h"
#include "tls/rule.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *rule;   /* "!" in front: deny; hashes as in policies.h */
	const char *cert;
	const char *issuer; /* whose key has verified it, or NULL */
	bool match;
} match_rows[] = {
	{ "cn=leaf.example.com", "leaf", NULL, true },
	{ "cn=LEAF.example.com", "leaf", NULL, false },
	{ "cn=leaf.example", "leaf", NULL, false },
	{ "cn=*.example.com", "leaf", NULL, true },
	{ "cn=*.com", "leaf", NULL, false },
	{ "cn=**.com", "leaf", NULL, true },
	{ "cn=*", "leaf", NULL, false },
	{ "cn=**", "leaf", NULL, true },
	{ "cn=l*f.e*e.c*m", "leaf", NULL, true },
	{ "cn=\"Ann Smith\"", "r_ann", NULL, true },
	{ "cn=\"Ann \\\"A\\\" Smith\"", "r_ann", NULL, false },
	{ "cn=\"Ann *\"", "r_ann", NULL, true },
	/* Odd subjects. */
	{ "cn=**", "r_nobody", NULL, false },
	{ "cn=one", "r_two", NULL, false },
	{ "cn=two", "r_two", NULL, false },
	{ "!cn=one", "r_two", NULL, true },
	{ "!cn=two", "r_two", NULL, true },
	{ "cn=r_nul", "r_nul", NULL, false },
	{ "cn=**", "r_nul", NULL, false },
	{ "!cn=**", "r_nul", NULL, false },
	{ "cn=Grüße", "r_utf8", NULL, true },
	{ "cn=Gr*e", "r_utf8", NULL, true },
	/* Units: any of them. */
	{ "ou=ops", "r_ann", NULL, true },
	{ "ou=dev", "r_ann", NULL, true },
	{ "ou=ops ou=dev", "r_ann", NULL, true },
	{ "ou=ops ou=sales", "r_ann", NULL, false },
	{ "cn=\"Ann Smith\" ou=ops", "r_ann", NULL, true },
	{ "cn=\"Bob Smith\" ou=ops", "r_ann", NULL, false },
	/* Hosts. */
	{ "dns=localhost", "self_leaf", NULL, true },
	{ "dns=LOCALHOST", "self_leaf", NULL, true },
	{ "dns=a.local.test", "self_leaf", NULL, true },
	{ "dns=a.b.local.test", "self_leaf", NULL, false },
	{ "dns=local.test", "self_leaf", NULL, false },
	{ "dns=*.local.test", "self_leaf", NULL, true },
	{ "dns=*.test", "self_leaf", NULL, false },
	{ "dns=**.test", "self_leaf", NULL, true },
	{ "dns=a*.local.test", "self_leaf", NULL, false },
	{ "dns=self-leaf", "self_leaf", NULL, false },
	{ "dns=self-ca", "self_ca", NULL, true },
	{ "dns=self-*", "self_ca", NULL, true },
	{ "dns=self-*", "self_leaf", NULL, false },
	/* Addresses. */
	{ "ip=127.0.0.1", "self_leaf", NULL, true },
	{ "ip=127.0.0.0/8", "self_leaf", NULL, true },
	{ "ip=127.0.0.2", "self_leaf", NULL, false },
	{ "ip=126.0.0.0/7", "self_leaf", NULL, true },
	{ "ip=128.0.0.0/1", "self_leaf", NULL, false },
	{ "ip=0.0.0.0/0", "self_leaf", NULL, true },
	{ "ip=2001:db8::/32", "self_leaf", NULL, true },
	{ "ip=2001:db9::/32", "self_leaf", NULL, false },
	{ "ip=0.0.0.0/0", "r_mapped", NULL, false },
	{ "ip=::/0", "r_mapped", NULL, true },
	{ "ip=::/0", "leaf", NULL, false },
	/* Email. */
	{ "email=a@example.com", "self_leaf", NULL, true },
	{ "email=a@EXAMPLE.com", "self_leaf", NULL, true },
	{ "email=A@example.com", "self_leaf", NULL, false },
	{ "email=*@example.com", "self_leaf", NULL, true },
	{ "email=*@*.com", "self_leaf", NULL, true },
	{ "email=*@com", "self_leaf", NULL, false },
	{ "email=b*@example.com", "self_leaf", NULL, false },
	/* URIs. */
	{ "uri=spiffe://test/a", "self_leaf", NULL, true },
	{ "uri=spiffe://test/A", "self_leaf", NULL, false },
	{ "uri=spiffe://test/*", "self_leaf", NULL, true },
	{ "uri=spiffe://*/a", "self_leaf", NULL, true },
	{ "uri=spiffe://*", "self_leaf", NULL, false },
	{ "uri=spiffe://**", "self_leaf", NULL, true },
	{ "uri=spiffe://test/db/*", "r_deep", NULL, false },
	{ "uri=spiffe://test/db/**", "r_deep", NULL, true },
	{ "uri=spiffe://test/*/*/two", "r_deep", NULL, true },
	{ "uri=**", "r_uris", NULL, false },
	{ "uri=spiffe://test/a", "r_uris", NULL, false },
	{ "!uri=spiffe://test/a", "r_uris", NULL, true },
	{ "!uri=spiffe://test/b", "r_uris", NULL, true },
	{ "uri=spiffe://**", "r_query", NULL, false },
	{ "!uri=spiffe://**", "r_query", NULL, true },
	{ "uri=spiffe://**", "r_slash", NULL, false },
	{ "uri=spiffe://**", "r_upper", NULL, false },
	{ "uri=spiffe://**", "r_percent", NULL, false },
	{ "uri=**", "r_percent", NULL, false },
	{ "uri=https://a.test/x?y=*", "r_web", NULL, true },
	{ "uri=https://a.test/", "r_web", NULL, false },
	{ "uri=**", "leaf", NULL, false },
	/* Fingerprints, keys, numbers. */
	{ "cert-sha256={FP:leaf}", "leaf", NULL, true },
	{ "cert-sha256={FP:leaf}", "broken", NULL, false },
	{ "spki-sha256={SPKI:leaf}", "leaf", NULL, true },
	{ "spki-sha256={SPKI:sub}", "sub_by_b", NULL, true },
	{ "cert-sha256={FP:sub}", "sub_by_b", NULL, false },
	{ "spki-sha256={SPKI:root}", "leaf", "root", false },
	{ "spki-sha256={SPKI:leaf} dns=other.test", "leaf", NULL, false },
	{ "serial=0123", "r_serial", NULL, true },
	{ "serial=123", "r_serial", NULL, true },
	{ "serial=0x00:00:01:23", "r_serial", NULL, true },
	{ "serial=00:01:23", "r_serial", NULL, true },
	{ "serial=1230", "r_serial", NULL, false },
	{ "issuer-spki-sha256={SPKI:root}", "leaf", "root", true },
	{ "issuer-spki-sha256={SPKI:root}", "leaf", "root_b", false },
	{ "issuer-spki-sha256={SPKI:root}", "leaf", NULL, false },
	{ "issuer-spki-sha256={SPKI:leaf}", "leaf", "root", false },
};

static struct rule *
parse(const char *text)
{
	bool deny = *text == '!';
	char line[1024];
	struct errmsg e;
	struct rule *r;

	fill_hashes(text + deny, line);
	r = rule_parse(line, deny, &e);
	ck_assert_msg(r != NULL, "%s: %s", line, e.text);
	return r;
}

START_TEST(matches)
{
	struct der cert, issuer = { NULL, 0 };
	struct rule *r = parse(match_rows[_i].rule);

	cert = certs_load(match_rows[_i].cert);
	if (match_rows[_i].issuer != NULL)
		issuer = certs_load(match_rows[_i].issuer);
	ck_assert_msg(trust_rule_matches(r, &cert, issuer.data != NULL ? &issuer : NULL) ==
	    match_rows[_i].match, "%s: %s", match_rows[_i].rule, match_rows[_i].cert);
	free(cert.data);
	free(issuer.data);
	free(r);
}
END_TEST

static const struct {
	const char *rule, *says;
} bad_rows[] = {
	{ "", "no key" },
	{ "report", "no key" },
	{ "   ", "no key" },
	{ "cn", "no KEY=VALUE" },
	{ "cn=Ann Smith", "\"Smith\" is no KEY=VALUE" },
	{ "cn=", "empty" },
	{ "cn=\"", "not closed" },
	{ "cn=\"a\"b", "blank behind" },
	{ "cn=a\"b\"", "quote stands inside" },
	{ "cn=a, ou=b", "parted by blanks" },
	{ "dn=a", "no key \"dn\"" },
	{ "spki-sha265=aa", "did you mean spki-sha256?" },
	{ "CN=a", "did you mean cn?" },
	{ "cn=a cn=b", "can never match" },
	{ "cn=a***", "***" },
	{ "cn=\001", "control" },
	{ "dns=192.0.2.1", "give ip=" },
	{ "dns=a..b", "between two dots" },
	{ "dns=.b", "between two dots" },
	{ "dns=a?.b", "can never match" },
	{ "dns=[ab].c", "can never match" },
	{ "uri=nothing", "begins with a scheme" },
	{ "uri=SPIFFE://a/b", "in lower case" },
	{ "uri=spiffe:/a", "begins with" },
	{ "uri=spiffe://Test/a", "trust domain" },
	{ "uri=spiffe://a:80/b", "trust domain" },
	{ "uri=spiffe:///a", "trust domain" },
	{ "uri=spiffe://a/b/", "no / at its end" },
	{ "uri=spiffe://a//b", "no empty" },
	{ "uri=spiffe://a/../b", "no . and .." },
	{ "uri=spiffe://a/b?c", "query" },
	{ "uri=spiffe://a/b%20c", "can never match" },
	{ "uri=spiffe://a/b uri=spiffe://a/c", "only URI" },
	{ "uri=a:\303\244", "visible ASCII" },
	{ "email=a", "user@" },
	{ "email=a@b@c", "user@" },
	{ "ip=1.2.3", "1.2.3" },
	{ "ip=1.2.3.4/8", "1.2.3.4/8" },
	{ "serial=", "no serial" },
	{ "serial=12g", "no serial" },
	{ "serial=1:2", "no serial" },
	{ "cert-sha256=12", "64 hexadecimal" },
	{ "spki-sha256=sha256//abc", "64 hexadecimal" },
	{ "ou=1 ou=2 ou=3 ou=4 ou=5 ou=6 ou=7 ou=8 ou=9", "more than 8" },
};

START_TEST(mistakes)
{
	struct errmsg e = { "" };

	ck_assert_msg(rule_parse(bad_rows[_i].rule, false, &e) == NULL, "%s", bad_rows[_i].rule);
	ck_assert_msg(strstr(e.text, bad_rows[_i].says) != NULL, "%s: %s", bad_rows[_i].rule, e.text);
}
END_TEST

START_TEST(text_and_kind)
{
	struct errmsg e;
	struct rule *r = rule_parse("  report  cn=a \t", true, &e);
	char longest[600];

	ck_assert_str_eq(r->text, "report  cn=a");
	ck_assert(r->report && r->deny && r->n == 1 && !rule_is_pin(r) && !rule_asks_issuer(r));
	free(r);
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "cn=", 3);
	longest[511] = '\0';
	r = rule_parse(longest, false, &e);
	ck_assert_ptr_nonnull(r);
	ck_assert_uint_eq(strlen(r->terms[0].text), 508);
	free(r);
	longest[511] = 'a';
	longest[512] = '\0';
	ck_assert_ptr_null(rule_parse(longest, false, &e));
}
END_TEST

/* The bytes that a tool would not put there. */
static void
make_changed(void)
{
	struct der der = certs_load("r_nul");
	unsigned char *at = memmem(der.data, der.len, "r_nulQxx", 8);

	if (at == NULL)
		abort();
	at = memmem(at + 1, (size_t)(der.data + der.len - at - 1), "r_nulQxx", 8);
	at[5] = 0; /* of the subject */
	certs_write_pem("r_nul", "CERTIFICATE", der.data, der.len);
	free(der.data);
	der = certs_load("leaf");
	der.data[der.len - 1] ^= 1;
	certs_write_pem("broken", "CERTIFICATE", der.data, der.len);
	free(der.data);
}

int
main(void)
{
	Suite *s = suite_create("rule");
	TCase *t = tcase_create("rule");
	SRunner *r;
	int failed;

	if (certs_make() == -1)
		return 99;
	make_changed();
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, matches, 0, (int)COUNT(match_rows));
	tcase_add_loop_test(t, mistakes, 0, (int)COUNT(bad_rows));
	tcase_add_test(t, text_and_kind);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	certs_remove();
	return failed != 0;
}
