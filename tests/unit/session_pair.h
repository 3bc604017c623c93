#ifndef UNIT_SESSION_PAIR_H_
#define UNIT_SESSION_PAIR_H_

/*
 * Two TLS sessions connected through memory, either of which may be the attacker's: wolfSSL
 * used by hand.  For the tests of tls/session, which have their certificates here, too.
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

static inline const char *
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

static inline void
deliver(struct end *to, const void *p, size_t n)
{
	ck_assert_int_eq(buf_append(&to->in, p, n), 0);
	to->peer->told += n;
}

static inline int
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

static inline int
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
static inline int
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

static inline void
begin(void)
{
	client = (struct end){ .peer = &server, .r = IO_WANT };
	server = (struct end){ .peer = &client, .r = IO_WANT, .server = true };
}

static inline void
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

static inline enum iores
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
static inline struct tls_io
io_begin(const struct end *e, size_t most)
{
	return (struct tls_io){ .in = buf_head(&e->in),
		.in_len = e->in.len < most ? e->in.len : most,
		.out = out,
		.out_cap = sizeof(out) };
}

static inline void
io_end(struct end *e, const struct tls_io *io, size_t given)
{
	ck_assert_uint_le(io->in_len, given);
	buf_consume(&e->in, given - io->in_len);
	deliver(e->peer, out, io->out_len);
}

static inline enum iores
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
static inline void
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
static inline enum iores
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

static inline enum iores
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

static inline enum iores
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

static inline void
assert_reads(struct end *e, const char *want)
{
	char text[256];
	size_t n;

	ck_assert_int_eq(read_some(e, WHOLE, text, sizeof(text), &n), IO_OK);
	ck_assert_uint_eq(n, strlen(want));
	ck_assert_mem_eq(text, want, n);
}

static inline void
assert_read_is(struct end *e, enum iores want)
{
	char text[256];
	size_t n;

	ck_assert_int_eq(read_some(e, WHOLE, text, sizeof(text), &n), want);
	ck_assert_uint_eq(n, 0);
}

static inline void
assert_talks(void)
{
	ck_assert_int_eq(write_all(&client, "question", 8), IO_OK);
	assert_reads(&server, "question");
	ck_assert_int_eq(write_all(&server, "answer", 6), IO_OK);
	assert_reads(&client, "answer");
}

static inline void
assert_failure_says(struct end *e, const char *part)
{
	struct errmsg why;
	const char *text = tls_session_failure(e->s, &why);

	if (strstr(text, part) == NULL)
		ck_abort_msg("\"%s\" lacks \"%s\"", text, part);
}

/* Our contexts. */

static inline struct tls_context *
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
static inline void
ours(struct end *e, struct tls_context *c, const char *const *names, size_t nnames)
{
	struct errmsg why;

	e->s = tls_session_new(c, e->server ? NULL : localhost, names, nnames, &why);
	ck_assert_ptr_nonnull(e->s);
}

/* The attacker's contexts: no verification, whatever certificate. */
static inline WOLFSSL_CTX *
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

static inline void
raw(struct end *e, WOLFSSL_CTX *c)
{
	ck_assert_ptr_nonnull(e->ssl = wolfSSL_new(c));
	wolfSSL_SSLSetIORecv(e->ssl, raw_recv);
	wolfSSL_SSLSetIOSend(e->ssl, raw_send);
	wolfSSL_SetIOReadCtx(e->ssl, e);
	wolfSSL_SetIOWriteCtx(e->ssl, e);
}

/* An ordinary connection, both ends ours, pinned. */
static inline void
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

static inline void
open_pair(enum tls_version v, size_t most)
{
	open_pair_how(v, most, false);
}

static inline void
open_bound(enum tls_version v, size_t most)
{
	open_pair_how(v, most, true);
}

/* Our server against the attacker's client, or the other way round; pinned. */
static inline void
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

static inline void
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

static inline void
assert_both_open(void)
{
	ck_assert_int_eq(client.r, IO_OK);
	ck_assert_int_eq(server.r, IO_OK);
	assert_talks();
}

/* Certificates. */

static inline void
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

static inline void
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
static inline uint8_t *
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
static inline void
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

static inline int
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

static inline void
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

static const enum tls_version versions[] = { TLS_1_2, TLS_1_3 };

static inline TCase *
add_case(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return tc;
}

/* Runs the suite with the library started and the certificates made; the exit status. */
static inline int
session_run(Suite *suite)
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
		runner = srunner_create(suite);
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

#endif
