#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log_priv.h"

struct log_sinks {
	struct log_config conf; /* owns its strings */
	struct log_stream err, file;
	struct log_syslog syslog;
	unsigned long unheard; /* lost to syslog */
	int unheard_why;
};

static struct log_sinks first = {
	.conf.to_stderr = true,
	.err = { .fd = STDERR_FILENO, .name = "stderr", .alone = true },
	.file.fd = -1,
	.syslog.fd = -1,
};

/* A line in the sinks' own format. */
static size_t
format(const struct log_sinks *s, const struct log_record *r, char *line)
{
	return s->conf.json ? log_text_json(r, line) : log_text_stamped(r, line);
}

static size_t
format_loss(const struct log_sinks *s, const char *name, unsigned long lost, int why,
    char *line)
{
	char text[160];
	struct log_record r = { .level = LOG_WARNING, .id = "main", .service = "", .text = text };

	clock_gettime(CLOCK_REALTIME, &r.at);
	snprintf(text, sizeof(text), "%lu log lines lost: %.64s: %s", lost, name, strerror(why));
	return format(s, &r, line);
}

static void
flush(const struct log_sinks *s, struct log_stream *st)
{
	char note[LOG_JSON_BYTES];
	size_t n = 0;

	if (st->used == 0)
		return;
	if (st->lost > 0)
		n = format_loss(s, st->name, st->lost, st->why, note);
	log_stream_flush(st, note, n);
}

static void
put(const struct log_sinks *s, struct log_stream *st, const char *line, size_t n)
{
	if (st->fd == -1)
		return;
	if (n > sizeof(st->chunk) - st->used)
		flush(s, st);
	log_stream_put(st, line, n);
}

/* What syslog lost is told to the others, and to it when it is there again. */
static void
syslog_put(struct log_sinks *s, const struct log_record *r)
{
	char text[160];
	struct log_record loss = { .level = LOG_WARNING, .at = r->at, .id = "main",
	    .service = "", .text = text };
	int why = log_syslog_put(&s->syslog, r);

	if (why != 0) {
		s->unheard++;
		s->unheard_why = why;
	} else if (s->unheard > 0) {
		snprintf(text, sizeof(text), "%lu log lines lost: syslog: %s", s->unheard,
		    strerror(s->unheard_why));
		s->unheard = 0;
		log_syslog_put(&s->syslog, &loss);
	}
}

void
log_sinks_put(struct log_sinks *s, const struct log_record *r)
{
	char line[LOG_JSON_BYTES];
	size_t n;

	if (s->err.fd != -1 || s->file.fd != -1) {
		n = format(s, r, line);
		put(s, &s->file, line, n);
		put(s, &s->err, line, n);
	}
	if (s->conf.to_syslog)
		syslog_put(s, r);
}

void
log_sinks_flush(struct log_sinks *s)
{
	flush(s, &s->file);
	flush(s, &s->err);
}

/* What is open already may be a socket, which has no name to open it by. */
static int
open_file(const char *path, bool overwrite)
{
	if (strcmp(path, "/dev/stdout") == 0)
		return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (strcmp(path, "/dev/stderr") == 0)
		return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	/* A FIFO without a reader must not hold us up. */
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK |
	    (overwrite ? O_TRUNC : 0), 0640);
}

static char *
copy(const char *s, bool *ok)
{
	char *new = s != NULL ? strdup(s) : NULL;

	*ok = *ok && (s == NULL || new != NULL);
	return new;
}

static void
release(struct log_sinks *s)
{
	if (s->file.fd != -1)
		close(s->file.fd);
	log_syslog_close(&s->syslog);
	free((char *)s->conf.file);
	free((char *)s->conf.ident);
	free((char *)s->conf.syslog_path);
	free(s);
}

struct log_sinks *
log_sinks_first(void)
{
	return &first;
}

struct log_sinks *
log_sinks_new(const struct log_config *c, struct errmsg *e)
{
	struct log_sinks *s;
	bool ok = true;

	if ((s = calloc(1, sizeof(*s))) == NULL) {
		errmsg_set(e, "out of memory");
		return NULL;
	}
	s->conf = *c;
	s->conf.file = copy(c->file, &ok);
	s->conf.ident = copy(c->ident, &ok);
	s->conf.syslog_path = copy(c->syslog_path, &ok);
	s->err.fd = c->to_stderr ? STDERR_FILENO : -1;
	s->err.name = "stderr";
	s->file.fd = s->syslog.fd = -1;
	s->err.alone = s->file.alone = c->to_stderr + (c->file != NULL) + c->to_syslog == 1;
	s->file.name = s->conf.file;
	if (!ok) {
		errmsg_set(e, "out of memory");
		goto err;
	}
	if (c->file != NULL && (s->file.fd = open_file(c->file, c->overwrite)) == -1) {
		errmsg_set(e, "output = %s: %s", c->file, strerror(errno));
		goto err;
	}
	if (c->to_syslog)
		log_syslog_open(&s->syslog, c);
	return s;

err:
	release(s);
	return NULL;
}

struct log_sinks *
log_sinks_again(const struct log_sinks *s, struct errmsg *e)
{
	struct log_config c = s->conf;

	c.overwrite = false;
	return log_sinks_new(&c, e);
}

void
log_sinks_free(struct log_sinks *s)
{
	log_sinks_flush(s);
	if (s != &first)
		release(s);
}
