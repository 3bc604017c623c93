/* base/inbox: messages between threads: none lost, none twice, in order by sender. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/inbox.h"

#define SENDERS 4
#define EACH 50000

struct message {
	struct inbox_msg msg; /* first: a message is its node */
	unsigned sender, number;
};

static bool
readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1;
}

static uint64_t
eventfd_count(int fd)
{
	uint64_t count = 0;

	ck_assert_int_eq(read(fd, &count, sizeof(count)), sizeof(count));
	return count;
}

START_TEST(empty)
{
	struct inbox in;

	ck_assert_int_eq(inbox_init(&in), 0);
	ck_assert(!readable(in.fd));
	ck_assert_ptr_null(inbox_take(&in));
	ck_assert_ptr_null(inbox_take(&in));
	inbox_destroy(&in);
	ck_assert_int_eq(in.fd, -1);
}
END_TEST

START_TEST(taken_in_order)
{
	struct message m[3] = { 0 };
	struct inbox_msg *list;
	struct inbox in;

	ck_assert_int_eq(inbox_init(&in), 0);
	for (int i = 0; i < 3; i++)
		inbox_push(&in, &m[i].msg);
	list = inbox_take(&in);
	for (int i = 0; i < 3; i++, list = list->next)
		ck_assert_ptr_eq(list, &m[i].msg);
	ck_assert_ptr_null(list);
	ck_assert_ptr_null(inbox_take(&in));
	/* A node can go round again, whatever it pointed to before. */
	inbox_push(&in, &m[0].msg);
	list = inbox_take(&in);
	ck_assert_ptr_eq(list, &m[0].msg);
	ck_assert_ptr_null(list->next);
	inbox_destroy(&in);
}
END_TEST

/* The descriptor is written once for a batch, and says nothing after it was taken. */
START_TEST(eventfd_only_from_empty)
{
	struct message m[3] = { 0 };
	struct inbox in;

	ck_assert_int_eq(inbox_init(&in), 0);
	for (int i = 0; i < 3; i++) {
		inbox_push(&in, &m[i].msg);
		ck_assert(readable(in.fd));
	}
	ck_assert_uint_eq(eventfd_count(in.fd), 1);
	ck_assert_ptr_nonnull(inbox_take(&in));
	ck_assert(!readable(in.fd));
	inbox_push(&in, &m[0].msg);
	ck_assert(readable(in.fd));
	ck_assert_ptr_nonnull(inbox_take(&in));
	ck_assert(!readable(in.fd));
	inbox_destroy(&in);
}
END_TEST

START_TEST(descriptor_is_private)
{
	struct inbox in;

	ck_assert_int_eq(inbox_init(&in), 0);
	ck_assert_int_ne(fcntl(in.fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_ne(fcntl(in.fd, F_GETFL) & O_NONBLOCK, 0);
	inbox_destroy(&in);
}
END_TEST

static struct inbox box;
static atomic_bool done;

static void *
send_all(void *arg)
{
	struct message *m = arg;

	for (unsigned i = 0; i < EACH; i++)
		inbox_push(&box, &m[i].msg);
	return NULL;
}

/* Counts what comes, until every sender's last message came. */
static void
receive_all(unsigned *next)
{
	struct inbox_msg *m;
	struct message *got;
	unsigned left = SENDERS * EACH;

	while (left > 0) {
		struct pollfd pfd = { .fd = box.fd, .events = POLLIN };

		/* Only the descriptor may tell: a message that it does not announce is lost. */
		if (poll(&pfd, 1, 20000) != 1)
			ck_abort_msg("%u messages lost or never announced", left);
		for (m = inbox_take(&box); m != NULL; m = m->next) {
			got = (struct message *)m;
			if (got->number != next[got->sender]++)
				ck_abort_msg("message %u of sender %u out of order",
				    got->number, got->sender);
			left--;
		}
	}
}

START_TEST(several_senders)
{
	unsigned next[SENDERS] = { 0 };
	struct message *m[SENDERS];
	pthread_t threads[SENDERS];

	ck_assert_int_eq(inbox_init(&box), 0);
	for (unsigned s = 0; s < SENDERS; s++) {
		ck_assert_ptr_nonnull(m[s] = calloc(EACH, sizeof(**m)));
		for (unsigned i = 0; i < EACH; i++)
			m[s][i] = (struct message){ .sender = s, .number = i };
	}
	for (unsigned s = 0; s < SENDERS; s++)
		ck_assert_int_eq(pthread_create(&threads[s], NULL, send_all, m[s]), 0);
	receive_all(next);
	for (unsigned s = 0; s < SENDERS; s++) {
		pthread_join(threads[s], NULL);
		ck_assert_uint_eq(next[s], EACH);
		free(m[s]);
	}
	ck_assert_ptr_null(inbox_take(&box));
	inbox_destroy(&box);
}
END_TEST

static struct inbox there, back;

/* Sends every message back to where it came from. */
static void *
bounce(void *arg)
{
	struct inbox_msg *m, *next;

	while (!atomic_load(&done)) {
		struct pollfd pfd = { .fd = there.fd, .events = POLLIN };

		poll(&pfd, 1, 50);
		for (m = inbox_take(&there); m != NULL; m = next) {
			next = m->next;
			inbox_push(&back, m);
		}
	}
	return arg;
}

/* Ping-pong: each side's box is empty most of the time, the case that races. */
START_TEST(wakes_every_time)
{
	struct message m = { 0 };
	pthread_t thread;

	ck_assert_int_eq(inbox_init(&there), 0);
	ck_assert_int_eq(inbox_init(&back), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, bounce, NULL), 0);
	for (int i = 0; i < 20000; i++) {
		struct pollfd pfd = { .fd = back.fd, .events = POLLIN };

		inbox_push(&there, &m.msg);
		if (poll(&pfd, 1, 20000) != 1 || inbox_take(&back) != &m.msg)
			ck_abort_msg("no wake-up in round %d", i);
	}
	atomic_store(&done, true);
	pthread_join(thread, NULL);
	inbox_destroy(&there);
	inbox_destroy(&back);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("inbox");
	TCase *tc = tcase_create("inbox");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, empty);
	tcase_add_test(tc, taken_in_order);
	tcase_add_test(tc, eventfd_only_from_empty);
	tcase_add_test(tc, descriptor_is_private);
	tcase_add_test(tc, several_senders);
	tcase_add_test(tc, wakes_every_time);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
