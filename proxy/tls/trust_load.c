/* What the operator configured: whom a struct trust knows. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "tls/pubkey_priv.h"
#include "tls/trust_priv.h"

/* Exact certificates. */

static int
add_peers(struct trust *t, const struct der_list *list, struct errmsg *e)
{
	struct x509 c;
	void *grown;

	grown = realloc(t->peers, (t->npeers + list->n) * sizeof(*t->peers));
	if (grown == NULL)
		return errmsg_set(e, "out of memory");
	t->peers = grown;
	for (size_t i = 0; i < list->n; i++) {
		if (x509_parse(&c, list->items[i].data, list->items[i].len) != NULL)
			assert(!"a certificate that was read before");
		x509_fingerprint(&c, t->peers[t->npeers++]);
	}
	return 0;
}

/* The first of them that is weak, or n. */
static size_t
find_weak(const struct der_list *list, struct errmsg *e)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (cert_strong(&list->items[i], e) == -1)
			break;
	return i;
}

int
trust_add_peers(struct trust *t, const char *file, struct errmsg *e)
{
	struct der_list list;
	int rc = -1;

	if (cert_load_chain(file, &list, e) == -1)
		return -1;
	if (find_weak(&list, e) < list.n || add_peers(t, &list, e) == -1)
		errmsg_prefix(e, "%s", file);
	else
		rc = 0;
	der_list_free(&list);
	return rc;
}

int
trust_add_peer(struct trust *t, const struct der *cert, struct errmsg *e)
{
	struct der copy = *cert;
	const struct der_list one = { &copy, 1 };

	if (cert_strong(&copy, e) == -1)
		return -1;
	return add_peers(t, &one, e);
}

/* Anchors. */

bool
trust_has_anchor(const struct trust *t, const struct x509 *c)
{
	size_t i;

	for (i = 0; i < t->nanchors; i++)
		if (x509_same(&t->anchors[i].cert, c))
			return true;
	return false;
}

/* Takes over the certificate; its bytes stay where they are. */
static void
add_anchor(struct trust *t, struct der *der)
{
	struct anchor *a = &t->anchors[t->nanchors];

	*a = (struct anchor){ .der = *der };
	if (x509_parse(&a->cert, der->data, der->len) != NULL)
		assert(!"a certificate that was read before");
	a->issues = a->cert.is_ca;
	if (trust_has_anchor(t, &a->cert))
		return;
	t->nanchors++;
	*der = (struct der){ NULL, 0 };
}

/* Takes over what is new in the list. */
static int
add_anchors(struct trust *t, struct der_list *list, struct errmsg *e)
{
	void *grown;

	grown = realloc(t->anchors, (t->nanchors + list->n) * sizeof(*t->anchors));
	if (grown == NULL)
		return errmsg_set(e, "out of memory");
	t->anchors = grown;
	for (size_t i = 0; i < list->n; i++)
		add_anchor(t, &list->items[i]);
	return 0;
}

/* Names the first of the anchors from a place on that cannot let anybody in. */
static int
warn_about(const struct trust *t, size_t first, const char *from, struct errmsg *e)
{
	const int64_t now = time(NULL);
	size_t i, bad = 0;
	struct errmsg why;

	for (i = first; i < t->nanchors; i++)
		if (rules_anchor(&t->anchors[i].cert, now, &why) != TRUST_OK &&
		    bad++ == 0)
			*e = why;
	if (bad == 0)
		return 0;
	errmsg_prefix(e,
	    bad == 1 ? "%s: a certificate lets nobody in"
		     : "%s: %zu certificates let nobody in, the first of them because",
	    from, bad);
	return 1;
}

int
trust_add_cas(struct trust *t, const char *file, struct errmsg *e)
{
	size_t first = t->nanchors;
	struct der_list list;
	int rc;

	if (cert_load_chain(file, &list, e) == -1)
		return -1;
	rc = add_anchors(t, &list, e);
	der_list_free(&list);
	return rc == -1 ? errmsg_prefix(e, "%s", file) : warn_about(t, first, file, e);
}

/* CA files as stunnel reads them. */

/* What a source adds, as the trust was told to read it. */
static int
add_list(struct trust *t, struct der_list *list, struct errmsg *e)
{
	if (t->pinned && add_peers(t, list, e) == -1)
		return -1;
	return t->chain || !t->pinned ? add_anchors(t, list, e) : 0;
}

void
trust_read_as(struct trust *t, bool chain, bool exact)
{
	assert(trust_is_empty(t));
	t->chain = chain;
	t->pinned = exact;
}

bool
trust_reads_exact(const struct trust *t)
{
	return t->pinned;
}

/* Whether somebody can pass by the certificate, as far as it can be said before a peer comes. */
static bool
is_useful(const struct trust *t, const struct der *der, struct errmsg *why)
{
	struct x509 c;

	if (x509_parse(&c, der->data, der->len) != NULL)
		assert(!"a certificate that was read before");
	return (!t->pinned || cert_strong(der, why) == 0) &&
	    rules_anchor(&c, time(NULL), why) == TRUST_OK;
}

/* Bundles of many CAs always have some that are out of date; a file of which nothing is any use
 * is another matter.  Filled: why the first is none. */
static bool
has_useful(const struct trust *t, const struct der_list *list, struct errmsg *why)
{
	struct errmsg other;

	for (size_t i = 0; i < list->n; i++)
		if (is_useful(t, &list->items[i], i == 0 ? why : &other))
			return true;
	return false;
}

int
trust_add_file(struct trust *t, const char *file, struct errmsg *e)
{
	struct der_list list;
	struct errmsg why;
	bool useful;
	size_t n;
	int rc;

	if (cert_load_chain(file, &list, e) == -1)
		return -1;
	useful = has_useful(t, &list, &why);
	n = list.n;
	rc = add_list(t, &list, e);
	der_list_free(&list);
	if (rc == -1)
		return errmsg_prefix(e, "%s", file);
	if (useful)
		return 0;
	*e = why;
	errmsg_prefix(e, "%s: its certificate%s nobody in", file, n == 1 ? " lets" : "s let");
	return 1;
}

/* Folders. */

/* A folder while it is read. */
struct folder {
	size_t read;         /* files with certificates */
	size_t bad;          /* files that cannot be used */
	struct errmsg first; /* … and why the first of them cannot */
};

/* Folders, and links to nothing, are none. */
static bool
is_file(const char *path)
{
	struct stat st;
	int fd = file_open(path);
	bool is = fd == -1 ? errno == EACCES : fstat(fd, &st) == 0 && S_ISREG(st.st_mode);

	if (fd != -1)
		close(fd);
	return is;
}

/* Other files are common beside certificates: lists of revoked ones, a README. */
static int
has_certificates(const char *path, struct errmsg *e)
{
	char *data;
	size_t len;
	int found;

	if (cert_read_file(path, &data, &len, e) == -1)
		return -1;
	found = strstr(data, "CERTIFICATE-----") != NULL;
	cert_free_secret(data, len);
	return found;
}

static int
add_from_folder(struct trust *t, const char *path, struct folder *f, struct errmsg *e)
{
	struct errmsg why;
	struct der_list list;
	int rc;

	if (!is_file(path) || (rc = has_certificates(path, &why)) == 0)
		return 0;
	if (rc == -1 || cert_load_chain(path, &list, &why) == -1) {
		if (f->bad++ == 0)
			f->first = why;
		return 0;
	}
	rc = add_list(t, &list, e);
	der_list_free(&list);
	f->read++;
	return rc;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In an order that stays the same from reading to reading. */
static int
read_folder(struct trust *t, const char *folder, struct folder *f, struct errmsg *e)
{
	char path[4096], **names;
	size_t n;
	int rc = 0, len;

	if (file_names(folder, &names, &n) == -1)
		return errmsg_set(e, "%s: the folder cannot be read: %s", folder,
		    strerror(errno));
	if (n > 0)
		qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n && rc == 0; i++) {
		len = snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		if (names[i][0] != '.' && len < (int)sizeof(path))
			rc = add_from_folder(t, path, f, e);
	}
	file_names_free(names, n);
	return rc;
}

int
trust_add_folder(struct trust *t, const char *folder, struct errmsg *e)
{
	struct folder f = { 0 };

	if (read_folder(t, folder, &f, e) == -1)
		return -1;
	if (f.bad > 0) {
		*e = f.first;
		errmsg_prefix(e, "%s: %zu file%s passed over", folder, f.bad,
		    f.bad == 1 ? "" : "s");
		return 1;
	}
	if (f.read > 0)
		return 0;
	errmsg_set(e, "%s: there is no file with a certificate in this folder", folder);
	return 1;
}
