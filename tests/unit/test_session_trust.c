/*
 * tls/session: who may pass, and the attacks that a naive use of wolfSSL would let through.
 */
#include "session_pair.h"

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

int
main(void)
{
	Suite *s = suite_create("session_trust");
	TCase *tc = add_case(s, "trust");

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
	return session_run(s);
}
