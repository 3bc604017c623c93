#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "tls/certfile_priv.h"
#include "tls/crl_file_priv.h"
#include "tls/pem_priv.h"

/* After a larger file, memory is given back to the kernel. */
#define LARGE ((size_t)1024 * 1024)

/* Ten million entries in PEM; more than that is a mistake. */
#define FILE_MOST ((off_t)512 * 1024 * 1024)

static int
open_plain(const char *file, struct stat *st, struct errmsg *e)
{
	int fd = file_open(file);

	if (fd == -1 || fstat(fd, st) == -1)
		errmsg_set(e, "cannot be read: %s", strerror(errno));
	else if (!S_ISREG(st->st_mode))
		errmsg_set(e, "this is not a plain file");
	else if (st->st_size > FILE_MOST)
		errmsg_set(e, "the file is larger than 512 MiB");
	else
		return fd;
	if (fd != -1)
		close(fd);
	return -1;
}

/* A file that grows or shrinks meanwhile is read as far as it was, and does not parse. */
static int
read_all(int fd, unsigned char *data, size_t size, size_t *len)
{
	ssize_t n;

	for (*len = 0; *len < size; *len += (size_t)n) {
		n = read(fd, data + *len, size - *len);
		if (n == -1 && errno == EINTR)
			n = 0;
		else if (n == -1)
			return -1;
		else if (n == 0)
			break;
	}
	return 0;
}

/* Reads an open file. */
static int
read_open(int fd, size_t size, struct der *content, struct errmsg *e)
{
	if ((content->data = malloc(size + 1)) == NULL)
		return errmsg_set(e, "out of memory");
	if (read_all(fd, content->data, size, &content->len) == 0)
		return 0;
	errmsg_set(e, "cannot be read: %s", strerror(errno));
	free(content->data);
	return -1;
}

/* The content of a file; empty for what is to be passed over. */
static int
read_file(const struct crl_reader *r, struct der *content, struct errmsg *e)
{
	struct stat st = { 0 };
	int rc, fd = open_plain(r->file, &st, e);

	*content = (struct der){ NULL, 0 };
	if (fd == -1)
		return r->in_folder && st.st_mode != 0 && !S_ISREG(st.st_mode) ? 0 : -1;
	rc = read_open(fd, (size_t)st.st_size, content, e);
	close(fd);
	return rc;
}

static int
hand_on(const struct crl_reader *r, struct der *der, size_t line, struct errmsg *e)
{
	struct errmsg reason;
	struct crl *c;
	char from[4096];

	if (line == 0)
		snprintf(from, sizeof(from), "%s", r->file);
	else
		snprintf(from, sizeof(from), "%s: line %zu", r->file, line);
	if ((c = crl_get(der, &reason)) == NULL)
		return errmsg_set(e, "%s: the CRL is of no use: %s", from, reason.text);
	return r->take(r->arg, c, from, e);
}

static int
read_pem(const struct crl_reader *r, const struct der *content, size_t *found, struct errmsg *e)
{
	struct pem_reader pem = pem_start((const char *)content->data, content->len);
	struct pem_block b;
	struct der der;
	int more, rc;

	while ((more = pem_next(&pem, &b, e)) == 1) {
		if (!pem_is(&b, "X509 CRL"))
			continue;
		if (pem_decode(&b, &der, e) == -1) {
			more = -1;
			break;
		}
		++*found;
		rc = hand_on(r, &der, b.line, e);
		free(der.data);
		if (rc == -1)
			return -1;
	}
	return more == -1 ? errmsg_prefix(e, "%s", r->file) : 0;
}

/* Other DER files lie beside CRLs in folders. */
static bool
is_certificate(const struct der *content)
{
	struct x509 c;

	return x509_parse(&c, content->data, content->len) == NULL;
}

static int
read_content(const struct crl_reader *r, struct der *content, size_t *found, struct errmsg *e)
{
	static const char label[] = "-----BEGIN X509 CRL-----";

	*found = 0;
	if (content->len == 0)
		return 0;
	if (!certfile_is_der((const char *)content->data, content->len)) {
		if (memmem(content->data, content->len, label, sizeof(label) - 1) == NULL)
			return 0;
		return read_pem(r, content, found, e);
	}
	if (is_certificate(content))
		return 0;
	++*found;
	return hand_on(r, content, 0, e);
}

int
crl_read_file(const struct crl_reader *r, size_t *found, struct errmsg *e)
{
	struct der content;
	int rc;

	if (read_file(r, &content, e) == -1)
		return errmsg_prefix(e, "%s", r->file);
	rc = read_content(r, &content, found, e);
	free(content.data);
	/* It was a multiple of what is kept, and may not come again for a day. */
	if (content.len > LARGE)
		malloc_trim(0);
	return rc;
}
