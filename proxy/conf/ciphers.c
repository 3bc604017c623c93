/* OpenSSL's cipher strings, by its rules. */
#include "conf/ciphers.h"

#include <stdio.h>
#include <string.h>

#include "names_priv.h"
#include "suites_priv.h"

#define ELEMENTS_MAX 256

/* What one element of the string asks for. */
struct element {
	const char *text;
	size_t n;
	int suite;              /* by name, or -1 */
	struct suite_mask mask; /* by words */
	bool known, broad;
};

/* The list that the elements work on. */
struct work {
	struct suite all[SUITES_MAX];
	unsigned short order[SUITES_MAX]; /* of those that are not killed */
	size_t n;
	bool active[SUITES_MAX];
	struct element asked[ELEMENTS_MAX]; /* of those that add */
	size_t nasked;
	struct names_text unknown, later, levels;
};

static bool
meets(unsigned is, unsigned wanted)
{
	return wanted == 0 || (is & wanted) != 0;
}

static bool
matches(const struct work *w, const struct element *e, size_t suite)
{
	const struct suite_mask *is = &w->all[suite].is;

	if (!e->known || (e->suite != -1 && (size_t)e->suite != suite))
		return false;
	return meets(is->kx, e->mask.kx) && meets(is->au, e->mask.au) &&
	    meets(is->enc, e->mask.enc) && meets(is->mac, e->mask.mac) &&
	    meets(is->strength, e->mask.strength) && meets(is->since, e->mask.since);
}

/* Moves those that match, and are active or not as told, to the end or to the front of the
 * order, and makes them active or not. */
static void
move(struct work *w, const struct element *e, bool were, bool to_end, bool become)
{
	unsigned short moved[SUITES_MAX], rest[SUITES_MAX];
	size_t nmoved = 0, nrest = 0;

	for (size_t i = 0; i < w->n; i++)
		if (w->active[w->order[i]] == were && matches(w, e, w->order[i]))
			moved[nmoved++] = w->order[i];
		else
			rest[nrest++] = w->order[i];
	memcpy(w->order + (to_end ? nrest : 0), moved, nmoved * sizeof(*moved));
	memcpy(w->order + (to_end ? 0 : nmoved), rest, nrest * sizeof(*rest));
	for (size_t i = 0; i < nmoved; i++)
		w->active[moved[i]] = become;
}

static void
remove_for_good(struct work *w, const struct element *e)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		if (matches(w, e, w->order[i]))
			w->active[w->order[i]] = false;
		else
			w->order[n++] = w->order[i];
	w->n = n;
}

static void
sort_by_strength(struct work *w)
{
	unsigned short sorted[SUITES_MAX];
	unsigned bits = 512, next;
	size_t n = 0;

	for (; n < w->n; bits = next) {
		next = 0;
		for (size_t i = 0; i < w->n; i++) {
			if (w->all[w->order[i]].bits == bits)
				sorted[n++] = w->order[i];
			else if (w->all[w->order[i]].bits < bits && w->all[w->order[i]].bits > next)
				next = w->all[w->order[i]].bits;
		}
	}
	memcpy(w->order, sorted, n * sizeof(*sorted));
}

/* What a further word leaves of those before: of nothing there must not become anything. */
static unsigned
narrow(unsigned mask, unsigned word)
{
	if (word == 0 || mask == 0)
		return mask | word;
	return (mask & word) != 0 ? mask & word : 1u << 31;
}

static void
add_word(struct element *e, const struct suite_mask *word)
{
	struct suite_mask *m = &e->mask;

	*m = (struct suite_mask){ narrow(m->kx, word->kx), narrow(m->au, word->au),
		narrow(m->enc, word->enc), narrow(m->mac, word->mac),
		narrow(m->strength, word->strength), narrow(m->since, word->since) };
}

static void
read_word(struct element *e, const char *text, size_t n)
{
	int suite = suites_find(text, n);
	struct suite_mask word;
	bool broad = false;

	if (suite != -1)
		e->suite = e->suite == -1 || e->suite == suite ? suite : SUITES_MAX;
	else if (suites_word(text, n, &word, &broad))
		add_word(e, &word);
	else
		e->known = false;
	e->broad = e->broad && broad;
}

/* Words with "+" between ask for what all of them mean. */
static struct element
read_element(const char *text, size_t n)
{
	struct element e = { .text = text, .n = n, .suite = -1, .known = true, .broad = true };
	const char *p, *plus, *end = text + n;

	for (p = text; p < end; p = plus + 1) {
		if ((plus = memchr(p, '+', (size_t)(end - p))) == NULL)
			plus = end;
		read_word(&e, p, (size_t)(plus - p));
	}
	return e;
}

static bool
is_suite13(const char *text, size_t n)
{
	return n > 4 && memcmp(text, "TLS_", 4) == 0 && memmem(text, n, "_WITH_", 6) == NULL;
}

/* What this element adds is remembered: at the end it is seen what came of it. */
static void
add(struct work *w, const struct element *e)
{
	if (!e->known) {
		names_text_add(is_suite13(e->text, e->n) ? &w->later : &w->unknown, e->text,
		    e->n);
		return;
	}
	move(w, e, false, true, true);
	if (w->nasked < ELEMENTS_MAX)
		w->asked[w->nasked++] = *e;
}

/* "@STRENGTH" and "@SECLEVEL=2". */
static int
command(struct work *w, const char *text, size_t n, struct errmsg *why)
{
	if (n == 9 && memcmp(text, "@STRENGTH", n) == 0) {
		sort_by_strength(w);
		return 0;
	}
	if (n == 11 && memcmp(text, "@SECLEVEL=", 10) == 0 && text[10] >= '0' && text[10] <= '5') {
		if (text[10] != '2')
			names_text_add(&w->levels, text, n);
		return 0;
	}
	return errmsg_set(why, "\"%.*s\" is no command: give @STRENGTH or @SECLEVEL=0 to 5",
	    (int)(n > 64 ? 64 : n), text);
}

static int
apply(struct work *w, const char *text, size_t n, struct errmsg *why)
{
	char operator = *text;
	struct element e;

	if (operator == '@')
		return command(w, text, n, why);
	if (operator == '!' || operator == '-' || operator == '+') {
		text++;
		n--;
	}
	if (n == 0)
		return errmsg_set(why, "no word stands behind \"%c\"", operator);
	e = read_element(text, n);
	if (operator == '!')
		remove_for_good(w, &e);
	else if (operator == '-')
		move(w, &e, true, false, false);
	else if (operator == '+')
		move(w, &e, true, true, true);
	else
		add(w, &e);
	return 0;
}

static int
run(struct work *w, const char *text, struct errmsg *why)
{
	static const char separators[] = ": ,;";
	size_t n;

	for (text += strspn(text, separators); *text != '\0'; text += strspn(text, separators)) {
		n = strcspn(text, separators);
		if (apply(w, text, n, why) == -1)
			return -1;
		text += n;
	}
	return 0;
}

/* The elements that brought only what is not there, and of that something stayed. */
static void
name_missing(const struct work *w, struct names_text *missing)
{
	for (size_t a = 0; a < w->nasked; a++) {
		const struct element *e = &w->asked[a];
		bool there = e->broad, stayed = false;

		for (size_t i = 0; i < w->n; i++)
			if (matches(w, e, w->order[i])) {
				there = there || w->all[w->order[i]].there;
				stayed = stayed || w->active[w->order[i]];
			}
		if (!there && stayed)
			names_text_add(missing, e->text, e->n);
	}
}

static int
take(const struct work *w, struct conf_strings *list, struct errmsg *why)
{
	char name[64];

	for (size_t i = 0; i < w->n; i++)
		if (w->active[w->order[i]] && w->all[w->order[i]].there &&
		    names_add(list, suites_iana(w->order[i], name, sizeof(name)), why) == -1)
			return -1;
	return 0;
}

#define WHAT_IS_THERE "only ECDHE with AES-GCM or ChaCha20-Poly1305 is there"

/* What is to be said, in so many parts.  0 when it is nothing. */
static int
warn(const struct work *w, struct errmsg *why)
{
	struct names_text missing = { .n = 0 };
	char text[sizeof(why->text)] = "";
	struct {
		const char *says;
		const struct names_text *names;
	} parts[] = {
		{ "left out, since " WHAT_IS_THERE ": ", &missing },
		{ "passed over, since they are unknown: ", &w->unknown },
		{ "passed over, since they belong to ciphersuites: ", &w->later },
		{ "without effect, since the level is 2 at least and set by securityLevel: ",
		    &w->levels },
	};

	name_missing(w, &missing);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].names->n == 0)
			continue;
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s%s",
		    *text != '\0' ? "; " : "", parts[i].says, parts[i].names->text);
	}
	if (*text == '\0')
		return 0;
	errmsg_set(why, "%s", text);
	return 1;
}

int
ciphers_tls12(const char *text, struct conf_strings *list, struct errmsg *why)
{
	struct work w = { .n = 0 };
	struct conf_strings found = { 0 };

	/* Theirs are fixed: the word stands for them. */
	if (strcmp(text, "PSK") == 0) {
		if (names_add(&found, "PSK", why) == -1)
			goto err;
		names_replace(list, &found);
		return 0;
	}
	w.n = suites_all(w.all);
	for (size_t i = 0; i < w.n; i++)
		w.order[i] = (unsigned short)i;
	if (run(&w, text, why) == -1 || take(&w, &found, why) == -1)
		goto err;
	if (found.n == 0) {
		errmsg_set(why, "nothing of \"%.256s\" can be had: " WHAT_IS_THERE
		    " (no CBC, no key exchange by RSA or DH, no PSK, nothing older): leave "
		    "ciphers out, or add ECDHE+AESGCM", text);
		goto err;
	}
	names_replace(list, &found);
	return warn(&w, why);

err:
	names_free(&found);
	return -1;
}
