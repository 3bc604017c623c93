/* tls/context: what a policy says is what two sessions connected through memory do. */
#include <check.h>
#include <stdint.h>

#include "base/buf.h"
#include "certs.h"
#include "onefile.h"
#include "tls/library.h"
#include "tls/session.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static const enum tls_version versions[] = { TLS_1_2, TLS_1_3 };

/* One end. */
struct end {
	struct tls_session *s;
	struct buf in; /* ciphertext on its way here */
	enum iores r;
};

static struct end client, server;
static uint8_t out[TLS_OUT_HANDSHAKE];

static struct tls_policy
policy(bool is_server)
{
	return (struct tls_policy){ .server = is_server,
		.service = "test",
		.certs = one_file(certs_path("p384_pair", ".pem")),
		.ncerts = is_server ? 1 : 0,
		.min = TLS_1_2,
		.max = TLS_1_3,
		.ask = is_server ? TLS_ASK_NOT : TLS_ASK_REQUIRED,
		.insecure = true };
}

static struct tls_context *
make(const struct tls_policy *p)
{
	struct tls_policy q = *p;
	struct tls_context *c;
	struct errmsg e;

	if (q.trust == NULL)
		ck_assert_ptr_nonnull(q.trust = trust_new());
	if ((c = tls_context_new(&q, &e)) == NULL)
		ck_abort_msg("%s", e.text);
	return c;
}

static bool
step(struct end *e, struct end *peer)
{
	struct tls_io io = { .in = buf_head(&e->in), .in_len = e->in.len, .out = out,
		.out_cap = sizeof(out) };

	if (e->r != IO_WANT)
		return false;
	e->r = tls_session_handshake(e->s, &io);
	buf_consume(&e->in, e->in.len - io.in_len);
	ck_assert_int_eq(buf_append(&peer->in, out, io.out_len), 0);
	return io.out_len > 0 || e->r != IO_WANT;
}

/* A handshake under two policies. */
static void
meet(const struct tls_policy *cp, const struct tls_policy *sp)
{
	struct tls_context *cc = make(cp), *sc = make(sp);
	struct errmsg e;
	bool moved;

	client = (struct end){ .r = IO_WANT, .s = tls_session_new(cc, NULL, NULL, 0, &e) };
	server = (struct end){ .r = IO_WANT, .s = tls_session_new(sc, NULL, NULL, 0, &e) };
	ck_assert(client.s != NULL && server.s != NULL);
	tls_context_unref(cc);
	tls_context_unref(sc);
	do {
		moved = step(&client, &server);
		moved = step(&server, &client) || moved;
	} while (moved);
}

static void
part(void)
{
	tls_session_free(client.s);
	tls_session_free(server.s);
	buf_free(&client.in);
	buf_free(&server.in);
}

static void
assert_open(void)
{
	struct errmsg e;

	if (client.r != IO_OK || server.r != IO_OK)
		ck_abort_msg("client: %d %s\nserver: %d %s", client.r,
		    client.r == IO_OK ? "" : tls_session_failure(client.s, &e), server.r,
		    server.r == IO_OK ? "" : tls_session_failure(server.s, &e));
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__ }), COUNT(((const char *const[]){ __VA_ARGS__ }))

struct list {
	const char *const *items;
	int n;
};

/* Suites. */

#define E128 "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
#define E256 "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
#define ECHA "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
#define R256 "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
#define A128 "TLS_AES_128_GCM_SHA256"
#define A256 "TLS_AES_256_GCM_SHA384"
#define ACHA "TLS_CHACHA20_POLY1305_SHA256"

static const struct {
	enum tls_version v;
	struct list client, server;
	bool client_order;
	const char *got; /* NULL: nothing in common */
} suite_rows[] = {
	{ TLS_1_2, { NULL, 0 }, { NULL, 0 }, false, E128 },
	{ TLS_1_2, { LIST(E256) }, { NULL, 0 }, false, E256 },
	{ TLS_1_2, { NULL, 0 }, { LIST(ECHA, E256) }, false, ECHA },
	{ TLS_1_2, { LIST(E256, ECHA) }, { LIST(ECHA, E256) }, false, ECHA },
	{ TLS_1_2, { LIST(E256, ECHA) }, { LIST(ECHA, E256) }, true, E256 },
	{ TLS_1_2, { LIST(E256) }, { LIST(E128) }, false, NULL },
	{ TLS_1_2, { NULL, 0 }, { LIST(R256) }, false, NULL },
	{ TLS_1_3, { NULL, 0 }, { NULL, 0 }, false, A128 },
	{ TLS_1_3, { LIST(ACHA) }, { NULL, 0 }, false, ACHA },
	{ TLS_1_3, { LIST(A256, ACHA) }, { LIST(ACHA, A256) }, false, ACHA },
	{ TLS_1_3, { LIST(A256, ACHA) }, { LIST(ACHA, A256) }, true, A256 },
	{ TLS_1_3, { LIST(A256) }, { LIST(A128) }, true, NULL },
};

static void
set_suites(struct tls_policy *p, const struct list *l, enum tls_version v)
{
	p->max = v;
	if (v == TLS_1_2) {
		p->suites12 = l->items;
		p->nsuites12 = (size_t)l->n;
	} else {
		p->suites13 = l->items;
		p->nsuites13 = (size_t)l->n;
	}
}

START_TEST(suites)
{
	struct tls_policy c = policy(false), s = policy(true);

	set_suites(&c, &suite_rows[_i].client, suite_rows[_i].v);
	set_suites(&s, &suite_rows[_i].server, suite_rows[_i].v);
	s.client_order = suite_rows[_i].client_order;
	meet(&c, &s);
	if (suite_rows[_i].got == NULL) {
		ck_assert_int_ne(server.r, IO_OK);
	} else {
		assert_open();
		ck_assert_str_eq(tls_session_suite(server.s), suite_rows[_i].got);
	}
	part();
}
END_TEST

/* The suites of one version leave the other alone. */
START_TEST(suites_of_one_version)
{
	struct tls_policy c = policy(false), s = policy(true);
	static const char *const list[] = { E256 };

	s.suites12 = list;
	s.nsuites12 = 1;
	c.max = versions[_i];
	meet(&c, &s);
	assert_open();
	ck_assert_str_eq(tls_session_suite(server.s), _i == 0 ? E256 : A128);
	part();
}
END_TEST

/* Groups. */

static const struct {
	enum tls_version v;
	struct list client, server;
	const char *got;
} group_rows[] = {
	{ TLS_1_3, { NULL, 0 }, { NULL, 0 }, "X25519MLKEM768" },
	{ TLS_1_3, { LIST("X25519") }, { NULL, 0 }, "X25519" },
	{ TLS_1_3, { LIST("P-384") }, { NULL, 0 }, "SECP384R1" },
	{ TLS_1_3, { LIST("P-521", "X25519") }, { LIST("P-521") }, "SECP521R1" },
	{ TLS_1_3, { NULL, 0 }, { LIST("P-384") }, "SECP384R1" },
	{ TLS_1_3, { NULL, 0 }, { LIST("X25519", "P-384") }, "X25519" },
	{ TLS_1_3, { LIST("P-256") }, { LIST("P-384") }, NULL },
	/* Asked once more for a share. */
	{ TLS_1_3, { LIST("P-384", "X25519") }, { LIST("X25519") }, "X25519" },
	{ TLS_1_3, { LIST("X25519MLKEM768", "P-521") }, { LIST("P-521") }, "SECP521R1" },
	{ TLS_1_3, { LIST("X25519MLKEM768") }, { LIST("X25519") }, NULL },
	{ TLS_1_3, { LIST("X25519MLKEM768") }, { NULL, 0 }, "X25519MLKEM768" },
	{ TLS_1_2, { NULL, 0 }, { NULL, 0 }, "X25519" },
	{ TLS_1_2, { LIST("X25519MLKEM768", "P-256") }, { NULL, 0 }, "SECP256R1" },
	{ TLS_1_2, { LIST("P-384") }, { NULL, 0 }, "SECP384R1" },
	/* Here the library minds the size only. */
	{ TLS_1_2, { LIST("P-256") }, { LIST("P-384") }, NULL },
	{ TLS_1_2, { LIST("X25519", "P-256", "P-384") }, { LIST("P-384") }, "SECP384R1" },
	{ TLS_1_2, { LIST("X25519", "P-256") }, { LIST("P-521", "P-256") }, "X25519" },
};

START_TEST(groups)
{
	struct tls_policy c = policy(false), s = policy(true);

	c.max = group_rows[_i].v;
	c.groups = group_rows[_i].client.items;
	c.ngroups = (size_t)group_rows[_i].client.n;
	s.groups = group_rows[_i].server.items;
	s.ngroups = (size_t)group_rows[_i].server.n;
	meet(&c, &s);
	if (group_rows[_i].got == NULL) {
		ck_assert_int_ne(server.r, IO_OK);
	} else {
		assert_open();
		ck_assert_str_eq(tls_session_group(server.s), group_rows[_i].got);
	}
	part();
}
END_TEST

/* Who is asked, and who may pass. */

static const struct {
	enum tls_ask ask;
	bool insecure, outcasts;
	const char *cert;   /* the client's, or NULL */
	bool open;
	bool refused;
	bool known;         /* the server has the certificate */
} ask_rows[] = {
	{ TLS_ASK_NOT, true, false, NULL, true, false, false },
	{ TLS_ASK_NOT, true, false, "leaf_pair", true, false, false },
	{ TLS_ASK_OPTIONAL, true, false, NULL, true, false, false },
	{ TLS_ASK_OPTIONAL, true, false, "other_pair", true, false, true },
	{ TLS_ASK_OPTIONAL, false, false, NULL, true, false, false },
	{ TLS_ASK_OPTIONAL, false, false, "leaf_pair", true, false, true },
	{ TLS_ASK_OPTIONAL, false, false, "other_pair", false, true, true },
	{ TLS_ASK_REQUIRED, true, false, NULL, false, false, false },
	{ TLS_ASK_REQUIRED, true, false, "other_pair", true, false, true },
	{ TLS_ASK_REQUIRED, false, false, NULL, false, false, false },
	{ TLS_ASK_REQUIRED, false, false, "leaf_pair", true, false, true },
	{ TLS_ASK_REQUIRED, false, true, NULL, true, true, false },
	{ TLS_ASK_REQUIRED, false, true, "leaf_pair", true, false, true },
	{ TLS_ASK_REQUIRED, false, true, "other_pair", true, true, true },
	{ TLS_ASK_REQUIRED, false, true, "code_pair", true, true, true },
	{ TLS_ASK_REQUIRED, true, true, NULL, true, true, false },
	{ TLS_ASK_OPTIONAL, false, true, NULL, true, false, false },
	{ TLS_ASK_OPTIONAL, false, true, "other_pair", true, true, true },
};

static struct trust *
trust_root(void)
{
	struct trust *t = trust_new();
	struct errmsg e;

	ck_assert_ptr_nonnull(t);
	trust_read_as(t, true, false);
	ck_assert_int_eq(trust_add_file(t, certs_path("root", ".pem"), &e), 0);
	return t;
}

START_TEST(asking)
{
	struct tls_policy c = policy(false), s = policy(true);
	int row = _i / 2;

	c.max = versions[_i % 2];
	if (ask_rows[row].cert != NULL)
		SET_CERT(c, certs_path(ask_rows[row].cert, ".pem"));
	s.ask = ask_rows[row].ask;
	s.insecure = ask_rows[row].insecure;
	s.outcasts = ask_rows[row].outcasts;
	s.trust = trust_root();
	meet(&c, &s);
	if (ask_rows[row].open)
		assert_open();
	else
		ck_assert_int_eq(server.r, IO_PROTOCOL);
	ck_assert_int_eq(tls_session_refused(server.s), ask_rows[row].refused);
	ck_assert_int_eq(tls_session_peer(server.s) != NULL, ask_rows[row].known);
	part();
}
END_TEST

/* An outcast's CA, which is none of ours, lets nobody in afterwards. */
START_TEST(outcasts_leave_nothing_behind)
{
	struct tls_policy c = policy(false), s = policy(true);
	struct tls_context *cc, *sc;
	static const char *const visitors[] = { "evil_pair", "evil_leaf_pair" };
	struct errmsg e;

	s.ask = TLS_ASK_REQUIRED;
	s.insecure = false;
	s.outcasts = true;
	s.trust = trust_root();
	sc = make(&s);
	c.max = versions[_i];
	for (int i = 0; i < COUNT(visitors); i++) {
		SET_CERT(c, certs_path(visitors[i], ".pem"));
		cc = make(&c);
		client = (struct end){ .r = IO_WANT,
			.s = tls_session_new(cc, NULL, NULL, 0, &e) };
		server = (struct end){ .r = IO_WANT,
			.s = tls_session_new(sc, NULL, NULL, 0, &e) };
		for (bool moved = true; moved;) {
			moved = step(&client, &server);
			moved = step(&server, &client) || moved;
		}
		ck_assert(server.r != IO_OK || tls_session_refused(server.s));
		part();
		tls_context_unref(cc);
	}
	tls_context_unref(sc);
}
END_TEST

/* Levels and what cannot be. */

START_TEST(own_certificate_of_a_level)
{
	struct tls_policy s = policy(true);
	struct tls_context *c;
	struct errmsg e;

	s.level = 4;
	tls_context_unref(make(&s));
	s.level = 5;
	s.trust = trust_new();
	ck_assert_ptr_null(c = tls_context_new(&s, &e));
	ck_assert_msg(strstr(e.text, "384 bits, less than the 521 of securityLevel 5") != NULL,
	    "%s", e.text);
	trust_free(s.trust);
}
END_TEST

START_TEST(hybrid_alone_in_12)
{
	struct tls_policy s = policy(true);
	static const char *const list[] = { "X25519MLKEM768" };
	struct errmsg e;

	s.max = TLS_1_2;
	s.groups = list;
	s.ngroups = 1;
	s.trust = trust_new();
	ck_assert_ptr_null(tls_context_new(&s, &e));
	ck_assert_msg(strstr(e.text, "none of the curves is one of TLS 1.2") != NULL, "%s", e.text);
	trust_free(s.trust);
}
END_TEST

/* Digests. */

static void
digest_of(const struct tls_policy *p, unsigned char *digest)
{
	struct errmsg e;

	if (tls_policy_digest(p, digest, &e) == -1)
		ck_abort_msg("%s", e.text);
}

/* Each change of one input: another digest; the same again: the first one. */
START_TEST(digest_tells_inputs_apart)
{
	static const char *const list[] = { E256, ECHA };
	const char *const two[] = { certs_path("leaf_pair", ".pem"), certs_path("p384_pair", ".pem") };
	unsigned char digests[32][TLS_DIGEST];
	struct tls_policy p = policy(true), q;
	struct errmsg e;
	int n = 0;

#define ADD(change) do { q = p; change; digest_of(&q, digests[n++]); } while (0)
	p.trust = trust_root();
	ADD((void)0);
	ADD(q.min = TLS_1_3);
	ADD(q.max = TLS_1_2);
	ADD(q.server = false);
	ADD((q.suites12 = list, q.nsuites12 = 1));
	ADD((q.suites12 = list, q.nsuites12 = 2));
	ADD((q.suites13 = list, q.nsuites13 = 2));
	ADD((q.groups = list, q.ngroups = 2));
	ADD(q.client_order = true);
	ADD(q.level = 3);
	ADD(q.ask = TLS_ASK_OPTIONAL);
	ADD(q.outcasts = true);
	ADD(SET_CERT(q, certs_path("leaf_pair", ".pem")));
	ADD((q.certs = two, q.ncerts = 2));
	ADD((q.protocols = list, q.nprotocols = 1));
	ADD(q.require_protocol = true);
	ADD(SET_KEY(q, certs_path("leaf_pair", ".pem")));
	trust_set_level(p.trust, 3);
	ADD((void)0);
	ck_assert_int_eq(trust_add_file(p.trust, certs_path("root_b", ".pem"), &e), 0);
	ADD((void)0);
	for (int i = 0; i < n; i++)
		for (int j = 0; j < i; j++)
			ck_assert_msg(memcmp(digests[i], digests[j], TLS_DIGEST) != 0,
			    "%d and %d are the same", i, j);
	trust_free(p.trust);

	p.trust = trust_root();
	ADD(q.service = "another");
	ck_assert_mem_eq(digests[n - 1], digests[0], TLS_DIGEST);
	trust_free(p.trust);
}
END_TEST

START_TEST(same_inputs_same_context)
{
	struct tls_policy p = policy(true);
	struct tls_context *c, *again, *other;
	unsigned char digest[TLS_DIGEST];
	struct errmsg e;

	p.trust = trust_root();
	digest_of(&p, digest);
	ck_assert_ptr_nonnull(c = tls_context_renew(&p, NULL, &e));
	ck_assert_mem_eq(tls_context_digest(c), digest, TLS_DIGEST);
	p.trust = trust_root();
	ck_assert_ptr_eq(again = tls_context_renew(&p, c, &e), c);
	p.trust = trust_root();
	SET_CERT(p, certs_path("leaf_pair", ".pem"));
	ck_assert_ptr_nonnull(other = tls_context_renew(&p, c, &e));
	ck_assert_ptr_ne(other, c);
	/* A failure leaves the old one alone, and the trust to us. */
	p.trust = trust_root();
	SET_CERT(p, "/nowhere/at/all");
	ck_assert_ptr_null(tls_context_renew(&p, c, &e));
	trust_free(p.trust);
	tls_context_unref(other);
	tls_context_unref(again);
	tls_context_unref(c);
}
END_TEST

/* The content counts, not the file: a new one under the same name is another context. */
START_TEST(replaced_file)
{
	struct tls_policy p = policy(true);
	unsigned char before[TLS_DIGEST], after[TLS_DIGEST];
	char path[300];

	snprintf(path, sizeof(path), "%s/changing.pem", certs_folder);
	SET_CERT(p, path);
	p.trust = trust_root();
	ck_assert_int_eq(symlink(certs_path("leaf_pair", ".pem"), path), 0);
	digest_of(&p, before);
	unlink(path);
	ck_assert_int_eq(symlink(certs_path("p384_pair", ".pem"), path), 0);
	digest_of(&p, after);
	ck_assert_mem_ne(before, after, TLS_DIGEST);
	trust_free(p.trust);
}
END_TEST

static Suite *
policy_suite(void)
{
	Suite *s = suite_create("policy");
	TCase *t = tcase_create("policy");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, suites, 0, COUNT(suite_rows));
	tcase_add_loop_test(t, suites_of_one_version, 0, 2);
	tcase_add_loop_test(t, groups, 0, COUNT(group_rows));
	tcase_add_loop_test(t, asking, 0, 2 * COUNT(ask_rows));
	tcase_add_loop_test(t, outcasts_leave_nothing_behind, 0, 2);
	tcase_add_test(t, own_certificate_of_a_level);
	tcase_add_test(t, hybrid_alone_in_12);
	tcase_add_test(t, digest_tells_inputs_apart);
	tcase_add_test(t, same_inputs_same_context);
	tcase_add_test(t, replaced_file);
	suite_add_tcase(s, t);
	return s;
}

/* NAME_pair.pem: the certificate with its key. */
static void
make_pair(const char *name, const char *cert)
{
	char *c, *k, path[300];
	size_t cn, kn;
	struct errmsg e;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s_pair.pem", certs_folder, name);
	if (cert_read_file(certs_path(cert, ".pem"), &c, &cn, &e) == -1 ||
	    cert_read_file(certs_path(cert, ".key"), &k, &kn, &e) == -1 ||
	    (f = fopen(path, "w")) == NULL || fwrite(c, 1, cn, f) != cn ||
	    fwrite(k, 1, kn, f) != kn || fchmod(fileno(f), 0600) == -1 || fclose(f) != 0)
		abort();
	free(c);
	free(k);
}

int
main(void)
{
	SRunner *r = srunner_create(policy_suite());
	struct errmsg e;
	int failed = 1;

	if (tls_library_start(&e) == 0 && certs_make() == 0) {
		make_pair("p384", "p384");
		make_pair("leaf", "leaf");
		make_pair("other", "other");
		make_pair("code", "code_leaf");
		make_pair("evil", "evil");
		make_pair("evil_leaf", "evil_leaf");
		srunner_run_all(r, CK_NORMAL);
		failed = srunner_ntests_failed(r);
		tls_library_stop();
	}
	certs_remove();
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
