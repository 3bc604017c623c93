/* net/loop: events, timers, messages and tasks, and what may be undone while they run. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/loop.h"

#define OF(type, member, p) ((type *)((char *)(p)-offsetof(type, member)))
#define PAIRS 8

/* What happened, in order, as letters. */
static char story[4096];
static struct loop *loop;

static void
tell(char c)
{
	size_t n = strlen(story);

	ck_assert_uint_lt(n + 1, sizeof(story));
	story[n] = c;
	story[n + 1] = '\0';
}

static void
loop_begin(void)
{
	ck_assert_ptr_nonnull(loop = loop_new(64));
}

/* A task that ends the loop after so many turns. */
struct ender {
	struct task task;
	int turns;
};

static void
end_run(struct task *t)
{
	struct ender *e = OF(struct ender, task, t);

	tell('.');
	if (--e->turns > 0)
		loop_post(loop, t);
	else
		loop_quit(loop);
}

/* Runs so many turns without waiting. */
static void
run_turns(int turns)
{
	struct ender e = { .task.run = end_run, .turns = turns };

	loop_post(loop, &e.task);
	loop_run(loop, NULL);
}

static uint64_t
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Tasks */

struct letter {
	struct task task;
	char c;
	int again; /* how often it posts itself again */
	struct letter *unposts, *posts;
};

static void
letter_run(struct task *t)
{
	struct letter *l = OF(struct letter, task, t);

	tell(l->c);
	if (l->again > 0) {
		l->again--;
		loop_post(loop, t);
	}
	if (l->unposts != NULL)
		loop_unpost(loop, &l->unposts->task);
	if (l->posts != NULL)
		loop_post(loop, &l->posts->task);
}

START_TEST(tasks_in_order_once)
{
	struct letter a = { .task.run = letter_run, .c = 'a' };
	struct letter b = { .task.run = letter_run, .c = 'b' };

	loop_begin();
	loop_post(loop, &a.task);
	loop_post(loop, &b.task);
	loop_post(loop, &a.task);
	run_turns(2);
	ck_assert_str_eq(story, "ab..");
	loop_free(loop);
}
END_TEST

/* What posts itself again gets one run a turn, and does not starve the others. */
START_TEST(reposting_waits_for_the_next_turn)
{
	struct letter a = { .task.run = letter_run, .c = 'a', .again = 2 };
	struct letter b = { .task.run = letter_run, .c = 'b', .posts = &a };

	loop_begin();
	loop_post(loop, &a.task);
	loop_post(loop, &b.task);
	run_turns(5);
	/* a posted itself, so b's posting changes nothing. */
	ck_assert_str_eq(story, "ab.a.a...");
	loop_free(loop);
}
END_TEST

START_TEST(posted_by_a_task_runs_next_turn)
{
	struct letter b = { .task.run = letter_run, .c = 'b' };
	struct letter a = { .task.run = letter_run, .c = 'a', .posts = &b };

	loop_begin();
	loop_post(loop, &a.task);
	run_turns(3);
	ck_assert_str_eq(story, "a.b..");
	loop_free(loop);
}
END_TEST

/* Unposting: what this turn still has, what the next one has, itself, and nothing. */
START_TEST(unpost_within_the_task_phase)
{
	struct letter c = { .task.run = letter_run, .c = 'c' };
	struct letter b = { .task.run = letter_run, .c = 'b' };
	struct letter a = { .task.run = letter_run, .c = 'a', .unposts = &b };

	loop_begin();
	loop_post(loop, &a.task);
	loop_post(loop, &b.task);
	loop_post(loop, &c.task);
	run_turns(2);
	ck_assert_str_eq(story, "ac..");
	/* It can be posted again. */
	loop_post(loop, &b.task);
	run_turns(1);
	ck_assert_str_eq(story, "ac..b.");
	loop_free(loop);
}
END_TEST

START_TEST(unpost_what_waits_for_the_next_turn)
{
	struct letter b = { .task.run = letter_run, .c = 'b' };
	struct letter a = { .task.run = letter_run, .c = 'a', .again = 1, .unposts = &b };
	struct letter z = { .task.run = letter_run, .c = 'z', .posts = &b };
	struct letter y = { .task.run = letter_run, .c = 'y', .unposts = &b };

	loop_begin();
	loop_post(loop, &z.task);
	loop_post(loop, &y.task);
	loop_post(loop, &a.task);
	run_turns(4);
	ck_assert_str_eq(story, "zya.a...");
	loop_free(loop);
}
END_TEST

START_TEST(unpost_first_middle_last)
{
	struct letter t[3];

	loop_begin();
	for (int gone = 0; gone < 3; gone++) {
		char want[8] = "";

		for (int i = 0; i < 3; i++) {
			t[i] = (struct letter){ .task.run = letter_run,
				.c = (char)('0' + i) };
			loop_post(loop, &t[i].task);
			if (i != gone)
				want[strlen(want)] = t[i].c;
		}
		loop_unpost(loop, &t[gone].task);
		loop_unpost(loop, &t[gone].task);
		story[0] = '\0';
		run_turns(1);
		strcat(want, ".");
		ck_assert_str_eq(story, want);
	}
	loop_free(loop);
}
END_TEST

/* The object of a task may be freed by the task itself. */
static void
free_run(struct task *t)
{
	tell('f');
	free(OF(struct letter, task, t));
}

START_TEST(task_frees_itself)
{
	struct letter *l;

	loop_begin();
	for (int i = 0; i < 3; i++) {
		ck_assert_ptr_nonnull(l = calloc(1, sizeof(*l)));
		l->task.run = free_run;
		loop_post(loop, &l->task);
	}
	run_turns(2);
	ck_assert_str_eq(story, "fff..");
	loop_free(loop);
}
END_TEST

/* Timers */

struct bell {
	struct loop_timer timer;
	char c;
	uint64_t rang; /* loop_now() then */
	unsigned again_ms;
	struct bell *cancels;
	bool quits;
};

static void
bell_due(struct loop_timer *t)
{
	struct bell *b = OF(struct bell, timer, t);

	tell(b->c);
	b->rang = loop_now(loop);
	if (b->again_ms != 0)
		loop_timer_set(loop, t, b->rang + b->again_ms);
	if (b->cancels != NULL)
		loop_timer_cancel(loop, &b->cancels->timer);
	if (b->quits)
		loop_quit(loop);
}

START_TEST(timers_in_order_and_not_early)
{
	struct bell a = { .timer.due = bell_due, .c = 'a' };
	struct bell b = { .timer.due = bell_due, .c = 'b' };
	struct bell c = { .timer.due = bell_due, .c = 'c', .quits = true };
	uint64_t start, ended;

	loop_begin();
	start = loop_now(loop);
	loop_timer_set(loop, &c.timer, start + 60);
	loop_timer_set(loop, &a.timer, start + 10);
	loop_timer_set(loop, &b.timer, start + 30);
	loop_run(loop, NULL);
	ended = clock_ms();
	ck_assert_str_eq(story, "abc");
	ck_assert_uint_ge(a.rang, start + 10);
	ck_assert_uint_ge(b.rang, start + 30);
	ck_assert_uint_ge(c.rang, start + 60);
	ck_assert_uint_lt(ended - start, 15000);
	loop_free(loop);
}
END_TEST

START_TEST(timer_that_cancels_and_sets)
{
	struct bell b = { .timer.due = bell_due, .c = 'b' };
	struct bell a = { .timer.due = bell_due, .c = 'a', .cancels = &b };
	struct bell c = { .timer.due = bell_due, .c = 'c', .quits = true };
	uint64_t start;

	loop_begin();
	start = loop_now(loop);
	loop_timer_set(loop, &b.timer, start + 5000);
	loop_timer_set(loop, &b.timer, start + 6);
	loop_timer_set(loop, &a.timer, start + 5);
	loop_timer_set(loop, &c.timer, start + 20);
	loop_run(loop, NULL);
	ck_assert_str_eq(story, "ac");
	loop_timer_cancel(loop, &b.timer);
	loop_free(loop);
}
END_TEST

/* One that is due in the past rings once a turn, not for ever within one. */
START_TEST(timer_in_the_past)
{
	struct bell a = { .timer.due = bell_due, .c = 'a' };

	loop_begin();
	loop_timer_set(loop, &a.timer, 0);
	run_turns(3);
	ck_assert_str_eq(story, "a...");
	loop_free(loop);
}
END_TEST

/* What is set for the moment before now, again and again, must not lock up the turn. */
static void
past_due(struct loop_timer *t)
{
	tell('p');
	if (strlen(story) < 100)
		loop_timer_set(loop, t, loop_now(loop) + 1);
}

START_TEST(timer_sets_itself)
{
	struct loop_timer t = { .due = past_due };

	loop_begin();
	loop_timer_set(loop, &t, loop_now(loop));
	run_turns(2);
	loop_timer_cancel(loop, &t);
	/* In two turns it is due twice at most. */
	ck_assert_uint_le(strlen(story), 4);
	loop_free(loop);
}
END_TEST

START_TEST(far_timer_does_not_overflow)
{
	struct bell far = { .timer.due = bell_due, .c = 'F' };
	struct bell near = { .timer.due = bell_due, .c = 'n', .quits = true };

	loop_begin();
	loop_timer_set(loop, &far.timer, loop_now(loop) + UINT64_C(400) * 86400 * 1000);
	loop_timer_set(loop, &near.timer, loop_now(loop) + 20);
	loop_run(loop, NULL);
	ck_assert_str_eq(story, "n");
	loop_free(loop);
}
END_TEST

/* Descriptors */

struct ear {
	struct watch watch;
	int fd, peer;
	uint32_t events;
	int heard;
	struct ear *unwatches;
};

static void
ear_ready(struct watch *w, uint32_t events)
{
	struct ear *e = OF(struct ear, watch, w);
	char byte;

	tell('e');
	e->heard++;
	e->events |= events;
	if (recv(e->fd, &byte, 1, MSG_DONTWAIT) == -1)
		ck_assert_int_eq(errno, EAGAIN);
	if (e->unwatches != NULL)
		loop_unwatch(loop, &e->unwatches->watch);
}

static void
ear_open(struct ear *e)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	*e = (struct ear){ .watch.ready = ear_ready, .watch.fd = -1 };
	e->fd = pair[0];
	e->peer = pair[1];
}

static void
ear_close(struct ear *e)
{
	loop_unwatch(loop, &e->watch);
	close(e->fd);
	close(e->peer);
}

START_TEST(event_arrives_with_its_bits)
{
	struct ear e;

	loop_begin();
	ear_open(&e);
	ck_assert_int_eq(loop_watch(loop, &e.watch, e.fd, EPOLLIN | EPOLLRDHUP), 0);
	run_turns(2);
	ck_assert_int_eq(e.heard, 0);
	ck_assert_int_eq(send(e.peer, "x", 1, 0), 1);
	run_turns(2);
	ck_assert_int_eq(e.heard, 1);
	ck_assert_uint_eq(e.events, EPOLLIN);
	shutdown(e.peer, SHUT_WR);
	run_turns(1);
	ck_assert_uint_ne(e.events & EPOLLRDHUP, 0);
	ear_close(&e);
	loop_free(loop);
}
END_TEST

START_TEST(unwatched_is_silent_and_open)
{
	struct ear e;

	loop_begin();
	ear_open(&e);
	ck_assert_int_eq(loop_watch(loop, &e.watch, e.fd, EPOLLIN), 0);
	loop_unwatch(loop, &e.watch);
	ck_assert_int_eq(e.watch.fd, -1);
	loop_unwatch(loop, &e.watch);
	ck_assert_int_eq(send(e.peer, "x", 1, 0), 1);
	run_turns(2);
	ck_assert_int_eq(e.heard, 0);
	ck_assert_int_ne(fcntl(e.fd, F_GETFD), -1);
	/* It can be watched again, and what came meanwhile is announced. */
	ck_assert_int_eq(loop_watch(loop, &e.watch, e.fd, EPOLLIN | EPOLLET), 0);
	run_turns(1);
	ck_assert_int_eq(e.heard, 1);
	ear_close(&e);
	loop_free(loop);
}
END_TEST

/* Of a batch of ready descriptors the first handler takes all the others away. */
static struct ear ears[PAIRS];

static void
lone_ready(struct watch *w, uint32_t events)
{
	(void)events;
	tell('l');
	for (int i = 0; i < PAIRS; i++)
		if (&ears[i].watch != w)
			loop_unwatch(loop, &ears[i].watch);
}

START_TEST(unwatch_within_a_batch)
{
	loop_begin();
	for (int i = 0; i < PAIRS; i++) {
		ear_open(&ears[i]);
		ears[i].watch.ready = lone_ready;
		ck_assert_int_eq(
		    loop_watch(loop, &ears[i].watch, ears[i].fd, EPOLLIN | EPOLLET), 0);
		ck_assert_int_eq(send(ears[i].peer, "x", 1, 0), 1);
	}
	run_turns(2);
	ck_assert_str_eq(story, "l..");
	for (int i = 0; i < PAIRS; i++)
		ear_close(&ears[i]);
	loop_free(loop);
}
END_TEST

/* Freed in the task phase: no event of the same turn may still point to it. */
struct mortal {
	struct task task;
	struct ear ear;
};

static struct mortal *mortals[PAIRS];

static void
mortal_ready(struct watch *w, uint32_t events)
{
	(void)events;
	tell('r');
	loop_post(loop, &OF(struct mortal, ear.watch, w)->task);
}

/* Frees itself and, the first time, all others, posted or not. */
static void
mortal_run(struct task *t)
{
	struct mortal *m;

	tell('k');
	(void)t;
	for (int i = 0; i < PAIRS; i++) {
		if ((m = mortals[i]) == NULL)
			continue;
		mortals[i] = NULL;
		loop_unpost(loop, &m->task);
		ear_close(&m->ear);
		memset(m, 0xee, sizeof(*m));
		free(m);
	}
}

START_TEST(free_all_from_one_task)
{
	loop_begin();
	for (int i = 0; i < PAIRS; i++) {
		ck_assert_ptr_nonnull(mortals[i] = calloc(1, sizeof(*mortals[i])));
		ear_open(&mortals[i]->ear);
		mortals[i]->task.run = mortal_run;
		mortals[i]->ear.watch.ready = mortal_ready;
		ck_assert_int_eq(loop_watch(loop, &mortals[i]->ear.watch,
				     mortals[i]->ear.fd, EPOLLIN | EPOLLET),
		    0);
		ck_assert_int_eq(send(mortals[i]->ear.peer, "x", 1, 0), 1);
	}
	run_turns(3);
	ck_assert_str_eq(story, "rrrrrrrr.k..");
	loop_free(loop);
}
END_TEST

START_TEST(regular_file_is_eperm)
{
	struct watch w = { .fd = -1, .ready = ear_ready };
	FILE *f = tmpfile();

	ck_assert_ptr_nonnull(f);
	loop_begin();
	ck_assert_int_eq(loop_watch(loop, &w, fileno(f), EPOLLIN), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(w.fd, -1);
	loop_unwatch(loop, &w);
	ck_assert_int_eq(loop_watch(loop, &w, 9999, EPOLLIN), -1);
	ck_assert_int_eq(errno, EBADF);
	loop_free(loop);
	fclose(f);
}
END_TEST

/* More ready descriptors than one epoll_wait brings, none starved. */
START_TEST(many_descriptors)
{
	enum { MANY = 400 };
	static struct ear e[MANY];

	loop_begin();
	for (int i = 0; i < MANY; i++) {
		ear_open(&e[i]);
		ck_assert_int_eq(
		    loop_watch(loop, &e[i].watch, e[i].fd, EPOLLIN | EPOLLET), 0);
		ck_assert_int_eq(send(e[i].peer, "x", 1, 0), 1);
	}
	run_turns(4);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(e[i].heard, 1);
		ear_close(&e[i]);
	}
	loop_free(loop);
}
END_TEST

/* Messages */

struct note {
	struct inbox_msg msg;
	int number;
};

static int expected;
static int owner_here;

static void
note_delivered(struct inbox_msg *m, void *owner)
{
	struct note *n = (struct note *)m;

	if (owner != &owner_here || n->number != expected)
		ck_abort_msg("note %d instead of %d", n->number, expected);
	expected++;
	free(n);
}

static void
last_note(struct inbox_msg *m, void *owner)
{
	(void)m;
	(void)owner;
	loop_quit(loop);
}

static void *
write_notes(void *arg)
{
	struct inbox_msg *last = arg;
	struct note *n;

	for (int i = 0; i < 20000; i++) {
		n = malloc(sizeof(*n));
		*n = (struct note){ .msg.deliver = note_delivered, .number = i };
		inbox_push(loop_inbox(loop), &n->msg);
	}
	inbox_push(loop_inbox(loop), last);
	return NULL;
}

START_TEST(messages_wake_a_waiting_loop)
{
	struct inbox_msg last = { .deliver = last_note };
	pthread_t thread;

	loop_begin();
	ck_assert_int_eq(pthread_create(&thread, NULL, write_notes, &last), 0);
	loop_run(loop, &owner_here);
	pthread_join(thread, NULL);
	ck_assert_int_eq(expected, 20000);
	loop_free(loop);
}
END_TEST

/* All phases in one turn: events, timers, messages, tasks; and only then the next. */
static struct letter posted_by[3];

static void
phase_event(struct watch *w, uint32_t events)
{
	(void)events;
	loop_unwatch(loop, w);
	tell('E');
	loop_post(loop, &posted_by[0].task);
}

static void
phase_timer(struct loop_timer *t)
{
	(void)t;
	tell('T');
	loop_post(loop, &posted_by[1].task);
}

static void
phase_message(struct inbox_msg *m, void *owner)
{
	(void)m;
	(void)owner;
	tell('M');
	loop_post(loop, &posted_by[2].task);
}

START_TEST(phases_of_a_turn)
{
	struct inbox_msg m = { .deliver = phase_message };
	struct loop_timer t = { .due = phase_timer };
	struct ear e;

	loop_begin();
	for (int i = 0; i < 3; i++)
		posted_by[i] = (struct letter){ .task.run = letter_run, .c = "etm"[i] };
	ear_open(&e);
	e.watch.ready = phase_event;
	ck_assert_int_eq(loop_watch(loop, &e.watch, e.fd, EPOLLIN), 0);
	ck_assert_int_eq(send(e.peer, "x", 1, 0), 1);
	loop_timer_set(loop, &t, loop_now(loop));
	inbox_push(loop_inbox(loop), &m);
	run_turns(2);
	ck_assert_str_eq(story, "ETM.etm.");
	ear_close(&e);
	loop_free(loop);
}
END_TEST

START_TEST(quit_ends_after_the_turn)
{
	struct letter a = { .task.run = letter_run, .c = 'a' };
	struct ender e = { .task.run = end_run, .turns = 1 };

	loop_begin();
	loop_post(loop, &e.task);
	loop_post(loop, &a.task);
	loop_run(loop, NULL);
	ck_assert_str_eq(story, ".a");
	/* It can run again. */
	run_turns(1);
	ck_assert_str_eq(story, ".a.");
	loop_free(loop);
	loop_free(NULL);
}
END_TEST

START_TEST(nothing_left_open)
{
	int before = dup(0), after;

	close(before);
	for (int i = 0; i < 10; i++) {
		loop_begin();
		loop_free(loop);
	}
	after = dup(0);
	ck_assert_int_eq(after, before);
	close(after);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("loop");
	TCase *tc = tcase_create("loop");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, tasks_in_order_once);
	tcase_add_test(tc, reposting_waits_for_the_next_turn);
	tcase_add_test(tc, posted_by_a_task_runs_next_turn);
	tcase_add_test(tc, unpost_within_the_task_phase);
	tcase_add_test(tc, unpost_what_waits_for_the_next_turn);
	tcase_add_test(tc, unpost_first_middle_last);
	tcase_add_test(tc, task_frees_itself);
	tcase_add_test(tc, timers_in_order_and_not_early);
	tcase_add_test(tc, timer_that_cancels_and_sets);
	tcase_add_test(tc, timer_in_the_past);
	tcase_add_test(tc, timer_sets_itself);
	tcase_add_test(tc, far_timer_does_not_overflow);
	tcase_add_test(tc, event_arrives_with_its_bits);
	tcase_add_test(tc, unwatched_is_silent_and_open);
	tcase_add_test(tc, unwatch_within_a_batch);
	tcase_add_test(tc, free_all_from_one_task);
	tcase_add_test(tc, regular_file_is_eperm);
	tcase_add_test(tc, many_descriptors);
	tcase_add_test(tc, messages_wake_a_waiting_loop);
	tcase_add_test(tc, phases_of_a_turn);
	tcase_add_test(tc, quit_ends_after_the_turn);
	tcase_add_test(tc, nothing_left_open);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
