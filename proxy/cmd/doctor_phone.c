/* A connection that is waited for, and what is said on it before TLS. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "doctor_priv.h"
#include "tunnel/preface.h"
#include "net/sock.h"

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void
phone_patience(struct phone *p, unsigned seconds)
{
	p->deadline = now_ms() + (uint64_t)seconds * 1000;
}

int
phone_fail(struct phone *p, enum attempt_end end)
{
	p->attempt->end = end;
	return -1;
}

/* Waits until the socket is ready; -1 with errno set. */
static int
await(const struct phone *p, short events)
{
	struct pollfd set = { .fd = p->fd, .events = events };
	uint64_t now;
	int n;

	do {
		now = now_ms();
		n = now >= p->deadline ? 0 : poll(&set, 1, (int)(p->deadline - now));
	} while (n == -1 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0 ? 0 : -1;
}

static const char *
dial_text(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return "connection refused: nothing listens at this port, or a firewall says so";
	case ETIMEDOUT:
		return "no answer: the machine is off, or a firewall drops what we send";
	case EHOSTUNREACH:
	case ENETUNREACH:
		return "there is no way to it: look at the routes and the address";
	case ENOENT:
		return "there is no such socket";
	default:
		return strerror(error);
	}
}

int
phone_dial(struct phone *p, const struct addr *to)
{
	static const struct sock_setup plain;
	bool pending = false;
	int error = 0;

	p->fd = sock_connect(to, &plain, &pending);
	if (p->fd == -1)
		error = errno;
	else if (pending)
		error = await(p, POLLOUT) == -1 ? errno : sock_outcome(p->fd);
	if (error == 0)
		return 0;
	errmsg_set(&p->attempt->why, "%s", dial_text(error));
	return phone_fail(p, ATTEMPT_UNREACHABLE);
}

int
phone_send(struct phone *p, const void *data, size_t n)
{
	const char *at = data;
	ssize_t sent;

	while (n > 0) {
		sent = send(p->fd, at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent == -1 && errno != EAGAIN && errno != EINTR)
			return phone_fail(p, ATTEMPT_CLOSED);
		if (sent == -1 && await(p, POLLOUT) == -1)
			return phone_fail(p, ATTEMPT_SLOW);
		if (sent > 0) {
			at += sent;
			n -= (size_t)sent;
		}
	}
	return 0;
}

int
phone_receive(struct phone *p, void *data, size_t cap)
{
	ssize_t n;

	while ((n = recv(p->fd, data, cap, MSG_DONTWAIT)) == -1) {
		if (errno != EAGAIN && errno != EINTR)
			return 0;
		if (await(p, POLLIN) == -1)
			return phone_fail(p, ATTEMPT_SLOW);
	}
	return (int)n;
}

/* A line of at most that size, read to its end and not further. */
static int
read_line(struct phone *p, char *line, size_t size)
{
	size_t n = 0;
	int got;

	while (n + 1 < size) {
		if ((got = phone_receive(p, line + n, 1)) == -1) {
			errmsg_set(&p->attempt->why, "it did not answer in time");
			return phone_fail(p, ATTEMPT_PREFACE);
		}
		if (got == 0) {
			errmsg_set(&p->attempt->why, "it closed the connection");
			return phone_fail(p, ATTEMPT_PREFACE);
		}
		if (line[n] == '\n')
			break;
		n++;
	}
	line[n] = '\0';
	line[strcspn(line, "\r")] = '\0';
	return 0;
}

/* What is not for a terminal's eyes. */
static void
make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
			*text = '?';
}

/* Says something (or nothing) and waits for an answer that begins so.  Lines that go on ("250-")
 * and others that an IMAP server may send ("* ") are passed over. */
static int
dialogue(struct phone *p, const char *say, const char *want)
{
	char line[512];

	if (phone_send(p, say, strlen(say)) == -1)
		return -1;
	for (int i = 0; i < 100; i++) {
		if (read_line(p, line, sizeof(line)) == -1)
			return -1;
		if (strncmp(line, want, strlen(want)) == 0)
			return 0;
		if ((strlen(line) < 4 || line[3] != '-') && strncmp(line, "* ", 2) != 0)
			break;
	}
	make_printable(line);
	errmsg_set(&p->attempt->why, "it answered \"%.200s\" where \"%s\" was expected%s%.*s", line,
	    want, *say ? " to " : "", (int)strcspn(say, "\r"), say);
	return phone_fail(p, ATTEMPT_PREFACE);
}

/* PostgreSQL's SSLRequest, which is answered by one letter. */
static int
ask_pgsql(struct phone *p)
{
	static const uint8_t request[] = { 0, 0, 0, 8, 4, 210, 22, 47 };
	char answer;

	if (phone_send(p, request, sizeof(request)) == -1)
		return -1;
	if (phone_receive(p, &answer, 1) == 1 && answer == 'S')
		return 0;
	errmsg_set(&p->attempt->why, "it does not offer TLS to PostgreSQL's clients: set ssl = on "
	    "there");
	return phone_fail(p, ATTEMPT_PREFACE);
}

/* Sends what a talk has to say, and forgets it. */
static int
say_out(struct phone *p, struct buf *out)
{
	int rc = out->len == 0 ? 0 : phone_send(p, buf_head(out), out->len);

	buf_free(out);
	return rc;
}

/* LDAP's is no talk of lines: a tunnel's own is held. */
static int
ask_ldap(struct phone *p, const struct conf_service *c)
{
	struct preface talk = { .conf = c };
	enum preface_verdict v = PREFACE_MORE;
	uint8_t heard[1024];
	size_t n = 0, used;
	int got, rc = 0;

	preface_begin(&talk, c);
	while (rc == 0 && v == PREFACE_MORE) {
		used = 0;
		v = preface_ldap_client(&talk, heard, n, &used, &p->attempt->why);
		memmove(heard, heard + used, n - used);
		n -= used;
		rc = say_out(p, &talk.out[PREFACE_UP]);
		if (rc == -1 || v != PREFACE_MORE)
			break;
		got = n < sizeof(heard) ? phone_receive(p, heard + n, 1) : 0;
		if (got <= 0) {
			errmsg_set(&p->attempt->why, got == 0 ? "it closed the connection, or says too "
			    "much" : "it did not answer in time");
			v = PREFACE_FAILED;
		}
		n += got > 0 ? (size_t)got : 0;
	}
	preface_free(&talk);
	return rc == 0 && v == PREFACE_DONE ? 0 : phone_fail(p, ATTEMPT_PREFACE);
}

/* What each says. */
static const struct script {
	enum conf_protocol protocol;
	struct {
		const char *say, *want;
	} lines[3];
} scripts[] = {
	{ PROTOCOL_SMTP, { { "", "220 " }, { "EHLO localhost\r\n", "250 " },
	    { "STARTTLS\r\n", "220 " } } },
	{ PROTOCOL_POP3, { { "", "+OK" }, { "STLS\r\n", "+OK" } } },
	{ PROTOCOL_IMAP, { { "", "* " }, { "a STARTTLS\r\n", "a OK" } } },
	{ PROTOCOL_NNTP, { { "", "20" }, { "STARTTLS\r\n", "382" } } },
};

#define NSCRIPTS (sizeof(scripts) / sizeof(scripts[0]))

static const struct script *
script_of(enum conf_protocol protocol)
{
	for (size_t i = 0; i < NSCRIPTS; i++)
		if (scripts[i].protocol == protocol)
			return &scripts[i];
	return NULL;
}

bool
phone_knows(enum conf_protocol protocol)
{
	return protocol == PROTOCOL_NONE || protocol == PROTOCOL_PGSQL ||
	    protocol == PROTOCOL_LDAP || script_of(protocol) != NULL;
}

int
phone_preface(struct phone *p, const struct conf_service *c)
{
	const struct script *s = script_of(c->protocol);

	if (c->protocol == PROTOCOL_PGSQL)
		return ask_pgsql(p);
	if (c->protocol == PROTOCOL_LDAP)
		return ask_ldap(p, c);
	for (size_t i = 0; s != NULL && i < 3 && s->lines[i].want != NULL; i++)
		if (dialogue(p, s->lines[i].say, s->lines[i].want) == -1)
			return -1;
	return 0;
}
