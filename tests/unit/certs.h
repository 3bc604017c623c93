#ifndef UNIT_CERTS_H_
#define UNIT_CERTS_H_

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tls/cert.h"

/*
 * The certificates that make_certs.sh makes, for the tests that judge them.  Programs
 * call certs_make() before their suite runs and certs_remove() after.
 */
static char certs_folder[] = "/tmp/sluss-certs.XXXXXX";

static inline const char *
certs_source(void)
{
	const char *top = getenv("top_srcdir");

	if (top != NULL)
		return top;
	return access("tests/unit/make_certs.sh", R_OK) == 0 ? "." : "../..";
}

static inline int
certs_make(void)
{
	char command[4096];

	if (mkdtemp(certs_folder) == NULL) {
		perror(certs_folder);
		return -1;
	}
	snprintf(command, sizeof(command), "sh '%s/tests/unit/make_certs.sh' '%s'",
	    certs_source(), certs_folder);
	return system(command) == 0 ? 0 : -1;
}

static inline int
certs_unlink(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static inline void
certs_remove(void)
{
	nftw(certs_folder, certs_unlink, 8, FTW_DEPTH | FTW_PHYS);
}

/* The path of a file in the folder; good until the eighth call after. */
static inline const char *
certs_path(const char *name, const char *suffix)
{
	static _Thread_local char paths[8][256];
	static _Thread_local unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s%s", certs_folder, name, suffix);
	return path;
}

static inline void
certs_write(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "w");

	if (f == NULL || fwrite(data, 1, len, f) != len || fclose(f) != 0) {
		perror(path);
		abort();
	}
}

static inline void
certs_write_text(const char *path, const char *text)
{
	certs_write(path, text, strlen(text));
}

/* Writes NAME.pem with any bytes for a certificate, or another kind of block. */
static inline void
certs_write_pem(
    const char *name, const char *label, const unsigned char *data, size_t len)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	FILE *f = fopen(certs_path(name, ".pem"), "w");
	unsigned long v;
	size_t i;

	if (f == NULL)
		abort();
	fprintf(f, "-----BEGIN %s-----\n", label);
	for (i = 0; i < len; i += 3) {
		v = (unsigned long)data[i] << 16;
		v |= i + 1 < len ? (unsigned long)data[i + 1] << 8 : 0;
		v |= i + 2 < len ? data[i + 2] : 0;
		fprintf(f, "%c%c%c%c%s", digits[v >> 18], digits[v >> 12 & 63],
		    i + 1 < len ? digits[v >> 6 & 63] : '=',
		    i + 2 < len ? digits[v & 63] : '=', i % 48 == 45 ? "\n" : "");
	}
	fprintf(f, "%s-----END %s-----\n", len % 48 == 0 || len % 48 > 45 ? "" : "\n", label);
	if (fclose(f) != 0)
		abort();
}

/* The one certificate of NAME.pem; free its data. */
static inline struct der
certs_load(const char *name)
{
	struct der_list list;
	struct errmsg e;
	struct der der;

	if (cert_load_chain(certs_path(name, ".pem"), &list, &e) == -1) {
		fprintf(stderr, "%s\n", e.text);
		abort();
	}
	der = list.items[0];
	list.items[0].data = NULL;
	der_list_free(&list);
	return der;
}

/* Puts bytes that no certificate file may have into NAME.raw, and into NAME.pem for others. */
static inline void
certs_put_raw(const char *name, const struct der *der)
{
	certs_write(certs_path(name, ".raw"), der->data, der->len);
	certs_write_pem(name, "CERTIFICATE", der->data, der->len);
}

/* A certificate, or what certs_put_raw() has put there; free its data. */
static inline struct der
certs_load_any(const char *name)
{
	FILE *f = fopen(certs_path(name, ".raw"), "r");
	struct der der = { malloc(65536), 0 };

	if (f == NULL) {
		free(der.data);
		return certs_load(name);
	}
	der.len = fread(der.data, 1, 65536, f);
	fclose(f);
	der.data = realloc(der.data, der.len); /* so that a sanitizer sees its end */
	return der;
}

#endif
