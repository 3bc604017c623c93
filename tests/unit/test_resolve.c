/* net/resolve: names looked up by threads, with a getaddrinfo() that the test scripts. */
#include <arpa/inet.h>
#include <check.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/resolve.h"

/*
 * The script.  A look-up of "slow…" waits until the gate opens; "bad…" fails; any other
 * name means 127.0.0.N, N being the number of look-ups so far.
 */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool open;
	int started, ended, running, most;
	int signals_blocked;
} script = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

/* Returns the number of this look-up. */
static int
enter(const char *host)
{
	sigset_t mask;
	int number;

	pthread_mutex_lock(&script.lock);
	number = ++script.started;
	if (++script.running > script.most)
		script.most = script.running;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	script.signals_blocked += sigismember(&mask, SIGTERM);
	pthread_cond_broadcast(&script.changed);
	while (!script.open && strncmp(host, "slow", 4) == 0)
		pthread_cond_wait(&script.changed, &script.lock);
	pthread_mutex_unlock(&script.lock);
	return number;
}

static void
leave(void)
{
	pthread_mutex_lock(&script.lock);
	script.running--;
	script.ended++;
	pthread_cond_broadcast(&script.changed);
	pthread_mutex_unlock(&script.lock);
}

static int
numeric(const char *host, struct in_addr *a)
{
	return inet_pton(AF_INET, host, a);
}

int
getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
    struct addrinfo **found)
{
	struct answer {
		struct addrinfo ai;
		struct sockaddr_in sin;
	} * a;
	struct in_addr in = { 0 };
	int number;

	if (!numeric(host, &in)) {
		if (hints->ai_flags & AI_NUMERICHOST)
			return EAI_NONAME;
		number = enter(host);
		leave();
		if (strncmp(host, "bad", 3) == 0)
			return EAI_NONAME;
		in.s_addr = htonl(0x7f000000u + (unsigned)number);
	}
	if ((a = calloc(1, sizeof(*a))) == NULL)
		return EAI_MEMORY;
	a->sin.sin_family = AF_INET;
	a->sin.sin_port = htons((uint16_t)atoi(port));
	a->sin.sin_addr = in;
	a->ai.ai_family = AF_INET;
	a->ai.ai_socktype = SOCK_STREAM;
	a->ai.ai_addr = (struct sockaddr *)&a->sin;
	a->ai.ai_addrlen = sizeof(a->sin);
	*found = &a->ai;
	return 0;
}

void
freeaddrinfo(struct addrinfo *ai)
{
	free(ai);
}

static void
open_gate(void)
{
	pthread_mutex_lock(&script.lock);
	script.open = true;
	pthread_cond_broadcast(&script.changed);
	pthread_mutex_unlock(&script.lock);
}

static void
wait_started(int n)
{
	pthread_mutex_lock(&script.lock);
	while (script.started < n)
		pthread_cond_wait(&script.changed, &script.lock);
	pthread_mutex_unlock(&script.lock);
}

static void
wait_ended(int n)
{
	pthread_mutex_lock(&script.lock);
	while (script.ended < n)
		pthread_cond_wait(&script.changed, &script.lock);
	pthread_mutex_unlock(&script.lock);
}

/* The asker. */

static struct resolver *resolver;
static struct inbox inbox;

static void
begin(unsigned threads)
{
	ck_assert_int_eq(inbox_init(&inbox), 0);
	ck_assert_ptr_nonnull(resolver = resolver_start(threads));
}

static void
deliver(struct inbox_msg *m, void *owner)
{
	(void)m;
	(void)owner;
	ck_abort_msg("only compared, never called");
}

static void
ask(const char *name, uint64_t id)
{
	struct addr_spec spec;
	struct errmsg e;

	ck_assert_int_eq(addr_parse(name, &spec, &e), 0);
	ck_assert_int_eq(resolver_ask(resolver, &spec, &inbox, id, deliver), 0);
	/* The asker may be gone long before the answer comes. */
	addr_spec_free(&spec);
}

/* The next answers, as they come; the caller frees them. */
static struct inbox_msg *waiting;

static struct resolve_answer *
next_answer(void)
{
	struct pollfd pfd = { .fd = inbox.fd, .events = POLLIN };
	struct resolve_answer *a;

	while (waiting == NULL) {
		ck_assert_msg(poll(&pfd, 1, 20000) == 1, "no answer");
		waiting = inbox_take(&inbox);
	}
	a = (struct resolve_answer *)waiting;
	waiting = waiting->next;
	ck_assert(a->msg.deliver == deliver);
	return a;
}

static void
assert_silent(int ms)
{
	struct pollfd pfd = { .fd = inbox.fd, .events = POLLIN };

	ck_assert_ptr_null(waiting);
	ck_assert_int_eq(poll(&pfd, 1, ms), 0);
}

static void
assert_address(const struct resolve_answer *a, const char *want)
{
	char text[ADDR_TEXT];

	ck_assert(a->found);
	ck_assert_uint_eq(a->list.n, 1);
	ck_assert_str_eq(addr_text(&a->list.items[0], text), want);
}

START_TEST(answers_with_the_id)
{
	struct resolve_answer *a;

	begin(2);
	ask("db.example.org:4433", UINT64_C(0xfedcba9876543210));
	a = next_answer();
	ck_assert_uint_eq(a->id, UINT64_C(0xfedcba9876543210));
	assert_address(a, "127.0.0.1:4433");
	resolve_answer_free(a);
	resolve_answer_free(NULL);
	resolver_stop(resolver);
}
END_TEST

START_TEST(failure_says_what_and_why)
{
	struct resolve_answer *a;

	begin(1);
	ask("bad.example.org:4433", 7);
	a = next_answer();
	ck_assert(!a->found);
	ck_assert_uint_eq(a->id, 7);
	ck_assert_uint_eq(a->list.n, 0);
	ck_assert_ptr_nonnull(strstr(a->why.text, "bad.example.org"));
	ck_assert_ptr_nonnull(strstr(a->why.text, gai_strerror(EAI_NONAME)));
	resolve_answer_free(a);
	resolver_stop(resolver);
}
END_TEST

/* Many ask for one name while it is looked up: one look-up, an answer for each. */
START_TEST(lookups_in_flight_are_shared)
{
	struct resolve_answer *a;
	bool seen[10] = { false };

	begin(4);
	for (uint64_t id = 0; id < 5; id++)
		ask("slow.example.org:1", id);
	wait_started(1);
	for (uint64_t id = 5; id < 10; id++)
		ask("slow.example.org:1", id);
	assert_silent(50);
	open_gate();
	for (int i = 0; i < 10; i++) {
		a = next_answer();
		ck_assert_uint_lt(a->id, 10);
		ck_assert(!seen[a->id]);
		seen[a->id] = true;
		assert_address(a, "127.0.0.1:1");
		/* Each has a list of its own, which the others' end does not touch. */
		memset(a->list.items, 0, sizeof(*a->list.items));
		resolve_answer_free(a);
	}
	ck_assert_int_eq(script.started, 1);
	assert_silent(50);
	resolver_stop(resolver);
}
END_TEST

START_TEST(failures_are_shared_too)
{
	struct resolve_answer *a;

	begin(1);
	ask("slow.example.org:1", 0);
	wait_started(1);
	ask("bad.example.org:1", 1);
	ask("bad.example.org:1", 2);
	open_gate();
	for (int i = 0; i < 3; i++) {
		a = next_answer();
		ck_assert_int_eq(a->found, a->id == 0);
		ck_assert_int_eq(a->why.text[0] == '\0', a->id == 0);
		resolve_answer_free(a);
	}
	ck_assert_int_eq(script.started, 2);
	resolver_stop(resolver);
}
END_TEST

/* Port and name both belong to the question. */
START_TEST(different_questions_are_not_shared)
{
	static const char *const names[] = { "slow.example.org:1", "slow.example.org:2",
		"slow2.example.org:1" };
	struct resolve_answer *a;

	begin(3);
	for (uint64_t id = 0; id < 3; id++)
		ask(names[id], id);
	wait_started(3);
	open_gate();
	for (int i = 0; i < 3; i++) {
		a = next_answer();
		ck_assert(a->found);
		ck_assert_uint_eq(
		    ntohs(((struct sockaddr_in *)&a->list.items[0].u.sa)->sin_port),
		    a->id == 1 ? 2 : 1);
		resolve_answer_free(a);
	}
	ck_assert_int_eq(script.started, 3);
	resolver_stop(resolver);
}
END_TEST

/* Nothing is kept: the name is looked up for every connection anew. */
START_TEST(answers_are_not_cached)
{
	struct resolve_answer *a;
	char want[32];

	begin(2);
	for (unsigned i = 1; i <= 3; i++) {
		ask("moving.example.org:9", i);
		a = next_answer();
		snprintf(want, sizeof(want), "127.0.0.%u:9", i);
		assert_address(a, want);
		resolve_answer_free(a);
	}
	resolver_stop(resolver);
}
END_TEST

/* One slow name does not hold up the others while a thread is free. */
START_TEST(slow_name_blocks_only_its_thread)
{
	struct resolve_answer *a;

	begin(2);
	ask("slow.example.org:1", 1);
	wait_started(1);
	for (uint64_t id = 2; id < 20; id++) {
		ask("quick.example.org:1", id);
		a = next_answer();
		ck_assert_uint_eq(a->id, id);
		resolve_answer_free(a);
	}
	open_gate();
	a = next_answer();
	ck_assert_uint_eq(a->id, 1);
	resolve_answer_free(a);
	resolver_stop(resolver);
}
END_TEST

/* Who asked first is answered first: a busy thread must not let anybody starve. */
START_TEST(first_come_first_served)
{
	struct resolve_answer *a;
	char name[32];

	begin(1);
	ask("slow.example.org:1", 0);
	wait_started(1);
	for (unsigned i = 1; i <= 10; i++) {
		snprintf(name, sizeof(name), "n%u.example.org:1", i);
		ask(name, i);
	}
	open_gate();
	for (unsigned i = 0; i <= 10; i++) {
		a = next_answer();
		ck_assert_uint_eq(a->id, i);
		resolve_answer_free(a);
	}
	resolver_stop(resolver);
}
END_TEST

START_TEST(threads_are_bounded_and_spared_signals)
{
	char name[32];

	begin(3);
	for (unsigned i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "slow%u.example.org:1", i);
		ask(name, i);
	}
	wait_started(3);
	usleep(50000);
	open_gate();
	for (int i = 0; i < 10; i++)
		resolve_answer_free(next_answer());
	ck_assert_int_eq(script.most, 3);
	ck_assert_int_eq(script.signals_blocked, 10);
	resolver_stop(resolver);
}
END_TEST

/* Stopped while one is looked up and others wait: at once, without an answer. */
START_TEST(stop_while_a_lookup_runs)
{
	begin(1);
	ask("slow.example.org:1", 1);
	wait_started(1);
	ask("quick.example.org:1", 2);
	resolver_stop(resolver);
	open_gate();
	wait_ended(1);
	assert_silent(200);
	/* The one that waited was never begun. */
	ck_assert_int_eq(script.started, 1);
	inbox_destroy(&inbox);
}
END_TEST

START_TEST(stop_when_idle)
{
	for (int i = 0; i < 50; i++) {
		ck_assert_ptr_nonnull(resolver = resolver_start(4));
		resolver_stop(resolver);
	}
	resolver_stop(NULL);
}
END_TEST

static void *
ask_many(void *arg)
{
	uint64_t first = *(const uint64_t *)arg;
	char name[32];

	for (uint64_t i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "n%u.example.org:1", (unsigned)(i % 7));
		ask(name, first + i);
	}
	return NULL;
}

/* Several threads ask; every id is answered exactly once. */
START_TEST(many_askers)
{
	static bool seen[2000];
	uint64_t first[4] = { 0, 500, 1000, 1500 };
	struct resolve_answer *a;
	pthread_t threads[4];

	begin(4);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, ask_many, &first[i]), 0);
	for (int i = 0; i < 2000; i++) {
		a = next_answer();
		if (!a->found || a->id >= 2000 || seen[a->id])
			ck_abort_msg("answer %u comes twice or not", (unsigned)a->id);
		seen[a->id] = true;
		resolve_answer_free(a);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_silent(20);
	resolver_stop(resolver);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("resolve");
	TCase *tc = tcase_create("resolve");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, answers_with_the_id);
	tcase_add_test(tc, failure_says_what_and_why);
	tcase_add_test(tc, lookups_in_flight_are_shared);
	tcase_add_test(tc, failures_are_shared_too);
	tcase_add_test(tc, different_questions_are_not_shared);
	tcase_add_test(tc, answers_are_not_cached);
	tcase_add_test(tc, slow_name_blocks_only_its_thread);
	tcase_add_test(tc, first_come_first_served);
	tcase_add_test(tc, threads_are_bounded_and_spared_signals);
	tcase_add_test(tc, stop_while_a_lookup_runs);
	tcase_add_test(tc, stop_when_idle);
	tcase_add_test(tc, many_askers);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
