/*
 * What a tunnel costs in memory, and what happens when there is none: the test's own
 * malloc() counts, and fails when it is told to.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tls/keygen.h"
#include "tls/library.h"
#include "tunnel/endpoint.h"
#include "tunnel/tunnel.h"

#include "heap.h"
#include "onefile.h"

/* Heap that an open, idle tunnel may own, all told. */
#define IDLE_MAX ((size_t)8 * 1024)
/* … and one whose peer has said nothing yet, or is in the middle of the handshake. */
#define SILENT_MAX ((size_t)32 * 1024)
#define HANDSHAKE_MAX ((size_t)96 * 1024)
/* What a thread keeps for the records of all its tunnels. */
#define SPARES_MAX ((size_t)24 * 1024)

/* Two endpoints over a socket pair; "us" is the side that is examined. */

static char folder[512];

static const char *
file(const char *name)
{
	static char paths[4][1024];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s.pem", folder, name);
	return path;
}

static struct stage stage;
static uint8_t bulk[BATCH_MAX];

struct side {
	struct tls_context *context;
	struct endpoint ep;
	bool server;
	enum iores r; /* of the handshake */
};

static struct side us, them;

/* Returns NULL when memory ran out: the only reason that there may be. */
static struct tls_context *
context(bool server, const char *cert, const char *peer, enum tls_version max)
{
	struct tls_policy p = {
		.server = server, .service = "test", .min = TLS_1_2, .max = max
	};
	struct tls_context *c = NULL;
	struct errmsg e = { "" };

	SET_CERT(p, file(cert));
	if ((p.trust = trust_new()) == NULL)
		return NULL;
	if (trust_add_peers(p.trust, file(peer), &e) == 0)
		c = tls_context_new(&p, &e);
	if (c == NULL) {
		trust_free(p.trust);
		if (e.text[0] == '\0')
			abort(); /* no ck_… here: it allocates */
	}
	return c;
}

static const enum tls_version versions[] = { TLS_1_2, TLS_1_3 };

/* Contexts for both sides, and sockets.  _i: bit 0 the version, bit 1 our role. */
static void
begin(int i, const char *their_cert)
{
	bool server = (i & 2) == 0;
	int pair[2];

	ck_assert_int_eq(stage_init(&stage), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	us = (struct side){ .server = server, .r = IO_WANT };
	them = (struct side){ .server = !server, .r = IO_WANT };
	us.context = context(server, "us", "them", versions[i & 1]);
	them.context = context(!server, their_cert, "us", versions[i & 1]);
	ck_assert(us.context != NULL && them.context != NULL);
	endpoint_plain(&us.ep, pair[0], pair[0]);
	endpoint_plain(&them.ep, pair[1], pair[1]);
}

/* Whether our session is to make a channel binding. */
static bool bind_us;

static bool
make_session(struct side *s)
{
	struct errmsg e;

	if ((s->ep.tls = tls_session_new(s->context, NULL, NULL, 0, &e)) == NULL)
		return false;
	if (bind_us && s == &us && tls_session_bind(s->ep.tls) == -1)
		return false;
	endpoint_upgrade(&s->ep);
	return true;
}

/* Without a loop: the kernel is asked every time. */
static void
ready(struct side *s)
{
	s->ep.wire.readable = s->ep.wire.writable = true;
}

/* Both handshakes, each on its account, until neither goes on. */
static void
shake(void)
{
	for (int i = 0; i < 20 && (us.r == IO_WANT || them.r == IO_WANT); i++) {
		ready(&us);
		ready(&them);
		if (us.r == IO_WANT) {
			book(US);
			us.r = endpoint_handshake(&us.ep, &stage);
		}
		if (us.r == IO_OK || us.r == IO_WANT) {
			book(US);
			wire_flush(&us.ep.wire);
		}
		book(THEM);
		if (them.r == IO_WANT)
			them.r = endpoint_handshake(&them.ep, &stage);
		book(NOBODY);
	}
}

/* So many bytes from one side to the other; a result that is no IO_OK ends it. */
static enum iores
send_bytes(
    struct side *from, struct side *to, enum account of, enum account at, size_t total)
{
	size_t got = 0, n;
	enum iores r;

	book(of);
	r = from->ep.ops->write(&from->ep, &stage, bulk, total);
	for (int i = 0; i < 1000 && r == IO_OK && got < total; i++) {
		ready(from);
		ready(to);
		book(of);
		from->ep.ops->flush(&from->ep);
		book(at);
		r = to->ep.ops->read(&to->ep, &stage, BATCH_MAX, &n);
		got += n;
		if (r == IO_WANT)
			r = IO_OK;
	}
	book(NOBODY);
	return r == IO_OK && got != total ? IO_WANT : r;
}

static void
end(void)
{
	endpoint_close(&us.ep);
	endpoint_close(&them.ep);
	tls_context_unref(us.context);
	tls_context_unref(them.context);
	stage_free(&stage);
}

static void
open_both(int i)
{
	begin(i, "them");
	book(US);
	ck_assert(make_session(&us));
	book(THEM);
	ck_assert(make_session(&them));
	shake();
	ck_assert_int_eq(us.r, IO_OK);
	ck_assert_int_eq(them.r, IO_OK);
}

/* A channel binding that was handed on has cost its time, and no memory. */
START_TEST(binding_leaves_nothing)
{
	const char *why;
	size_t without;

	open_both(_i);
	without = live[US];
	end();
	bind_us = true;
	open_both(_i);
	bind_us = false;
	ck_assert_ptr_nonnull(tls_session_binding(us.ep.tls, &why));
	ck_assert_uint_gt(live[US], without);
	tls_session_forget(us.ep.tls);
	ck_assert_msg(live[US] == without, "%zu bytes without, %zu bytes with", without, live[US]);
	end();
}
END_TEST

/* The session, its peer's description and all else that lives on, with the objects that
 * hold it: an endpoint more, the pumps, the addresses as text. */
START_TEST(idle_tunnel_is_small)
{
	size_t idle;

	open_both(_i);
	idle = live[US] + sizeof(struct tunnel) + 2 * ADDR_TEXT;
	ck_assert_msg(live[US] > 1000, "the allocator counts nothing");
	ck_assert_msg(
	    idle < IDLE_MAX, "%zu bytes, %zu of them the session's", idle, live[US]);
	end();
	ck_assert_uint_eq(live[US], 0);
	ck_assert_uint_eq(live[THEM], 0);
}
END_TEST

/* Whatever went through: idle again, it owns what it owned before. */
START_TEST(no_buffers_when_idle_again)
{
	size_t before;

	open_both(_i);
	before = live[US];
	ck_assert_uint_eq(buf_total(), 0);
	for (int i = 0; i < 8; i++) {
		ck_assert_int_eq(send_bytes(&us, &them, US, THEM, sizeof(bulk)), IO_OK);
		ck_assert_int_eq(send_bytes(&them, &us, THEM, US, sizeof(bulk)), IO_OK);
		ck_assert_int_eq(send_bytes(&them, &us, THEM, US, 1), IO_OK);
	}
	ck_assert_uint_eq(buf_total(), 0);
	tls_spares_free(&stage.spares);
	ck_assert_uint_le(live[US], before + 256);
	end();
	ck_assert_uint_eq(live[US], 0);
}
END_TEST

/* Ten thousand silent sockets must be cheap too. */
START_TEST(silent_peer_costs_little)
{
	begin(_i, "them");
	book(US);
	ck_assert(make_session(&us));
	ready(&us);
	book(US);
	us.r = endpoint_handshake(&us.ep, &stage);
	book(NOBODY);
	ck_assert_int_eq(us.r, IO_WANT);
	ck_assert_uint_eq(buf_total(), 0);
	ck_assert_msg(live[US] < SILENT_MAX, "%zu bytes", live[US]);
	end();
	ck_assert_uint_eq(live[US], 0);
}
END_TEST

START_TEST(handshake_has_a_bound)
{
	open_both(_i);
	ck_assert_msg(peak[US] < HANDSHAKE_MAX, "%zu bytes", peak[US]);
	end();
}
END_TEST

/* A megabyte costs a record's buffers on both sides, not the batch's. */
START_TEST(traffic_has_a_bound)
{
	size_t more;

	open_both(_i);
	peak[US] = live[US];
	peak[THEM] = live[THEM];
	more = -peak[US] - peak[THEM];
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(send_bytes(&them, &us, THEM, US, sizeof(bulk)), IO_OK);
	more += peak[US] + peak[THEM];
	/* Two records at most, and the ciphertext that was read ahead. */
	ck_assert_uint_gt(more, TLS_RECORD_MAX);
	ck_assert_msg(more < 4 * TLS_RECORD_MAX, "%zu bytes", more);
	end();
}
END_TEST

/* Bytes both ways in records of all sizes, and full batches. */
static void
send_all_sizes(void)
{
	static const size_t sizes[] = { 1, 50, 300, 1024, 5000, TLS_RECORD_MAX, 100000 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		ck_assert_int_eq(send_bytes(&us, &them, US, THEM, sizes[i]), IO_OK);
		ck_assert_int_eq(send_bytes(&them, &us, THEM, US, sizes[i]), IO_OK);
	}
}

/* Once each size was there, no record costs an allocation, on neither side. */
START_TEST(records_allocate_nothing)
{
	open_both(_i);
	send_all_sizes();
	forget_calls();
	for (int i = 0; i < 50; i++)
		send_all_sizes();
	ck_assert_uint_eq(calls[US], 0);
	ck_assert_uint_eq(calls[THEM], 0);
	end();
}
END_TEST

/* A lane keeps one block of each size, whatever passed through it. */
START_TEST(spares_are_bounded)
{
	size_t idle;

	open_both(_i);
	idle = live[US] + live[THEM];
	for (int i = 0; i < 50; i++)
		send_all_sizes();
	ck_assert_uint_gt(live[US] + live[THEM], idle);
	ck_assert_uint_le(live[US] + live[THEM], idle + SPARES_MAX);
	tls_spares_free(&stage.spares);
	ck_assert_uint_le(live[US] + live[THEM], idle + 256);
	end();
}
END_TEST

/* Failing allocations. */

/* How far apart the failing ones are: a sanitizer makes each round slow. */
static size_t
stride(void)
{
	const char *sanitizer = getenv("SLUSS_SANITIZER");

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return 7;
#endif
	return sanitizer != NULL && *sanitizer != '\0' && strcmp(sanitizer, "no") != 0
	    ? 7
	    : 1;
}

/* Fails the n-th allocation from now on, once or (on) for good. */
static void
fail_nth(size_t n, bool on)
{
	forget_calls();
	fail_at = n;
	fail_on = on;
}

static void
fail_none(void)
{
	fail_at = 0;
}

/* One round; n 0: nothing fails.  Returns whether it got to its end. */
struct sweep {
	const char *name;
	bool (*round)(int i);
	void (*begin)(int i);
	void (*end)(void);
};

static void
nothing(int i)
{
	(void)i;
}

static void
nothing_left(void)
{
}

static bool
round_context(int i)
{
	struct tls_context *c;

	book(US);
	c = context((i & 2) == 0, "us", "them", versions[i & 1]);
	tls_context_unref(c);
	book(NOBODY);
	return c != NULL;
}

static struct der_list judged;
static struct trust *trusting, *trusting_cas, *distrusting;

static void
begin_judge(int i)
{
	struct errmsg e;

	(void)i;
	ck_assert_int_eq(cert_load_chain(file("them"), &judged, &e), 0);
	trusting = trust_new();
	trusting_cas = trust_new();
	distrusting = trust_new();
	ck_assert_int_eq(trust_add_peers(trusting, file("them"), &e), 0);
	ck_assert_int_eq(trust_add_cas(trusting_cas, file("them"), &e), 0);
	ck_assert_int_eq(trust_add_peers(distrusting, file("us"), &e), 0);
	ck_assert_int_eq(trust_add_cas(distrusting, file("us"), &e), 0);
}

static bool
round_judge(int i)
{
	struct errmsg e;
	bool good;

	(void)i;
	book(US);
	if (trust_judge(distrusting, judged.items, judged.n, false, NULL, 0, time(NULL),
		&e) == TRUST_OK)
		abort();
	good = trust_judge(trusting, judged.items, judged.n, false, NULL, 0, time(NULL),
		   &e) == TRUST_OK;
	good = trust_judge(trusting_cas, judged.items, judged.n, true, NULL, 0,
		   time(NULL), &e) == TRUST_OK &&
	    good;
	book(NOBODY);
	return good;
}

static void
end_judge(void)
{
	der_list_free(&judged);
	trust_free(trusting);
	trust_free(trusting_cas);
	trust_free(distrusting);
}

static void
begin_good(int i)
{
	begin(i, "them");
}

static void
begin_bad(int i)
{
	begin(i, "stranger");
}

/* A handshake in which every allocation of ours may fail. */
static bool
round_handshake(int i)
{
	const struct cert_info *peer;

	(void)i;
	book(US);
	if (!make_session(&us)) {
		book(NOBODY);
		return false;
	}
	book(THEM);
	ck_assert(make_session(&them));
	shake();
	if (us.r != IO_OK)
		return false;
	/* Who is let in is known. */
	ck_assert_ptr_nonnull(peer = tls_session_peer(us.ep.tls));
	ck_assert_str_eq(peer->subject, "CN=them");
	return true;
}

/* The same with a peer that is not trusted: nothing gets it in. */
static bool
round_stranger(int i)
{
	struct errmsg why;

	(void)i;
	book(US);
	if (!make_session(&us)) {
		book(NOBODY);
		return false;
	}
	book(THEM);
	ck_assert(make_session(&them));
	shake();
	ck_assert_int_ne(us.r, IO_OK);
	book(US);
	tls_session_failure(us.ep.tls, &why);
	book(NOBODY);
	return tls_session_refused(us.ep.tls);
}

/* Bytes both ways, our end, and then their end. */
static bool
round_traffic(int i)
{
	enum iores r;
	size_t n;

	(void)i;
	forget_calls();
	if (us.r == IO_WANT) {
		size_t at = fail_at;

		fail_none();
		ck_assert(round_handshake(i));
		fail_nth(at, fail_on);
	}
	if (send_bytes(&us, &them, US, THEM, 100000) != IO_OK ||
	    send_bytes(&them, &us, THEM, US, 100000) != IO_OK)
		return false;
	ready(&us);
	book(US);
	r = us.ep.ops->finish(&us.ep, &stage);
	book(THEM);
	them.ep.ops->finish(&them.ep, &stage);
	ready(&us);
	book(US);
	if (r == IO_OK)
		r = us.ep.ops->read(&us.ep, &stage, BATCH_MAX, &n);
	book(NOBODY);
	return r == IO_EOF;
}

static const struct sweep sweeps[] = {
	{ "context", round_context, nothing, nothing_left },
	{ "judge", round_judge, begin_judge, end_judge },
	{ "handshake", round_handshake, begin_good, end },
	{ "stranger", round_stranger, begin_bad, end },
	{ "traffic", round_traffic, begin_good, end },
};

/* One round in which the n-th allocation fails, and what it leaves behind. */
static bool
one_round(const struct sweep *s, int i, size_t n, bool on)
{
	bool good;

	s->begin(i);
	fail_nth(n, on);
	good = s->round(i);
	fail_none();
	s->end();
	if (live[US] != 0)
		ck_abort_msg("%s: %zu bytes leaked when allocation %zu failed", s->name,
		    live[US], n);
	return good;
}

START_TEST(alloc_fail_sweep)
{
	const struct sweep *s = &sweeps[_i / 8];
	int how = _i % 4;
	bool on = (_i & 4) != 0;
	size_t total, failed = 0;

	ck_assert(one_round(s, how, 0, false));
	total = calls[US];
	for (size_t n = 1; n <= total; n += stride())
		failed += !one_round(s, how, n, on);
	/* Most of what is asked for is needed. */
	if (total > 0)
		ck_assert_uint_gt(failed, 0);
	/* With memory again all is well again. */
	ck_assert(one_round(s, how, 0, false));
}
END_TEST

/* The allocator of this test itself does what it says. */
START_TEST(allocator_counts_and_fails)
{
	void *volatile a, *volatile b, *volatile c;
	size_t both;

	book(US);
	a = malloc(100);
	b = calloc(10, 10);
	a = realloc(a, 300);
	both = live[US];
	fail_nth(2, false);
	free(b);
	b = malloc(1);
	c = malloc(1);
	book(NOBODY);
	ck_assert_uint_eq(both, 400);
	ck_assert_ptr_nonnull(b);
	ck_assert_ptr_null(c);
	free(b);
	fail_none();
	free(a);
	ck_assert_uint_eq(live[US], 0);
	ck_assert_uint_eq(peak[US], 400);
}
END_TEST

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
	if ((f = fopen(file(name), "w")) == NULL ||
	    fprintf(f, "%s%s", pem.cert_pem, pem.key_pem) < 0 || fclose(f) != 0) {
		perror(file(name));
		return -1;
	}
	keygen_result_free(&pem);
	return 0;
}

static Suite *
memory_suite(void)
{
	Suite *s = suite_create("memory");
	TCase *tc = tcase_create("memory");

	tcase_set_timeout(tc, 250);
	tcase_add_test(tc, allocator_counts_and_fails);
	tcase_add_loop_test(tc, binding_leaves_nothing, 0, 4);
	tcase_add_loop_test(tc, idle_tunnel_is_small, 0, 4);
	tcase_add_loop_test(tc, no_buffers_when_idle_again, 0, 4);
	tcase_add_loop_test(tc, silent_peer_costs_little, 0, 4);
	tcase_add_loop_test(tc, handshake_has_a_bound, 0, 4);
	tcase_add_loop_test(tc, traffic_has_a_bound, 0, 4);
	tcase_add_loop_test(tc, records_allocate_nothing, 0, 4);
	tcase_add_loop_test(tc, spares_are_bounded, 0, 4);
	tcase_add_loop_test(
	    tc, alloc_fail_sweep, 0, 8 * (int)(sizeof(sweeps) / sizeof(sweeps[0])));
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	static const char *const names[] = { "us", "them", "stranger" };
	const char *tmp = getenv("TMPDIR");
	struct errmsg e;
	SRunner *runner;
	int failed = 1, made = 0;

	snprintf(
	    folder, sizeof(folder), "%.400s/memory.XXXXXX", tmp == NULL ? "/tmp" : tmp);
	umask(077);
	if (mkdtemp(folder) == NULL) {
		perror(folder);
		return 1;
	}
	if (tls_library_start(&e) == -1) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	while (made < 3 && make_identity(names[made]) == 0)
		made++;
	if (made == 3) {
		runner = srunner_create(memory_suite());
		srunner_run_all(runner, CK_NORMAL);
		failed = srunner_ntests_failed(runner);
		srunner_free(runner);
	}
	for (int i = 0; i < 3; i++)
		unlink(file(names[i]));
	rmdir(folder);
	tls_library_stop();
	return failed != 0;
}
