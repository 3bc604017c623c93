/* PROXY headers towards the target (haproxy's proxy-protocol, versions 1 and 2). */
#include <arpa/inet.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "tls/session.h"
#include "tunnel/preface.h"

/* Version 2: what follows the fixed part has a length of 16 bits. */
#define FIXED 16
#define REST_MAX 65535

enum tlv {
	TLV_ALPN = 0x01,
	TLV_AUTHORITY = 0x02,
	TLV_SSL = 0x20,
	TLV_SSL_VERSION = 0x21,
	TLV_SSL_CN = 0x22,
	TLV_SSL_CIPHER = 0x23,
	TLV_SSL_SIG_ALG = 0x24,
	TLV_SSL_KEY_ALG = 0x25,
	TLV_SSL_CLIENT_CERT = 0x28,
	/* Of those that are free for everybody, ours: see the manual. */
	TLV_FINGERPRINT = 0xe0,
	TLV_NAMES = 0xe1,
	TLV_BINDING = 0xe2,
};

/* Bits of the SSL value. */
#define CLIENT_SSL 0x01
#define CLIENT_CERT_CONN 0x02
#define CLIENT_CERT_SESS 0x04

static int
family_of(const struct addr *a)
{
	return a == NULL ? AF_UNSPEC : a->u.sa.sa_family;
}

static bool
is_ip(const struct addr *a)
{
	return family_of(a) == AF_INET || family_of(a) == AF_INET6;
}

/* The address in 16 bytes, IPv4 mapped, and the port in network order. */
static void
address_of(const struct addr *a, uint8_t bytes[16], in_port_t *port)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	if (family_of(a) == AF_INET6) {
		memcpy(bytes, &a->u.in6.sin6_addr, 16);
		*port = a->u.in6.sin6_port;
		return;
	}
	memcpy(bytes, mapped, sizeof(mapped));
	memcpy(bytes + sizeof(mapped), &a->u.in.sin_addr, 4);
	*port = a->u.in.sin_port;
}

enum preface_verdict
preface_proxy_v1(struct preface *p, const uint8_t *in, size_t n, size_t *used,
    struct errmsg *why)
{
	const struct preface_facts *f = p->facts;
	bool v4 = family_of(f->from) == AF_INET && family_of(f->to) == AF_INET;
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
	in_port_t from_port, to_port;
	uint8_t bytes[16];
	int rc;

	(void)in, (void)n, (void)used;
	if (!is_ip(f->from) || !is_ip(f->to)) {
		rc = preface_say(p, PREFACE_UP, why, "PROXY UNKNOWN\r\n");
		return rc == -1 ? PREFACE_FAILED : PREFACE_DONE;
	}
	address_of(f->from, bytes, &from_port);
	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? bytes + 12 : bytes, from, sizeof(from));
	address_of(f->to, bytes, &to_port);
	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? bytes + 12 : bytes, to, sizeof(to));
	rc = preface_say(p, PREFACE_UP, why, "PROXY TCP%c %s %s %u %u\r\n", v4 ? '4' : '6', from,
	    to, ntohs(from_port), ntohs(to_port));
	return rc == -1 ? PREFACE_FAILED : PREFACE_DONE;
}

/* A header that is being put together; it stops growing at the first failure. */
struct header {
	struct buf b;
	bool failed;
};

static void
add(struct header *h, const void *data, size_t n)
{
	if (buf_append(&h->b, data, n) == -1)
		h->failed = true;
}

static void
add_tlv(struct header *h, enum tlv type, const void *data, size_t n)
{
	uint8_t head[3] = { (uint8_t)type, (uint8_t)(n >> 8), (uint8_t)n };

	if (n > REST_MAX) {
		h->failed = true;
		return;
	}
	add(h, head, sizeof(head));
	add(h, data, n);
}

static void
add_text(struct header *h, enum tlv type, const char *text)
{
	if (text != NULL)
		add_tlv(h, type, text, strlen(text));
}

static void
add_bytes(struct header *h, enum tlv type, const void *data, size_t n)
{
	if (data != NULL)
		add_tlv(h, type, data, n);
}

/* A unix address is only as long as it says: nothing is known of the bytes behind that. */
static void
path_of(const struct addr *a, uint8_t path[108])
{
	const size_t head = offsetof(struct sockaddr_un, sun_path);

	if (family_of(a) == AF_UNIX && a->len > head && a->len <= sizeof(a->u.un))
		memcpy(path, a->u.un.sun_path, a->len - head);
}

/* The family, and its addresses. */
static void
add_addresses(struct header *h, const struct preface_facts *f, uint8_t *family)
{
	bool v4 = family_of(f->from) == AF_INET && family_of(f->to) == AF_INET;
	size_t skip = v4 ? 12 : 0;
	uint8_t from[16], to[16], paths[2][108] = { { 0 }, { 0 } };
	in_port_t from_port, to_port;

	*family = 0x00;
	if (family_of(f->from) == AF_UNIX) {
		*family = 0x31;
		_Static_assert(sizeof(f->from->u.un.sun_path) <= sizeof(paths[0]), "paths");
		path_of(f->from, paths[0]);
		path_of(f->to, paths[1]);
		add(h, paths, sizeof(paths));
	} else if (is_ip(f->from) && is_ip(f->to)) {
		*family = v4 ? 0x11 : 0x21;
		address_of(f->from, from, &from_port);
		address_of(f->to, to, &to_port);
		add(h, from + skip, sizeof(from) - skip);
		add(h, to + skip, sizeof(to) - skip);
		add(h, &from_port, sizeof(from_port));
		add(h, &to_port, sizeof(to_port));
	}
}

static void
add_ssl(struct header *h, const struct preface_facts *f)
{
	/* The bits; then 0 when the certificate was found good. */
	uint8_t head[5] = { CLIENT_SSL, 0, 0, 0, f->verified ? 0 : 1 };
	struct header inner = { .failed = false };

	if (f->cert != NULL)
		head[0] |= f->resumed ? CLIENT_CERT_SESS : CLIENT_CERT_CONN | CLIENT_CERT_SESS;
	add(&inner, head, sizeof(head));
	add_text(&inner, TLV_SSL_VERSION, f->version);
	add_text(&inner, TLV_SSL_CIPHER, f->suite);
	add_text(&inner, TLV_SSL_SIG_ALG, f->own_sig);
	add_text(&inner, TLV_SSL_KEY_ALG, f->own_key);
	add_bytes(&inner, TLV_SSL_CN, f->cn, f->cn_len);
	add_bytes(&inner, TLV_SSL_CLIENT_CERT, f->cert, f->cert_len);
	h->failed = h->failed || inner.failed;
	add_tlv(h, TLV_SSL, buf_head(&inner.b), inner.b.len);
	buf_free(&inner.b);
}

/* Who the client is, in words that no certificate need be read for. */
static void
add_identity(struct header *h, const struct preface_facts *f)
{
	add_bytes(h, TLV_FINGERPRINT, f->fingerprint, CERT_FP_LEN);
	add_bytes(h, TLV_NAMES, f->names, f->names_len);
	add_bytes(h, TLV_BINDING, f->binding, TLS_BINDING);
}

/* The target trusts the header: one that does not say all is not sent. */
enum preface_verdict
preface_proxy_v2(struct preface *p, const uint8_t *in, size_t n, size_t *used,
    struct errmsg *why)
{
	uint8_t fixed[FIXED] = "\r\n\r\n\0\r\nQUIT\n\x21";
	struct header h = { .failed = false };
	enum preface_verdict v = PREFACE_FAILED;

	(void)in, (void)n, (void)used;
	add_addresses(&h, p->facts, &fixed[13]);
	add_text(&h, TLV_ALPN, p->facts->protocol);
	add_text(&h, TLV_AUTHORITY, p->facts->authority);
	if (p->facts->tls) {
		add_ssl(&h, p->facts);
		add_identity(&h, p->facts);
	}
	fixed[14] = (uint8_t)(h.b.len >> 8);
	fixed[15] = (uint8_t)h.b.len;
	if (h.failed || h.b.len > REST_MAX)
		errmsg_set(why, "what is known of the client does not fit into a PROXY header: "
		    "its certificate has %zu bytes", p->facts->cert_len);
	else if (preface_put(p, PREFACE_UP, why, fixed, sizeof(fixed)) == 0 &&
	    (h.b.len == 0 ||
		preface_put(p, PREFACE_UP, why, buf_head(&h.b), h.b.len) == 0))
		v = PREFACE_DONE;
	buf_free(&h.b);
	return v;
}
