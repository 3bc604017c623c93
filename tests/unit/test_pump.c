/*
 * tunnel/pump between two scripted endpoints, under random schedules of partial reads
 * and writes, waits, ends, truncations and resets at any step.
 *
 * SLUSS_SCHEDULES=N sets how many schedules are run, SLUSS_SEED=N replays one.
 */
#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tunnel/pump.h"

#define SCHEDULES 10000
#define TOTAL_MAX ((size_t)1024 * 1024)
#define NOTIFY_MAX 64  /* bytes of a scripted close_notify */
#define CONTROL_MAX 64 /* bytes of a scripted reply to a control record */
#define SEGMENTS 4096

/* A read may bring the batch and what completes records; with replies and an end, this
 * is the most that a side may ever keep. */
#define KEPT_MAX (BATCH_MAX + 2 * TLS_RECORD_MAX + 64 * 1024)

/* What all streams are made of: the byte at an offset depends on side and offset. */
static uint8_t pattern[2][TOTAL_MAX + 2 * TLS_RECORD_MAX];

static struct stage stage;
static uint64_t seed_now;
static uint64_t random_state;

static uint32_t
rnd(void)
{
	/* xorshift64*: the same everywhere, unlike the C library's. */
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)((random_state * UINT64_C(0x2545F4914F6CDD1D)) >> 32);
}

static size_t
rnd_below(size_t n)
{
	return n == 0 ? 0 : rnd() % n;
}

static bool
one_in(uint32_t n)
{
	return rnd() % n == 0;
}

static void
wrong(const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (seed_now == 0)
		ck_abort_msg("%s", text);
	ck_abort_msg("%s; replay with SLUSS_SEED=%" PRIu64, text, seed_now);
}

/* A scripted side: what it sends, what it takes, how it ends. */

enum segment_kind { DATA, CONTROL };

struct side {
	struct endpoint ep; /* first: an endpoint is its side */
	int number;
	/* Towards us. */
	size_t total, arrived,
	    sent;       /* bytes: in all, that the kernel has, read by the pump */
	enum iores end; /* what comes behind the bytes */
	bool end_arrived, end_told;
	bool read_wants; /* the last read said IO_WANT */
	size_t read_max;
	/* From us. */
	size_t room;     /* bytes that the kernel takes now */
	size_t received; /* data bytes that it took */
	unsigned ends;   /* proper ends that it took */
	bool end_wanted;
	bool flushed; /* flush said IO_OK, and nothing was written since */
	struct {
		enum segment_kind kind;
		size_t len;
	} queue[SEGMENTS]; /* what the stash holds */
	size_t first, last;
	size_t notify;           /* bytes of its close_notify */
	uint32_t control_one_in; /* how often reading makes a reply; 0: never */
	size_t kept_most;
	/* A failure: after so many operations, or never (0). */
	unsigned ops_left;
	enum iores failure;
	bool failed, reads_on; /* the bytes that arrived can be read although it failed */
	bool in_flight;   /* what the kernel took has not reached the other machine */
	bool end_refused; /* it broke when told the end, and had all the bytes */
	struct side *other;
};

static struct side *
side_of(const struct endpoint *ep)
{
	return (struct side *)ep;
}

/* Counts an operation; true when the side is broken now. */
static bool
breaks(struct side *s)
{
	if (s->ops_left > 0 && --s->ops_left == 0)
		s->failed = true;
	return s->failed;
}

static void
queue_put(struct side *s, enum segment_kind kind, const uint8_t *p, size_t n)
{
	if (n == 0)
		return;
	if (buf_append(&s->ep.wire.stash, p, n) == -1)
		wrong("out of memory");
	s->queue[s->last % SEGMENTS].kind = kind;
	s->queue[s->last % SEGMENTS].len = n;
	if (++s->last - s->first > SEGMENTS)
		wrong("too many writes are kept");
}

/* The kernel takes what it has room for. */
static void
drain(struct side *s)
{
	struct buf *stash = &s->ep.wire.stash;
	size_t n;

	while (s->room > 0 && stash->len > 0) {
		n = s->queue[s->first % SEGMENTS].len;
		if (n > s->room)
			n = s->room;
		if (s->queue[s->first % SEGMENTS].kind == DATA) {
			if (s->ends > 0)
				wrong("side %d: bytes behind the end", s->number);
			if (s->received + n > s->other->total ||
			    memcmp(buf_head(stash),
				pattern[s->other->number] + s->received, n) != 0)
				wrong("side %d: wrong bytes at %zu", s->number,
				    s->received);
			s->received += n;
		}
		buf_consume(stash, n);
		s->room -= n;
		s->queue[s->first % SEGMENTS].len -= n;
		if (s->queue[s->first % SEGMENTS].len == 0)
			s->first++;
	}
	if (s->end_wanted && stash->len == 0) {
		s->end_wanted = false;
		if (++s->ends > 1)
			wrong("side %d: ended twice", s->number);
		if (s->received != s->other->total && s->other->end == IO_EOF)
			wrong("side %d: ended after %zu of %zu bytes", s->number,
			    s->received, s->other->total);
	}
	if (stash->len > s->kept_most)
		s->kept_most = stash->len;
}

static enum iores
side_end(struct side *s, enum iores how)
{
	if (s->end_told)
		wrong("side %d: read again after its end", s->number);
	s->end_told = true;
	return how;
}

/* Replies that the reading of control records makes. */
static bool
makes_control(struct side *s)
{
	static const uint8_t reply[CONTROL_MAX];

	if (s->control_one_in == 0 || s->ep.finished || s->failed ||
	    s->ep.wire.stash.len > KEPT_MAX / 2 || !one_in(s->control_one_in))
		return false;
	queue_put(s, CONTROL, reply, 1 + rnd_below(CONTROL_MAX));
	drain(s);
	return true;
}

static enum iores
script_read(struct endpoint *ep, struct stage *st, size_t want, size_t *n)
{
	struct side *s = side_of(ep);
	bool broken = breaks(s);

	*n = 0;
	s->read_wants = false;
	if (!s->other->flushed)
		wrong("side %d is read while the other one keeps bytes", s->number);
	if (want < BATCH_MIN || want > BATCH_MAX)
		wrong("a read of %zu bytes", want);
	if (broken && !s->reads_on)
		return side_end(s, s->failure);
	if (s->arrived == s->sent) {
		if (broken)
			return side_end(s, s->failure);
		if (s->end_arrived)
			return side_end(s, s->end);
		s->read_wants = true;
		return IO_WANT;
	}
	if (makes_control(s))
		return IO_OK;
	/* "About want": a TLS read also completes a record begun before. */
	*n = one_in(4) ? want + rnd_below(2 * TLS_RECORD_MAX) : want;
	if (*n > s->read_max)
		*n = 1 + rnd_below(s->read_max);
	if (*n > s->arrived - s->sent)
		*n = s->arrived - s->sent;
	memcpy(st->plain, pattern[s->number] + s->sent, *n);
	s->sent += *n;
	return IO_OK;
}

static enum iores
script_write(struct endpoint *ep, struct stage *st, const uint8_t *p, size_t n)
{
	struct side *s = side_of(ep);

	(void)st;
	if (n == 0)
		wrong("side %d: an empty write", s->number);
	if (!s->flushed || ep->finished)
		wrong("side %d: written to %s", s->number,
		    ep->finished ? "after its end" : "while it keeps bytes");
	s->flushed = false;
	if (breaks(s))
		return s->failure;
	queue_put(s, DATA, p, n);
	drain(s);
	return IO_OK;
}

static enum iores
script_flush(struct endpoint *ep)
{
	struct side *s = side_of(ep);

	s->flushed = false;
	if (breaks(s))
		return s->failure;
	drain(s);
	if (ep->wire.stash.len > 0)
		return IO_WANT;
	s->flushed = true;
	return IO_OK;
}

static enum iores
script_finish(struct endpoint *ep, struct stage *st)
{
	static const uint8_t notify[NOTIFY_MAX];
	struct side *s = side_of(ep);

	(void)st;
	if (!s->flushed)
		wrong("side %d: ended while it keeps bytes", s->number);
	if (!s->other->end_told)
		wrong("side %d: ended before the other side's end", s->number);
	if (breaks(s)) {
		s->end_refused = s->failure == IO_RESET && !s->in_flight;
		return s->failure;
	}
	if (!ep->finished) {
		ep->finished = true;
		s->end_wanted = true;
		queue_put(s, CONTROL, notify, s->notify);
		drain(s);
	}
	return ep->wire.stash.len > 0 ? IO_WANT : IO_OK;
}

static size_t
script_unsent(const struct endpoint *ep)
{
	return ep->wire.stash.len + side_of(ep)->in_flight;
}

static const struct endpoint_ops script = {
	script_read,
	script_write,
	script_flush,
	script_finish,
	script_unsent,
};

/* A tunnel of two such sides. */

static struct side sides[2];
static struct pump pumps[2]; /* 0: from side 0 to side 1 */

static void
tunnel_begin(void)
{
	for (int i = 0; i < 2; i++) {
		sides[i] =
		    (struct side){ .number = i, .end = IO_EOF, .read_max = BATCH_MAX };
		sides[i].ep.ops = &script;
		wire_init(&sides[i].ep.wire, -1, -1);
		sides[i].other = &sides[!i];
		sides[i].failure = IO_RESET;
	}
	pump_init(&pumps[0], &sides[0].ep, &sides[1].ep);
	pump_init(&pumps[1], &sides[1].ep, &sides[0].ep);
}

static void
tunnel_end(void)
{
	buf_free(&sides[0].ep.wire.stash);
	buf_free(&sides[1].ep.wire.stash);
	if (buf_total() != 0)
		wrong("memory is kept somewhere");
}

static bool
is_over(const struct pump *p)
{
	return p->state == PUMP_ENDED || p->state == PUMP_FAILED;
}

/* Whether the pump could do something without a further event. */
static bool
has_work(const struct pump *p)
{
	const struct side *src = side_of(p->src), *dst = side_of(p->dst);
	bool flushes = dst->failed || dst->ep.wire.stash.len == 0 || dst->room > 0;

	if (is_over(p))
		return false;
	if (p->state == PUMP_ENDING || !flushes)
		return flushes;
	return src->failed || src->sent < src->arrived || src->end_arrived;
}

/* What the random schedules came to. */
static struct {
	unsigned clean, src_failed, dst_failed, forgiven, again, kept;
} seen;

/* A pump that failed: is that what the script has? */
static void
judge_failure(const struct pump *p)
{
	const struct side *src = side_of(p->src), *dst = side_of(p->dst);
	const struct side *at = p->at_dst ? dst : src;

	if (at->failed ? p->why != at->failure : p->at_dst || p->why != src->end)
		wrong("failed for the wrong reason %d", (int)p->why);
	if (!p->at_dst && !src->failed && src->sent != src->total)
		wrong("side %d: failed before its last byte", src->number);
	if (p->at_dst)
		seen.dst_failed++;
	else
		seen.src_failed++;
}

/* Runs one pump and judges what it says of itself.  Returns pump_run(). */
static bool
run(int i, unsigned rounds)
{
	struct pump *p = &pumps[i];
	struct side *src = side_of(p->src), *dst = side_of(p->dst);
	enum pump_state before = p->state;
	size_t sent = src->sent;
	uint64_t bytes = p->bytes;
	bool again = pump_run(p, &stage, rounds);

	if (p->bytes - bytes != src->sent - sent)
		wrong("pump %d counts %" PRIu64 " bytes instead of %zu", i,
		    p->bytes - bytes, src->sent - sent);
	if (before != PUMP_FAILED && p->state == PUMP_FAILED)
		judge_failure(p);
	if (is_over(p) && again)
		wrong("pump %d is over and wants to run again", i);
	if (before == PUMP_ENDED && p->state != PUMP_ENDED)
		wrong("pump %d ended and lives", i);
	if (!again && has_work(p))
		wrong("pump %d stalls: %s", i,
		    p->state == PUMP_ENDING ? "the end can be told"
					    : "bytes can be moved");
	/* One that is gone with all its bytes need not be told the end. */
	if (p->state == PUMP_ENDED &&
	    ((dst->ends != 1 && !dst->end_refused) || dst->ep.wire.stash.len > 0))
		wrong("pump %d ended, but side %d was not told", i, dst->number);
	if (p->state == PUMP_FAILED && dst->end_refused && p->at_dst)
		wrong("pump %d failed, but side %d has all", i, dst->number);
	if (p->state == PUMP_ENDED && dst->received != src->sent)
		wrong("pump %d ended and lost bytes", i);
	if (dst->kept_most > KEPT_MAX || src->kept_most > KEPT_MAX)
		wrong("%zu bytes kept", dst->kept_most);
	return again;
}

/* Single cases. */

static void
setup(void)
{
	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < sizeof(pattern[i]); k++) {
			random_state = (uint64_t)k * 2 + (uint64_t)i + 1;
			pattern[i][k] = (uint8_t)(rnd() ^ rnd() >> 8);
		}
	random_state = 1;
	ck_assert_int_eq(stage_init(&stage), 0);
	tunnel_begin();
}

static void
teardown(void)
{
	tunnel_end();
	stage_free(&stage);
}

START_TEST(moves_bytes_then_the_end)
{
	sides[0].total = sides[0].arrived = 1000;
	sides[0].end_arrived = true;
	sides[1].room = TOTAL_MAX;
	ck_assert(!run(0, 4));
	ck_assert_int_eq(pumps[0].state, PUMP_ENDED);
	ck_assert_uint_eq(sides[1].received, 1000);
	ck_assert_uint_eq(pumps[0].bytes, 1000);
	/* The other direction has not noticed. */
	ck_assert_int_eq(pumps[1].state, PUMP_FLOWS);
	ck_assert(!run(0, 4));
	ck_assert_uint_eq(sides[1].ends, 1);
}
END_TEST

START_TEST(empty_stream_is_an_end)
{
	sides[0].end_arrived = true;
	ck_assert(!run(0, 1));
	ck_assert_int_eq(pumps[0].state, PUMP_ENDED);
	ck_assert_uint_eq(sides[1].ends, 1);
	ck_assert_uint_eq(pumps[0].bytes, 0);
}
END_TEST

/* Says that it must be run again exactly when its rounds are spent. */
START_TEST(rounds_are_a_budget)
{
	sides[0].total = sides[0].arrived = 100;
	sides[0].read_max = 1;
	sides[1].room = TOTAL_MAX;
	ck_assert(run(0, 3));
	ck_assert_uint_eq(pumps[0].bytes, 3);
	while (run(0, 7))
		;
	ck_assert_uint_eq(pumps[0].bytes, 100);
	ck_assert(sides[0].read_wants);
}
END_TEST

/* The budget is spent, the bytes are too: it need not know that, but must not stop. */
START_TEST(last_round_is_no_stall)
{
	sides[0].total = sides[0].arrived = 1;
	sides[1].room = TOTAL_MAX;
	sides[0].end_arrived = true;
	ck_assert(run(0, 1));
	ck_assert(!run(0, 1));
	ck_assert_int_eq(pumps[0].state, PUMP_ENDED);
}
END_TEST

START_TEST(slow_side_holds_back_the_other)
{
	sides[0].total = sides[0].arrived = TOTAL_MAX;
	ck_assert(!run(0, 100));
	/* One read, all kept; nothing more while that is so. */
	ck_assert_uint_le(pumps[0].bytes, BATCH_MAX);
	ck_assert_uint_eq(sides[1].ep.wire.stash.len, pumps[0].bytes);
	for (int i = 0; i < 10; i++)
		ck_assert(!run(0, 100));
	ck_assert_uint_eq(sides[1].ep.wire.stash.len, pumps[0].bytes);
}
END_TEST

/* Reads grow while everything is taken, and follow what a slower side takes. */
START_TEST(batch_follows_the_destination)
{
	sides[0].total = sides[0].arrived = TOTAL_MAX;
	sides[1].room = TOTAL_MAX;
	while (pumps[0].batch < BATCH_MAX)
		ck_assert(run(0, 1));
	ck_assert_uint_lt(pumps[0].bytes, BATCH_MAX * 2);
	ck_assert(run(0, 1));
	ck_assert_uint_eq(pumps[0].batch, BATCH_MAX);
	sides[1].room = 100000;
	ck_assert(!run(0, 1));
	ck_assert_uint_eq(pumps[0].batch, 100000);
	/* Now it takes nothing of what comes. */
	sides[1].room = sides[1].ep.wire.stash.len;
	run(0, 1);
	ck_assert_uint_eq(pumps[0].batch, BATCH_MIN);
}
END_TEST

/* When all tunnels together keep very much, each reads little. */
START_TEST(kept_bytes_of_all_are_bounded)
{
	static const uint8_t chunk[1024 * 1024];
	struct buf others = { 0 };

	for (int i = 0; i < 65; i++)
		ck_assert_int_eq(buf_append(&others, chunk, sizeof(chunk)), 0);
	sides[0].total = sides[0].arrived = TOTAL_MAX;
	sides[1].room = TOTAL_MAX;
	ck_assert(run(0, 1));
	for (int i = 0; i < 5; i++) {
		ck_assert_uint_eq(pumps[0].batch, BATCH_MIN);
		ck_assert(run(0, 1));
	}
	buf_free(&others);
	for (int i = 0; i < 5; i++)
		ck_assert(run(0, 1));
	ck_assert_uint_gt(pumps[0].batch, BATCH_MIN);
}
END_TEST

static const enum iores failures[] = { IO_TRUNCATED, IO_RESET, IO_ALERT, IO_PROTOCOL,
	IO_NOMEM };

/* Whatever goes wrong while reading is told as it is, after what was received. */
START_TEST(failure_of_the_source)
{
	sides[0].total = sides[0].arrived = 500;
	sides[0].end = failures[_i];
	sides[0].end_arrived = true;
	sides[1].room = 200;
	ck_assert(!run(0, 4));
	ck_assert_int_eq(pumps[0].state, PUMP_FLOWS);
	sides[1].room = 300;
	ck_assert(!run(0, 4));
	ck_assert_int_eq(pumps[0].state, PUMP_FAILED);
	ck_assert_int_eq(pumps[0].why, failures[_i]);
	ck_assert(!pumps[0].at_dst);
	ck_assert_uint_eq(sides[1].received, 500);
	ck_assert_uint_eq(sides[1].ends, 0);
	/* A failed pump stays so and touches nothing. */
	ck_assert(!run(0, 4));
	ck_assert_int_eq(pumps[0].state, PUMP_FAILED);
}
END_TEST

/* The first to the fifth operation on the destination fails. */
START_TEST(failure_of_the_destination)
{
	sides[1].in_flight = true;
	sides[0].total = sides[0].arrived = 100;
	sides[0].end_arrived = true;
	sides[1].room = TOTAL_MAX;
	sides[1].ops_left = (unsigned)_i;
	ck_assert(!run(0, 4));
	ck_assert_int_eq(pumps[0].state, PUMP_FAILED);
	ck_assert_int_eq(pumps[0].why, IO_RESET);
	ck_assert(pumps[0].at_dst);
	ck_assert_uint_eq(sides[1].ends, 0);
}
END_TEST

/* A side that has everything and is gone when it is to be told so: no failure. */
START_TEST(end_for_one_that_is_gone)
{
	sides[0].total = sides[0].arrived = 100;
	sides[0].end_arrived = true;
	sides[1].room = TOTAL_MAX;
	sides[1].ops_left = 5;
	ck_assert(!run(0, 4));
	ck_assert_int_eq(pumps[0].state, PUMP_ENDED);
	ck_assert_uint_eq(sides[1].received, 100);
	ck_assert_uint_eq(sides[1].ends, 0);
}
END_TEST

START_TEST(forgiven_truncation_is_an_end)
{
	sides[0].total = sides[0].arrived = 500;
	sides[0].end = IO_TRUNCATED;
	sides[0].end_arrived = true;
	sides[1].room = 500;
	sides[1].notify = 24;
	ck_assert(!run(0, 4));
	ck_assert_int_eq(pumps[0].state, PUMP_FAILED);
	pump_forgive(&pumps[0]);
	ck_assert_int_eq(pumps[0].state, PUMP_ENDING);
	ck_assert(!run(0, 4));
	ck_assert_int_eq(pumps[0].state, PUMP_ENDING);
	sides[1].room = 100;
	ck_assert(!run(0, 4));
	ck_assert_int_eq(pumps[0].state, PUMP_ENDED);
	ck_assert_uint_eq(sides[1].received, 500);
	ck_assert_uint_eq(sides[1].ends, 1);
}
END_TEST

/* Reads that bring control records only count as rounds, or a peer that sends nothing
 * else would keep the thread to itself. */
START_TEST(control_records_spend_rounds)
{
	sides[0].total = sides[0].arrived = 100;
	sides[0].control_one_in = 1;
	sides[0].room = TOTAL_MAX;
	sides[1].room = TOTAL_MAX;
	ck_assert(run(0, 10));
	ck_assert_uint_eq(pumps[0].bytes, 0);
}
END_TEST

/* Random schedules. */

/* How a side of this schedule behaves. */
static void
script_side(struct side *s)
{
	static const size_t sizes[] = { 1, 7, 100, 5000, 16384, 70000, BATCH_MAX };
	static const enum iores ends[] = { IO_TRUNCATED, IO_RESET, IO_ALERT, IO_PROTOCOL,
		IO_NOMEM };
	size_t most;

	s->read_max = sizes[rnd_below(sizeof(sizes) / sizeof(sizes[0]))];
	most = s->read_max * 60;
	s->total = rnd_below((most < TOTAL_MAX ? most : TOTAL_MAX) + 1);
	if (one_in(10))
		s->total = 0;
	if (one_in(4))
		s->end = ends[rnd_below(sizeof(ends) / sizeof(ends[0]))];
	s->notify = one_in(2) ? 1 + rnd_below(NOTIFY_MAX) : 0;
	s->control_one_in = one_in(3) ? 2 + (uint32_t)rnd_below(10) : 0;
	if (one_in(4)) {
		s->ops_left = 1 + (unsigned)rnd_below(one_in(2) ? 10 : 150);
		s->failure = one_in(5) ? IO_NOMEM : IO_RESET;
		s->reads_on = one_in(2);
		s->in_flight = one_in(2);
	}
}

/* Something happens at one of the sides. */
static void
happen(struct side *s)
{
	size_t left = s->total - s->arrived, n;

	switch (rnd() % 8) {
	case 0:
	case 1:
	case 2:
		n = 1 + rnd_below(one_in(2) ? BATCH_MAX : 2 * s->read_max);
		s->arrived += n < left ? n : left;
		break;
	case 3:
		if (left == 0)
			s->end_arrived = true;
		break;
	case 4:
		s->room = 0; /* somebody else filled it */
		break;
	default:
		s->room += 1 + rnd_below(one_in(2) ? BATCH_MAX : 2 * s->other->read_max);
	}
}

/* All that was read from src reaches dst when it is given the time. */
static void
assert_all_delivered(const struct pump *p)
{
	struct side *src = side_of(p->src), *dst = side_of(p->dst);

	if (dst->failed)
		return;
	dst->room = SIZE_MAX / 2;
	if (script_flush(&dst->ep) != IO_OK)
		return; /* it failed in this very operation */
	if (dst->received != src->sent)
		wrong("side %d got %zu of the %zu bytes read for it", dst->number,
		    dst->received, src->sent);
}

/* As the tunnel does: the other direction is over too, unless only writing to a side
 * failed and it may still have bytes for the other one. */
static void
after_failure(const struct pump *p)
{
	int tail = p == &pumps[0];

	if (p->at_dst && pumps[tail].state == PUMP_FLOWS) {
		sides[!tail].room = SIZE_MAX / 2;
		for (int i = 0; run(tail, 1 + (unsigned)rnd_below(4)); i++)
			if (i > 100000)
				wrong("the tail has no end");
	}
	assert_all_delivered(&pumps[0]);
	assert_all_delivered(&pumps[1]);
}

/* Returns whether the schedule is over. */
static bool
schedule_step(bool *again)
{
	/* Told to be run again, it may also be run after further events. */
	if (!*again || one_in(3))
		happen(&sides[rnd() % 2]);
	*again = false;
	for (int i = 0; i < 2; i++)
		*again |= run(i, 1 + (unsigned)rnd_below(4));
	seen.again += *again;
	for (int i = 0; i < 2; i++) {
		if (pumps[i].state != PUMP_FAILED)
			continue;
		if (pumps[i].why == IO_TRUNCATED && one_in(2)) {
			pump_forgive(&pumps[i]);
			seen.forgiven++;
			*again = true;
			continue;
		}
		after_failure(&pumps[i]);
		return true;
	}
	return pumps[0].state == PUMP_ENDED && pumps[1].state == PUMP_ENDED;
}

static void
schedule(uint64_t seed)
{
	bool again = true, over = false;

	seed_now = seed;
	random_state = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
	tunnel_begin();
	script_side(&sides[0]);
	script_side(&sides[1]);
	for (int i = 0; !over; i++) {
		over = schedule_step(&again);
		if (i > 1000000)
			wrong("no end in sight");
	}
	if (pumps[0].state == PUMP_ENDED && pumps[1].state == PUMP_ENDED) {
		seen.clean++;
		for (int i = 0; i < 2; i++)
			if (sides[i].received != sides[!i].total)
				wrong("side %d: not all arrived", i);
	}
	if (sides[0].kept_most + sides[1].kept_most > 0)
		seen.kept++;
	tunnel_end();
}

static uint64_t
number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL || *text == '\0' ? otherwise : strtoull(text, NULL, 10);
}

START_TEST(random_schedules)
{
	uint64_t count = number_from("SLUSS_SCHEDULES", SCHEDULES);
	uint64_t one = number_from("SLUSS_SEED", 0), first;
	struct timespec ts;

	tunnel_end();
	if (one != 0) {
		schedule(one);
		return;
	}
	/* Other ones in each run; a seed that failed is printed. */
	clock_gettime(CLOCK_REALTIME, &ts);
	first = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
	for (uint64_t i = 0; i < count; i++)
		schedule(first + i);
	/* Every kind of end was among them, or the schedules are no test. */
	if (count < 500)
		return;
	ck_assert_uint_gt(seen.clean, count / 10);
	ck_assert_uint_gt(seen.src_failed, count / 50);
	ck_assert_uint_gt(seen.dst_failed, count / 50);
	ck_assert_uint_gt(seen.forgiven, 0);
	ck_assert_uint_gt(seen.again, count / 10);
	ck_assert_uint_gt(seen.kept, count / 10);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("pump");
	TCase *tc = tcase_create("pump");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 250);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, moves_bytes_then_the_end);
	tcase_add_test(tc, empty_stream_is_an_end);
	tcase_add_test(tc, rounds_are_a_budget);
	tcase_add_test(tc, last_round_is_no_stall);
	tcase_add_test(tc, slow_side_holds_back_the_other);
	tcase_add_test(tc, batch_follows_the_destination);
	tcase_add_test(tc, kept_bytes_of_all_are_bounded);
	tcase_add_loop_test(
	    tc, failure_of_the_source, 0, (int)(sizeof(failures) / sizeof(failures[0])));
	tcase_add_loop_test(tc, failure_of_the_destination, 1, 6);
	tcase_add_test(tc, end_for_one_that_is_gone);
	tcase_add_test(tc, forgiven_truncation_is_an_end);
	tcase_add_test(tc, control_records_spend_rounds);
	tcase_add_test(tc, random_schedules);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
