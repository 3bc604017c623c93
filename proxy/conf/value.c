#include <arpa/inet.h>
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "conf/value.h"

#define NAME_MAX_BYTES 64

/* A word longer than this is not a slip of the finger. */
#define WORD_MAX 32

int
value_bool(const char *text, bool *value, struct errmsg *why)
{
	bool yes = strcasecmp(text, "yes") == 0;

	if (!yes && strcasecmp(text, "no") != 0)
		return errmsg_set(
		    why, "\"%.128s\" is neither yes nor no: give one of them", text);
	*value = yes;
	return 0;
}

int
value_number(const char *text, const char *unit, unsigned min, unsigned max,
    unsigned *value, struct errmsg *why)
{
	unsigned long long n = 0;
	const char *p;

	for (p = text; isdigit((unsigned char)*p); p++)
		if (n <= UINT_MAX)
			n = n * 10 + (unsigned)(*p - '0');
	if (p == text || *p != '\0')
		return errmsg_set(why,
		    "\"%.128s\" is not a whole number: give %u to %u%s%s", text, min, max,
		    unit == NULL ? "" : " ", unit == NULL ? "" : unit);
	if (n < min || n > max)
		return errmsg_set(why, "%.128s is out of range: give %u to %u%s%s", text,
		    min, max, unit == NULL ? "" : " ", unit == NULL ? "" : unit);
	*value = (unsigned)n;
	return 0;
}

/* Writes "a, b, c" (cut when too long). */
static void
join(char *out, size_t size, const char *const *words, size_t n)
{
	size_t i, used = 0;

	out[0] = '\0';
	for (i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(
		    out + used, size - used, "%s%s", i == 0 ? "" : ", ", words[i]);
}

int
value_choice(const char *text, const char *const *words, size_t n, size_t *value,
    struct errmsg *why)
{
	char list[256];
	size_t i;

	for (i = 0; i < n; i++)
		if (strcasecmp(text, words[i]) == 0) {
			*value = i;
			return 0;
		}
	join(list, sizeof(list), words, n);
	return errmsg_set(
	    why, "\"%.128s\" is not known here: give one of %s", text, list);
}

int
value_level(const char *text, int *level, struct errmsg *why)
{
	/* syslog's order is its numbers. */
	static const char *const names[] = { "emerg", "alert", "crit", "err", "warning",
		"notice", "info", "debug" };
	const size_t n = sizeof(names) / sizeof(names[0]);
	size_t i;

	if (text[0] >= '0' && text[0] <= '7' && text[1] == '\0') {
		*level = text[0] - '0';
		return 0;
	}
	if (value_choice(text, names, n, &i, why) == -1)
		return errmsg_prefix(why, "a level is 0 to 7 or its name");
	*level = (int)i;
	return 0;
}

/* Replaces a malloc'ed string. */
static int
replace(char **at, const char *text, struct errmsg *why)
{
	char *copy = strdup(text);

	if (copy == NULL)
		return errmsg_set(why, "out of memory");
	free(*at);
	*at = copy;
	return 0;
}

static const char *const facility_words[] = { "auth", "authpriv", "cron", "daemon", "kern",
	"lpr", "mail", "news", "syslog", "user", "uucp", "local0", "local1", "local2",
	"local3", "local4", "local5", "local6", "local7" };
static const int facilities[] = { LOG_AUTH, LOG_AUTHPRIV, LOG_CRON, LOG_DAEMON, LOG_KERN,
	LOG_LPR, LOG_MAIL, LOG_NEWS, LOG_SYSLOG, LOG_USER, LOG_UUCP, LOG_LOCAL0, LOG_LOCAL1,
	LOG_LOCAL2, LOG_LOCAL3, LOG_LOCAL4, LOG_LOCAL5, LOG_LOCAL6, LOG_LOCAL7 };

#define NFACILITIES (sizeof(facilities) / sizeof(facilities[0]))

int
value_facility(const char *text, size_t n, int *facility, struct errmsg *why)
{
	char word[WORD_MAX] = "";
	size_t i;

	if (n < sizeof(word))
		memcpy(word, text, n);
	if (value_choice(word, facility_words, NFACILITIES, &i, why) == -1)
		return errmsg_prefix(why, "the facility in front of the level");
	*facility = facilities[i];
	return 0;
}

const char *
value_facility_text(int facility)
{
	size_t i = 0;

	while (i < NFACILITIES - 1 && facilities[i] != facility)
		i++;
	return facility_words[i];
}

int
value_path(const char *text, char **path, struct errmsg *why)
{
	if (text[0] == '\0')
		return errmsg_set(why, "the file's name is empty: give a path");
	return replace(path, text, why);
}

int
value_name(const char *text, char **name, struct errmsg *why)
{
	const char *p = text;

	while (isprint((unsigned char)*p))
		p++;
	if (text[0] == '\0' || *p != '\0' || p - text > NAME_MAX_BYTES)
		return errmsg_set(why,
		    "\"%.128s\" is no good name for log lines: give 1 to %d plain "
		    "characters",
		    text, NAME_MAX_BYTES);
	return replace(name, text, why);
}

static bool
is_host(const char *text)
{
	struct in6_addr in6;
	const char *p = text;

	if (inet_pton(AF_INET6, text, &in6) == 1)
		return true;
	while (isalnum((unsigned char)*p) || (*p != '\0' && strchr("-._", *p) != NULL))
		p++;
	return p != text && *p == '\0';
}

int
value_host(const char *text, char **host, struct errmsg *why)
{
	if (!is_host(text))
		return errmsg_set(why,
		    "\"%.128s\" is not a host name or an IP address: give it whole and "
		    "alone, without port, brackets, scheme or *",
		    text);
	return replace(host, text, why);
}

static unsigned
min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static bool
is_same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* How often one must insert, delete or replace a character or swap two neighbours to
 * make one word of the other, case aside (optimal string alignment).  Neither is longer
 * than WORD_MAX. */
static unsigned
distance(const char *a, const char *b)
{
	/* d[i][j]: from the first i characters of a to the first j of b. */
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];
	size_t i, j, na = strlen(a), nb = strlen(b);

	for (i = 0; i <= na; i++)
		d[i][0] = (unsigned)i;
	for (j = 0; j <= nb; j++)
		d[0][j] = (unsigned)j;
	for (i = 1; i <= na; i++)
		for (j = 1; j <= nb; j++) {
			d[i][j] = min(min(d[i - 1][j], d[i][j - 1]) + 1,
			    d[i - 1][j - 1] + !is_same(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && is_same(a[i - 1], b[j - 2]) &&
			    is_same(a[i - 2], b[j - 1]))
				d[i][j] = min(d[i][j], d[i - 2][j - 2] + 1);
		}
	return d[na][nb];
}

/* The least that the distance of two words can be: so far apart are their lengths. */
static size_t
apart(size_t a, size_t b)
{
	return a > b ? a - b : b - a;
}

const char *
value_nearest(const char *text, const char *const *words, size_t n)
{
	const size_t len = strlen(text);
	/* The shorter the word, the less of it may be wrong. */
	unsigned best = (unsigned)len / 4 + 2;
	const char *nearest = NULL;
	size_t i;

	if (len < 2 || len > WORD_MAX)
		return NULL;
	for (i = 0; i < n; i++) {
		unsigned d = WORD_MAX;

		if (strncasecmp(text, words[i], len) == 0)
			d = 1; /* a beginning: "--ca" */
		else if (strlen(words[i]) <= WORD_MAX && apart(len, strlen(words[i])) < best)
			d = distance(text, words[i]);
		if (d < best) {
			best = d;
			nearest = words[i];
		}
	}
	return nearest;
}
