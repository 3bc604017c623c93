/* tunnel/acceptor: moved to other listeners while it listens, waits for a slot, or is told of one. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/options.h"
#include "net/sock.h"
#include "tls/library.h"
#include "tunnel/acceptor.h"

#define OF(type, member, p) ((type *)((char *)(p) - offsetof(type, member)))

static const struct sock_setup plain;
static struct config *conf;
static struct service *service;
static struct pool *pool;
static struct acceptor *acceptor;

/* Two places to listen at. */
static struct addr at[2];
static int fds[2];

/* Who connected. */
static int peers[16];
static size_t npeers;

static void
set(const char *name, const char *value)
{
	struct errmsg e;

	ck_assert_msg(options_set(conf, &conf->services[0], name, value, &e) == 0, "%s", e.text);
}

/* The listeners that are asked for: bits. */
static struct listening *
view_of(unsigned which)
{
	size_t n = (which & 1) + (which >> 1), at_item = 0;
	struct listening *l = listening_new(n);

	ck_assert_ptr_nonnull(l);
	for (unsigned i = 0; i < 2; i++)
		if (which & (1u << i))
			l->items[at_item++] = (struct listener){ fds[i], service_ref(service) };
	return l;
}

static void
begin(void)
{
	struct addr any = { .len = sizeof(any.u.in) };
	struct listening *l;
	struct errmsg e;

	log_level(LOG_ERR);
	ck_assert_int_eq(tls_library_start(&e), 0);
	ck_assert_ptr_nonnull(conf = config_new("x", true, &e));
	set("connect", "127.0.0.1:1");
	set("insecure", "yes");
	ck_assert_msg((service = service_new(conf, &conf->services[0], NULL, &e)) != NULL, "%s",
	    e.text);
	any.u.in = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	for (int i = 0; i < 2; i++)
		ck_assert_int_ne(fds[i] = sock_listen(&any, &plain, &at[i], &e), -1);
	ck_assert_ptr_nonnull(pool = pool_new(1, 1, 16, &e));
	l = view_of(1);
	ck_assert_int_eq(acceptor_new(&pool->accept[0], l, &e), 0);
	listening_unref(l);
	acceptor = pool->accept[0].acceptor;
	npeers = 0;
}

static void
end(void)
{
	pool_stop(pool);
	acceptor_free(acceptor);
	pool_free(pool);
	while (npeers > 0)
		close(peers[--npeers]);
	close(fds[0]);
	close(fds[1]);
	/* Nobody else has it any more. */
	ck_assert_uint_eq(atomic_load(&service->refs), 1);
	service_unref(service);
	config_free(conf);
	tls_library_stop();
}

static void
knock(int where)
{
	bool pending;

	ck_assert_uint_lt(npeers, sizeof(peers) / sizeof(peers[0]));
	peers[npeers] = sock_connect(&at[where], &plain, &pending);
	ck_assert_int_ne(peers[npeers++], -1);
}

/* A task that lets the loop turn a while. */
struct turns {
	struct task task;
	unsigned left;
};

static void
one_turn(struct task *task)
{
	struct turns *t = OF(struct turns, task, task);

	usleep(1000);
	if (--t->left > 0)
		loop_post(pool->accept[0].loop, task);
	else
		loop_quit(pool->accept[0].loop);
}

static void
run(void)
{
	struct turns t = { .task.run = one_turn, .left = 30 };

	loop_post(pool->accept[0].loop, &t.task);
	loop_run(pool->accept[0].loop, &pool->accept[0]);
}

/* So many connections were taken since the start. */
static void
assert_taken(unsigned n)
{
	run();
	ck_assert_uint_eq(atomic_load(&pool->next_id), n);
	ck_assert_uint_eq(atomic_load(&pool->live), 0);
}

static void
prepare(unsigned which)
{
	struct listening *l = view_of(which);
	struct errmsg e;

	ck_assert_int_eq(acceptor_prepare(acceptor, l, &e), 0);
	listening_unref(l);
}

START_TEST(test_moves)
{
	knock(0);
	knock(1);
	assert_taken(1);
	prepare(3);
	acceptor_move(acceptor);
	ck_assert(!acceptor_moved(acceptor));
	assert_taken(2);
	ck_assert(acceptor_moved(acceptor));
	prepare(2);
	acceptor_move(acceptor);
	assert_taken(2);
	knock(0);
	knock(1);
	assert_taken(3);
	/* What waited at the place that was left is found by whoever comes back. */
	prepare(1);
	acceptor_move(acceptor);
	assert_taken(4);
}
END_TEST

START_TEST(test_forgotten)
{
	prepare(2);
	acceptor_forget(acceptor);
	knock(0);
	knock(1);
	assert_taken(1);
	prepare(2);
	acceptor_move(acceptor);
	assert_taken(2);
	/* With nothing prepared, nowhere. */
	acceptor_move(acceptor);
	assert_taken(2);
	ck_assert(acceptor_moved(acceptor));
	knock(0);
	knock(1);
	assert_taken(2);
}
END_TEST

/* Without a slot it waits, wherever it is moved to, and a slot is for the place it has then. */
START_TEST(test_without_slot)
{
	atomic_store(&pool->max_tunnels, 0);
	knock(0);
	assert_taken(0);
	prepare(3);
	acceptor_move(acceptor);
	knock(1);
	assert_taken(0);
	atomic_store(&pool->max_tunnels, 1);
	ck_assert(acceptor_unpark(acceptor));
	ck_assert(!acceptor_unpark(acceptor));
	assert_taken(2);
}
END_TEST

/* The word of a slot and the one to move, in both orders. */
START_TEST(test_slot_and_move)
{
	for (unsigned i = 0; i < 6; i++) {
		bool slot_first = i % 2 == 0;

		atomic_store(&pool->max_tunnels, 0);
		knock((int)(i % 2));
		run();
		atomic_store(&pool->max_tunnels, 1);
		prepare(i % 2 == 0 ? 2 : 1);
		if (slot_first)
			ck_assert(acceptor_unpark(acceptor));
		acceptor_move(acceptor);
		if (!slot_first)
			ck_assert(acceptor_unpark(acceptor));
		knock((int)(1 - i % 2));
		run();
		ck_assert(acceptor_moved(acceptor));
		ck_assert_uint_gt(atomic_load(&pool->next_id), i);
	}
	/* Both places, and all who still wait. */
	prepare(3);
	acceptor_move(acceptor);
	assert_taken(12);
}
END_TEST

/* More room is found by moving alone: nobody gave a slot back. */
START_TEST(test_more_room)
{
	atomic_store(&pool->max_tunnels, 0);
	knock(0);
	assert_taken(0);
	atomic_store(&pool->max_tunnels, 4);
	assert_taken(0);
	prepare(1);
	acceptor_move(acceptor);
	assert_taken(1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("acceptor");
	TCase *tc = tcase_create("acceptor");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, test_moves);
	tcase_add_test(tc, test_forgotten);
	tcase_add_test(tc, test_without_slot);
	tcase_add_test(tc, test_slot_and_move);
	tcase_add_test(tc, test_more_room);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
