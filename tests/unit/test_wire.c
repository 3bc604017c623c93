/* net/wire: one side's connection to the kernel, over socket pairs, TCP and pipes. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sock.h"
#include "net/wire.h"

#define BIG ((size_t)8 * 1024 * 1024)

static struct loop *loop;
static struct wire wire;
static int woken;  /* calls of wake() */
static int peer;   /* the other end of the wire */
static int peer_w; /* … for pipes: where the wire reads from */

static uint8_t big[BIG], back[BIG];

static void
wake(void *owner)
{
	ck_assert_ptr_eq(owner, &woken);
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

/* Turns until the wire was woken once more; fails when it is not. */
static void
wait_wake(void)
{
	int before = woken;

	for (int i = 0; i < 1000 && woken == before; i++)
		turn(10);
	ck_assert_msg(woken > before, "never woken");
}

static void
fill_big(void)
{
	unsigned seed = 7;

	for (size_t i = 0; i < BIG; i++)
		big[i] = (uint8_t)rand_r(&seed);
}

static void
join(void)
{
	ck_assert_ptr_nonnull(loop = loop_new(16));
	ck_assert_int_eq(wire_join(&wire, loop, wake, &woken), 0);
	turn(1);
}

static void
begin_unix(void)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	peer = pair[1];
	wire_init(&wire, pair[0], pair[0]);
	join();
}

static void
tcp_pair(int pair[2])
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int lfd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(lfd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	ck_assert_int_eq(listen(lfd, 1), 0);
	ck_assert_int_eq(getsockname(lfd, (struct sockaddr *)&sin, &len), 0);
	pair[1] = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(pair[1], (struct sockaddr *)&sin, sizeof(sin)), 0);
	pair[0] = accept(lfd, NULL, NULL);
	ck_assert_int_ne(pair[0], -1);
	close(lfd);
}

static void
begin_tcp(void)
{
	int pair[2];

	tcp_pair(pair);
	sock_tune(pair[0]);
	peer = pair[1];
	wire_init(&wire, pair[0], pair[0]);
	join();
}

/* The wire reads from one pipe and writes to another. */
static void
begin_pipes(void)
{
	int in[2], out[2];

	ck_assert_int_eq(pipe2(in, O_NONBLOCK), 0);
	ck_assert_int_eq(pipe2(out, O_NONBLOCK), 0);
	peer_w = in[1];
	peer = out[0];
	wire_init(&wire, in[0], out[1]);
	join();
}

static void (*const begin_any[])(void) = { begin_unix, begin_tcp, begin_pipes };

static void
end(void)
{
	wire_leave(&wire, loop);
	wire_close(&wire);
	loop_free(loop);
	ck_assert_uint_eq(buf_total(), 0);
}

/* Where the other side writes for the wire to read. */
static int
to_wire(void)
{
	return peer_w != 0 ? peer_w : peer;
}

/* Reads as an owner does: when told to want, waits for the wake-up. */
static enum iores
read_some(void *p, size_t cap, size_t *n)
{
	enum iores r;
	int before;

	for (;;) {
		before = woken;
		r = wire_read(&wire, p, cap, n);
		if (r != IO_WANT)
			return r;
		for (int i = 0; i < 1000 && woken == before; i++)
			turn(10);
		ck_assert_msg(woken > before, "bytes or an end were never announced");
	}
}

static void
assert_reads(const char *want)
{
	char have[256] = "";
	size_t n;

	ck_assert_int_eq(read_some(have, sizeof(have) - 1, &n), IO_OK);
	ck_assert_uint_eq(n, strlen(want));
	ck_assert_str_eq(have, want);
}

static void
assert_reads_end(enum iores want)
{
	char byte;
	size_t n = 1;

	ck_assert_int_eq(read_some(&byte, 1, &n), want);
	ck_assert_uint_eq(n, 0);
	/* And so it stays. */
	ck_assert_int_eq(wire_read(&wire, &byte, 1, &n), want);
}

/* What the peer gets within so long. */
static size_t
peer_reads(uint8_t *p, size_t cap, int ms)
{
	struct pollfd pfd = { .fd = peer, .events = POLLIN };
	size_t done = 0;
	ssize_t n;

	while (done < cap && poll(&pfd, 1, ms) == 1) {
		n = read(peer, p + done, cap - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

START_TEST(reads_and_wants)
{
	char byte;
	size_t n;

	begin_any[_i]();
	ck_assert_int_eq(wire_read(&wire, &byte, 1, &n), IO_WANT);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(write(to_wire(), "hello", 5), 5);
	assert_reads("hello");
	ck_assert_int_eq(wire_read(&wire, &byte, 1, &n), IO_WANT);
	ck_assert_int_eq(write(to_wire(), "again", 5), 5);
	assert_reads("again");
	end();
}
END_TEST

START_TEST(writes_at_once_without_memory)
{
	begin_any[_i]();
	ck_assert_int_eq(wire_write(&wire, "hello", 5), IO_OK);
	ck_assert_uint_eq(buf_total(), 0);
	ck_assert_uint_eq(peer_reads(back, 5, 1000), 5);
	ck_assert_mem_eq(back, "hello", 5);
	ck_assert_int_eq(wire_write(&wire, NULL, 0), IO_OK);
	ck_assert_int_eq(wire_flush(&wire), IO_OK);
	end();
}
END_TEST

/* More than the kernel takes: kept, handed on in order as there is room, given back. */
START_TEST(partial_writes_are_kept)
{
	size_t got = 0, written = 0;

	begin_any[_i]();
	fill_big();
	for (; written < BIG; written += BIG / 4)
		ck_assert_int_eq(wire_write(&wire, big + written, BIG / 4), IO_OK);
	ck_assert_uint_gt(wire.stash.len, 0);
	ck_assert_int_eq(wire_flush(&wire), IO_WANT);
	while (got < BIG) {
		got += peer_reads(back + got, BIG - got < 100000 ? BIG - got : 100000, 0);
		if (wire_flush(&wire) == IO_WANT)
			turn(1);
	}
	ck_assert_mem_eq(back, big, BIG);
	ck_assert_int_eq(wire_flush(&wire), IO_OK);
	ck_assert_uint_eq(buf_total(), 0);
	end();
}
END_TEST

/* While the kernel refuses, the wire does not ask: it is woken when there is room. */
START_TEST(room_is_announced)
{
	int before;

	begin_any[_i]();
	ck_assert_int_eq(wire_write(&wire, big, BIG), IO_OK);
	turn(1);
	while (wire_flush(&wire) == IO_WANT) {
		before = woken;
		ck_assert_uint_gt(peer_reads(back, BIG, 0), 0);
		for (int i = 0; i < 1000 && woken == before; i++)
			turn(10);
		ck_assert_msg(woken > before, "room was never announced");
	}
	end();
}
END_TEST

/* What is written while bytes are kept goes behind them, though there is room again. */
START_TEST(writes_go_behind_the_stash)
{
	size_t got = 0;

	begin_any[_i]();
	fill_big();
	ck_assert_int_eq(wire_write(&wire, big, BIG / 2), IO_OK);
	ck_assert_uint_gt(wire.stash.len, 1);
	turn(1);
	got = peer_reads(back, BIG, 0);
	wait_wake();
	ck_assert_int_eq(wire_write(&wire, big + BIG / 2, BIG / 2), IO_OK);
	while (got < BIG) {
		got += peer_reads(back + got, BIG - got, 0);
		if (wire_flush(&wire) == IO_WANT)
			turn(1);
	}
	ck_assert_mem_eq(back, big, BIG);
	end();
}
END_TEST

START_TEST(end_is_read_after_the_bytes)
{
	begin_any[_i]();
	ck_assert_int_eq(write(to_wire(), "last", 4), 4);
	if (peer_w != 0)
		close(peer_w);
	else
		shutdown(peer, SHUT_WR);
	assert_reads("last");
	assert_reads_end(IO_EOF);
	/* The other direction goes on. */
	ck_assert_int_eq(wire_write(&wire, "reply", 5), IO_OK);
	ck_assert_uint_eq(peer_reads(back, 5, 1000), 5);
	end();
}
END_TEST

/* Bytes and end in one: whether the end was seen coming or not, it is not missed. */
START_TEST(end_right_behind_a_short_read)
{
	char text[16];
	size_t n;

	begin_any[_i]();
	ck_assert_int_eq(write(to_wire(), "last", 4), 4);
	wait_wake();
	ck_assert_int_eq(wire_read(&wire, text, sizeof(text), &n), IO_OK);
	ck_assert_uint_eq(n, 4);
	if (peer_w != 0)
		close(peer_w);
	else
		shutdown(peer, SHUT_WR);
	assert_reads_end(IO_EOF);
	end();
}
END_TEST

START_TEST(fin_waits_for_the_stash)
{
	size_t got = 0, n;

	begin_any[_i]();
	fill_big();
	ck_assert_int_eq(wire_write(&wire, big, BIG), IO_OK);
	ck_assert_int_eq(wire_finish(&wire), IO_WANT);
	ck_assert_int_eq(wire_finish(&wire), IO_WANT);
	do {
		n = peer_reads(back + got, BIG - got, 0);
		got += n;
		turn(1);
	} while (wire_flush(&wire) == IO_WANT);
	got += peer_reads(back + got, BIG - got, 5000);
	ck_assert_uint_eq(got, BIG);
	ck_assert_mem_eq(back, big, BIG);
	/* Exactly the end is left. */
	ck_assert_int_eq(read(peer, back, 1), 0);
	ck_assert_int_eq(wire_flush(&wire), IO_OK);
	ck_assert_int_eq(wire_finish(&wire), IO_OK);
	end();
}
END_TEST

START_TEST(fin_leaves_reading_alone)
{
	begin_any[_i]();
	ck_assert_int_eq(wire_finish(&wire), IO_OK);
	ck_assert_int_eq(read(peer, back, 1), 0);
	ck_assert_int_eq(write(to_wire(), "late", 4), 4);
	assert_reads("late");
	if (peer_w != 0)
		close(peer_w);
	else
		close(peer);
	assert_reads_end(IO_EOF);
	end();
}
END_TEST

START_TEST(reset_is_a_reset)
{
	begin_tcp();
	sock_reset(peer);
	assert_reads_end(IO_RESET);
	end();
}
END_TEST

/* The peer's bytes that came before its reset may be lost, but it is not an end. */
START_TEST(reset_behind_bytes_is_no_end)
{
	enum iores r;
	size_t n;

	begin_tcp();
	ck_assert_int_eq(write(peer, "bytes", 5), 5);
	sock_reset(peer);
	do {
		r = read_some(back, 16, &n);
	} while (r == IO_OK);
	ck_assert_int_eq(r, IO_RESET);
	end();
}
END_TEST

/* A write that fails breaks the wire: then no proper end is read either. */
START_TEST(failed_write_breaks)
{
	enum iores r = IO_OK;
	size_t n;

	begin_any[_i]();
	signal(SIGPIPE, SIG_IGN);
	close(peer);
	for (int i = 0; i < 100 && r == IO_OK; i++) {
		r = wire_write(&wire, "x", 1);
		turn(1);
	}
	ck_assert_int_eq(r, IO_RESET);
	ck_assert_int_eq(wire_write(&wire, "x", 1), IO_RESET);
	ck_assert_int_eq(wire_flush(&wire), IO_RESET);
	ck_assert_uint_eq(wire_unsent(&wire), 0);
	do {
		r = wire_read(&wire, back, 16, &n);
	} while (r == IO_OK);
	ck_assert_int_eq(r, IO_RESET);
	end();
}
END_TEST

/* SIGPIPE's default action would kill this process. */
START_TEST(no_sigpipe_from_sockets)
{
	begin_unix();
	signal(SIGPIPE, SIG_DFL);
	close(peer);
	ck_assert_int_eq(wire_write(&wire, "x", 1), IO_RESET);
	end();
}
END_TEST

/* What was kept for a peer that is gone is given back, and the break is told. */
START_TEST(reset_with_a_stash)
{
	begin_tcp();
	ck_assert_int_eq(wire_write(&wire, big, BIG), IO_OK);
	ck_assert_uint_gt(buf_total(), 0);
	sock_reset(peer);
	wait_wake();
	ck_assert_int_eq(wire_flush(&wire), IO_RESET);
	ck_assert_uint_eq(buf_total(), 0);
	end();
}
END_TEST

/* What the peer sent before we failed to write to it can still be read. */
START_TEST(bytes_before_a_broken_write)
{
	size_t n;

	begin_unix();
	ck_assert_int_eq(write(peer, "parting", 7), 7);
	close(peer);
	ck_assert_int_eq(wire_write(&wire, "x", 1), IO_RESET);
	ck_assert_int_eq(read_some(back, 16, &n), IO_OK);
	ck_assert_uint_eq(n, 7);
	assert_reads_end(IO_RESET);
	end();
}
END_TEST

/*
 * Urgent data stays in its place among the others, and the kernel's habit of ending a
 * read at its mark must not pass for an empty socket.
 */
START_TEST(urgent_data_in_line)
{
	static const char want[] = "beforeUafter";
	char have[64];
	size_t got = 0, n;

	begin_tcp();
	ck_assert_int_eq(send(peer, "before", 6, 0), 6);
	ck_assert_int_eq(send(peer, "U", 1, MSG_OOB), 1);
	ck_assert_int_eq(send(peer, "after", 5, 0), 5);
	/* All is there before the first read: no later event comes to the rescue.  Either
	 * the loop has told of it by then (FIONREAD stops at the mark), or it has not. */
	for (int queued = 0; queued < 6;)
		ck_assert_int_eq(ioctl(wire.rfd, FIONREAD, &queued), 0);
	usleep(20000);
	if (_i == 1)
		wait_wake();
	while (got < sizeof(want) - 1) {
		ck_assert_int_eq(read_some(have + got, sizeof(have) - got, &n), IO_OK);
		got += n;
	}
	have[got] = '\0';
	ck_assert_str_eq(have, want);
	shutdown(peer, SHUT_WR);
	assert_reads_end(IO_EOF);
	end();
}
END_TEST

/* The same, when the urgent byte comes after the wire has been idle for a while. */
START_TEST(urgent_data_while_bytes_flow)
{
	size_t sent = 0, got = 0, n;
	unsigned seed = 3;

	begin_tcp();
	fill_big();
	while (got < 200000) {
		if (sent < 200000) {
			int flags = rand_r(&seed) % 3 == 0 ? MSG_OOB : 0;
			size_t len = 1 + (size_t)rand_r(&seed) % 3000;
			ssize_t put;

			if (len > 200000 - sent)
				len = 200000 - sent;
			put = send(peer, big + sent, len, flags | MSG_DONTWAIT);
			if (put > 0)
				sent += (size_t)put;
		}
		if (rand_r(&seed) % 2 == 0 && sent < 200000)
			continue;
		if (got < sent) {
			ck_assert_int_eq(
			    read_some(back + got, 1 + (size_t)rand_r(&seed) % 4096, &n),
			    IO_OK);
			got += n;
		}
	}
	ck_assert_mem_eq(back, big, got);
	end();
}
END_TEST

/* A short read saves the next system call, but never an edge: bytes that arrive
 * between the read and the wait are announced. */
START_TEST(short_reads_lose_no_edge)
{
	unsigned seed = (unsigned)_i + 1;
	size_t sent = 0, got = 0, n;
	char piece[64];
	enum iores r;

	begin_any[_i]();
	fill_big();
	while (got < 100000) {
		size_t len = 1 + (size_t)rand_r(&seed) % sizeof(piece);
		int before;

		if (sent < 100000 && rand_r(&seed) % 2 == 0) {
			ssize_t put = write(to_wire(), big + sent, len);

			sent += put > 0 ? (size_t)put : 0;
		}
		if (rand_r(&seed) % 4 == 0)
			turn(0);
		before = woken;
		r = wire_read(&wire, back + got, len, &n);
		got += n;
		ck_assert(r == IO_OK || r == IO_WANT);
		if (r == IO_OK || got == sent)
			continue;
		/* There are bytes: since the wire wants, the wake-up must come. */
		for (int i = 0; i < 1000 && woken == before; i++)
			turn(10);
		ck_assert_msg(
		    woken > before, "%zu of %zu bytes: an edge was lost", got, sent);
	}
	ck_assert_mem_eq(back, big, got);
	end();
}
END_TEST

/* Leaving one loop and joining another, as at the hand-off, announces what is there. */
START_TEST(change_of_loops)
{
	struct loop *first;
	size_t n;

	begin_any[_i]();
	ck_assert_int_eq(wire_read(&wire, back, 16, &n), IO_WANT);
	wire_leave(&wire, loop);
	first = loop;
	ck_assert_int_eq(write(to_wire(), "between", 7), 7);
	woken = 0;
	turn(20);
	ck_assert_int_eq(woken, 0);
	join();
	assert_reads("between");
	loop_free(first);
	end();
}
END_TEST

START_TEST(unsent_counts_stash_and_kernel)
{
	size_t unsent;

	begin_tcp();
	ck_assert_uint_eq(wire_unsent(&wire), 0);
	ck_assert_int_eq(wire_write(&wire, big, BIG), IO_OK);
	unsent = wire_unsent(&wire);
	ck_assert_uint_gt(unsent, wire.stash.len);
	ck_assert_uint_le(unsent, BIG);
	for (int i = 0; i < 2000 && wire_unsent(&wire) > 0; i++) {
		peer_reads(back, BIG, 0);
		wire_flush(&wire);
		turn(10);
	}
	ck_assert_uint_eq(wire_unsent(&wire), 0);
	end();
}
END_TEST

/* Nobody waits for bytes to arrive at a peer that has reset the connection. */
START_TEST(reset_ends_the_wait_for_arrival)
{
	const int small = 4096;

	begin_tcp();
	setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	ck_assert_int_eq(wire_write(&wire, big, 100000), IO_OK);
	ck_assert_uint_eq(wire.stash.len, 0);
	ck_assert_uint_gt(wire_unsent(&wire), 0);
	turn(5);
	sock_reset(peer);
	wait_wake();
	turn(5);
	ck_assert(wire_flush(&wire) == IO_RESET || wire_unsent(&wire) == 0);
	end();
}
END_TEST

START_TEST(close_in_order_and_reset)
{
	char byte;
	ssize_t n;

	begin_tcp();
	wire_leave(&wire, loop);
	if (_i == 0)
		wire_close(&wire);
	else
		wire_reset(&wire);
	ck_assert_int_eq(wire.rfd, -1);
	ck_assert_int_eq(wire.wfd, -1);
	n = recv(peer, &byte, 1, 0);
	if (_i == 0) {
		ck_assert_int_eq(n, 0);
	} else {
		ck_assert_int_eq(n, -1);
		ck_assert_int_eq(errno, ECONNRESET);
	}
	wire_close(&wire);
	wire_reset(&wire);
	loop_free(loop);
}
END_TEST

/* The flags of descriptors that we share with others stay as they are. */
START_TEST(blocking_sockets_do_not_block_us)
{
	int pair[2];
	size_t n;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	peer = pair[1];
	wire_init(&wire, pair[0], pair[0]);
	join();
	ck_assert_int_eq(fcntl(pair[0], F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(wire_read(&wire, back, 16, &n), IO_WANT);
	ck_assert_int_eq(wire_write(&wire, big, BIG), IO_OK);
	ck_assert_int_eq(wire_flush(&wire), IO_WANT);
	ck_assert_int_eq(fcntl(pair[0], F_GETFL) & O_NONBLOCK, 0);
	end();
}
END_TEST

/* A regular file cannot be watched and is always ready. */
START_TEST(regular_files)
{
	FILE *in = tmpfile(), *out = tmpfile();
	size_t n;

	ck_assert(in != NULL && out != NULL);
	ck_assert_int_eq(write(fileno(in), "content", 7), 7);
	ck_assert_int_eq(lseek(fileno(in), 0, SEEK_SET), 0);
	wire_init(&wire, dup(fileno(in)), dup(fileno(out)));
	join();
	ck_assert_int_eq(wire_read(&wire, back, 4, &n), IO_OK);
	ck_assert_uint_eq(n, 4);
	ck_assert_int_eq(wire_read(&wire, back + 4, 16, &n), IO_OK);
	ck_assert_mem_eq(back, "content", 7);
	ck_assert_int_eq(wire_read(&wire, back, 16, &n), IO_EOF);
	ck_assert_int_eq(wire_write(&wire, "written", 7), IO_OK);
	ck_assert_int_eq(wire_finish(&wire), IO_OK);
	ck_assert_int_eq(pread(fileno(out), back, 16, 0), 7);
	ck_assert_mem_eq(back, "written", 7);
	end();
	fclose(in);
	fclose(out);
}
END_TEST

/* A pair whose second half cannot be watched is not half watched. */
START_TEST(failed_join_watches_nothing)
{
	int in[2], gone[2];

	ck_assert_int_eq(pipe2(in, O_NONBLOCK), 0);
	ck_assert_int_eq(pipe2(gone, O_NONBLOCK), 0);
	ck_assert_ptr_nonnull(loop = loop_new(16));
	wire_init(&wire, in[0], gone[1]);
	close(gone[1]);
	ck_assert_int_eq(wire_join(&wire, loop, wake, &woken), -1);
	ck_assert_int_eq(wire.in.fd, -1);
	ck_assert_int_eq(wire.out.fd, -1);
	ck_assert_int_eq(write(in[1], "x", 1), 1);
	turn(20);
	ck_assert_int_eq(woken, 0);
	loop_free(loop);
}
END_TEST

/* An idle wire must not wake its owner again and again. */
START_TEST(idle_is_silent)
{
	size_t n;

	begin_any[_i]();
	ck_assert_int_eq(write(to_wire(), "x", 1), 1);
	assert_reads("x");
	ck_assert_int_eq(wire_read(&wire, back, 16, &n), IO_WANT);
	turn(5);
	woken = 0;
	turn(100);
	ck_assert_int_eq(woken, 0);
	end();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("wire");
	TCase *tc = tcase_create("wire");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, reads_and_wants, 0, 3);
	tcase_add_loop_test(tc, writes_at_once_without_memory, 0, 3);
	tcase_add_loop_test(tc, partial_writes_are_kept, 0, 3);
	tcase_add_loop_test(tc, room_is_announced, 0, 3);
	tcase_add_loop_test(tc, writes_go_behind_the_stash, 0, 3);
	tcase_add_loop_test(tc, end_is_read_after_the_bytes, 0, 3);
	tcase_add_loop_test(tc, end_right_behind_a_short_read, 0, 3);
	tcase_add_loop_test(tc, fin_waits_for_the_stash, 0, 3);
	tcase_add_loop_test(tc, fin_leaves_reading_alone, 0, 3);
	tcase_add_test(tc, reset_is_a_reset);
	tcase_add_test(tc, reset_behind_bytes_is_no_end);
	tcase_add_loop_test(tc, failed_write_breaks, 0, 3);
	tcase_add_test(tc, no_sigpipe_from_sockets);
	tcase_add_test(tc, reset_with_a_stash);
	tcase_add_test(tc, bytes_before_a_broken_write);
	tcase_add_loop_test(tc, urgent_data_in_line, 0, 2);
	tcase_add_test(tc, urgent_data_while_bytes_flow);
	tcase_add_loop_test(tc, short_reads_lose_no_edge, 0, 3);
	tcase_add_loop_test(tc, change_of_loops, 0, 3);
	tcase_add_test(tc, unsent_counts_stash_and_kernel);
	tcase_add_test(tc, reset_ends_the_wait_for_arrival);
	tcase_add_loop_test(tc, close_in_order_and_reset, 0, 2);
	tcase_add_test(tc, blocking_sockets_do_not_block_us);
	tcase_add_test(tc, regular_files);
	tcase_add_test(tc, failed_join_watches_nothing);
	tcase_add_loop_test(tc, idle_is_silent, 0, 3);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
