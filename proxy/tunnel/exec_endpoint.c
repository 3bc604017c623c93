/*
 * The endpoint of a program.  It leaves when it likes, with input unread or without
 * closing anything first: that is its end, not an error.
 */
#include <assert.h>
#include <termios.h>

#include "tunnel/exec.h"

static enum iores
program_read(struct endpoint *ep, struct stage *st, size_t want, size_t *n)
{
	enum iores r;

	if (endpoint_read_again(ep, st, want, n))
		return IO_OK;
	r = wire_read(&ep->wire, st->plain, want, n);
	return r == IO_RESET ? IO_EOF : r;
}

/* What nobody will read is not missed. */
static enum iores
program_write(struct endpoint *ep, struct stage *st, const uint8_t *p, size_t n)
{
	enum iores r = wire_write(&ep->wire, p, n);

	(void)st;
	if (n > 0)
		ep->line_open = p[n - 1] != '\n';
	return r == IO_RESET ? IO_OK : r;
}

static enum iores
program_flush(struct endpoint *ep)
{
	enum iores r = wire_flush(&ep->wire);

	return r == IO_RESET ? IO_OK : r;
}

static enum iores
socket_finish(struct endpoint *ep, struct stage *st)
{
	enum iores r = wire_finish(&ep->wire);

	(void)st;
	ep->finished = true;
	return r == IO_RESET ? IO_OK : r;
}

/*
 * A terminal has no half-close.  Where it takes lines, a character says so at the
 * beginning of one, and behind an unfinished line a second one does.  Where it does not,
 * the program learns nothing before the terminal hangs up.
 */
static enum iores
terminal_finish(struct endpoint *ep, struct stage *st)
{
	struct termios t;
	uint8_t eof[2];

	(void)st;
	if (!ep->finished && !ep->wire.broken && tcgetattr(ep->wire.wfd, &t) == 0 &&
	    (t.c_lflag & ICANON) != 0) {
		eof[0] = eof[1] = t.c_cc[VEOF];
		wire_write(&ep->wire, eof, ep->line_open ? 2 : 1);
	}
	ep->finished = true;
	return program_flush(ep);
}

static size_t
program_unsent(const struct endpoint *ep)
{
	return wire_unsent(&ep->wire);
}

static const struct endpoint_ops socket_ops = {
	program_read, program_write, program_flush, socket_finish, program_unsent,
};

static const struct endpoint_ops terminal_ops = {
	program_read, program_write, program_flush, terminal_finish, program_unsent,
};

void
endpoint_program(struct endpoint *ep, int fd, bool terminal)
{
	*ep = (struct endpoint){ .ops = terminal ? &terminal_ops : &socket_ops };
	wire_init(&ep->wire, fd, fd);
}
