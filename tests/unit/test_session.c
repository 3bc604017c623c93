/*
 * tls/session: TLS sessions connected through memory, and the attacks that a naive use
 * of wolfSSL would let through.  The attacker is wolfSSL itself, used by hand.
 */
#include "tls/session_priv.h"

#include <wolfssl/wolfcrypt/cryptocb.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include <check.h>
#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "onefile.h"
#include "tls/keygen.h"
#include "tls/library.h"
#include "tls/ocsp.h"
#include "tls/session.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))
#define WHOLE SIZE_MAX
#define FORGER 77 /* device id of the attacker's crypto callback */

/* Where the certificates are: NAME.pem is certificate (chain) and key, NAME.crt without. */
static char folder[PATH_MAX];

static const char *
file(const char *name, const char *suffix)
{
	static char paths[8][PATH_MAX + 300];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s%s", folder, name, suffix);
	return path;
}

/* The two ends of a connection. */

struct end {
	struct tls_session *s; /* ours, or */
	WOLFSSL *ssl;          /* the attacker's */
	bool server;
	bool retype; /* the attacker's next records are handshake records */
	struct end *peer;
	struct buf in; /* ciphertext that is on its way here */
	enum iores r;  /* of the handshake */
	size_t told;   /* bytes sent in all */
};

static struct end client, server;

static void
deliver(struct end *to, const void *p, size_t n)
{
	ck_assert_int_eq(buf_append(&to->in, p, n), 0);
	to->peer->told += n;
}

static int
raw_recv(WOLFSSL *ssl, char *p, int want, void *arg)
{
	struct end *e = arg;
	size_t n = (size_t)want;

	(void)ssl;
	if (e->in.len == 0)
		return WOLFSSL_CBIO_ERR_WANT_READ;
	if (n > e->in.len)
		n = e->in.len;
	memcpy(p, buf_head(&e->in), n);
	buf_consume(&e->in, n);
	return (int)n;
}

static int
raw_send(WOLFSSL *ssl, char *p, int n, void *arg)
{
	struct end *e = arg;

	(void)ssl;
	if (e->retype)
		p[0] = 22;
	deliver(e->peer, p, (size_t)n);
	return n;
}

/* Encrypts application data as if it were a handshake record (TLS 1.2). */
static int
forge(int device, wc_CryptoInfo *info, void *arg)
{
	wc_CryptoCb_AesAuthEnc *a;
	const struct end *e = arg;
	byte aad[13];
	int rc;

	if (info->algo_type != WC_ALGO_TYPE_CIPHER ||
	    info->cipher.type != WC_CIPHER_AES_GCM || !info->cipher.enc || !e->retype)
		return WC_NO_ERR_TRACE(CRYPTOCB_UNAVAILABLE);
	a = &info->cipher.aesgcm_enc;
	ck_assert_uint_eq(a->authInSz, sizeof(aad));
	memcpy(aad, a->authIn, sizeof(aad));
	aad[8] = 22;
	a->aes->devId = INVALID_DEVID;
	rc = wc_AesGcmEncrypt(a->aes, a->out, a->in, a->sz, a->iv, a->ivSz, a->authTag,
	    a->authTagSz, aad, sizeof(aad));
	a->aes->devId = device;
	return rc;
}

static void
begin(void)
{
	client = (struct end){ .peer = &server, .r = IO_WANT };
	server = (struct end){ .peer = &client, .r = IO_WANT, .server = true };
}

static void
finish_ends(void)
{
	for (struct end *e = &client;; e = &server) {
		tls_session_free(e->s);
		wolfSSL_free(e->ssl);
		buf_free(&e->in);
		if (e == &server)
			break;
	}
	begin();
}

static enum iores
raw_result(WOLFSSL *ssl, int ret)
{
	switch (wolfSSL_get_error(ssl, ret)) {
	case WOLFSSL_ERROR_WANT_READ:
		return IO_WANT;
	case WOLFSSL_ERROR_ZERO_RETURN:
		return IO_EOF;
	case WC_NO_ERR_TRACE(FATAL_ERROR):
		return IO_ALERT;
	default:
		return IO_PROTOCOL;
	}
}

static uint8_t out[4 * 1024 * 1024];

/* The I/O of one call for our session: what arrived, at most so much of it. */
static struct tls_io
io_begin(const struct end *e, size_t most)
{
	return (struct tls_io){ .in = buf_head(&e->in),
		.in_len = e->in.len < most ? e->in.len : most,
		.out = out,
		.out_cap = sizeof(out) };
}

static void
io_end(struct end *e, const struct tls_io *io, size_t given)
{
	ck_assert_uint_le(io->in_len, given);
	buf_consume(&e->in, given - io->in_len);
	deliver(e->peer, out, io->out_len);
}

static enum iores
shake(struct end *e, size_t most)
{
	struct tls_io io;
	size_t given;
	int ret;

	if (e->ssl != NULL) {
		ret = e->server ? wolfSSL_accept(e->ssl) : wolfSSL_connect(e->ssl);
		return ret == WOLFSSL_SUCCESS ? IO_OK : raw_result(e->ssl, ret);
	}
	io = io_begin(e, most);
	given = io.in_len;
	io.out_cap = TLS_OUT_HANDSHAKE;
	e->r = tls_session_handshake(e->s, &io);
	ck_assert_int_ne(e->r, IO_EOF);
	if (e->r == IO_WANT)
		ck_assert_uint_eq(io.in_len, 0);
	io_end(e, &io, given);
	return e->r;
}

/* Both ends' handshakes, at most so many bytes a call, until neither can go on. */
static void
handshake(size_t most)
{
	size_t idle = 0;

	for (struct end *e = &client; idle < 2; e = e->peer) {
		size_t before = client.in.len + server.in.len, told = e->told;

		if (e->r == IO_WANT)
			e->r = shake(e, most);
		idle = client.in.len + server.in.len == before && e->told == told
		    ? idle + 1
		    : 0;
	}
}

/* Decrypts until there is plaintext, an end, or nothing left. */
static enum iores
read_some(struct end *e, size_t most, void *p, size_t cap, size_t *n)
{
	struct tls_io io;
	enum iores r;
	size_t given;
	int ret;

	*n = 0;
	if (e->ssl != NULL) {
		ret = wolfSSL_read(e->ssl, p, (int)cap);
		*n = ret > 0 ? (size_t)ret : 0;
		return ret > 0 ? IO_OK : raw_result(e->ssl, ret);
	}
	do {
		io = io_begin(e, most);
		given = io.in_len;
		io.out_cap = tls_out_room(given);
		r = tls_session_read(e->s, &io, p, cap, n);
		io_end(e, &io, given);
		if (r == IO_WANT)
			ck_assert_uint_eq(io.in_len, 0);
		ck_assert_int_eq(r == IO_OK, *n > 0);
	} while (r == IO_WANT && e->in.len > 0);
	return r;
}

static enum iores
write_all(struct end *e, const void *p, size_t n)
{
	struct tls_io io = { .out = out, .out_cap = tls_out_room(n) };
	enum iores r;

	if (e->ssl != NULL)
		return wolfSSL_write(e->ssl, p, (int)n) == (int)n ? IO_OK : IO_PROTOCOL;
	r = tls_session_write(e->s, &io, p, n);
	deliver(e->peer, out, io.out_len);
	return r;
}

static enum iores
finish(struct end *e)
{
	struct tls_io io = { .out = out, .out_cap = tls_out_room(0) };
	enum iores r = IO_OK;

	if (e->ssl != NULL) {
		wolfSSL_shutdown(e->ssl);
		return IO_OK;
	}
	r = tls_session_finish(e->s, &io);
	deliver(e->peer, out, io.out_len);
	return r;
}

static void
assert_reads(struct end *e, const char *want)
{
	char text[256];
	size_t n;

	ck_assert_int_eq(read_some(e, WHOLE, text, sizeof(text), &n), IO_OK);
	ck_assert_uint_eq(n, strlen(want));
	ck_assert_mem_eq(text, want, n);
}

static void
assert_read_is(struct end *e, enum iores want)
{
	char text[256];
	size_t n;

	ck_assert_int_eq(read_some(e, WHOLE, text, sizeof(text), &n), want);
	ck_assert_uint_eq(n, 0);
}

static void
assert_talks(void)
{
	ck_assert_int_eq(write_all(&client, "question", 8), IO_OK);
	assert_reads(&server, "question");
	ck_assert_int_eq(write_all(&server, "answer", 6), IO_OK);
	assert_reads(&client, "answer");
}

static void
assert_failure_says(struct end *e, const char *part)
{
	struct errmsg why;
	const char *text = tls_session_failure(e->s, &why);

	if (strstr(text, part) == NULL)
		ck_abort_msg("\"%s\" lacks \"%s\"", text, part);
}

/* Our contexts. */

static struct tls_context *
context(bool is_server, const char *cert, const char *peer, const char *ca,
    enum tls_version min, enum tls_version max)
{
	struct tls_policy p = {
		.server = is_server, .service = "test", .min = min, .max = max
	};
	struct tls_context *c;
	struct errmsg e;

	ck_assert_ptr_nonnull(p.trust = trust_new());
	if (cert != NULL)
		SET_CERT(p, file(cert, ".pem"));
	p.insecure = peer == NULL && ca == NULL;
	p.ask = p.insecure ? TLS_ASK_OPTIONAL : TLS_ASK_REQUIRED;
	if (peer != NULL && trust_add_peers(p.trust, file(peer, ".crt"), &e) != 0)
		ck_abort_msg("%s", e.text);
	if (ca != NULL && trust_add_cas(p.trust, file(ca, ".crt"), &e) != 0)
		ck_abort_msg("%s", e.text);
	if ((c = tls_context_new(&p, &e)) == NULL)
		ck_abort_msg("%s", e.text);
	return c;
}

static const char localhost[] = "localhost";
static const char *const localhost_names[] = { localhost };

/* One of our sessions; a client expects "localhost" when it trusts a CA. */
static void
ours(struct end *e, struct tls_context *c, const char *const *names, size_t nnames)
{
	struct errmsg why;

	e->s = tls_session_new(c, e->server ? NULL : localhost, names, nnames, &why);
	ck_assert_ptr_nonnull(e->s);
}

/* The attacker's contexts: no verification, whatever certificate. */
static WOLFSSL_CTX *
raw_context(bool is_server, const char *cert, enum tls_version v)
{
	WOLFSSL_CTX *c;

	if (v == TLS_1_3)
		c = wolfSSL_CTX_new(is_server ? wolfTLSv1_3_server_method()
					      : wolfTLSv1_3_client_method());
	else
		c = wolfSSL_CTX_new(is_server ? wolfTLSv1_2_server_method()
					      : wolfTLSv1_2_client_method());
	ck_assert_ptr_nonnull(c);
	wolfSSL_CTX_set_verify(c, WOLFSSL_VERIFY_NONE, NULL);
	if (cert != NULL) {
		ck_assert_int_eq(
		    wolfSSL_CTX_use_certificate_chain_file(c, file(cert, ".pem")),
		    WOLFSSL_SUCCESS);
		ck_assert_int_eq(wolfSSL_CTX_use_PrivateKey_file(
				     c, file(cert, ".pem"), WOLFSSL_FILETYPE_PEM),
		    WOLFSSL_SUCCESS);
	}
	return c;
}

static void
raw(struct end *e, WOLFSSL_CTX *c)
{
	ck_assert_ptr_nonnull(e->ssl = wolfSSL_new(c));
	wolfSSL_SSLSetIORecv(e->ssl, raw_recv);
	wolfSSL_SSLSetIOSend(e->ssl, raw_send);
	wolfSSL_SetIOReadCtx(e->ssl, e);
	wolfSSL_SetIOWriteCtx(e->ssl, e);
}

/* An ordinary connection, both ends ours, pinned. */
static void
open_pair_how(enum tls_version v, size_t most, bool bound)
{
	struct tls_context *sc = context(true, "server", "client", NULL, TLS_1_2, v);
	struct tls_context *cc = context(false, "client", "server", NULL, TLS_1_2, v);

	begin();
	ours(&server, sc, NULL, 0);
	ours(&client, cc, NULL, 0);
	/* Sessions hold their contexts. */
	tls_context_unref(sc);
	tls_context_unref(cc);
	if (bound)
		ck_assert_int_eq(tls_session_bind(client.s) | tls_session_bind(server.s), 0);
	handshake(most);
	ck_assert_int_eq(client.r, IO_OK);
	ck_assert_int_eq(server.r, IO_OK);
}

static void
open_pair(enum tls_version v, size_t most)
{
	open_pair_how(v, most, false);
}

static void
open_bound(enum tls_version v, size_t most)
{
	open_pair_how(v, most, true);
}

/* Our server against the attacker's client, or the other way round; pinned. */
static void
open_raw_client(enum tls_version v, WOLFSSL_CTX **c)
{
	struct tls_context *sc =
	    context(true, "server", "client", NULL, TLS_1_2, TLS_1_3);

	begin();
	*c = raw_context(false, "client", v);
	ours(&server, sc, NULL, 0);
	raw(&client, *c);
	tls_context_unref(sc);
}

static void
open_raw_server(enum tls_version v, WOLFSSL_CTX **c)
{
	struct tls_context *cc =
	    context(false, "client", "server", NULL, TLS_1_2, TLS_1_3);

	begin();
	*c = raw_context(true, "server", v);
	raw(&server, *c);
	ours(&client, cc, NULL, 0);
	tls_context_unref(cc);
}

static void
assert_both_open(void)
{
	ck_assert_int_eq(client.r, IO_OK);
	ck_assert_int_eq(server.r, IO_OK);
	assert_talks();
}

/* The ordinary course. */

START_TEST(handshake_dribbled)
{
	enum tls_version v = _i / 2 == 0 ? TLS_1_2 : TLS_1_3;
	struct tls_context *c = context(false, NULL, "server", NULL, v, v);

	begin();
	ours(&client, c, NULL, 0);
	ck_assert_ptr_null(tls_session_peer(client.s));
	ck_assert(!tls_session_began(client.s));
	finish_ends();
	tls_context_unref(c);

	open_pair(v, _i % 2 == 0 ? 1 : WHOLE);
	for (struct end *e = &client;; e = &server) {
		ck_assert_str_eq(
		    tls_session_version(e->s), v == TLS_1_3 ? "TLSv1.3" : "TLSv1.2");
		ck_assert_str_eq(tls_session_suite(e->s),
		    v == TLS_1_3 ? "TLS_AES_128_GCM_SHA256"
				 : "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
		ck_assert_str_eq(
		    tls_session_group(e->s), v == TLS_1_3 ? "X25519MLKEM768" : "X25519");
		ck_assert_str_eq(tls_session_peer(e->s)->subject,
		    e == &client ? "CN=server" : "CN=client");
		ck_assert(tls_session_began(e->s));
		ck_assert(!tls_session_refused(e->s));
		if (e == &server)
			break;
	}
	assert_talks();
	finish_ends();
}
END_TEST

/* Both ends make the same channel binding of a connection, and another of the next, however the bytes
 * come; the library's share of it is given back. */
START_TEST(bindings)
{
	enum tls_version v = _i / 2 == 0 ? TLS_1_2 : TLS_1_3;
	unsigned char last[TLS_BINDING] = { 0 };
	const unsigned char *b;
	const char *why;

	for (int again = 0; again < 2; again++) {
		open_bound(v, _i % 2 == 0 ? 1 : WHOLE);
		ck_assert_ptr_nonnull(b = tls_session_binding(server.s, &why));
		ck_assert_ptr_null(why);
		ck_assert_mem_eq(b, tls_session_binding(client.s, &why), TLS_BINDING);
		ck_assert_mem_ne(b, last, TLS_BINDING);
		memcpy(last, b, TLS_BINDING);
		assert_talks();
		tls_session_forget(server.s);
		ck_assert_ptr_null(tls_session_binding(server.s, &why));
		ck_assert_str_eq(why, "it was not kept");
		finish_ends();
	}
}
END_TEST

/* In TLS 1.2 there is none without the extended master secret, which a client of the attacker's does not
 * ask for, while its server grants it to ours. */
START_TEST(binding_needs_extended_secret)
{
	const char *why;
	WOLFSSL_CTX *c;

	if (_i == 0)
		open_raw_client(TLS_1_2, &c);
	else
		open_raw_server(TLS_1_2, &c);
	if (_i == 0)
		ck_assert_int_eq(wolfSSL_DisableExtendedMasterSecret(client.ssl), WOLFSSL_SUCCESS);
	ck_assert_int_eq(tls_session_bind(_i == 0 ? server.s : client.s), 0);
	handshake(WHOLE);
	if (_i == 0) {
		ck_assert_ptr_null(tls_session_binding(server.s, &why));
		ck_assert_ptr_nonnull(strstr(why, "extended master secret"));
	} else {
		ck_assert_ptr_nonnull(tls_session_binding(client.s, &why));
	}
	finish_ends();
	wolfSSL_CTX_free(c);
}
END_TEST

/* What suits one version suits the other: versions and suites of each kind meet. */
START_TEST(versions_meet)
{
	enum tls_version server_max = _i & 1 ? TLS_1_3 : TLS_1_2;
	enum tls_version client_max = _i & 2 ? TLS_1_3 : TLS_1_2;
	struct tls_context *sc =
	    context(true, "server", "client", NULL, TLS_1_2, server_max);
	struct tls_context *cc =
	    context(false, "client", "server", NULL, TLS_1_2, client_max);

	begin();
	ours(&server, sc, NULL, 0);
	ours(&client, cc, NULL, 0);
	handshake(WHOLE);
	assert_both_open();
	ck_assert_str_eq(tls_session_version(server.s), _i == 3 ? "TLSv1.3" : "TLSv1.2");
	finish_ends();
	tls_context_unref(sc);
	tls_context_unref(cc);
}
END_TEST

START_TEST(version_floor)
{
	struct tls_context *sc =
	    context(true, "server", "client", NULL, TLS_1_3, TLS_1_3);
	struct tls_context *cc =
	    context(false, "client", "server", NULL, TLS_1_2, TLS_1_2);

	begin();
	ours(&server, sc, NULL, 0);
	ours(&client, cc, NULL, 0);
	handshake(WHOLE);
	ck_assert_int_eq(server.r, IO_PROTOCOL);
	ck_assert_int_eq(client.r, IO_ALERT);
	assert_failure_says(&server, "no protocol version in common");
	assert_failure_says(&client, "alert received: protocol_version (70)");
	finish_ends();
	tls_context_unref(sc);
	tls_context_unref(cc);
}
END_TEST

static const enum tls_version versions[] = { TLS_1_2, TLS_1_3 };
static uint8_t big[1024 * 1024], back[1024 * 1024];

static void
fill_big(void)
{
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 2654435761u >> 13);
}

/* A megabyte in one write, read in odd pieces of ciphertext and of plaintext. */
START_TEST(big_writes)
{
	static const size_t pieces[] = { WHOLE, 1, 1400, 16384 };
	size_t total = pieces[_i / 2] == 1 ? 60000 : sizeof(big), got = 0, n;

	open_pair(versions[_i % 2], WHOLE);
	fill_big();
	for (struct end *e = &client;; e = &server) {
		got = 0;
		ck_assert_int_eq(write_all(e, big, total), IO_OK);
		ck_assert_uint_le(e->peer->in.len, tls_out_room(total));
		while (got < total) {
			size_t cap = _i % 3 == 0 ? sizeof(back) - got : 1 + got % 20000;

			if (cap > sizeof(back) - got)
				cap = sizeof(back) - got;
			ck_assert_int_eq(
			    read_some(e->peer, pieces[_i / 2], back + got, cap, &n),
			    IO_OK);
			ck_assert_uint_le(n, TLS_RECORD_MAX);
			got += n;
		}
		ck_assert_uint_eq(got, total);
		ck_assert_mem_eq(back, big, total);
		assert_read_is(e->peer, IO_WANT);
		if (e == &server)
			break;
	}
	finish_ends();
}
END_TEST

START_TEST(empty_write)
{
	open_pair(versions[_i], WHOLE);
	ck_assert_int_eq(write_all(&client, "", 0), IO_OK);
	ck_assert_uint_eq(server.in.len, 0);
	assert_talks();
	finish_ends();
}
END_TEST

/* Without room for its output a call fails; it must not write past the room. */
START_TEST(no_room)
{
	static uint8_t small[1000 + 16];
	struct tls_io io = { .out = small, .out_cap = 1000 };

	open_pair(versions[_i], WHOLE);
	memset(small, 0xa5, sizeof(small));
	ck_assert_int_eq(tls_session_write(client.s, &io, big, 2000), IO_NOMEM);
	ck_assert_uint_le(io.out_len, 1000);
	for (size_t i = 1000; i < sizeof(small); i++)
		ck_assert_uint_eq(small[i], 0xa5);
	finish_ends();

	open_pair(versions[_i], WHOLE);
	io = (struct tls_io){ .out = small, .out_cap = 5 };
	ck_assert_int_eq(tls_session_finish(client.s, &io), IO_NOMEM);
	finish_ends();
}
END_TEST

/* The ends. */

START_TEST(half_close_both_ways)
{
	open_pair(versions[_i / 2], WHOLE);
	for (int k = 0; k < 2; k++) {
		struct end *first = (_i + k) % 2 == 0 ? &client : &server;

		if (k == 0) {
			ck_assert_int_eq(write_all(first, "last", 4), IO_OK);
			ck_assert_int_eq(finish(first), IO_OK);
			assert_reads(first->peer, "last");
			assert_read_is(first->peer, IO_EOF);
			assert_read_is(first->peer, IO_EOF);
			continue;
		}
		/* The other direction goes on, for more than a record, then ends too. */
		ck_assert_int_eq(write_all(first, "late", 4), IO_OK);
		assert_reads(first->peer, "late");
		ck_assert_int_eq(write_all(first, "later", 5), IO_OK);
		assert_reads(first->peer, "later");
		ck_assert_int_eq(finish(first), IO_OK);
		assert_read_is(first->peer, IO_EOF);
	}
	finish_ends();
}
END_TEST

START_TEST(close_notify_crosses)
{
	open_pair(versions[_i], WHOLE);
	ck_assert_int_eq(finish(&client), IO_OK);
	ck_assert_int_eq(finish(&server), IO_OK);
	assert_read_is(&client, IO_EOF);
	assert_read_is(&server, IO_EOF);
	finish_ends();
}
END_TEST

/* A stream that stops within a record: nothing of the record, and no end. */
START_TEST(truncated_stream)
{
	size_t half, len;

	open_pair(versions[_i], WHOLE);
	ck_assert_int_eq(write_all(&client, big, 5000), IO_OK);
	half = server.in.len / 2;
	server.in.len = half;
	assert_read_is(&server, IO_WANT);
	assert_read_is(&server, IO_WANT);
	finish_ends();
	/* The same within the close_notify. */
	open_pair(versions[_i], WHOLE);
	ck_assert_int_eq(finish(&client), IO_OK);
	len = server.in.len;
	server.in.len = len - 1;
	assert_read_is(&server, IO_WANT);
	finish_ends();
}
END_TEST

/* One bit wrong anywhere behind the header: bad_record_mac, told to the peer, and none of
 * the bytes. */
START_TEST(corrupted_record)
{
	static const size_t places[] = { 5, 500, 999999 };
	size_t place = places[_i / 2];

	open_pair(versions[_i % 2], WHOLE);
	ck_assert_int_eq(write_all(&client, big, 1000), IO_OK);
	if (place >= server.in.len)
		place = server.in.len - 1;
	server.in.data[server.in.off + place] ^= 1;
	assert_read_is(&server, IO_PROTOCOL);
	ck_assert_uint_gt(client.in.len, 0);
	assert_failure_says(&server, "alert sent: bad_record_mac (20)");
	assert_read_is(&client, IO_ALERT);
	assert_failure_says(&client, "alert received: bad_record_mac (20)");
	finish_ends();
}
END_TEST

/* A record that claims to be longer than records may be. */
START_TEST(oversized_record)
{
	static const uint8_t header[] = { 23, 3, 3, 0xff, 0xff };

	open_pair(versions[_i], WHOLE);
	deliver(&server, header, sizeof(header));
	deliver(&server, big, 20000);
	assert_read_is(&server, IO_PROTOCOL);
	finish_ends();
}
END_TEST

/* Plain text in the middle of a session. */
START_TEST(plaintext_record)
{
	static const uint8_t record[] = { 23, 3, 3, 0, 4, 'e', 'v', 'i', 'l' };

	open_pair(versions[_i], WHOLE);
	deliver(&server, record, sizeof(record));
	assert_read_is(&server, IO_PROTOCOL);
	finish_ends();
}
END_TEST

/* The same record twice. */
START_TEST(replayed_record)
{
	static uint8_t copy[2000];
	size_t n;

	open_pair(versions[_i], WHOLE);
	ck_assert_int_eq(write_all(&client, "once", 4), IO_OK);
	n = server.in.len;
	memcpy(copy, buf_head(&server.in), n);
	deliver(&server, copy, n);
	assert_reads(&server, "once");
	assert_read_is(&server, IO_PROTOCOL);
	finish_ends();
}
END_TEST

/* Freed at any moment of the handshake; leaks and the like are the sanitizer's. */
START_TEST(freed_at_every_step)
{
	for (int steps = 0; steps < 12; steps++) {
		struct tls_context *sc =
		    context(true, "server", "client", NULL, TLS_1_2, TLS_1_3);
		struct tls_context *cc =
		    context(false, "client", "server", NULL, TLS_1_2, versions[_i]);
		struct end *e = &client;

		begin();
		ours(&server, sc, NULL, 0);
		ours(&client, cc, NULL, 0);
		for (int i = 0; i < steps; i++, e = e->peer)
			if (e->r == IO_WANT)
				shake(e, 700);
		finish_ends();
		tls_context_unref(sc);
		tls_context_unref(cc);
	}
	tls_session_free(NULL);
}
END_TEST

/* Any byte of the handshake changed on the way: whoever is let in is who he was. */
START_TEST(tampered_handshake)
{
	for (unsigned round = 0; round < 60; round++) {
		struct tls_context *sc =
		    context(true, "server", "client", NULL, TLS_1_2, TLS_1_3);
		struct tls_context *cc =
		    context(false, "client", "server", NULL, TLS_1_2, versions[_i]);
		unsigned seed = round + 1, flips = 0;
		struct end *e = &client;

		begin();
		ours(&server, sc, NULL, 0);
		ours(&client, cc, NULL, 0);
		for (int i = 0; i < 12; i++, e = e->peer) {
			if (e->in.len > 0 && flips == 0 && (unsigned)i > round % 4) {
				size_t at = (size_t)rand_r(&seed) % e->in.len;

				e->in.data[e->in.off + at] ^=
				    (uint8_t)(1 << rand_r(&seed) % 8);
				flips++;
			}
			if (e->r == IO_WANT)
				shake(e, WHOLE);
		}
		if (server.r == IO_OK)
			ck_assert_str_eq(
			    tls_session_peer(server.s)->subject, "CN=client");
		if (client.r == IO_OK)
			ck_assert_str_eq(
			    tls_session_peer(client.s)->subject, "CN=server");
		finish_ends();
		tls_context_unref(sc);
		tls_context_unref(cc);
	}
}
END_TEST

/* Control records. */

START_TEST(key_update)
{
	bool raw_is_server = _i % 2 != 0;
	struct end *us = raw_is_server ? &client : &server;
	WOLFSSL_CTX *c;

	if (raw_is_server)
		open_raw_server(TLS_1_3, &c);
	else
		open_raw_client(TLS_1_3, &c);
	handshake(WHOLE);
	assert_both_open();
	for (int i = 0; i < 5; i++) {
		size_t told = us->told;
		int pending;

		/* Without data behind it, in front of data, and unasked in both directions. */
		ck_assert_int_eq(wolfSSL_update_keys(us->peer->ssl), WOLFSSL_SUCCESS);
		ck_assert_int_eq(wolfSSL_key_update_response(us->peer->ssl, &pending), 0);
		if (i > 0)
			ck_assert_int_eq(write_all(us->peer, "data", 4), IO_OK);
		if (i > 0)
			assert_reads(us, "data");
		else
			assert_read_is(us, IO_WANT);
		/* A reply where one was wanted. */
		ck_assert_int_eq(us->told > told, pending);
		assert_talks();
	}
	finish_ends();
	wolfSSL_CTX_free(c);
}
END_TEST

/* Thousands in one go: each may cost a reply, and no more than the room for them. */
START_TEST(key_update_storm)
{
	WOLFSSL_CTX *c;
	size_t given, told;

	open_raw_client(TLS_1_3, &c);
	handshake(WHOLE);
	assert_both_open();
	for (int i = 0; i < 2000; i++)
		ck_assert_int_eq(wolfSSL_update_keys(client.ssl), WOLFSSL_SUCCESS);
	given = server.in.len;
	told = server.told;
	/* read_some() gives exactly the room that is promised to be enough. */
	assert_read_is(&server, IO_WANT);
	ck_assert_uint_gt(server.told, told);
	ck_assert_uint_le(server.told - told, tls_out_room(given));
	assert_talks();
	finish_ends();
	wolfSSL_CTX_free(c);
}
END_TEST

/* A server that hands out tickets: our client takes note of nothing and reads on. */
START_TEST(tickets_are_ignored)
{
	struct tls_context *cc =
	    context(false, "client", "server", NULL, TLS_1_2, TLS_1_3);
	WOLFSSL_CTX *c = raw_context(true, "server", versions[_i]);

	ck_assert_int_eq(wolfSSL_CTX_UseSessionTicket(c), WOLFSSL_SUCCESS);
	for (int i = 0; i < 2; i++) {
		begin();
		raw(&server, c);
		ours(&client, cc, NULL, 0);
		handshake(WHOLE);
		assert_both_open();
		ck_assert_int_eq(wolfSSL_session_reused(server.ssl), 0);
		finish_ends();
	}
	wolfSSL_CTX_free(c);
	tls_context_unref(cc);
}
END_TEST

/* TLS 1.2 renegotiation: the first ClientHello again, now encrypted. */
START_TEST(renegotiation)
{
	static uint8_t hello[2000];
	WOLFSSL_CTX *c;
	size_t n;

	open_raw_client(TLS_1_2, &c);
	ck_assert_int_eq(wc_CryptoCb_RegisterDevice(FORGER, forge, &client), 0);
	ck_assert_int_eq(wolfSSL_SetDevId(client.ssl, FORGER), WOLFSSL_SUCCESS);
	client.r = shake(&client, WHOLE);
	n = server.in.len - 5;
	ck_assert_uint_lt(n, sizeof(hello));
	memcpy(hello, buf_head(&server.in) + 5, n);
	handshake(WHOLE);
	assert_both_open();
	client.retype = true;
	ck_assert_int_eq(write_all(&client, hello, n), IO_OK);
	client.retype = false;
	assert_read_is(&server, IO_PROTOCOL);
	finish_ends();
	wolfSSL_CTX_free(c);
	wc_CryptoCb_UnRegisterDevice(FORGER);
}
END_TEST

/* A server asks for renegotiation: told no, and the session goes on. */
START_TEST(hello_request)
{
	static const uint8_t request[4] = { 0 };
	WOLFSSL_CTX *c;
	size_t told;

	open_raw_server(TLS_1_2, &c);
	ck_assert_int_eq(wc_CryptoCb_RegisterDevice(FORGER, forge, &server), 0);
	ck_assert_int_eq(wolfSSL_SetDevId(server.ssl, FORGER), WOLFSSL_SUCCESS);
	handshake(WHOLE);
	assert_both_open();
	told = client.told;
	server.retype = true;
	ck_assert_int_eq(write_all(&server, request, sizeof(request)), IO_OK);
	server.retype = false;
	assert_read_is(&client, IO_WANT);
	ck_assert_uint_gt(client.told, told);
	ck_assert_uint_lt(client.told - told, 100);
	finish_ends();
	wolfSSL_CTX_free(c);
	wc_CryptoCb_UnRegisterDevice(FORGER);
}
END_TEST

/* Who may pass. */

/* Whether the library trusts anybody's CA: nothing that we saw may verify. */
static void
assert_store_is_empty(struct tls_context *c)
{
	static const char *const seen[] = { "sub_leaf", "code_leaf", "sub", "code",
		"evil_leaf", "mallory_leaf", "odd_leaf", "weak_leaf", "client",
		"server" };
	WOLFSSL_CERT_MANAGER *cm = wolfSSL_CTX_GetCertManager(c->shown[0].ctx);
	int rc;

	for (int i = 0; i < COUNT(seen); i++) {
		rc = wolfSSL_CertManagerVerify(
		    cm, file(seen[i], ".crt"), WOLFSSL_FILETYPE_PEM);
		if (rc != WC_NO_ERR_TRACE(ASN_NO_SIGNER_E) &&
		    rc != WC_NO_ERR_TRACE(ASN_SELF_SIGNED_E))
			ck_abort_msg("the store has an issuer of %s (%d)", seen[i], rc);
	}
}

/* An attacker's client against our server context.  Returns the server's result. */
static enum iores
visit(struct tls_context *sc, const char *cert, enum tls_version v)
{
	WOLFSSL_CTX *c = raw_context(false, cert, v);
	enum iores r;

	begin();
	ours(&server, sc, NULL, 0);
	raw(&client, c);
	handshake(WHOLE);
	r = server.r;
	if (r != IO_OK)
		ck_assert_ptr_nonnull(
		    tls_session_failure(server.s, &(struct errmsg){ "" }));
	finish_ends();
	wolfSSL_CTX_free(c);
	return r;
}

/* An attacker's server against our client context. */
static enum iores
receive(struct tls_context *cc, const char *cert, enum tls_version v, bool named)
{
	WOLFSSL_CTX *c = raw_context(true, cert, v);
	enum iores r;

	begin();
	ours(&client, cc, localhost_names, named ? 1 : 0);
	raw(&server, c);
	handshake(WHOLE);
	r = client.r;
	finish_ends();
	wolfSSL_CTX_free(c);
	return r;
}

/* Each certificate that is used as a bait below is one that works for its owner. */
START_TEST(right_ones_pass)
{
	struct tls_context *pin =
	    context(true, "server", "client", NULL, TLS_1_2, TLS_1_3);
	struct tls_context *ca = context(true, "server", NULL, "root", TLS_1_2, TLS_1_3);
	struct tls_context *both =
	    context(true, "server", "sub_leaf", "root", TLS_1_2, TLS_1_3);
	struct tls_context *cpin =
	    context(false, "client", "server", NULL, TLS_1_2, TLS_1_3);
	struct tls_context *cca =
	    context(false, "client", NULL, "root", TLS_1_2, TLS_1_3);
	enum tls_version v = versions[_i];

	ck_assert_int_eq(visit(pin, "client", v), IO_OK);
	ck_assert_int_eq(visit(ca, "sub_leaf", v), IO_OK);
	ck_assert_int_eq(visit(both, "sub_leaf", v), IO_OK);
	ck_assert_int_eq(receive(cpin, "server", v, false), IO_OK);
	ck_assert_int_eq(receive(cca, "sub_leaf", v, true), IO_OK);
	assert_store_is_empty(ca);
	assert_store_is_empty(cca);
	tls_context_unref(pin);
	tls_context_unref(ca);
	tls_context_unref(both);
	tls_context_unref(cpin);
	tls_context_unref(cca);
}
END_TEST

/* How many certificates of the peer there are questions about, or -1. */
static int
count_questions(const struct tls_session *s)
{
	struct ocsp_question *questions[TLS_QUESTIONS];
	struct errmsg why;
	int n = tls_session_questions(s, questions, &why);

	for (int i = 0; i < n; i++)
		ocsp_question_free(questions[i]);
	return n;
}

/* Of a peer whose intermediate was not kept nobody knows whom to ask: that is no reason to ask
 * nobody.  Where the certificate itself is trusted, it is.  (ocsp_session.c needs_path().) */
START_TEST(path_not_kept)
{
	struct tls_context *ca = context(true, "server", NULL, "root", TLS_1_2, TLS_1_3);
	struct tls_context *pin = context(true, "server", "sub_leaf", NULL, TLS_1_2, TLS_1_3);
	WOLFSSL_CTX *c = raw_context(false, "sub_leaf", versions[_i]);

	for (int pinned = 0; pinned < 2; pinned++) {
		struct identity *short_one;
		size_t n;

		begin();
		ours(&server, pinned ? pin : ca, NULL, 0);
		raw(&client, c);
		handshake(WHOLE);
		ck_assert_int_eq(server.r, IO_OK);
		ck_assert_int_eq(count_questions(server.s), pinned ? 0 : 2);
		short_one = identity_get(identity_chain(server.s->identity, &n), 1);
		ck_assert_uint_eq(n, 2);
		identity_put(server.s->identity);
		server.s->identity = short_one;
		ck_assert_int_eq(count_questions(server.s), pinned ? 0 : -1);
		finish_ends();
	}
	wolfSSL_CTX_free(c);
	tls_context_unref(ca);
	tls_context_unref(pin);
}
END_TEST

/* 0.1, 0.2: the genuine certificate's name, key identifiers and signature bytes, but the
 * attacker's key; of a pinned certificate, and of a trusted root.  (trust.c judge(): judge_pin();
 * path.c links_hold(): link_holds().) */
START_TEST(forged_clone)
{
	struct tls_context *pin =
	    context(true, "server", "client", NULL, TLS_1_2, TLS_1_3);
	struct tls_context *ca = context(true, "server", NULL, "root", TLS_1_2, TLS_1_3);
	struct tls_context *as_ca =
	    context(true, "server", NULL, "client", TLS_1_2, TLS_1_3);
	struct tls_context *cpin =
	    context(false, "client", "server", NULL, TLS_1_2, TLS_1_3);
	struct tls_context *cca =
	    context(false, "client", NULL, "root", TLS_1_2, TLS_1_3);
	enum tls_version v = versions[_i];

	ck_assert_int_eq(visit(pin, "client_clone", v), IO_PROTOCOL);
	ck_assert_int_eq(visit(as_ca, "client_clone", v), IO_PROTOCOL);
	ck_assert_int_eq(visit(ca, "root_clone", v), IO_PROTOCOL);
	ck_assert_int_eq(visit(ca, "evil", v), IO_PROTOCOL);
	ck_assert_int_eq(visit(ca, "evil_leaf", v), IO_PROTOCOL);
	ck_assert_int_eq(receive(cpin, "server_clone", v, false), IO_PROTOCOL);
	ck_assert_int_eq(receive(cca, "root_clone", v, false), IO_PROTOCOL);
	ck_assert_int_eq(receive(cca, "evil_leaf", v, true), IO_PROTOCOL);
	assert_store_is_empty(ca);
	assert_store_is_empty(cca);
	tls_context_unref(pin);
	tls_context_unref(ca);
	tls_context_unref(as_ca);
	tls_context_unref(cpin);
	tls_context_unref(cca);
}
END_TEST

/* 0.3: the public pinned certificate with the attacker's CA behind it, without the key;
 * then, on a second connection, a leaf of that CA.  (etc/wolfssl.sh: --enable-altcertchains.) */
START_TEST(context_poisoning)
{
	struct tls_context *pin =
	    context(true, "server", "client", NULL, TLS_1_2, TLS_1_3);
	struct tls_context *ca = context(true, "server", NULL, "root", TLS_1_2, TLS_1_3);
	struct tls_context *cpin =
	    context(false, "client", "server", NULL, TLS_1_2, TLS_1_3);
	enum tls_version v = versions[_i];

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(visit(pin, "bait_client", v), IO_PROTOCOL);
		ck_assert_int_eq(visit(pin, "mallory_leaf", v), IO_PROTOCOL);
		/* CAs with which the library finds other faults than an unknown issuer. */
		ck_assert_int_eq(visit(pin, "odd_bait", v), IO_PROTOCOL);
		ck_assert_int_eq(visit(pin, "odd_leaf", v), IO_PROTOCOL);
		ck_assert_int_eq(visit(pin, "weak_bait", v), IO_PROTOCOL);
		ck_assert_int_eq(visit(pin, "weak_leaf", v), IO_PROTOCOL);
		ck_assert_int_eq(visit(ca, "bait_root", v), IO_PROTOCOL);
		ck_assert_int_eq(visit(ca, "mallory_leaf", v), IO_PROTOCOL);
		ck_assert_int_eq(receive(cpin, "bait_server", v, false), IO_PROTOCOL);
		ck_assert_int_eq(receive(cpin, "mallory_leaf", v, false), IO_PROTOCOL);
	}
	assert_store_is_empty(pin);
	assert_store_is_empty(ca);
	assert_store_is_empty(cpin);
	tls_context_unref(pin);
	tls_context_unref(ca);
	tls_context_unref(cpin);
}
END_TEST

/* 0.8: a leaf of a code-signing CA, with that CA, is refused; then the leaf alone.  (rules.c
 * judge_ca(): judge_use().) */
START_TEST(remembered_intermediate)
{
	struct tls_context *ca = context(true, "server", NULL, "root", TLS_1_2, TLS_1_3);
	struct tls_context *cca =
	    context(false, "client", NULL, "root", TLS_1_2, TLS_1_3);
	enum tls_version v = versions[_i];

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(visit(ca, "code_leaf", v), IO_PROTOCOL);
		ck_assert_int_eq(visit(ca, "code_leaf_alone", v), IO_PROTOCOL);
		ck_assert_int_eq(receive(cca, "code_leaf", v, true), IO_PROTOCOL);
		ck_assert_int_eq(receive(cca, "code_leaf_alone", v, true), IO_PROTOCOL);
	}
	/* Nor does an honest intermediate serve anybody but who presents it. */
	ck_assert_int_eq(visit(ca, "sub_leaf", v), IO_OK);
	ck_assert_int_eq(visit(ca, "sub_leaf_alone", v), IO_PROTOCOL);
	ck_assert_int_eq(receive(cca, "sub_leaf", v, true), IO_OK);
	ck_assert_int_eq(receive(cca, "sub_leaf_alone", v, true), IO_PROTOCOL);
	assert_store_is_empty(ca);
	assert_store_is_empty(cca);
	tls_context_unref(ca);
	tls_context_unref(cca);
}
END_TEST

/* A certificate is public: without its key it opens nothing. */
START_TEST(certificate_without_its_key)
{
	struct tls_context *pin =
	    context(true, "server", "client", NULL, TLS_1_2, TLS_1_3);
	struct tls_context *cpin =
	    context(false, "client", "server", NULL, TLS_1_2, TLS_1_3);

	ck_assert_int_eq(visit(pin, "stolen_client", versions[_i]), IO_PROTOCOL);
	ck_assert_int_eq(
	    receive(cpin, "stolen_server", versions[_i], false), IO_PROTOCOL);
	tls_context_unref(pin);
	tls_context_unref(cpin);
}
END_TEST

/* 0.4, 0.5: a session made where nobody is asked for a certificate, resumed where one is
 * needed; and one's own session, resumed without the certificate.  (context.c set_resumption():
 * SESS_CACHE_OFF.) */
START_TEST(resumption)
{
	struct tls_context *open = context(true, "server", NULL, NULL, TLS_1_2, TLS_1_3);
	struct tls_context *closed =
	    context(true, "server", "client", NULL, TLS_1_2, TLS_1_3);
	enum tls_version v = versions[_i / 2];
	bool own = _i % 2 != 0;
	WOLFSSL_CTX *first = raw_context(false, own ? "client" : NULL, v);
	WOLFSSL_CTX *second = raw_context(false, NULL, v);
	WOLFSSL_SESSION *session;

	wolfSSL_CTX_UseSessionTicket(first);
	wolfSSL_CTX_UseSessionTicket(second);
	begin();
	ours(&server, own ? closed : open, NULL, 0);
	raw(&client, first);
	handshake(WHOLE);
	assert_both_open();
	session = wolfSSL_get1_session(client.ssl);
	finish_ends();

	for (int i = 0; i < 2; i++) {
		struct tls_context *sc = i == 0 ? closed : open;

		ours(&server, sc, NULL, 0);
		raw(&client, second);
		if (session != NULL)
			wolfSSL_set_session(client.ssl, session);
		handshake(WHOLE);
		ck_assert_int_eq(wolfSSL_session_reused(client.ssl), 0);
		/* The one that wants a certificate lets nobody in without. */
		ck_assert_int_eq(server.r, i == 0 ? IO_PROTOCOL : IO_OK);
		if (i == 0)
			assert_failure_says(&server, "no certificate presented");
		finish_ends();
	}
	wolfSSL_SESSION_free(session);
	wolfSSL_CTX_free(first);
	wolfSSL_CTX_free(second);
	tls_context_unref(open);
	tls_context_unref(closed);
}
END_TEST

START_TEST(no_client_cert)
{
	enum tls_version v = versions[_i];
	struct tls_context *sc =
	    context(true, "server", "client", NULL, TLS_1_2, TLS_1_3);
	WOLFSSL_CTX *c = raw_context(false, NULL, v);

	begin();
	ours(&server, sc, NULL, 0);
	raw(&client, c);
	handshake(WHOLE);
	ck_assert_int_eq(server.r, IO_PROTOCOL);
	ck_assert_ptr_null(tls_session_peer(server.s));
	assert_failure_says(&server, "no certificate presented");
	assert_failure_says(&server,
	    v == TLS_1_3 ? "alert sent: certificate_required (116)"
			 : "alert sent: handshake_failure (40)");
	/* In 1.3 the client believed itself connected; then it hears of it. */
	if (client.r == IO_OK)
		assert_read_is(&client, IO_ALERT);
	else
		ck_assert_int_eq(client.r, IO_ALERT);
	finish_ends();
	wolfSSL_CTX_free(c);
	tls_context_unref(sc);
}
END_TEST

/* A server cannot do without: one that sends none is no TLS server to us. */
START_TEST(insecure_lets_anybody_in)
{
	struct tls_context *sc = context(true, "server", NULL, NULL, TLS_1_2, TLS_1_3);
	struct tls_context *cc = context(false, NULL, NULL, NULL, TLS_1_2, TLS_1_3);

	ck_assert_int_eq(visit(sc, NULL, versions[_i]), IO_OK);
	ck_assert_int_eq(visit(sc, "mallory_leaf", versions[_i]), IO_OK);
	ck_assert_int_eq(receive(cc, "mallory_leaf", versions[_i], true), IO_OK);
	/* Anybody, but with the key to what he presents. */
	ck_assert_int_eq(visit(sc, "stolen_client", versions[_i]), IO_PROTOCOL);
	tls_context_unref(sc);
	tls_context_unref(cc);
}
END_TEST

/* Outcasts may be anybody, but with the key to what they present. */
START_TEST(outcasts_prove_their_key)
{
	struct tls_policy p = { .server = true, .service = "test", .min = TLS_1_2,
		.max = TLS_1_3, .certs = one_file(file("server", ".pem")),
		.ncerts = 1, .outcasts = true };
	struct tls_context *sc;
	struct errmsg e;

	ck_assert_ptr_nonnull(p.trust = trust_new());
	ck_assert_int_eq(trust_add_peers(p.trust, file("client", ".crt"), &e), 0);
	ck_assert_ptr_nonnull(sc = tls_context_new(&p, &e));
	ck_assert_int_eq(visit(sc, NULL, versions[_i]), IO_OK);
	ck_assert_int_eq(visit(sc, "mallory_leaf", versions[_i]), IO_OK);
	ck_assert_int_eq(visit(sc, "client", versions[_i]), IO_OK);
	ck_assert_int_eq(visit(sc, "stolen_client", versions[_i]), IO_PROTOCOL);
	tls_context_unref(sc);
}
END_TEST

/* A refusal says who came, what was wrong, and which alert the peer got. */
START_TEST(refusal_tells_all)
{
	struct tls_context *sc = context(true, "server", NULL, "root", TLS_1_2, TLS_1_3);
	struct tls_context *cc =
	    context(false, "client", "server", NULL, TLS_1_2, versions[_i]);

	begin();
	ours(&server, sc, NULL, 0);
	ours(&client, cc, NULL, 0);
	handshake(WHOLE);
	ck_assert_int_eq(server.r, IO_PROTOCOL);
	ck_assert(tls_session_refused(server.s));
	assert_failure_says(&server, trust_verdict_text(TRUST_UNKNOWN_CA));
	assert_failure_says(&server, "subject \"CN=client\"");
	assert_failure_says(&server, "SHA-256 ");
	assert_failure_says(&server, "alert sent: unknown_ca (48)");
	if (client.r == IO_OK)
		assert_read_is(&client, IO_ALERT);
	ck_assert(!tls_session_refused(client.s));
	assert_failure_says(&client, "alert received: unknown_ca (48)");
	finish_ends();
	tls_context_unref(sc);
	tls_context_unref(cc);
}
END_TEST

/* 0.6: names for which the library's own check does nothing.  (trust.c judge(): judge_name().) */
START_TEST(odd_names_are_checked)
{
	static const char *const wrong_names[] = { "db01", "192.0.2.1", "::1", "foo.123",
		"*.x", "", "*", "*.localhost", "localhost.evil.example", "LOCALHOST.",
		"127.0.0.1" };
	struct tls_context *cc = context(false, "client", NULL, "root", TLS_1_2, TLS_1_3);
	WOLFSSL_CTX *c = raw_context(true, "sub_leaf", versions[_i % 2]);
	const char *name = wrong_names[_i / 2];
	/* The certificate is for localhost and 127.0.0.1. */
	bool right = strcmp(name, "LOCALHOST.") == 0 || strcmp(name, "127.0.0.1") == 0;

	begin();
	ours(&client, cc, &name, 1);
	raw(&server, c);
	handshake(WHOLE);
	ck_assert_int_eq(client.r, right ? IO_OK : IO_PROTOCOL);
	ck_assert_int_eq(tls_session_refused(client.s), !right);
	if (!right)
		assert_failure_says(&client, trust_verdict_text(TRUST_WRONG_NAME));
	finish_ends();
	wolfSSL_CTX_free(c);
	tls_context_unref(cc);
}
END_TEST

/* What is asked for by name, and what is not. */
START_TEST(sni)
{
	static const struct {
		const char *name, *sent;
	} cases[] = { { "db.example.org", "db.example.org" },
		{ "db.example.org.", "db.example.org" }, { "localhost", "localhost" },
		{ "192.0.2.1", NULL }, { "2001:db8::1", NULL }, { "", NULL },
		{ NULL, NULL } };
	struct tls_context *cc =
	    context(false, "client", "server", NULL, TLS_1_2, TLS_1_3);
	WOLFSSL_CTX *c = raw_context(true, "server", TLS_1_3);
	struct errmsg why;
	void *seen = NULL;
	unsigned short n;

	begin();
	ck_assert_ptr_nonnull(
	    client.s = tls_session_new(cc, cases[_i].name, NULL, 0, &why));
	raw(&server, c);
	wolfSSL_SNI_SetOptions(
	    server.ssl, WOLFSSL_SNI_HOST_NAME, WOLFSSL_SNI_ANSWER_ON_MISMATCH);
	wolfSSL_UseSNI(server.ssl, WOLFSSL_SNI_HOST_NAME, "x", 1);
	wolfSSL_SNI_SetOptions(server.ssl, WOLFSSL_SNI_HOST_NAME,
	    WOLFSSL_SNI_CONTINUE_ON_MISMATCH | WOLFSSL_SNI_ANSWER_ON_MISMATCH);
	handshake(WHOLE);
	ck_assert_int_eq(client.r, IO_OK);
	n = wolfSSL_SNI_GetRequest(server.ssl, WOLFSSL_SNI_HOST_NAME, &seen);
	ck_assert_uint_eq(n, cases[_i].sent == NULL ? 0 : strlen(cases[_i].sent));
	if (n > 0)
		ck_assert_mem_eq(seen, cases[_i].sent, n);
	finish_ends();
	wolfSSL_CTX_free(c);
	tls_context_unref(cc);
}
END_TEST

/* Floods. */

/* Builds records of a kind without end. */
static size_t
flood_piece(int kind, unsigned i, uint8_t *p)
{
	static const uint8_t ccs[] = { 20, 3, 3, 0, 1, 1 };
	static const uint8_t warning[] = { 21, 3, 3, 0, 2, 1, 90 };
	static const uint8_t empty[] = { 22, 3, 3, 0, 0 };
	static const uint8_t hello[] = { 22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff };
	static const uint8_t more[] = { 22, 3, 1, 0x40, 0 };

	switch (kind) {
	case 0:
		memcpy(p, ccs, sizeof(ccs));
		return sizeof(ccs);
	case 1:
		memcpy(p, warning, sizeof(warning));
		return sizeof(warning);
	case 2:
		memcpy(p, empty, sizeof(empty));
		return sizeof(empty);
	case 3: /* one handshake message of 16 MiB */
		memset(p, 0, 5 + 0x4000);
		memcpy(p, i == 0 ? hello : more, i == 0 ? sizeof(hello) : sizeof(more));
		return 5 + 0x4000;
	default: /* noise */
		for (size_t k = 0; k < 1000; k++)
			p[k] = (uint8_t)((i * 1000 + k) * 2654435761u >> 11);
		return 1000;
	}
}

/* A peer that never comes to the point is cut off before a mebibyte. */
START_TEST(endless_handshake)
{
	static uint8_t piece[5 + 0x4000];
	struct tls_context *c = _i % 2 == 0
	    ? context(true, "server", "client", NULL, TLS_1_2, TLS_1_3)
	    : context(false, "client", "server", NULL, TLS_1_2, TLS_1_3);
	struct end *us = _i % 2 == 0 ? &server : &client;
	size_t fed = 0;

	begin();
	ours(us, c, NULL, 0);
	for (unsigned i = 0; us->r == IO_WANT; i++) {
		size_t n = flood_piece(_i / 2, i, piece);

		deliver(us, piece, n);
		fed += n;
		shake(us, WHOLE);
		ck_assert_msg(fed < 1024 * 1024, "fed %zu bytes", fed);
	}
	ck_assert_int_eq(us->r, IO_PROTOCOL);
	/* It has a story, and stays failed. */
	ck_assert_ptr_nonnull(tls_session_failure(us->s, &(struct errmsg){ "" }));
	ck_assert_int_ne(shake(us, WHOLE), IO_OK);
	finish_ends();
	tls_context_unref(c);
}
END_TEST

/* The same from a client that has begun properly: its hello, then nothing but filling. */
START_TEST(endless_second_flight)
{
	static uint8_t piece[5 + 0x4000];
	WOLFSSL_CTX *c;
	size_t fed = 0;

	open_raw_client(versions[_i % 2], &c);
	client.r = shake(&client, WHOLE);
	shake(&server, WHOLE);
	ck_assert_int_eq(server.r, IO_WANT);
	for (unsigned i = 0; server.r == IO_WANT; i++) {
		size_t n = flood_piece(_i / 2, i, piece);

		deliver(&server, piece, n);
		fed += n;
		shake(&server, WHOLE);
		ck_assert_msg(fed < 1024 * 1024, "fed %zu bytes", fed);
	}
	ck_assert_int_ne(server.r, IO_OK);
	finish_ends();
	wolfSSL_CTX_free(c);
}
END_TEST

START_TEST(wrong_protocol_is_named)
{
	static const struct {
		const char *said, *text;
	} cases[] = { { "GET / HTTP/1.1\r\n\r\n", "plain HTTP" },
		{ "SSH-2.0-OpenSSH_9.2\r\n", "SSH" }, { "EHLO there\r\n", "SMTP" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "PROXY" },
		{ "\x80\x2e\x01\x03\x01 and so on", "SSLv2" },
		{ "anything else", "not TLS" } };
	struct tls_context *c = context(true, "server", "client", NULL, TLS_1_2, TLS_1_3);

	for (size_t most = 1; most < 100; most *= 50) {
		begin();
		ours(&server, c, NULL, 0);
		deliver(&server, cases[_i].said, strlen(cases[_i].said));
		while (server.r == IO_WANT && server.in.len > 0)
			shake(&server, most);
		ck_assert_int_eq(server.r, IO_PROTOCOL);
		assert_failure_says(&server, cases[_i].text);
		finish_ends();
	}
	tls_context_unref(c);
}
END_TEST

/* Certificates. */

static void
write_file(const char *name, const char *suffix, const char *a, const char *b)
{
	FILE *f = fopen(file(name, suffix), "w");

	if (f == NULL || fputs(a, f) < 0 || fputs(b, f) < 0 || fclose(f) != 0) {
		perror(name);
		exit(1);
	}
}

/* A self-signed identity; its PEM texts are kept for the attacks. */
struct identity {
	const char *name;
	struct keygen_result pem;
};

static struct identity made[] = { { .name = "client" }, { .name = "server" },
	{ .name = "mallory" } };

static void
make_identity(struct identity *id)
{
	struct keygen_request r = { .type = KEY_ECDSA_P256,
		.common_name = id->name,
		.days = 10,
		.dns = localhost_names,
		.ndns = 1 };
	struct errmsg e;

	if (keygen_make(&r, &id->pem, &e) == -1) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	write_file(id->name, ".pem", id->pem.cert_pem, id->pem.key_pem);
	write_file(id->name, ".crt", id->pem.cert_pem, "");
	write_file(id->name, ".key", id->pem.key_pem, "");
}

/* Where the public key of a certificate with a P-256 key stands in its DER. */
static uint8_t *
public_key(uint8_t *der, size_t len)
{
	static const uint8_t before[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03,
		0x01, 0x07, 0x03, 0x42, 0x00 };
	uint8_t *p = memmem(der, len, before, sizeof(before));

	if (p == NULL) {
		fprintf(stderr, "no P-256 key in a certificate\n");
		exit(1);
	}
	return p + sizeof(before);
}

/* NAME_clone: the certificate of NAME with mallory's public key, and mallory's key. */
static void
make_clone(const char *name)
{
	struct der_list genuine, own;
	struct errmsg e;
	char clone[64], pem[8192];
	int n;

	if (cert_load_chain(file(name, ".crt"), &genuine, &e) == -1 ||
	    cert_load_chain(file("mallory", ".crt"), &own, &e) == -1) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	memcpy(public_key(genuine.items[0].data, genuine.items[0].len),
	    public_key(own.items[0].data, own.items[0].len), 65);
	n = wc_DerToPem(genuine.items[0].data, (word32)genuine.items[0].len, (byte *)pem,
	    sizeof(pem) - 1, CERT_TYPE);
	if (n <= 0) {
		fprintf(stderr, "%s: wc_DerToPem %d\n", name, n);
		exit(1);
	}
	pem[n] = '\0';
	snprintf(clone, sizeof(clone), "%s_clone", name);
	write_file(clone, ".pem", pem, made[2].pem.key_pem);
	der_list_free(&genuine);
	der_list_free(&own);
}

/* What our keygen does not make: two levels of CAs, odd uses, and forgeries.  A bait is
 * a certificate that is trusted, with the attacker's CA behind it and the attacker's key. */
static const char hierarchy[] =
    "set -e; cd \"$1\"\n"
    "cert() {\n" /* NAME SUBJECT ISSUER [line ...] */
    "	name=$1 subject=$2 issuer=$3; shift 3\n"
    "	[ -f $name.key ] ||\n"
    "	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $name.key\n"
    "	printf '[req]\\ndistinguished_name=dn\\nx509_extensions=ext\\n[dn]\\n[ext]\\n' > cnf\n"
    "	for line; do printf '%s\\n' \"$line\" >> cnf; done\n"
    "	by=; [ $issuer = self ] || by=\"-CA $issuer.crt -CAkey $issuer.key\"\n"
    "	openssl req -x509 -new -config cnf -key $name.key -subj \"$subject\" $by -days 10"
    " -out $name.crt\n"
    "	cat $name.crt $name.key > $name.pem\n"
    "}\n"
    "CA='basicConstraints = critical, CA:TRUE' SKID='subjectKeyIdentifier = hash'\n"
    "AKID='authorityKeyIdentifier = keyid'\n"
    "BOTH='extendedKeyUsage = serverAuth, clientAuth'\n"
    "SAN='subjectAltName = DNS:localhost, IP:127.0.0.1'\n"
    "cert root /CN=Root self \"$CA\" \"$SKID\"\n"
    "cert sub /CN=Sub root \"$CA\" \"$SKID\" \"$AKID\"\n"
    "cert sub_leaf /CN=sub-leaf sub \"$AKID\" \"$BOTH\" \"$SAN\"\n"
    "cert code /CN=Code root \"$CA\" \"$SKID\" \"$AKID\" 'extendedKeyUsage = codeSigning'\n"
    "cert code_leaf /CN=code-leaf code \"$AKID\" \"$BOTH\" \"$SAN\"\n"
    "cert evil_ca /CN=Evil self \"$CA\" \"$SKID\"\n"
    "cert mallory_leaf /CN=mallory-leaf evil_ca \"$AKID\" \"$BOTH\" \"$SAN\"\n"
    "cert odd_ca /CN=Odd self \"$CA\" \"$SKID\" '1.2.3.4 = critical,ASN1:UTF8String:x'\n"
    "cert odd_leaf /CN=odd-leaf odd_ca \"$AKID\" \"$BOTH\"\n"
    "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out weak_ca.key\n"
    "cert weak_ca /CN=Weak self \"$CA\" \"$SKID\"\n"
    "cert weak_leaf /CN=weak-leaf weak_ca \"$AKID\" \"$BOTH\"\n"
    "for kind in odd weak; do\n"
    "	cat ${kind}_leaf.crt ${kind}_ca.crt ${kind}_leaf.key > ${kind}_leaf.pem\n"
    "	cat client.crt ${kind}_ca.crt mallory.key > ${kind}_bait.pem\n"
    "done\n"
    "id=$(openssl x509 -in root.crt -noout -ext subjectKeyIdentifier | sed -n '2s/ //gp')\n"
    "cert evil /CN=Root self \"$CA\" \"subjectKeyIdentifier = $id\" \"$BOTH\"\n"
    "cert evil_leaf /CN=evil-leaf evil \"$AKID\" \"$BOTH\" \"$SAN\"\n"
    "for ca in sub code; do\n"
    "	mv ${ca}_leaf.pem ${ca}_leaf_alone.pem\n"
    "	cat ${ca}_leaf.crt $ca.crt ${ca}_leaf.key > ${ca}_leaf.pem\n"
    "done\n"
    "cat mallory_leaf.crt evil_ca.crt mallory_leaf.key > mallory_leaf.pem\n"
    "cat evil_leaf.crt evil.crt evil_leaf.key > evil_leaf.pem\n"
    "for who in client server; do\n"
    "	cat $who.crt mallory.key > stolen_$who.pem\n"
    "	cat $who.crt evil_ca.crt mallory.key > bait_$who.pem\n"
    "done\n"
    "cat sub_leaf.crt sub.crt evil_ca.crt mallory.key > bait_root.pem\n";

static int
make_certificates(void)
{
	char script[PATH_MAX + 32], command[3 * PATH_MAX];

	for (int i = 0; i < COUNT(made); i++)
		make_identity(&made[i]);
	write_file("make", ".sh", hierarchy, "");
	snprintf(script, sizeof(script), "%s", file("make", ".sh"));
	snprintf(command, sizeof(command), "sh '%s' '%s' 2> '%s'", script, folder,
	    file("make", ".log"));
	if (system(command) != 0) {
		fprintf(stderr, "openssl could not make the certificates; see %s\n",
		    file("make", ".log"));
		return -1;
	}
	make_clone("client");
	make_clone("server");
	make_clone("root");
	return 0;
}

static void
remove_folder(void)
{
	DIR *d = opendir(folder);
	struct dirent *entry;

	while (d != NULL && (entry = readdir(d)) != NULL)
		unlink(file(entry->d_name, ""));
	if (d != NULL)
		closedir(d);
	rmdir(folder);
}

static TCase *
add_case(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return tc;
}

static Suite *
session_suite(void)
{
	Suite *s = suite_create("session");
	TCase *tc = add_case(s, "course");

	tcase_add_loop_test(tc, handshake_dribbled, 0, 4);
	tcase_add_loop_test(tc, bindings, 0, 4);
	tcase_add_loop_test(tc, binding_needs_extended_secret, 0, 2);
	tcase_add_loop_test(tc, versions_meet, 0, 4);
	tcase_add_test(tc, version_floor);
	tcase_add_loop_test(tc, big_writes, 0, 8);
	tcase_add_loop_test(tc, empty_write, 0, 2);
	tcase_add_loop_test(tc, no_room, 0, 2);
	tcase_add_loop_test(tc, half_close_both_ways, 0, 4);
	tcase_add_loop_test(tc, close_notify_crosses, 0, 2);
	tcase_add_loop_test(tc, truncated_stream, 0, 2);
	tcase_add_loop_test(tc, corrupted_record, 0, 6);
	tcase_add_loop_test(tc, oversized_record, 0, 2);
	tcase_add_loop_test(tc, plaintext_record, 0, 2);
	tcase_add_loop_test(tc, replayed_record, 0, 2);
	tcase_add_loop_test(tc, freed_at_every_step, 0, 2);
	tcase_add_loop_test(tc, tampered_handshake, 0, 2);
	tc = add_case(s, "control");
	tcase_add_loop_test(tc, key_update, 0, 2);
	tcase_add_test(tc, key_update_storm);
	tcase_add_loop_test(tc, tickets_are_ignored, 0, 2);
	tcase_add_test(tc, renegotiation);
	tcase_add_test(tc, hello_request);
	tc = add_case(s, "trust");
	tcase_add_loop_test(tc, right_ones_pass, 0, 2);
	tcase_add_loop_test(tc, path_not_kept, 0, 2);
	tcase_add_loop_test(tc, forged_clone, 0, 2);
	tcase_add_loop_test(tc, context_poisoning, 0, 2);
	tcase_add_loop_test(tc, remembered_intermediate, 0, 2);
	tcase_add_loop_test(tc, certificate_without_its_key, 0, 2);
	tcase_add_loop_test(tc, resumption, 0, 4);
	tcase_add_loop_test(tc, no_client_cert, 0, 2);
	tcase_add_loop_test(tc, insecure_lets_anybody_in, 0, 2);
	tcase_add_loop_test(tc, outcasts_prove_their_key, 0, 2);
	tcase_add_loop_test(tc, refusal_tells_all, 0, 2);
	tcase_add_loop_test(tc, odd_names_are_checked, 0, 22);
	tcase_add_loop_test(tc, sni, 0, 7);
	tc = add_case(s, "floods");
	tcase_add_loop_test(tc, endless_handshake, 0, 10);
	tcase_add_loop_test(tc, endless_second_flight, 0, 10);
	tcase_add_loop_test(tc, wrong_protocol_is_named, 0, 6);
	return s;
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");
	struct errmsg e;
	SRunner *runner;
	int failed = 1;

	snprintf(
	    folder, sizeof(folder), "%.3000s/session.XXXXXX", tmp == NULL ? "/tmp" : tmp);
	umask(077);
	if (mkdtemp(folder) == NULL) {
		perror(folder);
		return 1;
	}
	if (tls_library_start(&e) == -1) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	if (make_certificates() == 0) {
		runner = srunner_create(session_suite());
		srunner_run_all(runner, CK_NORMAL);
		failed = srunner_ntests_failed(runner);
		srunner_free(runner);
		remove_folder();
	}
	for (int i = 0; i < COUNT(made); i++)
		keygen_result_free(&made[i].pem);
	tls_library_stop();
	return failed != 0;
}
