/* What the operator configured: a set of CRLs. */
#include <wolfssl/options.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <wolfssl/wolfcrypt/hash.h>

#include "base/file.h"
#include "base/log.h"
#include "tls/crl_file_priv.h"
#include "tls/pubkey_priv.h"
#include "tls/trust_priv.h"

/* A set while it is read. */
struct loading {
	struct crl_set *set;
	const struct trust *trust;
	int64_t now;
	const char *where;
};

/*
 * Whose is it?
 */

/* Looks among the CAs for the one that has signed it.  Returns 1, 0 when none has its name, or
 * -1 with the message filled. */
static int
find_issuer(const struct trust *t, struct crl *c, struct errmsg *e)
{
	char subject[NAME_TEXT];
	const struct x509 *ca;
	int found = 0;
	size_t i;

	for (i = 0; i < t->nanchors; i++) {
		ca = &t->anchors[i].cert;
		if (!t->anchors[i].issues || !crl_may_be_of(c, ca))
			continue;
		if (!crl_signing_allowed(ca))
			errmsg_set(e, "the keyUsage of \"%s\" lacks cRLSign: it may not sign CRLs",
			    x509_name_text(ca->subject, subject, sizeof(subject)));
		else if (pubkey_judge(ca, e) == -1)
			errmsg_prefix(e, "\"%s\"", x509_name_text(ca->subject, subject,
			    sizeof(subject)));
		else if (!crl_proven_by(c, ca))
			errmsg_set(e, "its signature is not by the key of \"%s\" in the CA file",
			    x509_name_text(ca->subject, subject, sizeof(subject)));
		else
			return 1;
		found = -1;
	}
	return found;
}

static void
warn(const struct loading *l, const char *from, const char *what)
{
	log_line(LOG_WARNING, "main", "Service [%s] %s%s: %s", l->set->service,
	    l->where != NULL ? l->where : "", from, what);
}

static void
warn_dates(const struct loading *l, const struct crl *c, const char *from)
{
	char text[128], when[32];

	if (l->now > c->next_update)
		snprintf(text, sizeof(text), "the CRL is out of date: a new one was to come by "
		    "%s", cert_time_text(c->next_update, when));
	else if (l->now < c->this_update)
		snprintf(text, sizeof(text), "the CRL is valid from %s on only; is this "
		    "machine's clock right?", cert_time_text(c->this_update, when));
	else
		return;
	warn(l, from, text);
}

/*
 * Collecting.
 */

/* Whether both are surely by the same key. */
static bool
same_key(const struct crl *a, const struct crl *b)
{
	return memcmp(a->issuer, b->issuer, sizeof(a->issuer)) == 0 &&
	    atomic_load(&a->proven) && atomic_load(&b->proven) &&
	    memcmp(a->key, b->key, sizeof(a->key)) == 0;
}

static void
item_free(struct crl_item *item)
{
	crl_put(item->crl);
	free(item->from);
}

/* Drops the older one of the same kind, if there is one; or says that the new one is. */
static bool
is_older(struct crl_set *s, const struct crl *c)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		if (c == s->items[i].crl)
			return true;
		if (!same_key(s->items[i].crl, c))
			continue;
		if (crl_supersedes(s->items[i].crl, c))
			return true;
		if (!crl_supersedes(c, s->items[i].crl))
			continue;
		item_free(&s->items[i]);
		s->items[i--] = s->items[--s->n];
	}
	return false;
}

static int
add(struct crl_set *s, struct crl *c, const char *from, struct errmsg *e)
{
	struct crl_item *grown;

	if (is_older(s, c)) {
		crl_put(c);
		return 0;
	}
	grown = realloc(s->items, (s->n + 1) * sizeof(*grown));
	if (grown != NULL)
		s->items = grown;
	if (grown == NULL || (grown[s->n].from = strdup(from)) == NULL) {
		crl_put(c);
		return errmsg_set(e, "%s: out of memory", from);
	}
	s->items[s->n++].crl = c;
	return 0;
}

static int
take(void *arg, struct crl *c, const char *from, struct errmsg *e)
{
	struct loading *l = arg;

	switch (find_issuer(l->trust, c, e)) {
	case -1:
		crl_put(c);
		errmsg_prefix(e, "%s: the CRL is of no use", from);
		return -1;
	case 0:
		warn(l, from, "the CRL belongs to no CA in CAfile or CApath; it counts only "
		    "where a peer sends that CA's certificate");
		break;
	}
	warn_dates(l, c, from);
	return add(l->set, c, from, e);
}

static int
load_file(struct loading *l, const char *file, struct errmsg *e)
{
	const struct crl_reader r = { file, false, take, l };
	size_t found;

	if (crl_read_file(&r, &found, e) == -1)
		return -1;
	if (found == 0)
		return errmsg_set(e, "%s: there is no CRL in this file (a block that starts with "
		    "\"-----BEGIN X509 CRL-----\", or DER)", file);
	return 0;
}

static int
load_from_folder(struct loading *l, const char *folder, const char *name, struct errmsg *e)
{
	char path[4096];
	const struct crl_reader r = { path, true, take, l };
	size_t found;
	int n;

	if (name[0] == '.')
		return 0;
	n = snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (n >= (int)sizeof(path))
		return errmsg_set(e, "%s: the path of a file in it is too long", folder);
	return crl_read_file(&r, &found, e);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
load_folder(struct loading *l, const char *folder, struct errmsg *e)
{
	size_t i, n, before = l->set->n;
	char **names;
	int rc = 0;

	if (file_names(folder, &names, &n) == -1)
		return errmsg_set(e, "%s: the folder cannot be read: %s", folder, strerror(errno));
	if (n > 1)
		qsort(names, n, sizeof(*names), by_name);
	for (i = 0; i < n && rc == 0; i++)
		rc = load_from_folder(l, folder, names[i], e);
	file_names_free(names, n);
	if (rc == 0 && l->set->n == before)
		warn(l, folder, "there is no CRL in this folder");
	return rc;
}

static int
by_issuer(const void *a, const void *b)
{
	const struct crl_item *x = a, *y = b;

	int order = memcmp(x->crl->issuer, y->crl->issuer, sizeof(x->crl->issuer));

	return order != 0 ? order : memcmp(x->crl->digest, y->crl->digest, sizeof(x->crl->digest));
}

static bool
hash(struct crl_set *s)
{
	const byte how[2] = { s->whole_path, s->soft };
	wc_Sha256 h;
	bool good;

	if (wc_InitSha256(&h) != 0)
		return false;
	good = wc_Sha256Update(&h, how, sizeof(how)) == 0;
	for (size_t i = 0; i < s->n && good; i++)
		good = wc_Sha256Update(&h, s->items[i].crl->digest,
		    sizeof(s->items[i].crl->digest)) == 0;
	good = good && wc_Sha256Final(&h, s->digest) == 0;
	wc_Sha256Free(&h);
	return good;
}

static int
load(struct loading *l, const struct crl_source *from, struct errmsg *e)
{
	struct crl_set *s = l->set;
	size_t i;

	for (i = 0; i < from->nfiles; i++)
		if (load_file(l, from->files[i], e) == -1)
			return -1;
	for (i = 0; i < from->nfolders; i++)
		if (load_folder(l, from->folders[i], e) == -1)
			return -1;
	log_line(LOG_INFO, "main", "Service [%s] %zu CRLs with %zu revoked certificates",
	    s->service, crl_set_lists(s), crl_set_revoked(s));
	if (s->n > 1)
		qsort(s->items, s->n, sizeof(*s->items), by_issuer);
	return hash(s) ? 0 : errmsg_set(e, "wolfSSL cannot hash");
}

struct crl_set *
crl_set_new(const struct crl_source *from, const struct trust *t, struct errmsg *e)
{
	struct loading l = { .trust = t, .now = time(NULL), .where = from->where };

	if (!trust_has_cas(t) && !t->chain) {
		errmsg_set(e, "CRLs prove nothing here: there is no CA in CAfile or CApath that "
		    "could have signed them; a certificate that is trusted by itself is revoked "
		    "by taking it out of its file");
		return NULL;
	}
	if ((l.set = calloc(1, sizeof(*l.set))) == NULL ||
	    (l.set->service = strdup(from->service)) == NULL) {
		free(l.set);
		errmsg_set(e, "out of memory");
		return NULL;
	}
	atomic_init(&l.set->refs, 1);
	l.set->whole_path = from->whole_path;
	l.set->soft = from->soft;
	if (load(&l, from, e) == 0)
		return l.set;
	crl_set_unref(l.set);
	return NULL;
}

struct crl_set *
crl_set_ref(struct crl_set *s)
{
	if (s != NULL)
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void
crl_set_unref(struct crl_set *s)
{
	size_t i;

	if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (i = 0; i < s->n; i++)
		item_free(&s->items[i]);
	free(s->items);
	free(s->service);
	free(s);
}

/* Each CRL exists once, so that the same ones are the same objects. */
static bool
has(const struct crl_set *s, const struct crl *c)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->items[i].crl == c)
			return true;
	return false;
}

bool
crl_set_equal(const struct crl_set *a, const struct crl_set *b)
{
	size_t i;

	if (a == NULL || b == NULL)
		return a == b;
	if (a->n != b->n || a->whole_path != b->whole_path || a->soft != b->soft)
		return false;
	for (i = 0; i < a->n; i++)
		if (!has(b, a->items[i].crl))
			return false;
	return true;
}

void
crl_set_digest(const struct crl_set *s, unsigned char digest[CRL_DIGEST])
{
	memset(digest, 0, CRL_DIGEST);
	if (s != NULL)
		memcpy(digest, s->digest, CRL_DIGEST);
}

size_t
crl_set_moments(const struct crl_set *s, int64_t *when, size_t most)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n && n + 2 <= most; i++) {
		when[n++] = s->items[i].crl->this_update;
		when[n++] = s->items[i].crl->next_update + 1;
	}
	return n;
}

size_t
crl_set_lists(const struct crl_set *s)
{
	return s->n;
}

size_t
crl_set_revoked(const struct crl_set *s)
{
	size_t i, sum = 0;

	for (i = 0; i < s->n; i++)
		sum += s->items[i].crl->serials.n;
	return sum;
}

unsigned long long
crl_set_passed(const struct crl_set *s)
{
	return atomic_load(&s->passed);
}
