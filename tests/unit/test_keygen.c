#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <check.h>

#include "cmd/keygen.h"
#include "tls/keygen.h"

/*
 * sluss keygen, called as main() calls it, in a folder of its own.  What it makes is
 * judged by the openssl command, which is another hand than ours; where there is
 * none those judgements are left out, with a note.
 */

#define ARGS_MAX 16
#define TEXT_MAX 65536

/* Where the tests make their folders. */
static char base[PATH_MAX];
static bool have_openssl;

/* What the last keygen() wrote. */
static char out[TEXT_MAX], err[TEXT_MAX];

/* A CA of the year 2001, and one of 2101; their keys are not needed. */
static const char old_ca[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBUjCB+aADAgECAgEBMAoGCCqGSM49BAMCMBExDzANBgNVBAMMBk9sZCBDQTAe\n"
    "Fw0wMTAxMDEwMDAwMDBaFw0wMjAxMDEwMDAwMDBaMBExDzANBgNVBAMMBk9sZCBD\n"
    "QTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIZf7tC5R1BZMoQPcJBQpJvARq4M\n"
    "PM6u8+BuHdd12hxaA0J2J6aLFTuzUSOed3pzcWui3LILuQFLMaezovAqjiajQjBA\n"
    "MA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgIEMB0GA1UdDgQWBBQcuEXK\n"
    "nzhobJ28DOQQVkLPNnc2czAKBggqhkjOPQQDAgNIADBFAiBeinaeDzFUlmcE6lYc\n"
    "hXm84MGjWGeEqSImFyXSksixNAIhAP8xQXTNZq5KgEHrTh7jihOPme8Ndxff7S17\n"
    "uDeAuf6V\n"
    "-----END CERTIFICATE-----\n";
static const char early_ca[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBVzCB/aADAgECAgECMAoGCCqGSM49BAMCMBExDzANBgNVBAMMBk9sZCBDQTAi\n"
    "GA8yMTAxMDEwMTAwMDAwMFoYDzIxMDIwMTAxMDAwMDAwWjARMQ8wDQYDVQQDDAZP\n"
    "bGQgQ0EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASGX+7QuUdQWTKED3CQUKSb\n"
    "wEauDDzOrvPgbh3XddocWgNCdiemixU7s1Ejnnd6c3FrotyyC7kBSzGns6LwKo4m\n"
    "o0IwQDAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwICBDAdBgNVHQ4EFgQU\n"
    "HLhFyp84aGydvAzkEFZCzzZ3NnMwCgYIKoZIzj0EAwIDSQAwRgIhAMljsOe1W14U\n"
    "iUPt3+EOHBapNCGh9DvKSPIdeVXvQwSDAiEA+9ND99ySjkFsw8vRHeGcNuDLArA7\n"
    "o+P9iQ+1Yd0hJb4=\n"
    "-----END CERTIFICATE-----\n";

/* Files. */

static void
read_text(const char *path, char *text)
{
	FILE *f = fopen(path, "r");
	size_t n;

	ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
	n = fread(text, 1, TEXT_MAX - 1, f);
	text[n] = '\0';
	fclose(f);
}

static void
write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

/* Writes two files' text, one behind the other, into a third. */
static void
join_files(const char *to, const char *a, const char *b)
{
	static char text[2 * TEXT_MAX];

	read_text(a, text);
	read_text(b, text + strlen(text));
	write_text(to, text);
}

static bool
exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static mode_t
mode_of(const char *path)
{
	struct stat st;

	ck_assert_msg(lstat(path, &st) == 0, "%s: %s", path, strerror(errno));
	return st.st_mode & 07777;
}

static size_t
count(const char *text, const char *part)
{
	size_t n = 0;

	for (; (text = strstr(text, part)) != NULL; text += strlen(part))
		n++;
	return n;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int entries;

static int
count_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	entries += ftw->level > 0 && path != NULL;
	return 0;
}

/* The number of files in the present folder, hidden ones too. */
static int
files_here(void)
{
	entries = 0;
	nftw(".", count_one, 16, FTW_PHYS);
	return entries;
}

static void
enter_folder(void)
{
	char folder[PATH_MAX + 16];

	snprintf(folder, sizeof(folder), "%s/XXXXXX", base);
	ck_assert(mkdtemp(folder) != NULL);
	ck_assert_int_eq(chdir(folder), 0);
}

static void
leave_folder(void)
{
	ck_assert_int_eq(chdir("/"), 0);
}

/* Commands. */

/* Lets a descriptor write into a new file; returns a copy of what it was. */
static int
divert(int fd, const char *path)
{
	int copy = dup(fd), file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert(copy != -1 && file != -1 && dup2(file, fd) == fd);
	close(file);
	return copy;
}

static void
restore(int fd, int copy)
{
	ck_assert_int_eq(dup2(copy, fd), fd);
	close(copy);
}

/* Runs `sluss keygen` with the arguments; out and err take what it writes. */
static int
run(char **argv, int argc)
{
	int saved_out, saved_err, rc;

	fflush(stdout);
	saved_out = divert(1, ".out");
	saved_err = divert(2, ".err");
	rc = cmd_keygen(argc, argv);
	fflush(stdout);
	restore(1, saved_out);
	restore(2, saved_err);
	read_text(".out", out);
	read_text(".err", err);
	remove(".out");
	remove(".err");
	return rc;
}

/* The same with the arguments given one by one, NULL behind the last. */
static int
keygen(const char *arg, ...)
{
	static char name[] = "keygen";
	char *argv[ARGS_MAX] = { name };
	int argc = 1;
	va_list ap;

	va_start(ap, arg);
	for (; arg != NULL; arg = va_arg(ap, const char *)) {
		ck_assert_int_lt(argc, ARGS_MAX - 1);
		argv[argc++] = (char *)(size_t)arg;
	}
	va_end(ap);
	return run(argv, argc);
}

#define ck_keygen(...) ck_assert_msg(keygen(__VA_ARGS__, (char *)NULL) == 0, "%s", err)

/* keygen fails and its one message, a line, holds the text. */
#define ck_refused(text, ...)                                           \
	do {                                                            \
		ck_assert_int_eq(keygen(__VA_ARGS__, (char *)NULL), 1); \
		ck_complains(text);                                     \
	} while (0)

static void
ck_complains(const char *text)
{
	static const char begin[] = "sluss keygen: ";

	ck_assert_msg(strncmp(err, begin, strlen(begin)) == 0, "%s", err);
	ck_assert_msg(strstr(err, text) != NULL, "no \"%s\" in: %s", text, err);
	ck_assert_msg(count(err, "\n") == 1, "%s", err);
	ck_assert_str_eq(out, "");
}

/* Runs a shell command about certificates, quietly, and expects it to succeed. */
static void ck_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void
ck_shell(const char *format, ...)
{
	char command[1024], quiet[1100];
	va_list ap;

	if (!have_openssl)
		return;
	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	snprintf(quiet, sizeof(quiet), "{ %s; } >.shell 2>&1", command);
	if (system(quiet) == 0) {
		remove(".shell");
		return;
	}
	read_text(".shell", out);
	ck_abort_msg("%s: %s", command, out);
}

/* The certificate's text, as openssl tells it, holds this. */
static void
ck_says(const char *crt, const char *text)
{
	ck_shell("openssl x509 -in '%s' -noout -text -nameopt utf8 >.text; cat .text; "
		 "grep -qF -e '%s' .text; rc=$?; rm .text; exit $rc",
	    crt, text);
}

static void
ck_verifies(const char *name, const char *ca)
{
	ck_shell("openssl pkey -in '%s.pem' -check -noout", name);
	ck_shell("openssl verify -x509_strict -CAfile '%s.crt' '%s.crt'", ca, name);
	/* The key is the certificate's. */
	ck_shell("openssl pkey -in '%s.pem' -pubout >.a; "
		 "openssl x509 -in '%s.crt' -pubkey -noout >.b; cmp .a .b; rc=$?; "
		 "rm .a .b; exit $rc",
	    name, name);
}

/* What is made. */

static const struct {
	const char *type;
	const char *key; /* openssl's words */
	const char *signature;
	const char *usage;
} types[] = {
	{ "ecdsa", "NIST CURVE: P-256", "ecdsa-with-SHA256", "Digital Signature" },
	{ "ed25519", "ED25519 Public-Key", "Signature Algorithm: ED25519",
	    "Digital Signature" },
	{ "rsa3072", "Public-Key: (3072 bit)", "sha256WithRSAEncryption",
	    "Digital Signature, Key Encipherment" },
};

#define NTYPES ((int)(sizeof(types) / sizeof(types[0])))

START_TEST(makes_each_type)
{
	static char pem[TEXT_MAX], crt[TEXT_MAX];

	ck_keygen("a", "--type", types[_i].type, "--dns", "db.example.org");
	read_text("a.pem", pem);
	read_text("a.crt", crt);
	/* The key first, then the certificate, and nothing else. */
	ck_assert(strncmp(pem, "-----BEGIN PRIVATE KEY-----\n", 28) == 0);
	ck_assert_uint_eq(count(pem, "-----BEGIN"), 2);
	ck_assert_str_eq(strstr(pem, "-----BEGIN CERTIFICATE"), crt);
	ck_assert_int_eq(files_here(), 2);

	ck_verifies("a", "a");
	ck_shell("openssl verify -x509_strict -purpose sslserver -verify_hostname "
		 "db.example.org -CAfile a.crt a.crt");
	ck_says("a.crt", types[_i].key);
	ck_says("a.crt", types[_i].signature);
	ck_shell("openssl x509 -in a.crt -noout -ext keyUsage | grep -qx '    %s'",
	    types[_i].usage);
}
END_TEST

START_TEST(certificate_says_what_was_asked)
{
	ck_keygen("a", "--dns", "db.example.org", "--dns=*.db.example.org", "--ip",
	    "192.0.2.1", "--ip", "2001:db8::1", "--uri", "spiffe://example.org/db",
	    "--email=root@example.org", "--cn", "J\xc3\xb6rg");
	ck_says("a.crt",
	    "DNS:db.example.org, DNS:*.db.example.org, "
	    "IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1, "
	    "URI:spiffe://example.org/db, email:root@example.org");
	ck_says("a.crt", "Subject: CN=J\xc3\xb6rg");
	ck_says("a.crt", "Version: 3 (0x2)");
	ck_says("a.crt", "CA:FALSE");
	ck_says("a.crt", "TLS Web Server Authentication, TLS Web Client Authentication");
	ck_says("a.crt", "Subject Key Identifier");
	ck_says("a.crt", "Authority Key Identifier");
	/* 16 bytes, positive: the first digit is 4 to 7. */
	ck_shell(
	    "openssl x509 -in a.crt -noout -serial | grep -qE '^serial=[4-7].{31}$'");
}
END_TEST

START_TEST(long_names_stand)
{
	char dns[254], uri[600] = "x:";

	/* Lengths of two and of three bytes in DER. */
	memset(dns, 'a', sizeof(dns));
	dns[63] = dns[127] = dns[191] = '.';
	dns[253] = '\0';
	memset(uri + 2, 'u', sizeof(uri) - 3);
	ck_keygen("a", "--dns", dns, "--uri", uri);
	ck_verifies("a", "a");
	ck_says("a.crt", dns);
	ck_says("a.crt", uri);
	dns[252] = '.';
	ck_refused("is not a DNS name", "b", "--dns", dns);
}
END_TEST

START_TEST(common_name_defaults_to_last_component)
{
	ck_assert_int_eq(mkdir("sub", 0700), 0);
	ck_keygen("sub/my db");
	ck_assert(exists("sub/my db.pem") && exists("sub/my db.crt"));
	ck_says("sub/my db.crt", "Subject: CN=my db");
	ck_assert(strstr(out, "--cert 'sub/my db.pem'") != NULL);
	/* No name is invented. */
	ck_shell("! openssl x509 -in 'sub/my db.crt' -noout -text | "
		 "grep -q 'Alternative Name'");
}
END_TEST

START_TEST(days_count)
{
	ck_keygen("a", "--days", "2");
	ck_shell("openssl x509 -in a.crt -noout -checkend %d", 2 * 86400 - 600);
	ck_shell("! openssl x509 -in a.crt -noout -checkend %d", 2 * 86400 + 600);
	ck_keygen("b");
	ck_shell("openssl x509 -in b.crt -noout -checkend %ld", 3650L * 86400 - 600);
	ck_shell("! openssl x509 -in b.crt -noout -checkend %ld", 3650L * 86400 + 600);
	/* Past 2049 dates are written in another form. */
	ck_keygen("c", "--days=36500");
	ck_shell("openssl x509 -in c.crt -noout -checkend %ld", 36500L * 86400 - 600);
	ck_verifies("c", "c");
}
END_TEST

/* Under a CA. */

START_TEST(ca_issues)
{
	static char pem[TEXT_MAX], ca[TEXT_MAX];
	int i;

	ck_keygen("ca", "--make-ca", "--type", types[_i].type);
	ck_assert(strstr(out, "sluss keygen server --dns HOST --ca ca.pem") != NULL);
	ck_verifies("ca", "ca");
	ck_says("ca.crt", "CA:TRUE, pathlen:0");
	ck_says("ca.crt", "Certificate Sign, CRL Sign");
	ck_shell("openssl x509 -in ca.crt -noout -ext basicConstraints | grep critical");
	ck_shell("! openssl x509 -in ca.crt -noout -text | grep 'Extended Key Usage'");
	read_text("ca.crt", ca);

	for (i = 0; i < 2; i++) {
		ck_keygen("host", "--ca", "ca.pem", "--dns", "h.example.org", "--type",
		    types[i].type, "--force");
		ck_verifies("host", "ca");
		ck_shell(
		    "openssl verify -x509_strict -purpose sslserver -verify_hostname "
		    "h.example.org -CAfile ca.crt host.crt");
		ck_shell("openssl verify -x509_strict -purpose sslclient -CAfile ca.crt "
			 "host.crt");
		ck_says("host.crt", types[_i].signature);
		read_text("host.pem", pem);
		ck_assert_uint_eq(count(pem, "-----BEGIN"), 3);
		ck_assert(strstr(pem, ca) != NULL);
		ck_assert_str_eq(strstr(pem, ca), ca);
	}
}
END_TEST

START_TEST(certificate_ends_with_its_ca)
{
	ck_keygen("ca", "--make-ca", "--days", "10");
	ck_keygen("a", "--ca", "ca.pem", "--days", "100");
	ck_shell("test \"$(openssl x509 -in a.crt -noout -enddate)\" = "
		 "\"$(openssl x509 -in ca.crt -noout -enddate)\"");
	ck_keygen("b", "--ca", "ca.pem", "--days", "5");
	ck_shell("! openssl x509 -in b.crt -noout -checkend %d", 5 * 86400 + 600);
}
END_TEST

START_TEST(bad_ca_is_refused)
{
	ck_keygen("ca", "--make-ca");
	ck_keygen("other", "--make-ca");
	ck_keygen("rsa", "--make-ca", "--type", "rsa3072");
	ck_keygen("end");

	ck_refused("CA:FALSE", "x", "--ca", "end.pem");
	ck_refused("no private key", "x", "--ca", "ca.crt");
	ck_refused("path length 0", "x", "--ca", "ca.pem", "--make-ca");
	ck_refused("missing.pem", "x", "--ca", "missing.pem");
	ck_refused("CA's own file", "ca", "--ca", "ca.pem", "--force");

	join_files("mix.pem", "ca.crt", "other.pem");
	ck_refused("does not belong to its first certificate", "x", "--ca", "mix.pem");
	join_files("mix.pem", "ca.crt", "rsa.pem");
	ck_refused("not of the type", "x", "--ca", "mix.pem");
	join_files("mix.pem", "rsa.crt", "ca.pem");
	ck_refused("not of the type", "x", "--ca", "mix.pem");

	write_text("text.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
	join_files("mix.pem", "ca.crt", "text.pem");
	ck_refused("encrypted", "x", "--ca", "mix.pem");
	write_text("text.pem", "hello\n");
	ck_refused("holds no certificate", "x", "--ca", "text.pem");
	write_text("text.pem",
	    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END "
	    "CERTIFICATE-----\n");
	ck_refused("malformed", "x", "--ca", "text.pem");
	write_text("old.pem", old_ca);
	ck_refused("CN=Old CA) expired on 2002-01-01", "x", "--ca", "old.pem");
	write_text("early.pem", early_ca);
	ck_refused("not valid before 2101-01-01", "x", "--ca", "early.pem");

	ck_assert(!exists("x.pem") && !exists("x.crt"));
	ck_says("ca.crt", "CA:TRUE");
}
END_TEST

/* CAs that others made: names, key identifiers and keys unlike ours. */
static const char *const foreign[] = {
	"-newkey rsa:2048 -subj '/DC=org/DC=example/O=A \"quoted\" Org/CN=Gr\xc3\xbc\xc3\x9f"
	"e/emailAddress=a@b.c' -utf8",
	"-newkey ec -pkeyopt ec_paramgen_curve:P-384 -subj '/O=x/OU=a+OU=y/CN=b' "
	"-multivalue-rdn",
	"-newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj '/CN=A/C=SE/title=dr'",
	"-newkey ed25519 -subj /CN=short",
};

START_TEST(foreign_ca_issues)
{
	if (!have_openssl)
		return;
	write_text("ca.cnf",
	    "[req]\ndistinguished_name=dn\n[dn]\n[ca]\n"
	    "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n");
	if (_i == 2) {
		write_text("id.cnf",
		    "subjectKeyIdentifier=00112233445566778899aabbccdd"
		    "eeff00112233445566778899aabbccddeeff\n");
		join_files("ca.cnf", "ca.cnf", "id.cnf");
	} else {
		write_text("id.cnf", "subjectKeyIdentifier=hash\n");
		join_files("ca.cnf", "ca.cnf", "id.cnf");
	}
	ck_shell("openssl req -x509 -days 30 -config ca.cnf -extensions ca -nodes "
		 "-keyout ca.key -out ca.crt %s",
	    foreign[_i]);
	join_files("ca.pem", "ca.crt", "ca.key");
	ck_keygen("a", "--ca", "ca.pem", "--dns", "a.example.org");
	ck_verifies("a", "ca");
	ck_keygen("sub", "--make-ca", "--ca", "ca.pem");
	ck_keygen("b", "--ca", "sub.pem", "--dns", "b.example.org");
	ck_shell("openssl verify -x509_strict -CAfile ca.crt -untrusted b.pem b.crt");
}
END_TEST

START_TEST(name_constraints_hold)
{
	if (!have_openssl)
		return;
	ck_shell(
	    "openssl req -x509 -newkey ed25519 -nodes -keyout ca.key -out ca.crt -subj "
	    "/CN=ca -addext 'nameConstraints=critical,permitted;DNS:example.org'");
	join_files("ca.pem", "ca.crt", "ca.key");
	ck_keygen(
	    "a", "--ca", "ca.pem", "--dns", "a.example.org", "--cn", "a.example.org");
	ck_refused(
	    "does not permit that name", "b", "--ca", "ca.pem", "--dns", "b.example.com");
}
END_TEST

/* Files. */

START_TEST(modes_are_right)
{
	umask(_i == 0 ? 0 : 077);
	ck_keygen("a");
	ck_assert_uint_eq(mode_of("a.pem"), 0600);
	ck_assert_uint_eq(mode_of("a.crt"), 0644);
}
END_TEST

/* When one of the two exists, neither is touched. */
START_TEST(nothing_is_overwritten)
{
	const char *mine = _i == 0 ? "a.pem" : "a.crt";
	const char *other = _i == 0 ? "a.crt" : "a.pem";
	static char text[TEXT_MAX];

	write_text(mine, "mine\n");
	ck_refused("exists", "a");
	ck_complains("--force");
	read_text(mine, text);
	ck_assert_str_eq(text, "mine\n");
	ck_assert(!exists(other));
	ck_assert_int_eq(files_here(), 1);
}
END_TEST

START_TEST(force_replaces)
{
	static char text[TEXT_MAX];

	write_text("a.pem", "mine\n");
	write_text("a.crt", "mine\n");
	ck_assert_int_eq(chmod("a.pem", 0666), 0);
	ck_keygen("a", "--force");
	ck_assert_uint_eq(mode_of("a.pem"), 0600);
	read_text("a.pem", text);
	ck_assert(strstr(text, "mine") == NULL);
	read_text("a.crt", text);
	ck_assert(strstr(text, "mine") == NULL);
	ck_assert_int_eq(files_here(), 2);
	ck_verifies("a", "a");
}
END_TEST

START_TEST(only_files_are_replaced)
{
	ck_assert_int_eq(mkdir("a.crt", 0700), 0);
	ck_refused("not a regular file", "a", "--force");
	ck_assert_int_eq(symlink("elsewhere", "b.pem"), 0);
	ck_refused("not a regular file", "b", "--force");
	ck_assert_int_eq(files_here(), 2);
	ck_refused("folder that exists", "missing/a");
}
END_TEST

/* Words. */

static const struct {
	const char *args[4];
	const char *message;
} mistakes[] = {
	{ { "" }, "names no file" },
	{ { "a/" }, "names no file" },
	{ { ".." }, "names no file" },
	{ { "a.pem" }, "write \"a\"" },
	{ { "a", "b" }, "stray argument \"b\"" },
	{ { "a", "--day=1" }, "did you mean --days?" },
	{ { "a", "--frobnicate" }, "unknown option --frobnicate" },
	{ { "a", "-x" }, "unknown option -x" },
	{ { "a", "--" }, "unknown option --" },
	{ { "a", "--dns" }, "--dns needs a value" },
	{ { "a", "--dns", "--force" }, "--dns needs a value" },
	{ { "a", "--force=perhaps" }, "--force" },
	{ { "a", "--days", "0" }, "--days" },
	{ { "a", "--days", "36501" }, "1 to 36500" },
	{ { "a", "--days=ten" }, "1 to 36500" },
	{ { "a", "--type", "dsa" }, "ecdsa, ed25519, rsa3072" },
	{ { "a", "--cn=" }, "common name is empty" },
	{ { "a", "--cn=a\nb" }, "control character" },
	{ { "a", "--cn=a\xff" }, "not UTF-8" },
	{ { "a", "--cn=a\xc0\xaf" }, "not UTF-8" },
	{ { "a", "--cn=a\xc3" }, "not UTF-8" },
	{ { "a", "--cn",
	      "0123456789012345678901234567890123456789012345678901234567890123" },
	    "shorter" },
	{ { "a", "--dns=" }, "is not a DNS name" },
	{ { "a", "--dns", "a b" }, "is not a DNS name" },
	{ { "a", "--dns", "a..b" }, "is not a DNS name" },
	{ { "a", "--dns", "a.b." }, "is not a DNS name" },
	{ { "a", "--dns", "-a.b" }, "is not a DNS name" },
	{ { "a", "--dns", "a-.b" }, "is not a DNS name" },
	{ { "a", "--dns", "a_b" }, "is not a DNS name" },
	{ { "a", "--dns", "a.*.b" }, "is not a DNS name" },
	{ { "a", "--dns", "*" }, "is not a DNS name" },
	{ { "a", "--dns", "\xc3\xbc.de" }, "xn--" },
	{ { "a", "--dns", "*.com" }, "too much" },
	{ { "a", "--dns", "192.0.2.1" }, "--ip" },
	{ { "a", "--dns", "::1" }, "--ip" },
	{ { "a", "--ip", "host" }, "--dns" },
	{ { "a", "--ip", "[::1]" }, "is not an IP address" },
	{ { "a", "--ip", "192.0.2.0/24" }, "is not an IP address" },
	{ { "a", "--email", "root" }, "is not an email address" },
	{ { "a", "--email", "@host" }, "is not an email address" },
	{ { "a", "--email", "a b@c" }, "is not an email address" },
	{ { "a", "--uri", "example.org" }, "is not a URI" },
	{ { "a", "--uri", "/db" }, "is not a URI" },
	{ { "a", "--uri", "x:" }, "is not a URI" },
	{ { "a", "--uri", "x:a b" }, "is not a URI" },
};

START_TEST(mistakes_are_explained)
{
	const char *const *args = mistakes[_i].args;

	ck_refused(mistakes[_i].message, args[0], args[1], args[2], args[3]);
	ck_assert_int_eq(files_here(), 0);
}
END_TEST

START_TEST(name_is_needed)
{
	ck_assert_int_eq(keygen(NULL), 1);
	ck_complains("NAME is missing");
	ck_refused("NAME is missing", "--force");
}
END_TEST

START_TEST(help_is_given)
{
	ck_keygen("--help");
	ck_assert(strstr(out, "Usage: sluss keygen NAME") != NULL);
	ck_assert(strstr(out, "--make-ca") != NULL);
	ck_keygen("a", "-h");
	ck_assert(strstr(out, "Usage: sluss keygen NAME") != NULL);
	ck_assert_int_eq(files_here(), 0);
}
END_TEST

START_TEST(report_says_what_and_what_next)
{
	ck_keygen("a", "--dns", "a.example.org", "--make-ca=no");
	ck_assert_str_eq(err, "");
	ck_assert(strstr(out, "Wrote a.pem") != NULL);
	ck_assert(strstr(out, "Wrote a.crt") != NULL);
	ck_assert(strstr(out, "Valid until: 20") != NULL);
	ck_assert(strstr(out,
		      "sluss server --accept 4433 --connect HOST:PORT --cert a.pem "
		      "--peer OTHER.crt") != NULL);
	ck_assert(strstr(out, "sluss client ") != NULL);
	write_text("report", out);
	ck_shell("fp=$(openssl x509 -in a.crt -noout -fingerprint -sha256); "
		 "grep -qF \"${fp#*=}\" report");
}
END_TEST

START_TEST(hint_where_a_server_lacks_a_name)
{
	ck_keygen("ca", "--make-ca");
	ck_keygen("a", "--ca", "ca.pem");
	ck_assert(strstr(out, "Note: without --dns or --ip") != NULL);
	ck_assert(strstr(out, "--cafile ca.crt") != NULL);
	ck_keygen("b", "--ca", "ca.pem", "--ip", "192.0.2.1");
	ck_assert(strstr(out, "Note:") == NULL);
}
END_TEST

/* The room itself. */

START_TEST(result_is_complete)
{
	struct keygen_request req = { .common_name = "a", .days = 1 };
	struct keygen_result res, again;
	struct errmsg why;

	ck_assert_int_eq(keygen_make(&req, &res, &why), 0);
	ck_assert_int_eq(keygen_make(&req, &again, &why), 0);
	ck_assert_str_ne(res.key_pem, again.key_pem);
	ck_assert_int_ne(memcmp(res.fingerprint, again.fingerprint, 32), 0);
	ck_assert_uint_eq(strlen(res.not_after), strlen("2027-01-31 08:30:59 UTC"));
	keygen_result_free(&again);
	keygen_result_free(&res);
	ck_assert(res.key_pem == NULL && res.cert_pem == NULL);
	keygen_result_free(&res);
}
END_TEST

START_TEST(names_have_an_end)
{
	static const char *names[700];
	struct keygen_request req = { .common_name = "a", .days = 1, .dns = names };
	struct keygen_result res;
	struct errmsg why;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		names[i] = "a-rather-long-name.example.org";
	req.ndns = 400;
	ck_assert_int_eq(keygen_make(&req, &res, &why), 0);
	keygen_result_free(&res);
	req.ndns = 700;
	ck_assert_int_eq(keygen_make(&req, &res, &why), -1);
	ck_assert(strstr(why.text, "too many names") != NULL);
	ck_assert(res.key_pem == NULL && res.cert_pem == NULL);
	req.ndns = 0;
	req.days = 0;
	ck_assert_int_eq(keygen_make(&req, &res, &why), -1);
	ck_assert(strstr(why.text, "days") != NULL);
}
END_TEST

static TCase *
add_case(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);

	/* RSA keys take their time, the more under a sanitizer. */
	tcase_set_timeout(tc, 200);
	tcase_add_checked_fixture(tc, enter_folder, leave_folder);
	suite_add_tcase(s, tc);
	return tc;
}

static Suite *
keygen_suite(void)
{
	Suite *s = suite_create("keygen");
	TCase *tc = add_case(s, "made");

	tcase_add_loop_test(tc, makes_each_type, 0, NTYPES);
	tcase_add_test(tc, certificate_says_what_was_asked);
	tcase_add_test(tc, long_names_stand);
	tcase_add_test(tc, common_name_defaults_to_last_component);
	tcase_add_test(tc, days_count);
	tc = add_case(s, "ca");
	tcase_add_loop_test(tc, ca_issues, 0, NTYPES);
	tcase_add_test(tc, certificate_ends_with_its_ca);
	tcase_add_test(tc, bad_ca_is_refused);
	tcase_add_loop_test(
	    tc, foreign_ca_issues, 0, (int)(sizeof(foreign) / sizeof(foreign[0])));
	tcase_add_test(tc, name_constraints_hold);
	tc = add_case(s, "files");
	tcase_add_loop_test(tc, modes_are_right, 0, 2);
	tcase_add_loop_test(tc, nothing_is_overwritten, 0, 2);
	tcase_add_test(tc, force_replaces);
	tcase_add_test(tc, only_files_are_replaced);
	tc = add_case(s, "words");
	tcase_add_loop_test(
	    tc, mistakes_are_explained, 0, (int)(sizeof(mistakes) / sizeof(mistakes[0])));
	tcase_add_test(tc, name_is_needed);
	tcase_add_test(tc, help_is_given);
	tcase_add_test(tc, report_says_what_and_what_next);
	tcase_add_test(tc, hint_where_a_server_lacks_a_name);
	tc = add_case(s, "library");
	tcase_add_test(tc, result_is_complete);
	tcase_add_test(tc, names_have_an_end);
	return s;
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");
	SRunner *runner;
	int failed;

	snprintf(base, sizeof(base), "%s/test_keygen.XXXXXX", tmp == NULL ? "/tmp" : tmp);
	if (mkdtemp(base) == NULL) {
		perror(base);
		return 1;
	}
	have_openssl = system("openssl version >/dev/null 2>&1") == 0;
	if (!have_openssl)
		printf("note: no openssl command, its judgements are left out\n");
	runner = srunner_create(keygen_suite());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	remove_tree(base);
	return failed == 0 ? 0 : 1;
}
