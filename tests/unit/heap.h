#ifndef HEAP_H_
#define HEAP_H_

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/*
 * An allocator that counts.  Blocks that are made while an account is open are noted in a table, so
 * that each is taken off its own account wherever it is freed.
 */
#define SLOTS 65536
#define BOOTSTRAP 8192

/* Under ThreadSanitizer this code runs before the sanitizer does. */
#define PLAIN __attribute__((no_sanitize("thread"), no_sanitize("address")))

enum account { NOBODY, US, THEM, ACCOUNTS };

static struct {
	void *block;
	size_t size;
	enum account owner;
} slots[SLOTS];

/* Volatile: the compiler believes that malloc() knows nothing of them. */
static volatile enum account account; /* whose blocks are being made */
static volatile size_t live[ACCOUNTS], peak[ACCOUNTS];
static volatile size_t calls[ACCOUNTS]; /* allocations */
static volatile size_t fail_at; /* the one of US that fails; 0: none does */
static volatile bool fail_on;   /* … and all behind it */

static struct {
	void *(*malloc)(size_t);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	void (*free)(void *);
} real;

/* What dlsym() itself asks for, before there is an allocator. */
static _Alignas(16) char bootstrap[BOOTSTRAP];
static size_t bootstrap_used;
static bool finding;

PLAIN static bool
is_bootstrap(const void *p)
{
	return (uintptr_t)p - (uintptr_t)bootstrap < BOOTSTRAP;
}

PLAIN static void *
bootstrap_alloc(size_t n)
{
	void *p = bootstrap + bootstrap_used;

	n = (n + 15) & ~(size_t)15;
	if (n > BOOTSTRAP - bootstrap_used)
		abort();
	bootstrap_used += n;
	return p;
}

PLAIN static bool
find_real(void)
{
	if (real.free != NULL)
		return true;
	if (finding)
		return false;
	finding = true;
	*(void **)&real.malloc = dlsym(RTLD_NEXT, "malloc");
	*(void **)&real.calloc = dlsym(RTLD_NEXT, "calloc");
	*(void **)&real.realloc = dlsym(RTLD_NEXT, "realloc");
	*(void **)&real.free = dlsym(RTLD_NEXT, "free");
	finding = false;
	return real.free != NULL;
}

PLAIN static size_t
slot_of(const void *p)
{
	return (size_t)(((uintptr_t)p >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 48) % SLOTS;
}

/* Whether this allocation is to fail. */
PLAIN static bool
fails(void)
{
	calls[account]++;
	if (account != US || fail_at == 0)
		return false;
	return calls[US] == fail_at || (fail_on && calls[US] > fail_at);
}

PLAIN static void *
note(void *p, size_t n)
{
	size_t i = slot_of(p);

	if (p == NULL || account == NOBODY)
		return p;
	while (slots[i].block != NULL)
		i = (i + 1) % SLOTS;
	slots[i].block = p;
	slots[i].size = n;
	slots[i].owner = account;
	live[account] += n;
	if (live[account] > peak[account])
		peak[account] = live[account];
	return p;
}

PLAIN static void
forget(const void *p)
{
	size_t i = slot_of(p), gap, home;

	while (slots[i].block != p)
		if (slots[i].block == NULL)
			return;
		else
			i = (i + 1) % SLOTS;
	live[slots[i].owner] -= slots[i].size;
	/* What was put off by this block moves up. */
	for (gap = i; slots[i = (i + 1) % SLOTS].block != NULL;) {
		home = slot_of(slots[i].block);
		if ((i - home) % SLOTS < (i - gap) % SLOTS)
			continue;
		slots[gap] = slots[i];
		gap = i;
	}
	slots[gap].block = NULL;
}

PLAIN void *
malloc(size_t n)
{
	if (!find_real())
		return bootstrap_alloc(n);
	return fails() ? NULL : note(real.malloc(n), n);
}

PLAIN void *
calloc(size_t k, size_t n)
{
	if (!find_real())
		return bootstrap_alloc(k * n);
	return fails() ? NULL : note(real.calloc(k, n), k * n);
}

PLAIN void *
realloc(void *p, size_t n)
{
	void *q;

	if (p == NULL)
		return malloc(n);
	if (is_bootstrap(p) || !find_real())
		abort();
	if (fails())
		return NULL;
	if ((q = real.realloc(p, n)) != NULL) {
		forget(p);
		note(q, n);
	}
	return q;
}

PLAIN void
free(void *p)
{
	if (p == NULL || is_bootstrap(p) || !find_real())
		return;
	forget(p);
	real.free(p);
}

/* From here on, what is made is on this account. */
static void
book(enum account a)
{
	account = a;
}

static inline void
forget_calls(void)
{
	for (size_t i = 0; i < ACCOUNTS; i++)
		calls[i] = 0;
}

#endif
