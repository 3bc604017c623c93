/* tls/session: the course of TLS sessions, their ends, control records and floods. */
#include "session_pair.h"

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

int
main(void)
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
	tc = add_case(s, "floods");
	tcase_add_loop_test(tc, endless_handshake, 0, 10);
	tcase_add_loop_test(tc, endless_second_flight, 0, 10);
	tcase_add_loop_test(tc, wrong_protocol_is_named, 0, 6);
	return session_run(s);
}
