/* What a line looks like. */
#include <stdio.h>
#include <string.h>

#include "log_priv.h"

static const char *const level_names[] = {
	"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
};

/* The length of a text in a buffer of so many bytes that snprintf() filled. */
static size_t
cut(int n, size_t cap)
{
	return n < 0 ? 0 : (size_t)n < cap ? (size_t)n : cap - 1;
}

/* Control characters could forge lines or drive a terminal. */
static void
clean(char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '.';
}

/* One '\n' in place of what snprintf() put at the end. */
static size_t
end_line(char *line, size_t len)
{
	clean(line, len);
	line[len] = '\n';
	return len + 1;
}

size_t
log_text_stamped(const struct log_record *r, char *line)
{
	struct tm tm;

	localtime_r(&r->at.tv_sec, &tm);
	return end_line(line, cut(snprintf(line, LOG_LINE_BYTES,
	    "%04d.%02d.%02d %02d:%02d:%02d LOG%d[%s]: %s", tm.tm_year + 1900, tm.tm_mon + 1,
	    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, r->level, r->id, r->text),
	    LOG_LINE_BYTES));
}

size_t
log_text_held(const struct log_record *r, char *line)
{
	static const char marks[] = "***!:.  ";

	return end_line(line, cut(snprintf(line, LOG_LINE_BYTES, "[%c] %s",
	    marks[r->level & 7], r->text), LOG_LINE_BYTES));
}

size_t
log_text_bare(const struct log_record *r, char *line)
{
	size_t len = cut(snprintf(line, LOG_LINE_BYTES, "LOG%d[%s]: %s", r->level, r->id,
	    r->text), LOG_LINE_BYTES);

	clean(line, len);
	return len;
}

/* How many bytes a well-formed UTF-8 sequence has that begins here; 0: none does. */
static size_t
sequence(const unsigned char *p)
{
	unsigned first = p[0], least = 0x80, most = 0xbf;
	size_t n;

	if (first < 0x80)
		return 1;
	n = first >= 0xc2 && first <= 0xdf ? 2 : (first & 0xf0) == 0xe0 ? 3 :
	    first >= 0xf0 && first <= 0xf4 ? 4 : 0;
	/* No longer form of a shorter one, no surrogate, nothing past U+10FFFF. */
	if (first == 0xe0)
		least = 0xa0;
	else if (first == 0xed)
		most = 0x9f;
	else if (first == 0xf0)
		least = 0x90;
	else if (first == 0xf4)
		most = 0x8f;
	for (size_t i = 1; i < n; i++) {
		if (p[i] < least || p[i] > most)
			return 0;
		least = 0x80;
		most = 0xbf;
	}
	return n;
}

static char *
escape(char *to, unsigned c)
{
	if (c == '"' || c == '\\')
		return to + sprintf(to, "\\%c", (int)c);
	return to + sprintf(to, "\\u%04x", c);
}

/* A string of JSON; bytes that are no UTF-8 become U+FFFD.  As long as a line may be. */
static char *
quote(char *to, const char *name, const char *value)
{
	const unsigned char *p = (const unsigned char *)value, *end = p + LOG_LINE_BYTES;
	size_t n;

	to += sprintf(to, ",\"%s\":\"", name);
	for (; *p != '\0' && p < end; p += n) {
		n = sequence(p);
		if (n == 0) {
			to = escape(to, 0xfffd);
			n = 1;
		} else if (*p < 0x20 || *p == 0x7f || *p == '"' || *p == '\\') {
			to = escape(to, *p);
		} else {
			memcpy(to, p, n);
			to += n;
		}
	}
	*to++ = '"';
	return to;
}

/* RFC 3339: the zone is written with a colon. */
static char *
json_time(char *to, const struct timespec *at)
{
	char zone[16];
	struct tm tm;

	localtime_r(&at->tv_sec, &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	return to + sprintf(to, "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03d%.3s:%.2s\"",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    (int)(at->tv_nsec / 1000000), zone, zone + 3);
}

size_t
log_text_json(const struct log_record *r, char *line)
{
	char *to = json_time(line, &r->at);

	to = quote(to, "level", level_names[r->level & 7]);
	to = quote(to, "id", r->id);
	if (r->service[0] != '\0')
		to = quote(to, "service", r->service);
	to = quote(to, "text", r->text);
	to += sprintf(to, "}\n");
	return (size_t)(to - line);
}
