#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "cmd/keygen.h"
#include "cmd/keygen_args_priv.h"
#include "cmd/output_priv.h"
#include "tls/cert.h"

#define NELEMS(a) (sizeof(a) / sizeof((a)[0]))

/* The files that are made. */
enum { PEM, CRT, NFILES };

static const char *const suffixes[NFILES] = { [PEM] = ".pem", [CRT] = ".crt" };

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
	       "  sluss keygen client --ca %s\n",
	    pem, crt, pem, pem);
}

static void
put_issued_next(const struct keygen_args *a, const char *pem)
{
	const size_t len = strlen(a->ca);
	bool ours = len > 4 && strcasecmp(a->ca + len - 4, ".pem") == 0;
	char ca[PATH_MAX], buf[PATH_MAX];
	const char *ca_crt;

	snprintf(
	    ca, sizeof(ca), "%.*s.crt", ours ? (int)len - 4 : 2, ours ? a->ca : "CA");
	ca_crt = quote(ca, buf, sizeof(buf));
	if (a->request.ndns + a->request.nip == 0)
		printf(
		    "Note: without --dns or --ip it names no host. That will do for a client, "
		    "but\nclients that trust the CA cannot tell a server with it from others: "
		    "for a\nserver make it again with --dns HOST --force.\n\n");
	printf(
	    "Next: copy %s to the machine it is for, and the CA's certificate with it. "
	    "There\n"
	    "  sluss server --accept 4433 --connect HOST:PORT --cert %s --cafile %s\n"
	    "or\n"
	    "  sluss client --accept PORT --connect HOST:4433 --cert %s --cafile %s\n",
	    pem, pem, ca_crt, pem, ca_crt);
}

static void
put_pinned_next(const char *pem, const char *crt)
{
	printf(
	    "Next: copy %s to the other machine, and its certificate here as OTHER.crt. "
	    "Then\n"
	    "  sluss server --accept 4433 --connect HOST:PORT --cert %s --peer OTHER.crt\n"
	    "or\n"
	    "  sluss client --accept PORT --connect HOST:4433 --cert %s --peer OTHER.crt\n",
	    crt, pem, pem);
}

static void
report(const struct keygen_args *a, const struct output *files,
    const struct keygen_result *res)
{
	char fp[CERT_FP_TEXT], buf[NFILES][PATH_MAX];
	const char *pem = quote(files[PEM].path, buf[PEM], sizeof(buf[PEM]));
	const char *crt = quote(files[CRT].path, buf[CRT], sizeof(buf[CRT]));

	printf("Wrote %s: the private key and the certificate%s.\n", files[PEM].path,
	    a->ca != NULL ? " with the CA's" : "");
	printf("Wrote %s: the certificate alone.\n", files[CRT].path);
	printf("SHA-256 fingerprint: %s\n", cert_fingerprint_text(res->fingerprint, fp));
	printf("Valid until: %s\n\n", res->not_after);
	if (a->request.make_ca)
		put_ca_next(pem, crt);
	else if (a->ca != NULL)
		put_issued_next(a, pem);
	else
		put_pinned_next(pem, crt);
}

/* The files. */

/* The certificates in a PEM text, one behind the other, malloc'ed; NULL when out of
 * memory. */
static char *
certificates(const char *pem)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----";
	static const char end[] = "-----END CERTIFICATE-----";
	char *all = malloc(2 * strlen(pem) + 2), *to = all;
	const char *from = pem, *stop;

	if (all == NULL)
		return NULL;
	while (
	    (from = strstr(from, begin)) != NULL && (stop = strstr(from, end)) != NULL) {
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
		return errmsg_set(
		    why, "%s is the CA's own file: give another NAME", path);
	return 0;
}

static int
files_init(struct output *files, const struct keygen_args *a, struct errmsg *why)
{
	int i;

	for (i = 0; i < NFILES; i++)
		if (output_init(&files[i], a->name, suffixes[i], why) == -1)
			return -1;
	for (i = 0; i < NFILES; i++)
		if (a->ca != NULL && check_apart(files[i].path, a->ca, why) == -1)
			return -1;
	for (i = 0; i < NFILES; i++)
		if (output_check(&files[i], a->force, why) == -1)
			return -1;
	return 0;
}

static int
save(struct output *files, const struct keygen_result *res, const char *chain, bool force,
    struct errmsg *why)
{
	const char *texts[] = { res->key_pem, res->cert_pem, chain };

	if (output_write(&files[PEM], 0600, texts, NELEMS(texts), why) == 0 &&
	    output_write(&files[CRT], 0644, texts + 1, 1, why) == 0 &&
	    output_publish(files, NFILES, force, why) == 0)
		return 0;
	output_discard(files, NFILES);
	return -1;
}

/* The command. */

/* Makes key and certificate and saves them. */
static int
make(const struct keygen_args *a, struct errmsg *why)
{
	const char *ca = a->request.ca_pem;
	struct keygen_result res = { .key_pem = NULL };
	struct output files[NFILES];
	char *chain;
	int rc = -1;

	if (files_init(files, a, why) == -1)
		return -1;
	chain = certificates(ca == NULL ? "" : ca);
	if (chain == NULL)
		return errmsg_set(why, "out of memory");
	if (keygen_make(&a->request, &res, why) == 0 &&
	    save(files, &res, chain, a->force, why) == 0) {
		report(a, files, &res);
		rc = 0;
	}
	keygen_result_free(&res);
	free(chain);
	return rc;
}

static int
make_with_ca(struct keygen_args *a, struct errmsg *why)
{
	char *ca;
	size_t len;
	int rc;

	if (cert_read_file(a->ca, &ca, &len, why) == -1)
		return errmsg_prefix(why, "--ca");
	a->request.ca_pem = ca;
	a->request.ca_len = len;
	rc = make(a, why);
	cert_free_secret(ca, len);
	return rc;
}

static int
run(struct keygen_args *a, struct errmsg *why)
{
	int rc = 0;

	if (a->help)
		keygen_args_help(stdout);
	else
		rc = a->ca == NULL ? make(a, why) : make_with_ca(a, why);
	if (rc == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		return errmsg_set(why, "cannot write to standard output: %s%s",
		    strerror(errno), a->help ? "" : " (the files were made)");
	return rc;
}

int
cmd_keygen(int argc, char **argv)
{
	struct keygen_args a;
	struct errmsg why;
	int rc = keygen_args_read(&a, argc, argv, &why);

	if (rc == 0) {
		rc = run(&a, &why);
		keygen_args_free(&a);
	}
	if (rc == -1)
		fprintf(stderr, "sluss keygen: %s\n", why.text);
	return rc == 0 ? 0 : 1;
}
