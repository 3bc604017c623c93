#ifndef FUZZ_TALK_H_
#define FUZZ_TALK_H_

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/options.h"
#include "tunnel/preface.h"

/* One talk over what the two sides say, given in pieces of some length; what came of it. */
struct heard {
	const uint8_t *p;
	size_t n;
};

struct talked {
	struct preface p;
	enum preface_verdict verdict;
	size_t taken[2];
	struct buf told[2];
	struct errmsg why;
};

static inline void
check(int good)
{
	if (!good)
		abort();
}

/* One step on a copy of its own, so that reading past its end is found. */
static inline enum preface_verdict
talk_step(struct talked *t, preface_fn *fn, const struct heard *in, size_t n)
{
	enum preface_side from = t->p.from;
	enum preface_verdict v;
	size_t used = 0;
	uint8_t *copy = malloc(n == 0 ? 1 : n);

	if (n > 0)
		memcpy(copy, in[from].p + t->taken[from], n);
	t->why.text[0] = '\0';
	v = fn(&t->p, n == 0 ? NULL : copy, n, &used, &t->why);
	free(copy);
	check(used <= n);
	t->taken[from] += used;
	for (int i = 0; i < 2; i++) {
		if (t->p.out[i].len > 0)
			check(buf_append(&t->told[i], buf_head(&t->p.out[i]), t->p.out[i].len) == 0);
		buf_free(&t->p.out[i]);
		check(t->told[i].len < 512 * 1024);
	}
	return v;
}

static inline void
talk_hold(struct talked *t, const struct conf_service *c, enum preface_stage stage,
    const struct heard *in, size_t most)
{
	preface_fn *fn = preface_at(c, stage);
	size_t said[2] = { 0, 0 }, before, n;
	enum preface_side from;

	check(fn != NULL);
	*t = (struct talked){ .verdict = PREFACE_MORE };
	preface_begin(&t->p, c);
	for (;;) {
		from = t->p.from;
		before = t->taken[from];
		t->verdict = talk_step(t, fn, in, said[from] - before);
		if (t->verdict != PREFACE_MORE)
			break;
		if (t->p.from != from || (t->taken[from] > before && said[from] > t->taken[from]))
			continue;
		if (said[from] == in[from].n)
			break;
		n = in[from].n - said[from];
		said[from] += n < most ? n : most;
	}
	if (t->verdict == PREFACE_FAILED)
		check(t->why.text[0] != '\0');
	for (const char *s = t->why.text; *s != '\0'; s++)
		check((unsigned char)*s >= 0x20 && *s != 0x7f);
}

static inline void
talk_free(struct talked *t)
{
	preface_free(&t->p);
	for (int i = 0; i < 2; i++)
		buf_free(&t->told[i]);
}

/* However the bytes are cut, the same comes of them. */
static inline void
talk_both(const struct conf_service *c, enum preface_stage stage, const struct heard *in,
    size_t most)
{
	struct talked whole, cut;

	talk_hold(&whole, c, stage, in, SIZE_MAX);
	talk_hold(&cut, c, stage, in, most);
	check(whole.verdict == cut.verdict);
	check(strcmp(whole.p.target, cut.p.target) == 0);
	check(whole.p.has_source == cut.p.has_source);
	for (int i = 0; i < 2; i++) {
		check(whole.told[i].len == cut.told[i].len);
		check(whole.told[i].len == 0 || memcmp(buf_head(&whole.told[i]),
		    buf_head(&cut.told[i]), whole.told[i].len) == 0);
		check(whole.verdict != PREFACE_DONE || whole.taken[i] == cut.taken[i]);
	}
	talk_free(&whole);
	talk_free(&cut);
}

/* A configuration for a talk; kept by the caller for all runs. */
static inline struct config *
talk_config(const char *protocol, bool client)
{
	struct errmsg why;
	struct config *c = config_new("fuzz", client, &why);

	check(c != NULL && options_set(c, &c->services[0], "protocol", protocol, &why) == 0);
	check(options_set(c, &c->services[0], "protocolHost", "host.test:443", &why) == 0);
	check(options_set(c, &c->services[0], "protocolUsername", "user", &why) == 0);
	check(options_set(c, &c->services[0], "protocolPassword", "password", &why) == 0);
	check(options_set(c, &c->services[0], "proxyIn", "yes", &why) == 0);
	return c;
}

#endif
