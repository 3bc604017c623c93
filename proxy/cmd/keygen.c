#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/errmsg.h"
#include "cmd/keygen.h"
#include "conf/value.h"
#include "tls/cert.h"
#include "tls/keygen.h"

#define NELEMS(a) (sizeof(a) / sizeof((a)[0]))
#define DAYS_DEFAULT 3650
#define DAYS_MAX 36500
#define INDENT 20 /* where the text of an option begins */
#define NAME_SHOWN 128

/* Values of an option that may be repeated; they point into argv. */
struct list {
	const char **items;
	size_t n;
};

/* The arguments as they were written. */
struct args {
	const char *name;
	struct list dns, ip, uri, email;
	const char *type;
	const char *days;
	const char *cn;
	const char *ca;
	bool make_ca;
	bool force;
	bool help;
};

/* How a value is stored. */
enum kind { LIST, TEXT, FLAG };

/* The options: what drives the parser, --help and suggestions. */
static const struct row {
	const char *name; /* without the dashes */
	const char *argument;
	enum kind kind;
	size_t offset;
	const char *help;
} rows[] = {
	{ "dns", "HOST", LIST, offsetof(struct args, dns),
	    "A host name to certify, also \"*.example.org\"; repeatable." },
	{ "ip", "ADDRESS", LIST, offsetof(struct args, ip),
	    "An IPv4 or IPv6 address to certify; repeatable." },
	{ "uri", "URI", LIST, offsetof(struct args, uri),
	    "A URI to certify, as spiffe://example.org/db; repeatable." },
	{ "email", "ADDRESS", LIST, offsetof(struct args, email),
	    "An email address to certify; repeatable." },
	{ "cn", "TEXT", TEXT, offsetof(struct args, cn),
	    "The subject's common name (default: NAME without folder)." },
	{ "type", "TYPE", TEXT, offsetof(struct args, type),
	    "ecdsa (P-256), ed25519 or rsa3072 (default: ecdsa)." },
	{ "days", "NUMBER", TEXT, offsetof(struct args, days),
	    "How long it is valid (default: 3650, or until the CA ends)." },
	{ "ca", "FILE", TEXT, offsetof(struct args, ca),
	    "Key and certificate of the CA that issues, in one PEM file." },
	{ "make-ca", NULL, FLAG, offsetof(struct args, make_ca),
	    "Make a CA, which can issue certificates." },
	{ "force", NULL, FLAG, offsetof(struct args, force),
	    "Replace files that exist." },
	{ "help", NULL, FLAG, offsetof(struct args, help), "This text." },
};

static const char usage[] =
    "Usage: sluss keygen NAME [OPTION]...\n"
    "\n"
    "Makes a private key and its certificate:\n"
    "  NAME.pem  key and certificate, for this side alone (mode 600)\n"
    "  NAME.crt  the certificate, for the other side\n"
    "\n"
    "Options (names in any case, --name value or --name=value):\n";

static const char examples[] =
    "\n"
    "Examples:\n"
    "  sluss keygen server --dns db.example.org\n"
    "  sluss keygen ca --make-ca\n"
    "  sluss keygen server --dns db.example.org --ca ca.pem\n";


/* Arguments. */

static void
put_help(FILE *out)
{
	size_t i;

	fputs(usage, out);
	for (i = 0; i < NELEMS(rows); i++) {
		const char *argument = rows[i].argument == NULL ? "" : rows[i].argument;
		int pad = INDENT - 5 - (int)strlen(rows[i].name);

		fprintf(out, "  --%s %-*s%s\n", rows[i].name, pad, argument, rows[i].help);
	}
	fputs(examples, out);
}

static int
unknown_option(const char *arg, size_t n, struct errmsg *why)
{
	const size_t dashes = strspn(arg, "-");
	const int shown = n < NAME_SHOWN ? (int)n : NAME_SHOWN;
	const char *names[NELEMS(rows)];
	const char *nearest = NULL;
	char bare[32];
	size_t i;

	for (i = 0; i < NELEMS(rows); i++)
		names[i] = rows[i].name;
	if (n - dashes < sizeof(bare)) {
		memcpy(bare, arg + dashes, n - dashes);
		bare[n - dashes] = '\0';
		nearest = value_nearest(bare, names, NELEMS(rows));
	}
	if (nearest == NULL)
		return errmsg_set(why, "unknown option %.*s: \"sluss keygen --help\" lists "
		    "them", shown, arg);
	return errmsg_set(why, "unknown option %.*s (did you mean --%s?)", shown, arg,
	    nearest);
}

/* The row of an option that is written as n bytes, or NULL. */
static const struct row *
find_row(const char *arg, size_t n)
{
	size_t i;

	if (n == 2 && memcmp(arg, "-h", n) == 0)
		return find_row("--help", strlen("--help"));
	if (n < 2 || memcmp(arg, "--", 2) != 0)
		return NULL;
	for (i = 0; i < NELEMS(rows); i++)
		if (strlen(rows[i].name) == n - 2 &&
		    strncasecmp(rows[i].name, arg + 2, n - 2) == 0)
			return &rows[i];
	return NULL;
}

static int
store(struct args *a, const struct row *row, const char *value, struct errmsg *why)
{
	void *at = (char *)a + row->offset;
	struct list *list = at;

	switch (row->kind) {
	case FLAG:
		if (value_bool(value, at, why) == -1)
			return errmsg_prefix(why, "--%s", row->name);
		return 0;
	case TEXT:
		*(const char **)at = value;
		return 0;
	case LIST:
		list->items[list->n++] = value;
		return 0;
	}
	assert(0);
	return -1;
}

/* One option, at argv[*i]: its value is behind "=" or in the next argument.  What
 * begins with two dashes is the next option. */
static int
take_option(struct args *a, char **argv, int *i, struct errmsg *why)
{
	const char *arg = argv[*i], *equals = strchr(arg, '='), *next = argv[*i + 1];
	size_t n = equals == NULL ? strlen(arg) : (size_t)(equals - arg);
	const struct row *row = find_row(arg, n);

	if (row == NULL)
		return unknown_option(arg, n, why);
	if (equals != NULL)
		return store(a, row, equals + 1, why);
	if (row->kind == FLAG)
		return store(a, row, "yes", why);
	if (next == NULL || strncmp(next, "--", 2) == 0)
		return errmsg_set(why, "--%s needs a value: write --%s %s", row->name,
		    row->name, row->argument);
	(*i)++;
	return store(a, row, next, why);
}

static int
take_name(struct args *a, const char *arg, struct errmsg *why)
{
	if (a->name != NULL)
		return errmsg_set(why, "stray argument \"%.128s\": give one NAME, and options "
		    "as --name value", arg);
	a->name = arg;
	return 0;
}

static const char *
last_component(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash == NULL ? name : slash + 1;
}

static int
check_name(const char *name, struct errmsg *why)
{
	const char *last, *dot;

	if (name == NULL)
		return errmsg_set(why, "NAME is missing: write sluss keygen NAME, as in "
		    "\"sluss keygen server --dns db.example.org\"");
	last = last_component(name);
	dot = strrchr(last, '.');
	if (*last == '\0' || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
		return errmsg_set(why, "\"%.128s\" names no file: give a NAME, with or without "
		    "a folder in front", name);
	if (dot != NULL && (strcasecmp(dot, ".pem") == 0 || strcasecmp(dot, ".crt") == 0))
		return errmsg_set(why, "write \"%.*s\" instead of \"%.128s\": .pem and .crt are "
		    "added to NAME", (int)(dot - name < NAME_SHOWN ? dot - name : NAME_SHOWN),
		    name, name);
	return 0;
}

/* Reads the arguments into a, whose lists have room for all of them. */
static int
parse(struct args *a, int argc, char **argv, struct errmsg *why)
{
	int i;

	for (i = 1; i < argc; i++)
		if ((argv[i][0] == '-' ? take_option(a, argv, &i, why) :
		                         take_name(a, argv[i], why)) == -1)
			return -1;
	return a->help ? 0 : check_name(a->name, why);
}

static int
args_new(struct args *a, int argc)
{
	const char **room = calloc((size_t)argc * 4, sizeof(*room));

	*a = (struct args){ .type = "ecdsa" };
	if (room == NULL)
		return -1;
	a->dns.items = room;
	a->ip.items = room + argc;
	a->uri.items = room + 2 * argc;
	a->email.items = room + 3 * argc;
	return 0;
}

static void
args_free(struct args *a)
{
	free(a->dns.items);
}


/* Files. */

/* A file that is to appear under its name only when it is complete. */
struct output {
	char path[PATH_MAX];
	char temp[PATH_MAX];
	bool temp_made;
	bool reserved; /* what stands at path is ours to remove */
};

static int
output_init(struct output *o, const char *name, const char *suffix, struct errmsg *why)
{
	*o = (struct output){ .temp_made = false };
	snprintf(o->path, sizeof(o->path), "%s%s", name, suffix);
	if (snprintf(o->temp, sizeof(o->temp), "%s%s.XXXXXX", name, suffix) >=
	    (int)sizeof(o->temp))
		return errmsg_set(why, "NAME is too long for a path: give a shorter one");
	return 0;
}

/* Whether the file may be made.  A link or a device is no place for a key. */
static int
output_check(const struct output *o, bool force, struct errmsg *why)
{
	struct stat st;

	if (lstat(o->path, &st) == -1)
		return 0; /* what else may be wrong shows when it is made */
	if (!S_ISREG(st.st_mode))
		return errmsg_set(why, "%s exists and is not a regular file: remove it or give "
		    "another NAME", o->path);
	if (!force)
		return errmsg_set(why, "%s exists: give another NAME, or --force to replace "
		    "NAME.pem and NAME.crt", o->path);
	return 0;
}

static int
write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t n = write(fd, text, left);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		text += n;
		left -= (size_t)n;
	}
	return 0;
}

static int
fill(int fd, mode_t mode, const char *const *texts, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (write_all(fd, texts[i]) == -1)
			return -1;
	if (fchmod(fd, mode) == -1)
		return -1;
	return fsync(fd);
}

/* Writes the file under its temporary name, which nobody else may read meanwhile. */
static int
output_write(struct output *o, mode_t mode, const char *const *texts, size_t n,
    struct errmsg *why)
{
	int fd = mkostemp(o->temp, O_CLOEXEC), rc, error;

	if (fd == -1)
		return errmsg_set(why, "cannot make files for NAME \"%.*s\": %s: give a NAME in "
		    "a folder that exists and is yours to write",
		    (int)strlen(o->path) - (int)strlen(".pem"), o->path, strerror(errno));
	o->temp_made = true;
	rc = fill(fd, mode, texts, n);
	error = errno;
	if (close(fd) == -1 && rc == 0) {
		rc = -1;
		error = errno;
	}
	if (rc == -1)
		return errmsg_set(why, "cannot write %s: %s", o->temp, strerror(error));
	return 0;
}

/* Takes the name, in one step with the test that nobody has it. */
static int
output_reserve(struct output *o, struct errmsg *why)
{
	int fd = open(o->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd == -1)
		return errmsg_set(why, "cannot make %s: %s", o->path, strerror(errno));
	o->reserved = true;
	close(fd);
	return 0;
}

static int
output_publish(struct output *o, struct errmsg *why)
{
	if (rename(o->temp, o->path) == -1)
		return errmsg_set(why, "cannot rename %s to %s: %s", o->temp, o->path,
		    strerror(errno));
	o->temp_made = false;
	return 0;
}

static void
output_discard(struct output *o)
{
	if (o->temp_made)
		unlink(o->temp);
	if (o->reserved)
		unlink(o->path);
}

/* Makes the renames last.  A file system that cannot do so is no reason to fail. */
static void
sync_folder(const char *path)
{
	char folder[PATH_MAX];
	int fd;

	snprintf(folder, sizeof(folder), "%.*s", (int)(last_component(path) - path), path);
	fd = open(folder[0] == '\0' ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return;
	fsync(fd);
	close(fd);
}

/* Brings both files under their names. */
static int
publish(struct output *pem, struct output *crt, bool force, struct errmsg *why)
{
	if (!force && (output_reserve(pem, why) == -1 || output_reserve(crt, why) == -1))
		return -1;
	if (output_publish(pem, why) == -1 || output_publish(crt, why) == -1)
		return -1;
	pem->reserved = crt->reserved = false;
	sync_folder(pem->path);
	return 0;
}

static int
save(struct output *pem, struct output *crt, const struct keygen_result *res,
    const char *chain, bool force, struct errmsg *why)
{
	const char *texts[] = { res->key_pem, res->cert_pem, chain };

	if (output_write(pem, 0600, texts, NELEMS(texts), why) == 0 &&
	    output_write(crt, 0644, texts + 1, 1, why) == 0 &&
	    publish(pem, crt, force, why) == 0)
		return 0;
	output_discard(pem);
	output_discard(crt);
	return -1;
}


/* The CA's file. */

/* The certificates in a PEM file, one behind the other: NUL-terminated and
 * malloc'ed, or NULL when out of memory. */
static char *
certificates(const char *pem)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----";
	static const char end[] = "-----END CERTIFICATE-----";
	char *all = malloc(strlen(pem) + 2), *to = all;
	const char *from = pem, *stop;

	if (all == NULL)
		return NULL;
	while ((from = strstr(from, begin)) != NULL && (stop = strstr(from, end)) != NULL) {
		stop += strlen(end);
		memcpy(to, from, (size_t)(stop - from));
		to += stop - from;
		*to++ = '\n';
		from = stop;
	}
	*to = '\0';
	return all;
}

/* --force must not destroy the CA that issues. */
static int
check_apart(const char *path, const char *ca, struct errmsg *why)
{
	struct stat a, b;

	if (stat(path, &a) == 0 && stat(ca, &b) == 0 && a.st_dev == b.st_dev &&
	    a.st_ino == b.st_ino)
		return errmsg_set(why, "%s is the CA's own file: give another NAME", path);
	return 0;
}


/* What to do next. */

/* A word as a shell takes it, in the buffer; NAMEs with blanks are rare. */
static const char *
quote(const char *word, char *buf, size_t size)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789_./-+=:,@%";
	size_t used = 0;

	if (word[strspn(word, plain)] == '\0' || strlen(word) * 4 + 3 > size)
		return word;
	buf[used++] = '\'';
	for (; *word != '\0'; word++)
		if (*word == '\'') {
			memcpy(buf + used, "'\\''", 4);
			used += 4;
		} else {
			buf[used++] = *word;
		}
	buf[used++] = '\'';
	buf[used] = '\0';
	return buf;
}

static void
put_ca_next(const char *pem, const char *crt)
{
	printf("Next: keep %s secret, since whoever reads it can issue certificates.\n"
	       "Make a certificate for each machine, and copy %s to it as well:\n"
	       "  sluss keygen server --dns HOST --ca %s\n"
	       "  sluss keygen client --ca %s\n", pem, crt, pem, pem);
}

static void
put_issued_next(const struct args *a, const char *pem)
{
	const size_t len = strlen(a->ca);
	bool ours = len > 4 && strcasecmp(a->ca + len - 4, ".pem") == 0;
	char ca[PATH_MAX], buf[PATH_MAX];
	const char *ca_crt;

	snprintf(ca, sizeof(ca), "%.*s.crt", ours ? (int)len - 4 : 2, ours ? a->ca : "CA");
	ca_crt = quote(ca, buf, sizeof(buf));
	if (a->dns.n + a->ip.n == 0 && !a->make_ca)
		printf("Note: without --dns or --ip it names no host. That will do for a client, "
		       "but\nclients that trust the CA cannot tell a server with it from others: "
		       "for a\nserver make it again with --dns HOST --force.\n\n");
	printf("Next: copy %s to the machine it is for, and the CA's certificate with it. "
	       "There\n"
	       "  sluss server --accept 4433 --connect HOST:PORT --cert %s --cafile %s\n"
	       "or\n"
	       "  sluss client --accept PORT --connect HOST:4433 --cert %s --cafile %s\n",
	    pem, pem, ca_crt, pem, ca_crt);
}

static void
put_pinned_next(const char *pem, const char *crt)
{
	printf("Next: copy %s to the other machine, and its certificate here as OTHER.crt. "
	       "Then\n"
	       "  sluss server --accept 4433 --connect HOST:PORT --cert %s --peer OTHER.crt\n"
	       "or\n"
	       "  sluss client --accept PORT --connect HOST:4433 --cert %s --peer OTHER.crt\n",
	    crt, pem, pem);
}

static void
report(const struct args *a, const struct output *pem, const struct output *crt,
    const struct keygen_result *res)
{
	char fp[CERT_FP_TEXT], buf[2][PATH_MAX];
	const char *pem_word = quote(pem->path, buf[0], sizeof(buf[0]));
	const char *crt_word = quote(crt->path, buf[1], sizeof(buf[1]));

	printf("Wrote %s: the private key and the certificate%s.\n", pem->path,
	    a->ca != NULL ? " with the CA's" : "");
	printf("Wrote %s: the certificate alone.\n", crt->path);
	printf("SHA-256 fingerprint: %s\n", cert_fingerprint_text(res->fingerprint, fp));
	printf("Valid until: %s\n\n", res->not_after);
	if (a->make_ca)
		put_ca_next(pem_word, crt_word);
	else if (a->ca != NULL)
		put_issued_next(a, pem_word);
	else
		put_pinned_next(pem_word, crt_word);
}


/* The command. */

static int
fill_request(struct keygen_request *r, const struct args *a, struct errmsg *why)
{
	static const char *const types[] = {
		[KEY_ECDSA_P256] = "ecdsa",
		[KEY_ED25519] = "ed25519",
		[KEY_RSA3072] = "rsa3072",
	};
	unsigned days = DAYS_DEFAULT;
	size_t type;

	if (value_choice(a->type, types, NELEMS(types), &type, why) == -1)
		return errmsg_prefix(why, "--type");
	if (a->days != NULL && value_number(a->days, "days", 1, DAYS_MAX, &days, why) == -1)
		return errmsg_prefix(why, "--days");
	*r = (struct keygen_request){
		.type = (enum key_type)type,
		.common_name = a->cn != NULL ? a->cn : last_component(a->name),
		.dns = a->dns.items, .ndns = a->dns.n,
		.ip = a->ip.items, .nip = a->ip.n,
		.uri = a->uri.items, .nuri = a->uri.n,
		.email = a->email.items, .nemail = a->email.n,
		.days = (int)days,
		.make_ca = a->make_ca,
	};
	return 0;
}

/* Makes key and certificate and saves them; ca is the text of the CA's file or NULL. */
static int
make(const struct args *a, struct keygen_request *req, const char *ca, struct errmsg *why)
{
	struct keygen_result res = { .key_pem = NULL };
	struct output pem, crt;
	char *chain;
	int rc = -1;

	if (output_init(&pem, a->name, ".pem", why) == -1 ||
	    output_init(&crt, a->name, ".crt", why) == -1 ||
	    (a->ca != NULL && (check_apart(pem.path, a->ca, why) == -1 ||
	                          check_apart(crt.path, a->ca, why) == -1)) ||
	    output_check(&pem, a->force, why) == -1 ||
	    output_check(&crt, a->force, why) == -1)
		return -1;
	chain = certificates(ca == NULL ? "" : ca);
	if (chain == NULL)
		return errmsg_set(why, "out of memory");
	if (keygen_make(req, &res, why) == 0 &&
	    save(&pem, &crt, &res, chain, a->force, why) == 0) {
		report(a, &pem, &crt, &res);
		rc = 0;
	}
	keygen_result_free(&res);
	free(chain);
	return rc;
}

static int
run(const struct args *a, struct errmsg *why)
{
	struct keygen_request req;
	char *ca = NULL;
	size_t len = 0;
	int rc;

	if (fill_request(&req, a, why) == -1)
		return -1;
	if (a->ca != NULL && cert_read_file(a->ca, &ca, &len, why) == -1)
		return errmsg_prefix(why, "--ca");
	req.ca_pem = ca;
	req.ca_len = len;
	rc = make(a, &req, ca, why);
	if (ca != NULL)
		cert_free_secret(ca, len);
	return rc;
}

int
cmd_keygen(int argc, char **argv)
{
	struct errmsg why;
	struct args a;
	int rc;

	if (args_new(&a, argc) == -1) {
		fprintf(stderr, "sluss keygen: out of memory\n");
		return 1;
	}
	rc = parse(&a, argc, argv, &why);
	if (rc == 0 && a.help)
		put_help(stdout);
	else if (rc == 0)
		rc = run(&a, &why);
	args_free(&a);
	if (rc == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		rc = errmsg_set(&why, "cannot write to standard output: %s%s",
		    strerror(errno), a.help ? "" : " (the files were made)");
	if (rc == -1)
		fprintf(stderr, "sluss keygen: %s\n", why.text);
	return rc == 0 ? 0 : 1;
}
