/* conf/ciphers, conf/sslopt: OpenSSL's words for suites, groups and options. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/ciphers.h"
#include "conf/sslopt.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* Suites in short. */
static const struct {
	const char *name, *iana;
} shorts[] = {
	{ "E256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" },
	{ "R256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" },
	{ "ECHA", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" },
	{ "RCHA", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" },
	{ "E128", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" },
	{ "R128", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" },
};

static const char *
text_of(const struct conf_strings *list, char *text, size_t size)
{
	*text = '\0';
	for (size_t i = 0; i < list->n; i++) {
		const char *name = list->items[i];

		for (int j = 0; j < COUNT(shorts); j++)
			if (strcmp(name, shorts[j].iana) == 0)
				name = shorts[j].name;
		snprintf(text + strlen(text), size - strlen(text), "%s%s", i > 0 ? " " : "", name);
	}
	return text;
}

static void
free_list(struct conf_strings *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
}

struct row {
	const char *text;
	const char *list; /* NULL: refused */
	const char *says; /* the warning, or NULL: none; or part of the error */
	const char *not_said;
};

/* Runs a translator twice: the second result replaces the first. */
static void
check_row(int (*translate)(const char *, struct conf_strings *, struct errmsg *),
    const struct row *r)
{
	struct conf_strings list = { 0 };
	struct errmsg why;
	char text[1024];
	int rc;

	for (int i = 0; i < 2; i++) {
		why.text[0] = '\0';
		rc = translate(r->text, &list, &why);
		if (r->list == NULL ? rc != -1 : rc != (r->says != NULL))
			ck_abort_msg("[%s]: %d, \"%s\"", r->text, rc, why.text);
		ck_assert_msg(strcmp(text_of(&list, text, sizeof(text)),
		    r->list == NULL ? "" : r->list) == 0, "[%s]: %s", r->text, text);
		if (r->says != NULL && strstr(why.text, r->says) == NULL)
			ck_abort_msg("[%s]: \"%s\" lacks \"%s\"", r->text, why.text, r->says);
		if (r->not_said != NULL && strstr(why.text, r->not_said) != NULL)
			ck_abort_msg("[%s]: \"%s\" has \"%s\"", r->text, why.text, r->not_said);
	}
	free_list(&list);
}

/* The orders are those of "openssl ciphers". */
static const struct row tls12[] = {
	{ "HIGH", "E256 R256 ECHA RCHA E128 R128", NULL, NULL },
	{ "ALL", "E256 R256 ECHA RCHA E128 R128", NULL, NULL },
	{ "DEFAULT", "E256 R256 ECHA RCHA E128 R128", NULL, NULL },
	{ "PROFILE=SYSTEM", "E256 R256 ECHA RCHA E128 R128", NULL, NULL },
	{ "FIPS", "E256 R256 E128 R128", NULL, NULL },
	{ "HIGH:!aNULL", "E256 R256 ECHA RCHA E128 R128", NULL, NULL },
	{ "HIGH:!aNULL:!SSLv2:!DH:!kDHEPSK", "E256 R256 ECHA RCHA E128 R128", NULL, NULL },
	{ "HIGH:MEDIUM:!aNULL:!MD5:!RC4:!3DES:@STRENGTH", "E256 R256 ECHA RCHA E128 R128", NULL,
	    NULL },
	{ "HIGH:!ADH:!AECDH:!LOW:!EXP:!MD5:!3DES:!SRP:!PSK:@STRENGTH",
	    "E256 R256 ECHA RCHA E128 R128", NULL, NULL },
	{ "ECDHE+AESGCM", "E256 R256 E128 R128", NULL, NULL },
	{ "AES128+ECDHE:ECDHE", "E128 R128 E256 R256 ECHA RCHA", NULL, NULL },
	{ "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384", "R128 E256", NULL, NULL },
	{ "ALL:!AES256", "ECHA RCHA E128 R128", NULL, NULL },
	{ "ALL:-AES256:AES256", "ECHA RCHA E128 R128 E256 R256", NULL, NULL },
	{ "ALL:!AES256:AES256", "ECHA RCHA E128 R128", NULL, NULL },
	{ "ALL:+AES256", "ECHA RCHA E128 R128 E256 R256", NULL, NULL },
	{ "AES128:AES256", "E128 R128 E256 R256", NULL, NULL },
	{ "AES128:AES256:@STRENGTH", "E256 R256 E128 R128", NULL, NULL },
	{ "CHACHA20:ALL", "ECHA RCHA E256 R256 E128 R128", NULL, NULL },
	{ "aRSA+AESGCM", "R256 R128", NULL, NULL },
	{ "ECDSA", "E256 ECHA E128", NULL, NULL },
	{ "aECDSA:-ALL:aRSA", "R256 RCHA R128", NULL, NULL },
	{ "TLSv1.2", "E256 R256 ECHA RCHA E128 R128", NULL, NULL },
	{ "TLSv1.2:!aECDSA:+CHACHA20", "R256 R128 RCHA", NULL, NULL },
	{ "ALL:-aRSA:-CHACHA20:ALL", "E256 E128 ECHA R256 RCHA R128", NULL, NULL },
	{ "ALL,!AES128 !CHACHA20;", "E256 R256", NULL, NULL },
	{ "DEFAULT:!AES128:@SECLEVEL=2", "E256 R256 ECHA RCHA", NULL, NULL },
	{ "kEECDH+CHACHA20", "ECHA RCHA", NULL, NULL },
	{ "ECDHE-RSA-AES128-GCM-SHA256:!aRSA:ECDHE", "E256 ECHA E128", NULL, NULL },
	{ "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "R128", NULL, NULL },
	{ "AESGCM+ECDHE-RSA-AES128-GCM-SHA256:AES", "R128 E256 R256 E128", NULL, NULL },
	{ "ALL:-ECDHE-RSA-AES128-GCM-SHA256+3DES", "E256 R256 ECHA RCHA E128 R128", NULL, NULL },
	{ "LOW:EXP:HIGH", "E256 R256 ECHA RCHA E128 R128", NULL, NULL },
	{ "HIGH:!NOSUCH:-WORD:+EITHER", "E256 R256 ECHA RCHA E128 R128", NULL, NULL },
	/* Asked for, then taken back. */
	{ "AES128-SHA:HIGH:!SHA1", "E256 R256 ECHA RCHA E128 R128", NULL, NULL },
	{ "kRSA:HIGH:-kRSA", "E256 R256 ECHA RCHA E128 R128", NULL, NULL },

	/* What is not there is named. */
	{ "EECDH+AESGCM:EDH+AESGCM:AES256+EECDH:AES256+EDH", "E256 R256 E128 R128",
	    "there: EDH+AESGCM, AES256+EDH", NULL },
	{ "ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256:AES128-SHA", "R128",
	    "left out, since only ECDHE with AES-GCM or ChaCha20-Poly1305 is there: "
	    "DHE-RSA-AES128-GCM-SHA256, AES128-SHA", "; " },
	{ "HIGH:RC4-MD5:3DES", "E256 R256 ECHA RCHA E128 R128", "there: RC4-MD5, 3DES", NULL },
	{ "HIGH:kDH:DH:kRSA:aNULL:eNULL:PSK:SRP:CAMELLIA:ADH",
	    "E256 R256 ECHA RCHA E128 R128",
	    "there: kDH, DH, kRSA, aNULL, eNULL, PSK, SRP, CAMELLIA, ADH", NULL },
	{ "TLS_RSA_WITH_AES_128_CBC_SHA:PSK-AES128-CBC-SHA:SRP-RSA-AES-256-CBC-SHA:ECDHE",
	    "E256 R256 ECHA RCHA E128 R128",
	    "there: TLS_RSA_WITH_AES_128_CBC_SHA, PSK-AES128-CBC-SHA, SRP-RSA-AES-256-CBC-SHA",
	    "unknown" },
	{ "ECDHE+AESGCM:NOSUCH:ECDHE+NOSUCH", "E256 R256 E128 R128",
	    "passed over, since they are unknown: NOSUCH, ECDHE+NOSUCH", "left out" },
	{ "ECDHE:TLS_AES_128_GCM_SHA256", "E256 R256 ECHA RCHA E128 R128",
	    "belong to ciphersuites: TLS_AES_128_GCM_SHA256", "unknown" },
	{ "DEFAULT:@SECLEVEL=1", "E256 R256 ECHA RCHA E128 R128",
	    "set by securityLevel: @SECLEVEL=1", NULL },
	{ "kRSA+kECDHE:AESGCM:X", "E256 R256 E128 R128", "unknown: X", "left out" },

	/* Nothing is left. */
	{ "AES128-SHA:AES256-SHA256", NULL, "nothing of \"AES128-SHA:AES256-SHA256\" can be had: "
	    "only ECDHE with AES-GCM", NULL },
	{ "ECDHE-RSA-AES128-SHA", NULL, "no CBC", NULL },
	{ "PSK", "PSK", NULL, NULL },
	{ "PSK+AES", NULL, "no PSK", NULL },
	{ "aNULL", NULL, "can be had", NULL },
	{ "eNULL", NULL, "can be had", NULL },
	{ "HGIH", NULL, "nothing of \"HGIH\" can be had", NULL },
	{ "HIGH:!ALL", NULL, "can be had", NULL },
	{ "HIGH:!ECDHE", NULL, "can be had", NULL },
	{ "!aNULL", NULL, "can be had", NULL },
	{ "SSLv3", NULL, "nothing older", NULL },
	{ "", NULL, "can be had", NULL },
	{ "::", NULL, "can be had", NULL },

	/* No sense. */
	{ "HIGH:!", NULL, "no word stands behind \"!\"", NULL },
	{ "HIGH:@NOSUCH", NULL, "\"@NOSUCH\" is no command", NULL },
	{ "HIGH:@SECLEVEL=9", NULL, "\"@SECLEVEL=9\" is no command", NULL },
};

START_TEST(suites_12)
{
	check_row(ciphers_tls12, &tls12[_i]);
}
END_TEST

/* More than can be named is cut, not overrun. */
START_TEST(long_string)
{
	struct conf_strings list = { 0 };
	struct errmsg why;
	char text[64 * 1024] = "HIGH";
	size_t n = strlen(text);

	while (n + 40 < sizeof(text))
		n += (size_t)snprintf(text + n, sizeof(text) - n, ":NOSUCH%zu:AES128-SHA", n);
	ck_assert_int_eq(ciphers_tls12(text, &list, &why), 1);
	ck_assert_uint_eq(list.n, 6);
	ck_assert_ptr_nonnull(strstr(why.text, "…"));
	memset(text, 'A', sizeof(text) - 1);
	ck_assert_int_eq(ciphers_tls12(text, &list, &why), -1);
	ck_assert_uint_eq(list.n, 6); /* untouched */
	ck_assert_int_eq(ciphers_groups(text, &list, &why), -1);
	ck_assert_uint_eq(list.n, 6);
	free_list(&list);
}
END_TEST

static const struct row tls13[] = {
	{ "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", NULL, NULL },
	{ "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256",
	    "TLS_CHACHA20_POLY1305_SHA256 TLS_AES_256_GCM_SHA384", NULL, NULL },
	{ "TLS_AES_128_GCM_SHA256:TLS_AES_128_CCM_SHA256", "TLS_AES_128_GCM_SHA256",
	    "not there: TLS_AES_128_CCM_SHA256", "unknown" },
	{ "TLS_NOSUCH:TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", "unknown: TLS_NOSUCH",
	    "not there" },
	{ "TLS_NOSUCH", NULL, "give some of TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, "
	    "TLS_CHACHA20_POLY1305_SHA256", NULL },
	{ "", NULL, "nothing of \"\" can be had", NULL },
};

START_TEST(suites_13)
{
	check_row(ciphers_tls13, &tls13[_i]);
}
END_TEST

static const struct row groups[] = {
	{ "X25519", "X25519", NULL, NULL },
	{ "secp384r1", "P-384", NULL, NULL },
	{ "P-384:SECP384R1:p-521", "P-384 P-521", NULL, NULL },
	{ "prime256v1", "P-256", NULL, NULL },
	{ "X25519MLKEM768:x25519:P-256:P-521:P-384", "X25519MLKEM768 X25519 P-256 P-521 P-384",
	    NULL, NULL },
	{ "*X25519MLKEM768 / *X25519:?P-256", "X25519MLKEM768 X25519 P-256", NULL, NULL },
	/* stunnel's own. */
	{ "X25519MLKEM768:X25519:P-256:X448:P-521:P-384",
	    "X25519MLKEM768 X25519 P-256 P-521 P-384", "not there: X448", "unknown" },
	{ "X25519:nosuch:ffdhe2048", "X25519", "not there: ffdhe2048; passed over, since unknown: "
	    "nosuch", NULL },
	{ "X448", NULL, "give some of X25519MLKEM768, X25519, P-256, P-384, P-521", NULL },
	{ "", NULL, "nothing of \"\"", NULL },
};

START_TEST(curves)
{
	check_row(ciphers_groups, &groups[_i]);
}
END_TEST

/* Options. */

static const struct {
	const char *text; /* set one after the other, with blanks between */
	int rc;           /* of the last */
	const char *says;
	int min, max;     /* -1: no version is left */
	bool server_preference;
} options[] = {
	{ "NO_SSLv2", 0, NULL, VERSION_TLS12, VERSION_TLS13, false },
	{ "NO_SSLv3", 0, NULL, VERSION_TLS12, VERSION_TLS13, false },
	{ "no_tlsv1", 0, NULL, VERSION_TLS12, VERSION_TLS13, false },
	{ "NO_TLSv1_1", 0, NULL, VERSION_TLS12, VERSION_TLS13, false },
	{ "NO_TLSv1_2", 0, NULL, VERSION_TLS13, VERSION_TLS13, false },
	{ "NO_TLSv1_3", 0, NULL, VERSION_TLS12, VERSION_TLS12, false },
	{ "NO_TLSv1_2 NO_TLSv1_3", 0, NULL, -1, -1, false },
	{ "NO_TLSv1_2 NO_TLSv1_3 -NO_TLSv1_3", 0, NULL, VERSION_TLS13, VERSION_TLS13, false },
	{ "NO_TLSv1_2 -NO_TLSv1_2", 0, NULL, VERSION_TLS12, VERSION_TLS13, false },
	{ "CIPHER_SERVER_PREFERENCE", 0, NULL, VERSION_TLS12, VERSION_TLS13, true },
	{ "CIPHER_SERVER_PREFERENCE -CIPHER_SERVER_PREFERENCE", 0, NULL, VERSION_TLS12,
	    VERSION_TLS13, false },
	{ "NO_TICKET", 0, NULL, VERSION_TLS12, VERSION_TLS13, false },
	{ "SINGLE_DH_USE", 0, NULL, VERSION_TLS12, VERSION_TLS13, false },
	{ "SINGLE_ECDH_USE", 0, NULL, VERSION_TLS12, VERSION_TLS13, false },
	{ "NO_COMPRESSION", 0, NULL, VERSION_TLS12, VERSION_TLS13, false },
	{ "ALL", 0, NULL, VERSION_TLS12, VERSION_TLS13, false },
	{ "DONT_INSERT_EMPTY_FRAGMENTS", 0, NULL, VERSION_TLS12, VERSION_TLS13, false },
	{ "NO_RENEGOTIATION", 0, NULL, VERSION_TLS12, VERSION_TLS13, false },
	{ "-NO_SSLv3", 1, "-NO_SSLv3 has no effect: SSL and TLS 1.0 and 1.1 are never spoken",
	    VERSION_TLS12, VERSION_TLS13, false },
	{ "ENABLE_KTLS", 1, "TLS in the kernel", VERSION_TLS12, VERSION_TLS13, false },
	{ "NO_NOSUCH", -1, "\"NO_NOSUCH\" is none of OpenSSL's options", VERSION_TLS12,
	    VERSION_TLS13, false },
	{ "NO_TLSv1_4", -1, "did you mean NO_TLSv1", VERSION_TLS12, VERSION_TLS13, false },
	{ "-", -1, "\"\" is none", VERSION_TLS12, VERSION_TLS13, false },
	{ "", -1, "\"\" is none", VERSION_TLS12, VERSION_TLS13, false },
	{ "--NO_SSLv3", -1, "is none", VERSION_TLS12, VERSION_TLS13, false },
};

START_TEST(options_set)
{
	struct conf_service s = { .version_min = VERSION_TLS12, .version_max = VERSION_TLS13 };
	enum conf_version min, max;
	struct errmsg why = { "" };
	char text[128], *word, *rest;
	int rc;

	snprintf(text, sizeof(text), "%s", options[_i].text);
	rc = *text == '\0' ? sslopt_set(&s, "", &why) : 0;
	for (word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
		rc = sslopt_set(&s, word, &why);
	ck_assert_msg(rc == options[_i].rc, "%d: %s", rc, why.text);
	if (options[_i].says != NULL)
		ck_assert_msg(strstr(why.text, options[_i].says) != NULL, "%s", why.text);
	else
		ck_assert_str_eq(why.text, "");
	ck_assert_int_eq(s.server_preference, options[_i].server_preference);
	if (options[_i].min == -1) {
		ck_assert_int_eq(sslopt_versions(&s, &min, &max), -1);
		return;
	}
	ck_assert_int_eq(sslopt_versions(&s, &min, &max), 0);
	ck_assert_int_eq((int)min, options[_i].min);
	ck_assert_int_eq((int)max, options[_i].max);
}
END_TEST

/* Clearing an option does not lift what sslVersion says. */
START_TEST(options_and_versions)
{
	struct conf_service s = { .version_min = VERSION_TLS12, .version_max = VERSION_TLS12 };
	enum conf_version min, max;
	struct errmsg why;

	ck_assert_int_eq(sslopt_set(&s, "-NO_TLSv1_3", &why), 0);
	ck_assert_int_eq(sslopt_versions(&s, &min, &max), 0);
	ck_assert_int_eq(max, VERSION_TLS12);
	ck_assert_int_eq(sslopt_set(&s, "NO_TLSv1_2", &why), 0);
	ck_assert_int_eq(sslopt_versions(&s, &min, &max), -1);
}
END_TEST

/* What has an effect is told; what was cleared has none. */
START_TEST(options_told)
{
	static const char *const set[] = { "NO_SSLv3", "CIPHER_SERVER_PREFERENCE", "NO_TLSv1_2",
		"NO_TLSv1_3", "-NO_TLSv1_2" };
	struct conf_service s = { .version_min = VERSION_TLS12 };
	struct errmsg why;

	ck_assert_ptr_null(sslopt_text(&s, 0));
	for (int i = 0; i < COUNT(set); i++)
		ck_assert_int_eq(sslopt_set(&s, set[i], &why), 0);
	ck_assert_str_eq(sslopt_text(&s, 0), "NO_TLSv1_3");
	ck_assert_str_eq(sslopt_text(&s, 1), "CIPHER_SERVER_PREFERENCE");
	ck_assert_ptr_null(sslopt_text(&s, 2));
}
END_TEST

/* Every name that is listed is taken, set and cleared. */
START_TEST(options_listed)
{
	struct conf_service s = { .version_min = VERSION_TLS12 };
	struct errmsg why;
	char *list, *line, *rest, text[96];
	size_t size;
	FILE *f = open_memstream(&list, &size);
	int n = 0;

	sslopt_list(f);
	fclose(f);
	for (line = strtok_r(list, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), n++) {
		ck_assert_int_eq(strncmp(line, "options = ", 10), 0);
		ck_assert_int_ne(sslopt_set(&s, line + 10, &why), -1);
		snprintf(text, sizeof(text), "-%s", line + 10);
		ck_assert_int_ne(sslopt_set(&s, text, &why), -1);
	}
	ck_assert_int_eq(n, 59);
	free(list);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("ciphers");
	TCase *tc = tcase_create("ciphers");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, suites_12, 0, COUNT(tls12));
	tcase_add_test(tc, long_string);
	tcase_add_loop_test(tc, suites_13, 0, COUNT(tls13));
	tcase_add_loop_test(tc, curves, 0, COUNT(groups));
	tcase_add_loop_test(tc, options_set, 0, COUNT(options));
	tcase_add_test(tc, options_and_versions);
	tcase_add_test(tc, options_told);
	tcase_add_test(tc, options_listed);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
