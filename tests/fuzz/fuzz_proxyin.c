/* The PROXY header in front of a connection, versions 1 and 2. */
#include "net/addr.h"
#include "talk.h"

int LLVMFuzzerTestOneInput(const unsigned char *, size_t);

/* What was understood can be said again, and means the same. */
static void
check_again(const struct preface *p, const struct conf_service *c, const char *protocol)
{
	static struct config *out;
	struct errmsg why;
	struct preface_facts facts = { .from = &p->source, .to = &p->destination };
	struct preface again = { .facts = &facts };
	struct talked t;
	struct heard in[2] = { { NULL, 0 }, { NULL, 0 } };
	size_t used = 0;

	if (out == NULL)
		out = talk_config(protocol, false);
	preface_begin(&again, &out->services[0]);
	check(preface_at(&out->services[0], PREFACE_HEADER)(&again, NULL, 0, &used, &why) ==
	    PREFACE_DONE);
	in[PREFACE_DOWN] = (struct heard){ buf_head(&again.out[PREFACE_UP]),
		again.out[PREFACE_UP].len };
	talk_hold(&t, c, PREFACE_PROXY_IN, in, SIZE_MAX);
	check(t.verdict == PREFACE_DONE && t.p.has_source);
	if (p->source.u.sa.sa_family == p->destination.u.sa.sa_family)
		check(p->source.len == t.p.source.len &&
		    memcmp(&p->source.u, &t.p.source.u, p->source.len) == 0);
	talk_free(&t);
	preface_free(&again);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	static struct config *config;
	struct heard in[2] = { { data, n }, { NULL, 0 } };
	const struct conf_service *c;
	struct talked t;

	if (config == NULL)
		config = talk_config("none", false);
	c = &config->services[0];
	talk_both(c, PREFACE_PROXY_IN, in, 1 + n / 50);
	talk_hold(&t, c, PREFACE_PROXY_IN, in, SIZE_MAX);
	check(t.verdict == PREFACE_DONE || t.taken[PREFACE_DOWN] == 0 ||
	    t.verdict == PREFACE_FAILED);
	check(t.told[0].len == 0 && t.told[1].len == 0);
	if (t.verdict == PREFACE_DONE && t.p.has_source)
		check_again(&t.p, c, "proxy2");
	talk_free(&t);
	return 0;
}
