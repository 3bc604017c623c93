/* One handshake. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor_priv.h"

#define CIPHER_IN ((size_t)16384)

void
attempt_free(struct attempt *a)
{
	tls_session_free(a->tls);
	free(a->heard);
	*a = (struct attempt){ 0 };
}

/* Keeps what came, for those who want to know what was asked for. */
static void
keep(struct attempt *a, const void *data, size_t n)
{
	uint8_t *more = a->greeted ? NULL : realloc(a->heard, a->nheard + n);

	if (more == NULL)
		return;
	memcpy(more + a->nheard, data, n);
	a->heard = more;
	a->nheard += n;
}

static int
ended(struct phone *p, enum iores r)
{
	tls_session_failure(p->attempt->tls, &p->attempt->why);
	return phone_fail(p, r == IO_ALERT ? ATTEMPT_ALERT : ATTEMPT_FAILED);
}

/* Hands over what the session wants to send. */
static int
send_out(struct phone *p, struct tls_io *io)
{
	int rc = phone_send(p, io->out, io->out_len);

	io->out_len = 0;
	return rc;
}

/* More ciphertext: 0, or -1 with the end. */
static int
hear(struct phone *p, struct tls_io *io, uint8_t *in, size_t cap)
{
	int n = phone_receive(p, in, cap);

	if (n > 0) {
		keep(p->attempt, in, (size_t)n);
		io->in = in;
		io->in_len = (size_t)n;
		return 0;
	}
	if (n == 0)
		return phone_fail(p, ATTEMPT_CLOSED);
	return phone_fail(p, tls_session_began(p->attempt->tls) ? ATTEMPT_SLOW : ATTEMPT_SILENT);
}

/* Goes on until the handshake is over. */
static int
shake(struct phone *p, struct tls_io *io, uint8_t *in)
{
	enum iores r;

	do {
		r = tls_session_handshake(p->attempt->tls, io);
		if (send_out(p, io) == -1 && r == IO_WANT)
			return -1;
		if (r != IO_OK && r != IO_WANT)
			return ended(p, r);
		if (r == IO_WANT && hear(p, io, in, CIPHER_IN) == -1)
			return -1;
	} while (r == IO_WANT);
	p->attempt->greeted = true;
	return 0;
}

/*
 * In TLS 1.3 we are done before the server has seen our certificate; so we say goodbye, behind
 * which it has nothing to say but that it refuses us.  A server that does not answer has
 * not refused.
 */
static int
part(struct phone *p, struct tls_io *io, uint8_t *in)
{
	struct tls_session *tls = p->attempt->tls;
	char plain[4096];
	enum iores r;
	size_t n;

	tls_session_finish(tls, io);
	if (send_out(p, io) == -1)
		return 0;
	for (;;) {
		r = tls_session_read(tls, io, plain, sizeof(plain), &n);
		if (r == IO_ALERT)
			return ended(p, r);
		io->out_len = 0;
		if (r != IO_OK && r != IO_WANT)
			return 0;
		if (r == IO_WANT && hear(p, io, in, CIPHER_IN) == -1)
			return 0;
	}
}

static void
converse(struct phone *p, const struct conf_service *c, struct tls_context *context,
    const char *sni)
{
	struct attempt *a = p->attempt;
	struct tls_io io = { .out_cap = TLS_OUT_HANDSHAKE };
	uint8_t *in = malloc(CIPHER_IN + TLS_OUT_HANDSHAKE);

	a->end = ATTEMPT_FAILED;
	if (in == NULL) {
		errmsg_set(&a->why, "out of memory");
		return;
	}
	io.out = in + CIPHER_IN;
	if (phone_preface(p, c) == 0 &&
	    (a->tls = tls_session_new(context, sni, NULL, 0, &a->why)) != NULL &&
	    shake(p, &io, in) == 0 && part(p, &io, in) == 0)
		a->end = ATTEMPT_DONE;
	free(in);
}

void
attempt_run(struct attempt *a, const struct conf_service *c, const struct addr *to,
    struct tls_context *context, const char *sni, unsigned seconds)
{
	struct phone p = { .fd = -1, .attempt = a };

	*a = (struct attempt){ .end = ATTEMPT_DONE };
	phone_patience(&p, seconds);
	if (phone_dial(&p, to) == 0)
		converse(&p, c, context, sni);
	if (p.fd != -1)
		close(p.fd);
}

int
attempt_reach(struct attempt *a, const struct addr *to, unsigned seconds)
{
	struct phone p = { .fd = -1, .attempt = a };
	int rc;

	phone_patience(&p, seconds);
	rc = phone_dial(&p, to);
	if (p.fd != -1)
		close(p.fd);
	return rc;
}
