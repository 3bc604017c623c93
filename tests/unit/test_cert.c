#include <assert.h>
#include <check.h>
#include <sys/stat.h>

#include "certs.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The content of NAME in the folder; free it. */
static char *
content(const char *name)
{
	struct errmsg e;
	size_t len;
	char *text;

	if (cert_read_file(certs_path(name, ""), &text, &len, &e) == -1)
		ck_abort_msg("%s", e.text);
	return text;
}

/* Writes the file "made" of texts; those that end with .pem or .key stand for a file. */
static const char *
make(const char *const *parts, size_t n)
{
	FILE *f = fopen(certs_path("made", ""), "w");
	char *text;
	size_t i, len;

	ck_assert_ptr_nonnull(f);
	for (i = 0; i < n && parts[i] != NULL; i++) {
		len = strlen(parts[i]);
		if (len > 4 &&
		    (strcmp(parts[i] + len - 4, ".pem") == 0 ||
			strcmp(parts[i] + len - 4, ".key") == 0)) {
			text = content(parts[i]);
			fputs(text, f);
			free(text);
		} else {
			fputs(parts[i], f);
		}
	}
	fclose(f);
	return certs_path("made", "");
}

/*
 * Files.
 */

START_TEST(reading)
{
	struct errmsg e;
	size_t len;
	char *data;

	certs_write(certs_path("made", ""), "a\0b", 3);
	ck_assert_int_eq(cert_read_file(certs_path("made", ""), &data, &len, &e), 0);
	ck_assert_uint_eq(len, 3);
	ck_assert_mem_eq(data, "a\0b\0", 4);
	cert_free_secret(data, len);
	cert_free_secret(NULL, 0);
}
END_TEST

START_TEST(not_reading)
{
	static char big[1024 * 1024 + 1];
	struct errmsg e;
	size_t len;
	char *data;

	certs_write(certs_path("big", ""), big, sizeof(big));
	certs_write(certs_path("empty", ""), "", 0);
	ck_assert_int_eq(mkfifo(certs_path("fifo", ""), 0600), 0);
	const struct {
		const char *file, *says;
	} rows[] = {
		{ "nothing", "no such file" },
		{ "", "directory" },
		{ "fifo", "not a plain file" },
		{ "empty", "empty" },
		{ "big", "1 MiB" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		ck_assert_int_eq(
		    cert_read_file(certs_path(rows[i].file, ""), &data, &len, &e), -1);
		ck_assert_msg(strstr(e.text, rows[i].says) != NULL, "%s", e.text);
		ck_assert_ptr_nonnull(strstr(e.text, certs_path(rows[i].file, "")));
	}
	certs_write(certs_path("big", ""), big, sizeof(big) - 1);
	ck_assert_int_eq(cert_read_file(certs_path("big", ""), &data, &len, &e), 0);
	ck_assert_uint_eq(len, sizeof(big) - 1);
	free(data);
	if (geteuid() != 0) {
		chmod(certs_path("big", ""), 0);
		ck_assert_int_eq(
		    cert_read_file(certs_path("big", ""), &data, &len, &e), -1);
		ck_assert_ptr_nonnull(strstr(e.text, "permission denied"));
	}
	unlink(certs_path("fifo", ""));
}
END_TEST

/*
 * PEM.  What stands in a file, and how many certificates there are, or what is said.
 */

static const struct pem_row {
	const char *parts[5];
	int n;
	const char *says;
} pem_rows[] = {
	{ { "root.pem" }, 1, NULL },
	{ { "root.pem", "leaf.pem" }, 2, NULL },
	{ { "root.key", "root.pem" }, 1, NULL },
	{ { "root.pem", "root.key", "leaf.pem" }, 2, NULL },
	{ { "Some text.\n-----BEGIN nothing\n", "root.pem", "more\n", "leaf.pem" }, 2,
	    NULL },
	{ { "\xef\xbb\xbf", "root.pem" }, 1, NULL },
	{ { "params.key", "root.pem" }, 1, NULL },
	{ { "-----BEGIN JUNK-----\n!!!\n-----END JUNK-----\n", "root.pem" }, 1, NULL },
	{ { "root.pem", "more", "leaf.pem" }, 1, NULL },
	{ { "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "root.pem" },
	    -1, "has no \"END" },
	{ { "root.key" }, -1, "there is no certificate" },
	{ { "hello\n" }, -1, "there is no certificate" },
	{ { "-----BEGIN CERTIFICATE-----\nAAAA\n" }, -1,
	    "line 1: the block \"BEGIN CERTIFICATE\" has no" },
	{ { "x\ny\n-----BEGIN CERTIFICATE-----\nAAAA\n", "root.pem" }, -1, "line 3: " },
	{ { "-----BEGIN CERTIFICATE-----\nAAAA\n-----END JUNK-----\n" }, -1,
	    "has no \"END" },
	{ { "-----BEGIN CERTIFICATE-----\nAA!A\n-----END CERTIFICATE-----\n" }, -1,
	    "not base64" },
	{ { "-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n" }, -1,
	    "not base64" },
	{ { "-----BEGIN CERTIFICATE-----\nAAAAA\n-----END CERTIFICATE-----\n" }, -1,
	    "not base64" },
	{ { "-----BEGIN CERTIFICATE-----\nAA==AAAA\n-----END CERTIFICATE-----\n" }, -1,
	    "not base64" },
	{ { "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n" }, -1,
	    "not base64" },
	{ { "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" }, -1,
	    "line 1: the certificate is malformed: it is not DER" },
	{ { "root.pem",
	      "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n" },
	    -1, "malformed" },
	{ { "trusted.pem" }, -1, "openssl x509 -in OLD -out NEW" },
};

START_TEST(pem)
{
	const struct pem_row *r = &pem_rows[_i];
	const char *file = make(r->parts, COUNT(r->parts));
	struct der_list list;
	struct errmsg e;

	if (r->says == NULL) {
		ck_assert_msg(cert_load_chain(file, &list, &e) == 0, "%s", e.text);
		ck_assert_uint_eq(list.n, (size_t)r->n);
	} else {
		ck_assert_int_eq(cert_load_chain(file, &list, &e), -1);
		ck_assert_msg(strstr(e.text, r->says) != NULL, "%s", e.text);
		ck_assert_ptr_nonnull(strstr(e.text, file));
		ck_assert_uint_eq(list.n, 0);
	}
	der_list_free(&list);
	der_list_free(&list);
}
END_TEST

/* The first certificate of a text equals that of a file. */
static void
assert_same_cert(const char *text, const char *name)
{
	struct der want = certs_load(name);
	struct der_list list;
	struct errmsg e;

	certs_write_text(certs_path("made", ""), text);
	ck_assert_msg(
	    cert_load_chain(certs_path("made", ""), &list, &e) == 0, "%s", e.text);
	ck_assert_uint_eq(list.items[0].len, want.len);
	ck_assert_mem_eq(list.items[0].data, want.data, want.len);
	der_list_free(&list);
	free(want.data);
}

/* Line ends, missing and other ones; blanks; one long line; the old label. */
START_TEST(pem_shapes)
{
	char *text = content("root.pem"), *out = calloc(1, 4 * strlen(text) + 64);
	char *p, *q, *body, *end;

	ck_assert_ptr_nonnull(out);
	for (p = text, q = out; *p != '\0'; p++) {
		if (*p == '\n')
			*q++ = '\r';
		*q++ = *p;
	}
	*q = '\0';
	assert_same_cert(out, "root");

	for (p = text, q = out; *p != '\0'; p++) {
		if (p == text || p[-1] == '\n')
			*q++ = ' ';
		if (*p == '\n')
			*q++ = '\t';
		*q++ = *p;
	}
	*q = '\0';
	assert_same_cert(out, "root");

	strcpy(out, text);
	out[strlen(out) - 1] = '\0';
	assert_same_cert(out, "root");

	body = strchr(text, '\n') + 1;
	end = strstr(text, "\n-----END");
	q = out + sprintf(out, "-----BEGIN X509 CERTIFICATE-----\n");
	for (p = body; p < end; p++)
		if (*p != '\n')
			*q++ = *p;
	sprintf(q, "\n-----END X509 CERTIFICATE-----\n");
	assert_same_cert(out, "root");
	free(out);
	free(text);
}
END_TEST

START_TEST(der_instead_of_pem)
{
	struct der_list list;
	struct errmsg e;
	struct der key;
	int loose;

	ck_assert_int_eq(cert_load_chain(certs_path("root", ".der"), &list, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "openssl x509 -inform DER"));
	ck_assert_int_eq(
	    cert_load_key(certs_path("root_key", ".der"), &key, &loose, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "openssl pkey -inform DER"));
}
END_TEST

/*
 * Keys.
 */

static const struct pem_row key_rows[] = {
	{ { "root.key" }, 1, NULL },
	{ { "root.pem", "root.key" }, 1, NULL },
	{ { "root.key", "root.pem" }, 1, NULL },
	{ { "ec.key" }, 1, NULL },
	{ { "params.key" }, 1, NULL },
	{ { "rsa.key" }, 1, NULL },
	{ { "rsa1.key" }, 1, NULL },
	{ { "p384.key" }, 1, NULL },
	{ { "p521.key" }, 1, NULL },
	{ { "ed25519.key" }, 1, NULL },
	{ { "pss.key" }, 1, NULL },
	{ { "encrypted.key" }, -1, "openssl pkey -in /" },
	{ { "encrypted1.key" }, -1, "is encrypted" },
	{ { "root.pem", "encrypted.key" }, -1, "openssl pkey -in /" },
	{ { "root.pem" }, -1, "there is no private key" },
	{ { "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n" },
	    -1, "\"OPENSSH PRIVATE KEY\" cannot" },
	{ { "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" }, -1,
	    "line 1: the key is damaged" },
	{ { "-----BEGIN PRIVATE KEY-----\nA?AA\n-----END PRIVATE KEY-----\n" }, -1,
	    "not base64" },
	{ { "-----BEGIN PRIVATE KEY-----\nAAAA\n" }, -1, "was the file cut short?" },
	{ { "-----BEGIN EC PRIVATE KEY-----\nMAAA\n-----END EC PRIVATE KEY-----\n" }, -1,
	    "damaged" },
	{ { "ed448.key" }, -1, "of a kind that cannot be used" },
};

START_TEST(keys)
{
	const struct pem_row *r = &key_rows[_i];
	const char *file = make(r->parts, COUNT(r->parts));
	struct errmsg e;
	struct der key;
	int loose = -1;

	ck_assert_int_eq(chmod(file, _i % 2 == 0 ? 0600 : 0640), 0);
	if (r->says == NULL) {
		ck_assert_msg(cert_load_key(file, &key, &loose, &e) == 0, "%s", e.text);
		ck_assert_uint_gt(key.len, 40);
		ck_assert_uint_eq(key.data[0], 0x30);
		ck_assert_int_eq(loose, _i % 2);
		cert_free_secret(key.data, key.len);
	} else {
		ck_assert_int_eq(cert_load_key(file, &key, &loose, &e), -1);
		ck_assert_msg(strstr(e.text, r->says) != NULL, "%s", e.text);
		ck_assert_ptr_nonnull(strstr(e.text, file));
		ck_assert_ptr_null(key.data);
	}
}
END_TEST

START_TEST(loose_for_others)
{
	const char *file = certs_path("root", ".key");
	struct errmsg e;
	struct der key;
	int loose;

	chmod(file, 0604);
	ck_assert_int_eq(cert_load_key(file, &key, &loose, &e), 0);
	ck_assert_int_eq(loose, 1);
	cert_free_secret(key.data, key.len);
	chmod(file, 0611);
	ck_assert_int_eq(cert_load_key(file, &key, &loose, &e), 0);
	ck_assert_int_eq(loose, 0);
	cert_free_secret(key.data, key.len);
}
END_TEST

/*
 * What certificates say.
 */

static const struct {
	const char *cert, *subject, *issuer, *names;
} info_rows[] = {
	{ "root", "C=SE, O=Test, CN=Root", "C=SE, O=Test, CN=Root", "" },
	{ "sub_leaf", "CN=sub-leaf", "O=Test, CN=Sub", "" },
	{ "self_leaf", "O=Example\\, Inc., CN=self-leaf",
	    "O=Example\\, Inc., CN=self-leaf",
	    "DNS:localhost, DNS:*.local.test, IP:127.0.0.1, IP:2001:db8::1, "
	    "URI:spiffe://test/a, email:a@example.com" },
	{ "no_subject", "(no subject)", "(no subject)", "DNS:a.example.com" },
	{ "odd", "OU=two + CN=r\xc3\xa4ksm\xc3\xb6rg\xc3\xa5s, O=a\\, b", NULL, "" },
	{ "nul", "CN=good.example.com\\x00.xevil.org", NULL,
	    "DNS:good.example.com\\x00.xevil.org" },
	{ "hidden",
	    "CN=a\\x0A\\x1B\\xE0\\x80\\xAF\\x7Fb\\xFF\\xE2\\x80\\xAEc\\xC0\\x80\\xED\\xA0\\x80d\\\\\\\"",
	    NULL, NULL },
	{ "bmp", "O=x, CN=r\xc3\xa4v\xe2\x82\xac\\x0A\\x00\\x00", NULL, NULL },
	{ "nc_email_subject", "O=Test, emailAddress=a@evil.org", "O=Test, CN=Constrained",
	    "" },
};

/* Overwrites the common name "cn.example.com" of a certificate by other 14 bytes, of
 * another string type. */
static void
make_changed(const char *from, const char *to, unsigned char tag, const char *bytes)
{
	struct der der = certs_load(from);
	unsigned char *at, *next = der.data;

	while ((at = memmem(next, (size_t)(der.data + der.len - next), "cn.example.com",
		    14)) != NULL) {
		at[-2] = tag;
		memcpy(at, bytes, 14);
		next = at + 14;
	}
	certs_write_pem(to, "CERTIFICATE", der.data, der.len);
	free(der.data);
}

/* The same with all that could deceive a reader of logs. */
static void
make_hidden(void)
{
	static const char bytes[] = "a\n\x1b\xe0\x80\xaf\x7f"
				    "b\xff\xe2\x80\xae"
				    "c\xc0\x80\xed\xa0\x80"
				    "d\\\"";
	struct der der = certs_load("hidden_from");
	unsigned char *at;

	assert(sizeof(bytes) - 1 == 21);
	while ((at = memmem(der.data, der.len, "0123456789abcdefghijk", 21)) != NULL)
		memcpy(at, bytes, 21);
	certs_write_pem("hidden", "CERTIFICATE", der.data, der.len);
	free(der.data);
}

/* RSA keys with exponents that must not be: 65536, and 1 with zeros in front. */
static void
make_exponents(void)
{
	struct der der = certs_load("rsa");
	unsigned char *at = memmem(der.data, der.len, "\x02\x03\x01\x00\x01", 5);

	assert(at != NULL);
	at[4] = 0;
	certs_write_pem("even", "CERTIFICATE", der.data, der.len);
	memcpy(at, "\x02\x03\x00\x00\x01", 5);
	certs_write_pem("padded", "CERTIFICATE", der.data, der.len);
	free(der.data);
}

static void
make_changed_certs(void)
{
	struct der der = certs_load("nul");
	unsigned char *at;

	while ((at = memmem(der.data, der.len, "XQZ", 3)) != NULL)
		memcpy(at, "\0.x", 3);
	certs_write_pem("nul", "CERTIFICATE", der.data, der.len);
	free(der.data);
	make_changed("cn_only", "bmp", 0x1e, "\0r\0\xe4\0v\x20\xac\0\n\0\0\0");
	make_hidden();
	make_exponents();
}

START_TEST(what_it_says)
{
	struct der der = certs_load(info_rows[_i].cert);
	struct cert_info *info;
	struct errmsg e;

	info = cert_info_new(&der, &e);
	ck_assert_ptr_nonnull(info);
	ck_assert_str_eq(info->subject, info_rows[_i].subject);
	if (info_rows[_i].issuer != NULL)
		ck_assert_str_eq(info->issuer, info_rows[_i].issuer);
	if (info_rows[_i].names != NULL)
		ck_assert_str_eq(info->names, info_rows[_i].names);
	/* Ten days, as the generator made it. */
	ck_assert_int_eq(info->not_after - info->not_before, 10 * 86400);
	ck_assert_int_le(info->not_before, time(NULL));
	ck_assert_int_gt(info->not_before, time(NULL) - 3600);
	cert_info_free(info);
	cert_info_free(NULL);
	free(der.data);
}
END_TEST

/* What openssl says the fingerprint is. */
static void
ask_openssl(const char *file, char *answer, size_t size)
{
	char command[512];
	FILE *p;

	snprintf(command, sizeof(command),
	    "openssl x509 -in '%s' -noout -fingerprint -sha256", file);
	p = popen(command, "r");
	ck_assert_ptr_nonnull(p);
	ck_assert_ptr_nonnull(fgets(answer, (int)size, p));
	answer[strcspn(answer, "\n")] = '\0';
	pclose(p);
}

START_TEST(fingerprint)
{
	char text[CERT_FP_TEXT], answer[256];
	struct der der = certs_load("self_leaf");
	struct cert_info *info;
	struct errmsg e;

	info = cert_info_new(&der, &e);
	ask_openssl(certs_path("self_leaf", ".pem"), answer, sizeof(answer));
	ck_assert_ptr_eq(cert_fingerprint_text(info->fingerprint, text), text);
	ck_assert_str_eq(text, strchr(answer, '=') + 1);
	ck_assert_uint_eq(strlen(text), CERT_FP_TEXT - 1);
	cert_info_free(info);
	free(der.data);
}
END_TEST

static const struct {
	int64_t when;
	const char *text;
} time_rows[] = {
	{ 0, "1970-01-01 00:00:00 UTC" },
	{ -1, "1969-12-31 23:59:59 UTC" },
	{ 951782400, "2000-02-29 00:00:00 UTC" },
	{ 1801211459, "2027-01-29 08:30:59 UTC" },
	{ 253402300799, "9999-12-31 23:59:59 UTC" },
	{ 253402300800, "an impossible date" },
	{ INT64_MAX, "an impossible date" },
};

START_TEST(times)
{
	char text[32];

	ck_assert_ptr_eq(cert_time_text(time_rows[_i].when, text), text);
	ck_assert_str_eq(text, time_rows[_i].text);
}
END_TEST

/* Dates of certificates, written over the beginning of another's. */
static const struct {
	const char *utc;
	int64_t when; /* 0: malformed */
} date_rows[] = {
	{ "700101000001Z", 1 },
	{ "991231235959Z", 946684799 },
	{ "000229000000Z", 951782400 },
	{ "491231235959Z", 2524607999 },
	{ "500101000000Z", -631152000 },
	{ "210228120000Z", 1614513600 },
	{ "210229120000Z", 0 },
	{ "000230000000Z", 0 },
	{ "211301000000Z", 0 },
	{ "210001000000Z", 0 },
	{ "210100000000Z", 0 },
	{ "210431000000Z", 0 },
	{ "210101240000Z", 0 },
	{ "210101006000Z", 0 },
	{ "210101000060Z", 0 },
	{ "2101010000+1Z", 0 },
	{ "210101000000z", 0 },
};

START_TEST(dates)
{
	struct der der = certs_load("cn_only");
	unsigned char *at = memmem(der.data, der.len, "\x30\x1e\x17\x0d", 4);
	struct cert_info *info;
	struct errmsg e;

	ck_assert_ptr_nonnull(at);
	memcpy(at + 4, date_rows[_i].utc, 13);
	info = cert_info_new(&der, &e);
	if (date_rows[_i].when == 0) {
		ck_assert_ptr_null(info);
		ck_assert_ptr_nonnull(strstr(e.text, "its dates cannot be read"));
	} else {
		ck_assert_ptr_nonnull(info);
		ck_assert_int_eq(info->not_before, date_rows[_i].when);
	}
	cert_info_free(info);
	free(der.data);
}
END_TEST

/* A subject and names far too long are cut, not inside of an escape or a character. */
START_TEST(long_texts)
{
	struct der der = certs_load("long");
	struct cert_info *info;
	struct errmsg e;

	info = cert_info_new(&der, &e);
	ck_assert_ptr_nonnull(info);
	ck_assert_uint_le(strlen(info->subject), 512);
	ck_assert_uint_gt(strlen(info->subject), 500);
	ck_assert_str_eq(info->subject + strlen(info->subject) - 5, "\xc3\xb6...");
	ck_assert_uint_le(strlen(info->names), 1024);
	ck_assert_uint_gt(strlen(info->names), 1000);
	ck_assert_str_eq(info->names + strlen(info->names) - 3, "...");
	cert_info_free(info);
	free(der.data);
}
END_TEST

START_TEST(no_certificate)
{
	struct der der = { (unsigned char *)strdup("\x30\x03\x02\x01\x01"), 5 };
	struct errmsg e;

	ck_assert_ptr_null(cert_info_new(&der, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "malformed: it is not a certificate"));
	ck_assert_int_eq(cert_strong(&der, &e), -1);
	/* A length that is not the shortest. */
	memcpy(der.data, "\x30\x81\x02\x05\x00", 5);
	ck_assert_ptr_null(cert_info_new(&der, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "malformed: it is not DER"));
	der.len = 0;
	ck_assert_ptr_null(cert_info_new(&der, &e));
	free(der.data);
}
END_TEST

static const struct {
	const char *cert, *says; /* NULL: strong */
} strong_rows[] = {
	{ "root", NULL },
	{ "rsa", NULL },
	{ "p384", NULL },
	{ "p521", NULL },
	{ "ed25519", NULL },
	{ "pss", NULL },
	{ "by_rsa_pss", NULL },
	{ "rsa1024",
	    "RSA key has 1024 bits; 2048 to 4096 are accepted; make a new key and certificate with \"sluss keygen\"" },
	{ "p192", "curve P-192" },
	{ "p224", "curve P-224" },
	{ "ed448", "Ed448" },
	{ "explicit", "curve of its own" },
	{ "sha1_self", "signed with RSA with SHA-1" },
	{ "md5_self", "RSA with MD5" },
	{ "pss_sha1", "RSA-PSS and SHA-1" },
	{ "by_rsa_sha1", "have a new one issued" },
	{ "padded", "its RSA key cannot be read" },
	{ "even", "unusable exponent" },
};

START_TEST(strong)
{
	struct der der = certs_load(strong_rows[_i].cert);
	struct errmsg e;

	if (strong_rows[_i].says == NULL) {
		ck_assert_msg(cert_strong(&der, &e) == 0, "%s", e.text);
	} else {
		ck_assert_int_eq(cert_strong(&der, &e), -1);
		ck_assert_msg(strstr(e.text, strong_rows[_i].says) != NULL, "%s", e.text);
	}
	free(der.data);
}
END_TEST

static Suite *
cert_suite(void)
{
	Suite *s = suite_create("cert");
	TCase *t = tcase_create("files");

#define ROWS(test, rows) tcase_add_loop_test(t, test, 0, (int)COUNT(rows))
	tcase_add_test(t, reading);
	tcase_add_test(t, not_reading);
	ROWS(pem, pem_rows);
	tcase_add_test(t, pem_shapes);
	tcase_add_test(t, der_instead_of_pem);
	ROWS(keys, key_rows);
	tcase_add_test(t, loose_for_others);
	suite_add_tcase(s, t);

	t = tcase_create("content");
	ROWS(what_it_says, info_rows);
	tcase_add_test(t, fingerprint);
	ROWS(times, time_rows);
	ROWS(dates, date_rows);
	tcase_add_test(t, long_texts);
	tcase_add_test(t, no_certificate);
	ROWS(strong, strong_rows);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	SRunner *r = srunner_create(cert_suite());
	int failed = 1;

	if (certs_make() == 0) {
		make_changed_certs();
		srunner_run_all(r, CK_NORMAL);
		failed = srunner_ntests_failed(r);
	}
	certs_remove();
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
