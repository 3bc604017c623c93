#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/prompt.h"

/* Those that end or stop a process whose terminal would stay without echo. */
static const int signals[] = { SIGALRM, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP,
	SIGTTIN, SIGTTOU };

#define NSIGNALS (sizeof(signals) / sizeof(signals[0]))

static volatile sig_atomic_t caught;

static void
note(int sig)
{
	caught = sig;
}

/* How signals were dealt with before. */
struct before {
	struct sigaction actions[NSIGNALS];
	sigset_t mask;
};

static void
take_signals(struct before *b)
{
	struct sigaction sa = { .sa_handler = note };
	sigset_t ours;

	sigemptyset(&sa.sa_mask);
	sigemptyset(&ours);
	for (size_t i = 0; i < NSIGNALS; i++) {
		sigaction(signals[i], &sa, &b->actions[i]);
		sigaddset(&ours, signals[i]);
	}
	sigprocmask(SIG_UNBLOCK, &ours, &b->mask);
}

static void
return_signals(const struct before *b)
{
	sigprocmask(SIG_SETMASK, &b->mask, NULL);
	for (size_t i = 0; i < NSIGNALS; i++)
		sigaction(signals[i], &b->actions[i], NULL);
}

static int
say(int tty, const char *text)
{
	return write(tty, text, strlen(text)) == -1 ? -1 : 0;
}

/* Reads a line.  Returns 0, -1 with errno set (EINTR: a signal came), or 1 when it is over before
 * there was one; what is too long is EMSGSIZE. */
static int
read_line(int tty, char *buf, size_t cap)
{
	bool over = false;
	ssize_t got = 0;
	size_t n = 0;
	char c = 0;

	while (caught == 0 && (got = read(tty, &c, 1)) == 1 && c != '\n' && c != '\r') {
		over = over || n + 1 >= cap;
		if (!over)
			buf[n++] = c;
	}
	buf[n] = '\0';
	c = 0;
	if (caught != 0)
		errno = EINTR;
	else if (over)
		errno = EMSGSIZE;
	if (caught != 0 || got == -1 || over)
		return -1;
	return got == 0 ? 1 : 0;
}

/* One question, on a terminal that is given back as it was. */
static int
ask(int tty, const char *question, char *buf, size_t cap)
{
	struct termios shown, hidden;
	struct before before;
	int rc, why;

	caught = 0;
	take_signals(&before);
	if ((rc = tcgetattr(tty, &shown)) == 0) {
		hidden = shown;
		hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
		hidden.c_lflag |= ICANON | ISIG;
		if ((rc = tcsetattr(tty, TCSAFLUSH, &hidden)) == 0) {
			rc = say(tty, question);
			rc = rc == 0 ? read_line(tty, buf, cap) : rc;
			why = errno;
			say(tty, "\n");
			while (tcsetattr(tty, TCSAFLUSH, &shown) == -1 && errno == EINTR)
				;
			errno = why;
		}
	}
	why = errno;
	return_signals(&before);
	errno = why;
	return rc;
}

static bool
stops(int sig)
{
	return sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

int
prompt_secret(const char *question, char *buf, size_t cap, struct errmsg *e)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), rc, why;

	if (tty == -1)
		return 1;
	do {
		rc = ask(tty, question, buf, cap);
		why = errno;
		if (rc != 0)
			explicit_bzero(buf, cap);
		if (caught != 0)
			raise(caught);
		/* Who was stopped and goes on is asked again. */
	} while (caught != 0 && stops(caught));
	close(tty);
	if (rc == 0 && caught == 0)
		return 0;
	explicit_bzero(buf, cap);
	return errmsg_set(e, "no passphrase was typed%s%s", rc == -1 || caught != 0 ? ": " : "",
	    caught != 0 ? strsignal(caught) : rc != -1 ? "" :
	    why == EMSGSIZE ? "the line is too long" : strerror(why));
}
