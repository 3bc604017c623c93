#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "tls/certfile_priv.h"
#include "tls/pem_priv.h"
#include "tls/x509_priv.h"

#define FILE_MOST ((size_t)1024 * 1024)

void
der_list_free(struct der_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->items[i].data);
	free(l->items);
	*l = (struct der_list){ NULL, 0 };
}

static int
explain_open(const char *file, int error, struct errmsg *e)
{
	if (error == ENOENT)
		return errmsg_set(e, "%s: there is no such file", file);
	if (error == EACCES)
		return errmsg_set(e,
		    "%s: permission denied; let the user who runs sluss "
		    "read it",
		    file);
	return errmsg_set(e, "%s: cannot be read: %s", file, strerror(error));
}

/* Opens a file that must be a plain one: reading a pipe could wait for ever. */
static int
open_plain(const char *file, struct stat *st, struct errmsg *e)
{
	int fd = file_open(file);

	if (fd == -1)
		return explain_open(file, errno, e);
	if (fstat(fd, st) == -1)
		explain_open(file, errno, e);
	else if (S_ISDIR(st->st_mode))
		errmsg_set(e, "%s: this is a directory; name a file with PEM text", file);
	else if (!S_ISREG(st->st_mode))
		errmsg_set(
		    e, "%s: this is not a plain file; copy its content to one", file);
	else
		return fd;
	close(fd);
	return -1;
}

/* Reads until the end or until the buffer is full. */
static ssize_t
read_all(int fd, char *buf, size_t size)
{
	size_t used = 0;
	ssize_t n;

	while (used < size) {
		n = read(fd, buf + used, size - used);
		if (n == 0)
			break;
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

/* Copies what was read into memory of the right size, with a NUL behind it. */
static int
keep(const char *file, const char *buf, ssize_t n, char **data, struct errmsg *e)
{
	if (n == -1)
		return explain_open(file, errno, e);
	if (n == 0)
		return errmsg_set(e, "%s: the file is empty", file);
	if ((size_t)n > FILE_MOST)
		return errmsg_set(
		    e, "%s: the file is larger than 1 MiB; is it the right one?", file);
	*data = malloc((size_t)n + 1);
	if (*data == NULL)
		return errmsg_set(e, "%s: out of memory", file);
	memcpy(*data, buf, (size_t)n);
	(*data)[n] = '\0';
	return 0;
}

int
certfile_read(const char *file, char **data, size_t *len, mode_t *mode, struct errmsg *e)
{
	struct stat st;
	int fd = open_plain(file, &st, e), result;
	char *buf;
	ssize_t n;

	if (fd == -1)
		return -1;
	*mode = st.st_mode;
	buf = malloc(FILE_MOST + 1);
	if (buf == NULL) {
		close(fd);
		return errmsg_set(e, "%s: out of memory", file);
	}
	n = read_all(fd, buf, FILE_MOST + 1);
	result = keep(file, buf, n, data, e);
	*len = (size_t)n;
	cert_free_secret(buf, n < 0 ? FILE_MOST + 1 : (size_t)n);
	close(fd);
	return result;
}

int
cert_read_file(const char *file, char **data, size_t *len, struct errmsg *e)
{
	mode_t mode;

	return certfile_read(file, data, len, &mode, e);
}

bool
certfile_is_der(const char *data, size_t len)
{
	/* A digit '0' and a byte that tells the length. */
	return len > 1 && data[0] == TAG_SEQUENCE &&
	    ((data[1] & 0x80) != 0 || (size_t)data[1] == len - 2);
}

/*
 * Certificates.
 */

static int
append(struct der_list *l, struct der *der, struct errmsg *e)
{
	struct der *grown = realloc(l->items, (l->n + 1) * sizeof(*grown));

	if (grown == NULL)
		return errmsg_set(e, "out of memory");
	l->items = grown;
	l->items[l->n++] = *der;
	*der = (struct der){ NULL, 0 };
	return 0;
}

/* Adds the block to the list when it is a certificate. */
static int
take_cert(const struct pem_block *b, struct der_list *l, struct errmsg *e)
{
	const char *wrong;
	struct x509 c;
	struct der der;
	int result = -1;

	if (pem_is(b, "TRUSTED CERTIFICATE"))
		return errmsg_set(e,
		    "line %zu: a \"TRUSTED CERTIFICATE\" has settings of "
		    "OpenSSL's own in it; \"openssl x509 -in OLD -out NEW\" removes them",
		    b->line);
	if (!pem_is(b, "CERTIFICATE") && !pem_is(b, "X509 CERTIFICATE"))
		return 0;
	if (pem_decode(b, &der, e) == -1)
		return -1;
	if ((wrong = x509_parse(&c, der.data, der.len)) != NULL)
		errmsg_set(
		    e, "line %zu: the certificate is malformed: %s", b->line, wrong);
	else
		result = append(l, &der, e);
	free(der.data);
	return result;
}

/* No certificate was found: what the file may be instead. */
static int
explain_no_cert(const char *data, size_t len, struct errmsg *e)
{
	if (certfile_is_der(data, len))
		return errmsg_set(e,
		    "this is DER, not PEM; \"openssl x509 -inform DER -in OLD -out NEW\" "
		    "converts a certificate, \"openssl pkcs12 -in OLD -nodes -out NEW\" a "
		    "PKCS#12 file");
	return errmsg_set(e,
	    "there is no certificate in this file (a block that starts with "
	    "\"-----BEGIN CERTIFICATE-----\")");
}

static int
collect_certs(const char *data, size_t len, struct der_list *l, struct errmsg *e)
{
	struct pem_reader r = pem_start(data, len);
	struct pem_block b;
	int more;

	while ((more = pem_next(&r, &b, e)) == 1)
		if (take_cert(&b, l, e) == -1)
			return -1;
	if (more == 0 && l->n == 0)
		return explain_no_cert(data, len, e);
	return more;
}

int
cert_load_chain(const char *file, struct der_list *l, struct errmsg *e)
{
	size_t len;
	char *data;
	int result;

	*l = (struct der_list){ NULL, 0 };
	if (cert_read_file(file, &data, &len, e) == -1)
		return -1;
	result = collect_certs(data, len, l, e);
	/* The key may be in the same file. */
	cert_free_secret(data, len);
	if (result == -1) {
		errmsg_prefix(e, "%s", file);
		der_list_free(l);
	}
	return result;
}
