/*
 * tunnel/endpoint over real sockets: TLS, plain and echo, the ways a connection ends,
 * and peers that want more of our memory than they get.  The attacker is wolfSSL itself.
 */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "net/sock.h"
#include "onefile.h"
#include "tls/keygen.h"
#include "tls/library.h"
#include "tunnel/endpoint.h"
#include "tunnel/pump.h"

#define BIG ((size_t)2 * 1024 * 1024)

/* The most that a TLS side may keep for a peer that does not read: one batch of data as
 * ciphertext, and control records beside it. */
#define KEPT_MAX (BATCH_MAX + (size_t)64 * 1024)

static char folder[512];

static const char *
file(const char *name, const char *suffix)
{
	static char paths[8][1024];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s%s", folder, name, suffix);
	return path;
}

static struct loop *loop;
static struct stage stage;
static int woken;
static uint8_t big[BIG], back[BIG];

/* Two endpoints that talk to each other; or one, and the attacker at the other end. */
static struct endpoint us, them;
static WOLFSSL_CTX *attacker_ctx;
static WOLFSSL *attacker;
static int attacker_fd = -1;

static void
wake(void *owner)
{
	(void)owner;
	woken++;
	loop_quit(loop);
}

static void
turn_late(struct loop_timer *t)
{
	(void)t;
	loop_quit(loop);
}

/* Runs the loop until something woke, or for so long. */
static void
turn(unsigned ms)
{
	struct loop_timer t = { .due = turn_late };

	loop_timer_set(loop, &t, loop_now(loop) + ms);
	loop_run(loop, NULL);
	loop_timer_cancel(loop, &t);
}

static void
socket_pair(int pair[2], bool tcp)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int lfd;

	if (!tcp) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		return;
	}
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	lfd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(lfd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	ck_assert_int_eq(listen(lfd, 1), 0);
	ck_assert_int_eq(getsockname(lfd, (struct sockaddr *)&sin, &len), 0);
	pair[1] = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(pair[1], (struct sockaddr *)&sin, sizeof(sin)), 0);
	ck_assert_int_ne(pair[0] = accept(lfd, NULL, NULL), -1);
	close(lfd);
}

static void
setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(stage_init(&stage), 0);
	ck_assert_ptr_nonnull(loop = loop_new(64));
	for (size_t i = 0; i < BIG; i++)
		big[i] = (uint8_t)(i * 2654435761u >> 13);
}

static void
close_ep(struct endpoint *ep)
{
	if (ep->ops != NULL)
		wire_leave(&ep->wire, loop);
	endpoint_close(ep);
}

static void
teardown(void)
{
	close_ep(&us);
	close_ep(&them);
	wolfSSL_free(attacker);
	wolfSSL_CTX_free(attacker_ctx);
	if (attacker_fd != -1)
		close(attacker_fd);
	loop_free(loop);
	stage_free(&stage);
	ck_assert_uint_eq(buf_total(), 0);
}

static struct tls_session *
session(bool server, enum tls_version max)
{
	struct tls_policy p = {
		.server = server, .service = "test", .min = TLS_1_2, .max = max
	};
	struct tls_context *c;
	struct tls_session *s;
	struct errmsg e;

	SET_CERT(p, file(server ? "server" : "client", ".pem"));
	ck_assert_ptr_nonnull(p.trust = trust_new());
	if (trust_add_peers(p.trust, file(server ? "client" : "server", ".pem"), &e) !=
		0 ||
	    (c = tls_context_new(&p, &e)) == NULL)
		ck_abort_msg("%s", e.text);
	if ((s = tls_session_new(c, NULL, NULL, 0, &e)) == NULL)
		ck_abort_msg("%s", e.text);
	tls_context_unref(c);
	return s;
}

static void
join(struct endpoint *ep)
{
	ck_assert_int_eq(wire_join(&ep->wire, loop, wake, &woken), 0);
}

/* Our server and our client, connected. */
static void
begin_ours(enum tls_version v, bool tcp)
{
	int pair[2];

	socket_pair(pair, tcp);
	endpoint_tls(&us, pair[0], session(true, TLS_1_3));
	endpoint_tls(&them, pair[1], session(false, v));
	join(&us);
	join(&them);
}

/* Our server, and the attacker's client that has a certificate that is trusted. */
static void
begin_attacker(enum tls_version v, bool tcp)
{
	int pair[2];

	socket_pair(pair, tcp);
	endpoint_tls(&us, pair[0], session(true, TLS_1_3));
	join(&us);
	attacker_fd = pair[1];
	ck_assert_int_ne(fcntl(attacker_fd, F_SETFL, O_NONBLOCK), -1);
	attacker_ctx = wolfSSL_CTX_new(
	    v == TLS_1_3 ? wolfTLSv1_3_client_method() : wolfTLSv1_2_client_method());
	ck_assert_ptr_nonnull(attacker_ctx);
	wolfSSL_CTX_set_verify(attacker_ctx, WOLFSSL_VERIFY_NONE, NULL);
	ck_assert_int_eq(
	    wolfSSL_CTX_use_certificate_chain_file(attacker_ctx, file("client", ".pem")),
	    WOLFSSL_SUCCESS);
	ck_assert_int_eq(wolfSSL_CTX_use_PrivateKey_file(
			     attacker_ctx, file("client", ".pem"), WOLFSSL_FILETYPE_PEM),
	    WOLFSSL_SUCCESS);
	ck_assert_ptr_nonnull(attacker = wolfSSL_new(attacker_ctx));
	wolfSSL_set_fd(attacker, attacker_fd);
	wolfSSL_SetIOWriteFlags(attacker, MSG_NOSIGNAL);
}

static const enum tls_version versions[] = { TLS_1_2, TLS_1_3 };

/* Both handshakes, as the events tell. */
static void
shake(void)
{
	enum iores a = IO_WANT, b = attacker == NULL ? IO_WANT : IO_OK;
	int done = 0;

	for (int i = 0; i < 2000 && (a == IO_WANT || b == IO_WANT || !done); i++) {
		if (a == IO_WANT)
			a = endpoint_handshake(&us, &stage);
		if (attacker == NULL) {
			if (b == IO_WANT)
				b = endpoint_handshake(&them, &stage);
			done = 1;
		} else if (!done) {
			done = wolfSSL_connect(attacker) == WOLFSSL_SUCCESS;
		}
		if (a == IO_WANT || b == IO_WANT || !done)
			turn(1);
	}
	ck_assert_int_eq(a, IO_OK);
	ck_assert_int_eq(b, IO_OK);
	ck_assert(done);
}

/* Reads as a pump does: when told to want, waits for the wake-up. */
static enum iores
read_some(struct endpoint *ep, size_t *n)
{
	enum iores r;
	int before;

	for (;;) {
		before = woken;
		r = ep->ops->read(ep, &stage, BATCH_MAX, n);
		if (r == IO_OK && *n == 0)
			continue;
		if (r != IO_WANT)
			return r;
		for (int i = 0; i < 500 && woken == before; i++)
			turn(10);
		ck_assert_msg(woken > before, "bytes or an end were never announced");
	}
}

/* Reads exactly these bytes, in whatever pieces. */
static void
assert_reads(struct endpoint *ep, const void *want, size_t total)
{
	size_t got = 0, n;

	while (got < total) {
		ck_assert_int_eq(read_some(ep, &n), IO_OK);
		ck_assert_uint_le(n, total - got);
		ck_assert_mem_eq(stage.plain, (const uint8_t *)want + got, n);
		got += n;
	}
}

static void
assert_read_is(struct endpoint *ep, enum iores want)
{
	size_t n;

	ck_assert_int_eq(read_some(ep, &n), want);
	/* And so it stays. */
	ck_assert_int_eq(ep->ops->read(ep, &stage, BATCH_MAX, &n), want);
	ck_assert_uint_eq(n, 0);
}

static void
write_all(struct endpoint *ep, const void *p, size_t n)
{
	ck_assert_int_eq(ep->ops->flush(ep), IO_OK);
	ck_assert_int_eq(ep->ops->write(ep, &stage, p, n), IO_OK);
}

/* The attacker reads what there is and forgets it. */
static void
attacker_reads(void)
{
	char text[16384];

	for (int quiet = 0; quiet < 3; quiet++) {
		while (wolfSSL_read(attacker, text, sizeof(text)) > 0)
			quiet = 0;
		us.ops->flush(&us);
		turn(2);
	}
}

START_TEST(handshake_and_talk)
{
	begin_ours(versions[_i / 2], _i % 2 != 0);
	shake();
	write_all(&us, "from us", 7);
	assert_reads(&them, "from us", 7);
	write_all(&them, "from them", 9);
	assert_reads(&us, "from them", 9);
	ck_assert(endpoint_is_tls(&us));
	ck_assert(!endpoint_is_echo(&us));
	/* An idle connection holds no buffer. */
	ck_assert_uint_eq(buf_total(), 0);
}
END_TEST

START_TEST(plain_until_upgraded)
{
	int pair[2];

	socket_pair(pair, false);
	endpoint_plain(&us, pair[0], pair[0]);
	ck_assert(!endpoint_is_tls(&us));
	us.tls = session(true, TLS_1_3);
	endpoint_upgrade(&us);
	ck_assert(endpoint_is_tls(&us));
	endpoint_tls(&them, pair[1], session(false, TLS_1_3));
	join(&us);
	join(&them);
	shake();
	write_all(&them, "hello", 5);
	assert_reads(&us, "hello", 5);
}
END_TEST

/* Bytes that were read too much come first, in order, and before what the kernel has. */
START_TEST(given_back_comes_first)
{
	int pair[2];
	size_t n;

	socket_pair(pair, false);
	endpoint_plain(&us, pair[0], pair[0]);
	endpoint_plain(&them, pair[1], pair[1]);
	join(&us);
	join(&them);
	write_all(&them, "abcdef", 6);
	assert_reads(&us, "abcdef", 6);
	ck_assert_int_eq(endpoint_unread(&us, (const uint8_t *)"ef", 2), 0);
	ck_assert_int_eq(endpoint_unread(&us, (const uint8_t *)"bcd", 3), 0);
	write_all(&them, "ghi", 3);
	ck_assert_int_eq(us.ops->read(&us, &stage, 4, &n), IO_OK);
	ck_assert_uint_eq(n, 4);
	ck_assert_mem_eq(stage.plain, "bcde", 4);
	assert_reads(&us, "fghi", 4);
	ck_assert_uint_eq(buf_total(), 0);
}
END_TEST

/* What was read behind a request for TLS is the handshake. */
START_TEST(given_back_is_ciphertext)
{
	int pair[2];
	size_t n;

	socket_pair(pair, false);
	endpoint_plain(&us, pair[0], pair[0]);
	endpoint_tls(&them, pair[1], session(false, TLS_1_3));
	join(&us);
	join(&them);
	ck_assert_int_eq(endpoint_handshake(&them, &stage), IO_WANT);
	while (us.ops->read(&us, &stage, BATCH_MIN, &n) == IO_WANT)
		turn(100);
	ck_assert_int_eq(endpoint_unread(&us, stage.plain, n), 0);
	us.tls = session(true, TLS_1_3);
	endpoint_upgrade(&us);
	shake();
	write_all(&them, "hello", 5);
	assert_reads(&us, "hello", 5);
	ck_assert_int_eq(endpoint_unread(&us, (const uint8_t *)"lo", 2), 0);
	write_all(&them, " again", 6);
	assert_reads(&us, "lo again", 8);
	ck_assert_uint_eq(buf_total(), 0);
}
END_TEST

/* A peer that leaves or talks nonsense in the middle of the handshake. */
START_TEST(handshake_ends)
{
	static const enum iores wanted[] = { IO_EOF, IO_RESET, IO_PROTOCOL };
	static const uint8_t empty_hello[] = { 22, 3, 1, 0, 4, 1, 0, 0, 0 };
	enum iores r;
	uint8_t alert[64];
	int pair[2];
	ssize_t n;

	socket_pair(pair, true);
	endpoint_tls(&us, pair[0], session(true, TLS_1_3));
	join(&us);
	ck_assert_int_eq(endpoint_handshake(&us, &stage), IO_WANT);
	if (_i == 0)
		close(pair[1]);
	else if (_i == 1)
		sock_reset(pair[1]);
	else
		ck_assert_int_eq(write(pair[1], empty_hello, sizeof(empty_hello)),
		    sizeof(empty_hello));
	for (int i = 0; i < 1000; i++) {
		turn(10);
		if ((r = endpoint_handshake(&us, &stage)) != IO_WANT)
			break;
	}
	ck_assert_int_eq(r, wanted[_i]);
	if (_i < 2)
		return;
	/* The peer is told. */
	n = read(pair[1], alert, sizeof(alert));
	ck_assert_int_ge(n, 7);
	ck_assert_uint_eq(alert[0], 21);
	close(pair[1]);
}
END_TEST

/* Ciphertext that came with the last handshake flight is read in another loop, with other
 * staging buffers, by another thread. */
static enum iores there_r;
static size_t there_n;
static char there_text[16];

static void *
read_there(void *arg)
{
	struct endpoint *ep = arg;
	struct stage other;

	if (stage_init(&other) == -1)
		return NULL;
	there_r = ep->ops->read(ep, &other, BATCH_MAX, &there_n);
	if (there_n < sizeof(there_text))
		memcpy(there_text, other.plain, there_n);
	stage_free(&other);
	return NULL;
}

START_TEST(over_read_ciphertext_is_handed_on)
{
	enum iores r = IO_WANT;
	pthread_t thread;

	begin_attacker(TLS_1_3, false);
	/* To the point where the client's last flight is on its way, the data behind it. */
	while (wolfSSL_connect(attacker) != WOLFSSL_SUCCESS) {
		if (r == IO_WANT)
			r = endpoint_handshake(&us, &stage);
		turn(1);
	}
	ck_assert_int_eq(wolfSSL_write(attacker, "early bird", 10), 10);
	while (r == IO_WANT) {
		r = endpoint_handshake(&us, &stage);
		turn(1);
	}
	ck_assert_int_eq(r, IO_OK);
	ck_assert_uint_gt(us.ahead.len, 0);
	/* What the first stage held must not matter. */
	memset(stage.cipher_in, 0xee, BATCH_MAX);
	wire_leave(&us.wire, loop);
	ck_assert_int_eq(pthread_create(&thread, NULL, read_there, &us), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(there_r, IO_OK);
	ck_assert_uint_eq(there_n, 10);
	ck_assert_mem_eq(there_text, "early bird", 10);
	ck_assert_uint_eq(us.ahead.len, 0);
	ck_assert_uint_eq(buf_total(), 0);
}
END_TEST

/* More ahead than one record, partial ones too, and the end behind it. */
START_TEST(over_read_with_its_end)
{
	enum iores r = IO_WANT;

	begin_attacker(TLS_1_3, false);
	while (wolfSSL_connect(attacker) != WOLFSSL_SUCCESS) {
		if (r == IO_WANT)
			r = endpoint_handshake(&us, &stage);
		turn(1);
	}
	ck_assert_int_eq(wolfSSL_write(attacker, big, 40000), 40000);
	wolfSSL_shutdown(attacker);
	shutdown(attacker_fd, SHUT_WR);
	while (r == IO_WANT) {
		r = endpoint_handshake(&us, &stage);
		turn(1);
	}
	ck_assert_int_eq(r, IO_OK);
	assert_reads(&us, big, 40000);
	assert_read_is(&us, IO_EOF);
}
END_TEST

/* The ends; each with bytes in front that must not get lost. */

enum ending { CLEAN, CLEAN_AND_FIN, FIN_ONLY, FIN_IN_RECORD, RST, BAD_RECORD, ENDINGS };

static const enum iores ending_results[ENDINGS] = { IO_EOF, IO_EOF, IO_TRUNCATED,
	IO_TRUNCATED, IO_RESET, IO_PROTOCOL };

static void
end_like(enum ending how)
{
	static const uint8_t start[] = { 23, 3, 3, 1, 0, 1, 2, 3 };
	static const uint8_t bad[] = { 23, 3, 3, 0, 32, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
		12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
		30, 31, 32 };

	if (how == CLEAN || how == CLEAN_AND_FIN)
		wolfSSL_shutdown(attacker);
	if (how == FIN_IN_RECORD)
		ck_assert_int_eq(write(attacker_fd, start, sizeof(start)), sizeof(start));
	if (how == BAD_RECORD)
		ck_assert_int_eq(write(attacker_fd, bad, sizeof(bad)), sizeof(bad));
	if (how == CLEAN_AND_FIN || how == FIN_ONLY || how == FIN_IN_RECORD)
		shutdown(attacker_fd, SHUT_WR);
	if (how == RST) {
		sock_reset(attacker_fd);
		attacker_fd = -1;
	}
}

START_TEST(ends_after_the_data)
{
	enum ending how = (enum ending)(_i / 2);
	char text[16];
	size_t n;

	begin_attacker(versions[_i % 2], true);
	shake();
	attacker_reads();
	/* A reset destroys bytes in the kernel: only then they are read first. */
	ck_assert_int_eq(wolfSSL_write(attacker, "parting", 7), 7);
	if (how == RST)
		assert_reads(&us, "parting", 7);
	end_like(how);
	usleep(20000);
	if (how != RST)
		assert_reads(&us, "parting", 7);
	assert_read_is(&us, ending_results[how]);
	if (how == BAD_RECORD) {
		/* The peer is told what was wrong. */
		for (int i = 0; i < 100 && wolfSSL_read(attacker, text, sizeof(text)) > 0;
		     i++)
			;
		ck_assert_int_eq(
		    wolfSSL_get_error(attacker, -1), WC_NO_ERR_TRACE(FATAL_ERROR));
	} else if (how == CLEAN || how == CLEAN_AND_FIN) {
		/* Our direction lives on. */
		write_all(&us, "still here", 10);
		for (n = 0; n < 1000 && wolfSSL_read(attacker, text, sizeof(text)) != 10;
		     n++)
			usleep(1000);
		ck_assert_mem_eq(text, "still here", 10);
	}
}
END_TEST

/* Bytes behind the close_notify are nobody's. */
START_TEST(data_behind_close_notify)
{
	begin_attacker(versions[_i], false);
	shake();
	ck_assert_int_eq(wolfSSL_write(attacker, "good", 4), 4);
	wolfSSL_shutdown(attacker);
	ck_assert_int_eq(write(attacker_fd, "garbage behind", 14), 14);
	assert_reads(&us, "good", 4);
	assert_read_is(&us, IO_EOF);
}
END_TEST

START_TEST(finish_is_close_notify_then_fin)
{
	char text[16];

	begin_attacker(versions[_i], false);
	shake();
	write_all(&us, "last", 4);
	ck_assert_int_eq(us.ops->finish(&us, &stage), IO_OK);
	/* Told twice, said once. */
	ck_assert_int_eq(us.ops->finish(&us, &stage), IO_OK);
	ck_assert_int_eq(wolfSSL_read(attacker, text, sizeof(text)), 4);
	ck_assert_int_le(wolfSSL_read(attacker, text, sizeof(text)), 0);
	ck_assert_int_eq(wolfSSL_get_error(attacker, 0), WOLFSSL_ERROR_ZERO_RETURN);
	ck_assert_int_eq(read(attacker_fd, text, sizeof(text)), 0);
	/* The other direction lives on. */
	ck_assert_int_eq(wolfSSL_write(attacker, "late", 4), 4);
	assert_reads(&us, "late", 4);
	wolfSSL_shutdown(attacker);
	assert_read_is(&us, IO_EOF);
}
END_TEST

/* An end behind more than the peer takes now: flush sees it through. */
START_TEST(finish_behind_a_full_socket)
{
	size_t got = 0;
	int n = 0;

	begin_attacker(versions[_i], false);
	shake();
	write_all(&us, big, BATCH_MAX);
	while (us.ops->flush(&us) == IO_OK)
		ck_assert_int_eq(us.ops->write(&us, &stage, big, BATCH_MAX), IO_OK);
	ck_assert_uint_gt(us.ops->unsent(&us), 0);
	ck_assert_int_eq(us.ops->finish(&us, &stage), IO_WANT);
	for (int i = 0; i < 100000; i++) {
		while ((n = wolfSSL_read(attacker, back, 65536)) > 0)
			got += (size_t)n;
		if (wolfSSL_get_error(attacker, n) == WOLFSSL_ERROR_ZERO_RETURN)
			break;
		us.ops->flush(&us);
		turn(1);
	}
	ck_assert_int_eq(wolfSSL_get_error(attacker, n), WOLFSSL_ERROR_ZERO_RETURN);
	ck_assert_uint_eq(got % BATCH_MAX, 0);
	ck_assert_uint_gt(got, 0);
	ck_assert_int_eq(us.ops->flush(&us), IO_OK);
	ck_assert_uint_eq(buf_total(), 0);
}
END_TEST

START_TEST(reset_is_seen_as_one)
{
	char one;

	begin_attacker(TLS_1_3, true);
	shake();
	attacker_reads();
	wire_leave(&us.wire, loop);
	endpoint_reset(&us);
	ck_assert_int_eq(recv(attacker_fd, &one, 1, MSG_WAITALL), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	/* One that is gone, or never was, is left alone. */
	endpoint_reset(&us);
	endpoint_close(&us);
}
END_TEST

/* Many small records in one read, and records larger than what is asked for. */
START_TEST(reads_are_about_what_is_wanted)
{
	size_t sent = 0, got = 0, n;
	enum iores r;

	begin_attacker(TLS_1_3, false);
	shake();
	while (got < BIG / 4) {
		while (sent < BIG / 4) {
			size_t len = 1 + sent % 15000;

			if (wolfSSL_write(attacker, big + sent, (int)len) != (int)len)
				break;
			sent += len;
		}
		r = us.ops->read(&us, &stage, BATCH_MIN, &n);
		ck_assert(r == IO_OK || r == IO_WANT);
		ck_assert_uint_le(n, BATCH_MIN + 2 * TLS_RECORD_MAX);
		ck_assert_mem_eq(stage.plain, big + got, n);
		got += n;
		if (r == IO_WANT)
			turn(1);
	}
}
END_TEST

/* What a read leaves in the stage is encrypted over itself; as much as one may bring, and more. */
START_TEST(staged_text_is_encrypted_in_place)
{
	const size_t sizes[] = { 1, TLS_RECORD_MAX, TLS_RECORD_MAX + 1, BATCH_MAX,
		stage.plain_cap };
	size_t got, n;
	enum iores r;

	begin_ours(versions[_i], true);
	shake();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memcpy(stage.plain, big + i, sizes[i]);
		write_all(&us, stage.plain, sizes[i]);
		for (got = 0; got < sizes[i]; got += n) {
			us.ops->flush(&us);
			r = them.ops->read(&them, &stage, BATCH_MAX, &n);
			ck_assert(r == IO_OK || r == IO_WANT);
			ck_assert_uint_le(n, sizes[i] - got);
			ck_assert_mem_eq(stage.plain, big + i + got, n);
			if (r == IO_WANT)
				turn(1);
		}
	}
}
END_TEST

/* Peers that are after our memory. */

/* Sends KeyUpdates until the socket takes no more, at most so many; returns how many. */
static int
send_key_updates(int most)
{
	int n = 0;

	while (n < most && wolfSSL_update_keys(attacker) == WOLFSSL_SUCCESS)
		n++;
	return n;
}

/* An honest burst: every reply is kept for a peer that is slow to read, and afterwards
 * all is as before. */
START_TEST(key_update_burst_is_survived)
{
	size_t n;
	enum iores r;
	int sent = 0, small = 4096;

	begin_attacker(TLS_1_3, _i != 0);
	shake();
	attacker_reads();
	setsockopt(us.wire.wfd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	for (int i = 0; i < 300 && sent < 300; i++) {
		sent += send_key_updates(30);
		r = us.ops->read(&us, &stage, BATCH_MAX, &n);
		ck_assert(r == IO_OK || r == IO_WANT);
		ck_assert_uint_eq(n, 0);
		turn(1);
	}
	ck_assert_int_ge(sent, 300);
	attacker_reads();
	ck_assert_int_eq(wolfSSL_write(attacker, "data", 4), 4);
	assert_reads(&us, "data", 4);
	write_all(&us, "answer", 6);
	for (int i = 0; i < 1000 && wolfSSL_read(attacker, back, 6) != 6; i++)
		usleep(1000);
	ck_assert_mem_eq(back, "answer", 6);
	ck_assert_uint_eq(buf_total(), 0);
}
END_TEST

/*
 * While bytes of ours wait for it, a peer sends little by little far more requests than
 * their replies have room for: it is made to wait, not cut off, and loses nothing.
 */
START_TEST(key_updates_wait_for_the_stash)
{
	enum iores r = IO_OK;
	size_t n, data;
	int got;

	begin_attacker(TLS_1_3, false);
	shake();
	attacker_reads();
	while (us.ops->flush(&us) == IO_OK)
		ck_assert_int_eq(us.ops->write(&us, &stage, big, BATCH_MAX), IO_OK);
	data = us.wire.stash.len;
	for (int i = 0; i < 5000; i += 20) {
		send_key_updates(20);
		turn(0);
		r = us.ops->read(&us, &stage, BATCH_MIN, &n);
		ck_assert(r == IO_OK || r == IO_WANT);
	}
	ck_assert_int_eq(r, IO_WANT);
	ck_assert_uint_gt(us.wire.stash.len, data);
	ck_assert_uint_lt(us.wire.stash.len, data + BATCH_MIN);
	/* It reads: all its requests are heard, all our bytes arrive, and its own do. */
	for (int i = 0; i < 2000; i++) {
		while ((got = wolfSSL_read(attacker, back, 65536)) > 0)
			;
		ck_assert_int_eq(
		    wolfSSL_get_error(attacker, got), WOLFSSL_ERROR_WANT_READ);
		us.ops->flush(&us);
		r = us.ops->read(&us, &stage, BATCH_MIN, &n);
		ck_assert(r == IO_OK || r == IO_WANT);
		turn(0);
	}
	ck_assert_uint_eq(buf_total(), 0);
	ck_assert_int_eq(wolfSSL_write(attacker, "data", 4), 4);
	assert_reads(&us, "data", 4);
}
END_TEST

/*
 * A flood: the peer asks on and on and reads nothing, while we also have bytes for it.
 * What is kept stays below the bound.  Then either it is cut off, or it is made to wait;
 * and when it reads after all, everything goes on.
 */
START_TEST(key_update_flood_is_bounded)
{
	enum iores r = IO_OK;
	size_t n, most = 0;
	int sent = 0, small = 4096, idle = 0;
	bool with_data = _i % 2 != 0, said = false;

	begin_attacker(TLS_1_3, _i / 2 != 0);
	shake();
	attacker_reads();
	setsockopt(us.wire.wfd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	if (with_data)
		while (us.ops->flush(&us) == IO_OK)
			ck_assert_int_eq(
			    us.ops->write(&us, &stage, big, BATCH_MAX), IO_OK);
	/* The library keeps what the socket does not take: the flood ends when we stopped
	 * reading for a while. */
	while (sent < 20000 && idle < 20 && (r == IO_OK || r == IO_WANT)) {
		sent += send_key_updates(500);
		r = us.ops->read(&us, &stage, BATCH_MAX, &n);
		ck_assert_uint_eq(n, 0);
		us.ops->flush(&us);
		if (us.wire.stash.len + us.ahead.len > most)
			most = us.wire.stash.len + us.ahead.len;
		/* Memory grows by doubling. */
		ck_assert_uint_le(buf_total(), 2 * KEPT_MAX);
		idle = r == IO_WANT ? idle + 1 : 0;
		turn(0);
	}
	ck_assert_int_gt(sent, 1000);
	ck_assert_msg(most <= KEPT_MAX, "%zu bytes kept", most);
	/* It reads at last: its requests are answered and its data arrives, or else it is
	 * cut off because of what is still to come. */
	for (int i = 0; i < 2000 && r != IO_NOMEM; i++) {
		attacker_reads();
		said = said || wolfSSL_write(attacker, "data", 4) == 4;
		r = us.ops->read(&us, &stage, BATCH_MAX, &n);
		if (r == IO_OK && n == 4)
			return;
		ck_assert(r == IO_OK || r == IO_WANT || r == IO_NOMEM);
	}
	ck_assert_msg(r == IO_NOMEM, "neither cut off nor served");
}
END_TEST

/* After our own end nothing more may be said, not even replies. */
START_TEST(no_replies_behind_our_end)
{
	char text[16];
	size_t n;

	begin_attacker(TLS_1_3, false);
	shake();
	ck_assert_int_eq(us.ops->finish(&us, &stage), IO_OK);
	ck_assert_int_eq(send_key_updates(10), 10);
	ck_assert_int_eq(wolfSSL_write(attacker, "late", 4), 4);
	assert_reads(&us, "late", 4);
	ck_assert_int_eq(us.ops->read(&us, &stage, BATCH_MAX, &n), IO_WANT);
	ck_assert_int_le(wolfSSL_read(attacker, text, sizeof(text)), 0);
	ck_assert_int_eq(wolfSSL_get_error(attacker, 0), WOLFSSL_ERROR_ZERO_RETURN);
	ck_assert_int_eq(read(attacker_fd, text, sizeof(text)), 0);
}
END_TEST

/* Empty records cost a peer little; they must not keep us in one call for ever, and
 * what cannot be told from silence is no event. */
START_TEST(handshake_trickle_is_bounded)
{
	static const uint8_t ccs[] = { 20, 3, 3, 0, 1, 1 };
	enum iores r = IO_WANT;
	size_t fed = 0;
	int pair[2];

	socket_pair(pair, false);
	endpoint_tls(&us, pair[0], session(true, TLS_1_3));
	join(&us);
	while (r == IO_WANT && fed < 2 * 1024 * 1024) {
		ssize_t n = send(pair[1], ccs, sizeof(ccs), MSG_DONTWAIT | MSG_NOSIGNAL);

		fed += n > 0 ? (size_t)n : 0;
		if (fed % 6000 == 0 || n == -1) {
			turn(0);
			r = endpoint_handshake(&us, &stage);
		}
	}
	ck_assert_int_eq(r, IO_PROTOCOL);
	close(pair[1]);
}
END_TEST

/* Echo. */

START_TEST(echo_gives_back)
{
	size_t n;

	endpoint_echo(&us);
	ck_assert(endpoint_is_echo(&us));
	ck_assert_int_eq(us.ops->read(&us, &stage, BATCH_MAX, &n), IO_WANT);
	write_all(&us, "hello", 5);
	write_all(&us, " world", 6);
	ck_assert_int_eq(us.ops->read(&us, &stage, 7, &n), IO_OK);
	ck_assert_uint_eq(n, 7);
	ck_assert_mem_eq(stage.plain, "hello w", 7);
	ck_assert_int_eq(us.ops->finish(&us, &stage), IO_OK);
	ck_assert_int_eq(us.ops->read(&us, &stage, BATCH_MAX, &n), IO_OK);
	ck_assert_mem_eq(stage.plain, "orld", 4);
	ck_assert_int_eq(us.ops->read(&us, &stage, BATCH_MAX, &n), IO_EOF);
	ck_assert_uint_eq(us.ops->unsent(&us), 0);
}
END_TEST

/* It holds back whoever writes and does not read. */
START_TEST(echo_is_bounded)
{
	size_t n, kept = 0;

	endpoint_echo(&us);
	while (us.ops->flush(&us) == IO_OK) {
		ck_assert_int_eq(us.ops->write(&us, &stage, big, BATCH_MIN), IO_OK);
		kept += BATCH_MIN;
		ck_assert_uint_le(kept, BATCH_MAX);
	}
	ck_assert_int_eq(us.ops->read(&us, &stage, BATCH_MAX, &n), IO_OK);
	ck_assert_uint_eq(n, kept);
	ck_assert_int_eq(us.ops->flush(&us), IO_OK);
}
END_TEST

/*
 * The whole of it: two tunnels in a row, plain – TLS … TLS – plain, with their pumps in
 * one loop, as much as each socket takes, both ways at once, then both ends.
 */
struct line {
	struct endpoint plain, tls;
	struct pump pumps[2];
};

static struct line lines[2];

/* One end user: writes its stream, then its end; reads the other one's. */
struct user {
	int fd;
	size_t sent, got;
	const uint8_t *stream, *expected;
	bool ended, saw_end;
};

static void
user_acts(struct user *u, unsigned *seed)
{
	size_t len = 1 + (size_t)rand_r(seed) % 200000;
	ssize_t n;

	if (u->sent < BIG && rand_r(seed) % 4 != 0) {
		n = send(u->fd, u->stream + u->sent,
		    len < BIG - u->sent ? len : BIG - u->sent, MSG_DONTWAIT);
		u->sent += n > 0 ? (size_t)n : 0;
	}
	if (u->sent == BIG && !u->ended) {
		shutdown(u->fd, SHUT_WR);
		u->ended = true;
	}
	if (rand_r(seed) % 3 == 0)
		return;
	n = recv(u->fd, back, len, MSG_DONTWAIT);
	if (n > 0) {
		ck_assert_uint_le(u->got + (size_t)n, BIG);
		ck_assert_mem_eq(back, u->expected + u->got, (size_t)n);
		u->got += (size_t)n;
	} else if (n == 0) {
		u->saw_end = true;
	}
}

/* Runs all pumps; whether one must be run again without waiting. */
static bool
pumps_run(unsigned *seed)
{
	bool again = false;

	for (int i = 0; i < 2; i++)
		for (int k = 0; k < 2; k++) {
			again |= pump_run(
			    &lines[i].pumps[k], &stage, 1 + (unsigned)rand_r(seed) % 4);
			ck_assert_int_ne(lines[i].pumps[k].state, PUMP_FAILED);
		}
	return again;
}

START_TEST(two_tunnels_in_a_row)
{
	static uint8_t other[BIG];
	unsigned seed = (unsigned)_i + 1;
	int left[2], middle[2], right[2];
	struct user users[2];
	struct timespec start, now;
	bool again = false;

	for (size_t i = 0; i < BIG; i++)
		other[i] = (uint8_t)(big[i] ^ (i >> 8));
	socket_pair(left, false);
	socket_pair(middle, _i % 2 != 0);
	socket_pair(right, false);
	users[0] = (struct user){ .fd = left[1], .stream = big, .expected = other };
	users[1] = (struct user){ .fd = right[1], .stream = other, .expected = big };
	endpoint_tls(&us, middle[0], session(true, TLS_1_3));
	endpoint_tls(&them, middle[1], session(false, versions[_i / 2]));
	join(&us);
	join(&them);
	shake();
	wire_leave(&us.wire, loop);
	wire_leave(&them.wire, loop);
	lines[0].tls = us;
	lines[1].tls = them;
	us = them = (struct endpoint){ .ops = NULL };
	endpoint_plain(&lines[0].plain, left[0], left[0]);
	endpoint_plain(&lines[1].plain, right[0], right[0]);
	for (int i = 0; i < 2; i++) {
		join(&lines[i].tls);
		join(&lines[i].plain);
		pump_init(&lines[i].pumps[0], &lines[i].plain, &lines[i].tls);
		pump_init(&lines[i].pumps[1], &lines[i].tls, &lines[i].plain);
	}
	clock_gettime(CLOCK_MONOTONIC, &start);
	while (!users[0].saw_end || !users[1].saw_end) {
		user_acts(&users[0], &seed);
		user_acts(&users[1], &seed);
		if (!again)
			turn(0);
		again = pumps_run(&seed);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - start.tv_sec > 40)
			ck_abort_msg("stalled after %zu and %zu bytes", users[0].got,
			    users[1].got);
	}
	ck_assert_uint_eq(users[0].got, BIG);
	ck_assert_uint_eq(users[1].got, BIG);
	for (int i = 0; i < 2; i++) {
		pumps_run(&seed);
		close_ep(&lines[i].tls);
		close_ep(&lines[i].plain);
		close(users[i].fd);
	}
}
END_TEST

/* Identities, made once. */

static int
make_identity(const char *name)
{
	struct keygen_request r = {
		.type = KEY_ECDSA_P256, .common_name = name, .days = 10
	};
	struct keygen_result pem;
	struct errmsg e;
	FILE *f;

	if (keygen_make(&r, &pem, &e) == -1) {
		fprintf(stderr, "%s\n", e.text);
		return -1;
	}
	if ((f = fopen(file(name, ".pem"), "w")) == NULL ||
	    fprintf(f, "%s%s", pem.cert_pem, pem.key_pem) < 0 || fclose(f) != 0) {
		perror(file(name, ".pem"));
		return -1;
	}
	keygen_result_free(&pem);
	return 0;
}

static TCase *
add_case(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	suite_add_tcase(s, tc);
	return tc;
}

static Suite *
endpoint_suite(void)
{
	Suite *s = suite_create("endpoint");
	TCase *tc = add_case(s, "tls");

	tcase_add_loop_test(tc, handshake_and_talk, 0, 4);
	tcase_add_test(tc, plain_until_upgraded);
	tcase_add_test(tc, given_back_comes_first);
	tcase_add_test(tc, given_back_is_ciphertext);
	tcase_add_loop_test(tc, handshake_ends, 0, 3);
	tcase_add_test(tc, over_read_ciphertext_is_handed_on);
	tcase_add_test(tc, over_read_with_its_end);
	tcase_add_test(tc, reads_are_about_what_is_wanted);
	tcase_add_loop_test(tc, staged_text_is_encrypted_in_place, 0, 2);
	tc = add_case(s, "ends");
	tcase_add_loop_test(tc, ends_after_the_data, 0, 2 * ENDINGS);
	tcase_add_loop_test(tc, data_behind_close_notify, 0, 2);
	tcase_add_loop_test(tc, finish_is_close_notify_then_fin, 0, 2);
	tcase_add_loop_test(tc, finish_behind_a_full_socket, 0, 2);
	tcase_add_test(tc, reset_is_seen_as_one);
	tc = add_case(s, "memory");
	tcase_add_loop_test(tc, key_update_burst_is_survived, 0, 2);
	tcase_add_test(tc, key_updates_wait_for_the_stash);
	tcase_add_loop_test(tc, key_update_flood_is_bounded, 0, 4);
	tcase_add_test(tc, no_replies_behind_our_end);
	tcase_add_test(tc, handshake_trickle_is_bounded);
	tc = add_case(s, "echo");
	tcase_add_test(tc, echo_gives_back);
	tcase_add_test(tc, echo_is_bounded);
	tc = add_case(s, "tunnels");
	tcase_add_loop_test(tc, two_tunnels_in_a_row, 0, 4);
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
	    folder, sizeof(folder), "%.400s/endpoint.XXXXXX", tmp == NULL ? "/tmp" : tmp);
	umask(077);
	if (mkdtemp(folder) == NULL) {
		perror(folder);
		return 1;
	}
	if (tls_library_start(&e) == -1) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	if (make_identity("server") == 0 && make_identity("client") == 0) {
		runner = srunner_create(endpoint_suite());
		srunner_run_all(runner, CK_NORMAL);
		failed = srunner_ntests_failed(runner);
		srunner_free(runner);
	}
	unlink(file("server", ".pem"));
	unlink(file("client", ".pem"));
	rmdir(folder);
	tls_library_stop();
	return failed != 0;
}
