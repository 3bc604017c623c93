/* The helper process. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "net/helper_priv.h"

/* Each program takes one to three descriptors here. */
#define NOFILE_MAX 1048576

struct ear {
	int fd;
	void (*heard)(struct ear *);
};

#define OF(type, member, p) ((type *)((char *)(p) - offsetof(type, member)))

/* A program, from its fork to its end. */
struct child {
	struct child *next;
	pid_t pid;
	struct ear teller;  /* its own socket; -1: nobody listens */
	struct ear born; /* ends when it has become the program; -1: it has, or failed */
	int pty;            /* its terminal's master, until it is sent off; or -1 */
	bool failed;
};

/* The one of this process. */
static struct {
	int epfd, sock;
	struct ear asked, died;
	const struct helper_policy *policy;
	const struct rlimit *nofile;
	struct child *children;
	struct helper_message message;
} self;

static void
listen_to(struct ear *ear, int fd, void (*heard)(struct ear *))
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = ear };

	ear->fd = fd;
	ear->heard = heard;
	if (epoll_ctl(self.epfd, EPOLL_CTL_ADD, fd, &ev) == -1)
		_exit(1);
}

/* Closed only here, so that none is in the epoll that is not ours. */
static void
deafen(struct ear *ear)
{
	if (ear->fd == -1)
		return;
	epoll_ctl(self.epfd, EPOLL_CTL_DEL, ear->fd, NULL);
	close(ear->fd);
	ear->fd = -1;
}

static void
tell(struct child *c, enum helper_kind kind, int value, const char *text)
{
	const struct helper_head head = { .kind = kind, .value = value, .pid = c->pid };

	if (c->teller.fd != -1)
		helper_send(c->teller.fd, &head, text, strlen(text), &c->pty,
		    kind == TELL_STARTED && c->pty != -1, MSG_DONTWAIT);
}

/* Text on the pipe is why it failed; the pipe's end without any is exec's doing. */
static void
is_born(struct ear *ear)
{
	struct child *c = OF(struct child, born, ear);
	struct errmsg e;
	ssize_t n;

	do {
		n = read(ear->fd, e.text, sizeof(e.text) - 1);
	} while (n == -1 && errno == EINTR);
	deafen(ear);
	e.text[n > 0 ? n : 0] = '\0';
	c->failed = n != 0;
	tell(c, c->failed ? TELL_FAILED : TELL_STARTED, 0, e.text);
	if (c->pty != -1)
		close(c->pty);
	c->pty = -1;
}

/* To the whole session; to the child alone when it has none of its own yet. */
static void
hang_up(const struct child *c)
{
	if (kill(-c->pid, SIGHUP) == -1)
		kill(c->pid, SIGHUP);
	kill(-c->pid, SIGCONT);
}

static void
teller_asks(struct ear *ear)
{
	struct child *c = OF(struct child, teller, ear);
	int fds[HELPER_FDS];
	struct helper_head head;
	size_t n, nfds;
	char text[1];

	switch (helper_receive(ear->fd, &head, text, 0, &n, fds, &nfds, MSG_DONTWAIT)) {
	case 1:
		if (head.kind == ASK_HANGUP)
			hang_up(c);
		while (nfds > 0)
			close(fds[--nfds]);
		return;
	case 0:
		deafen(ear);
		return;
	default:
		if (errno != EAGAIN)
			deafen(ear);
	}
}

static void
child_ended(pid_t pid, int status)
{
	struct child **p, *c;

	for (p = &self.children; (c = *p) != NULL && c->pid != pid;)
		p = &c->next;
	if (c == NULL)
		return;
	*p = c->next;
	if (c->born.fd != -1)
		is_born(&c->born);
	if (!c->failed)
		tell(c, TELL_EXITED, status, "");
	deafen(&c->teller);
	free(c);
}

static void
some_died(struct ear *ear)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(ear->fd, &info, sizeof(info)) == sizeof(info))
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		child_ended(pid, status);
}

/* In the child. */
static _Noreturn void
child_begins(const struct helper_start *s, int born)
{
	struct errmsg e;
	ssize_t n;

	helper_become(s, &e);
	n = write(born, e.text, strlen(e.text));
	_exit(n > 0 ? 127 : 126);
}

/* Returns 0, or -1 with the message filled. */
static int
child_start(struct child *c, struct helper_start *s, struct errmsg *e)
{
	int born[2];

	c->pty = -1;
	if (s->pty && (c->pty = helper_terminal(self.policy, &s->in, e)) == -1)
		return -1;
	if (pipe2(born, O_CLOEXEC) == -1) {
		errmsg_set(e, "cannot make a pipe: %s", strerror(errno));
		goto err;
	}
	if ((c->pid = fork()) == 0)
		child_begins(s, born[1]);
	close(born[1]);
	if (c->pid == -1) {
		errmsg_set(e, "cannot fork: %s", strerror(errno));
		close(born[0]);
		goto err;
	}
	if (s->pty)
		close(s->in);
	listen_to(&c->born, born[0], is_born);
	return 0;

err:
	if (s->pty) {
		close(c->pty);
		close(s->in);
	}
	return -1;
}

/* The next text of a message, or NULL. */
static char *
next_text(char **p, const char *end)
{
	char *text = *p, *nul = memchr(text, '\0', (size_t)(end - text));

	if (nul == NULL)
		return NULL;
	*p = nul + 1;
	return text;
}

/* A list of pointers into the message; NULL when it is malformed or memory ran out. */
static char **
text_list(char **p, const char *end, uint32_t n)
{
	char **list = NULL;

	if (n > HELPER_TEXT || (list = calloc((size_t)n + 1, sizeof(*list))) == NULL)
		return NULL;
	for (uint32_t i = 0; i < n; i++)
		if ((list[i] = next_text(p, end)) == NULL) {
			free(list);
			return NULL;
		}
	return list;
}

/* Returns 0, or -1 with the message filled. */
static int
spawn(struct child *c, struct helper_message *m, struct errmsg *e)
{
	bool pty = m->head.value & SPAWN_PTY;
	struct helper_start s = { .policy = self.policy,
		.nofile = self.nofile,
		.pty = pty,
		.in = m->nfds > 1 ? m->fds[1] : -1 };
	char *p = m->text;
	const char *end = m->text + m->n;
	int rc = -1;

	errmsg_set(e, "malformed request, or out of memory");
	s.path = next_text(&p, end);
	s.argv = s.path != NULL ? text_list(&p, end, m->head.nargs) : NULL;
	s.env = s.argv != NULL ? text_list(&p, end, m->head.nenv) : NULL;
	if (s.env != NULL && m->nfds == (pty ? 1 : 2))
		rc = child_start(c, &s, e);
	free(s.argv);
	free(s.env);
	return rc;
}

/* The program's own socket is fds[0]; the others are closed by the caller. */
static void
answer_spawn(struct helper_message *m)
{
	const struct helper_head failed = { .kind = TELL_FAILED };
	struct errmsg e = { .text = "out of memory" };
	struct child *c = calloc(1, sizeof(*c));

	if (c == NULL || spawn(c, m, &e) == -1) {
		helper_send(m->fds[0], &failed, e.text, strlen(e.text), NULL, 0,
		    MSG_DONTWAIT);
		free(c);
		return;
	}
	listen_to(&c->teller, m->fds[0], teller_asks);
	m->fds[0] = -1;
	c->next = self.children;
	self.children = c;
}

/* Nobody's child from the start: it outlives both processes. */
static void
succeed(const struct helper_message *m)
{
	const struct helper_policy *p = self.policy;

	if (p->succeed == NULL || m->nfds != 1 || fork() != 0)
		return;
	if (fork() == 0)
		p->succeed(p->arg, m->fds[0]);
	_exit(1);
}

/* The process that we help has gone or wants us to: what it last asked of the programs is
 * still done. */
static _Noreturn void
end(void)
{
	for (struct child *c = self.children; c != NULL; c = c->next)
		if (c->teller.fd != -1)
			teller_asks(&c->teller);
	_exit(0);
}

static void
is_asked(struct ear *ear)
{
	struct helper_message *m = &self.message;
	int rc;

	rc = helper_receive(ear->fd, &m->head, m->text, sizeof(m->text), &m->n, m->fds,
	    &m->nfds, 0);
	if (rc == 0)
		end();
	/* Lost descriptors close at the asker's, who learns it so. */
	if (rc == -1)
		return;
	if (m->head.kind == ASK_SPAWN && m->nfds > 0)
		answer_spawn(m);
	else if (m->head.kind == ASK_SUCCEED)
		succeed(m);
	else if (m->head.kind != ASK_SPAWN)
		helper_answer(ear->fd, self.policy, m);
	while (m->nfds > 0)
		if (m->fds[--m->nfds] != -1)
			close(m->fds[m->nfds]);
}

/* Keeps the socket, and descriptor 2 where programs may use it: a listener or a pipe that
 * somebody waits on must not live on here.  Returns the socket. */
static int
drop_descriptors(int sock, bool errors)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd <= (errors ? 1 : 2); fd++)
		if (dup2(null, fd) == -1)
			_exit(1);
	if (sock != 3 && dup3(sock, 3, O_CLOEXEC) == -1)
		_exit(1);
	if (syscall(SYS_close_range, 4u, ~0u, 0u) == -1)
		for (int fd = 4; fd < NOFILE_MAX; fd++)
			close(fd);
	return 3;
}

/* What was meant for the process that we help alone. */
static void
drop_environment(void)
{
	static const char *const names[] = { "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID",
		"LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
}

static void
raise_nofile(void)
{
	struct rlimit rl = *self.nofile;

	rl.rlim_cur = rl.rlim_max < NOFILE_MAX ? rl.rlim_max : NOFILE_MAX;
	setrlimit(RLIMIT_NOFILE, &rl);
}

void
helper_main(int sock, const struct helper_policy *policy, const struct rlimit *nofile)
{
	struct epoll_event ev;
	struct ear *ear;
	sigset_t chld;

	prctl(PR_SET_NAME, "sluss-helper");
	self.sock = drop_descriptors(sock, !policy->stderr_is_peer);
	self.policy = policy;
	self.nofile = nofile;
	drop_environment();
	/* Who has taken the process over could lead us elsewhere by a link. */
	if (policy->owner != 0)
		file_distrust(policy->owner);
	raise_nofile();
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	signal(SIGCHLD, SIG_DFL);
	if ((self.epfd = epoll_create1(EPOLL_CLOEXEC)) == -1)
		_exit(1);
	listen_to(&self.asked, self.sock, is_asked);
	listen_to(&self.died, signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK), some_died);
	/* One at a time: what an event does away with is in no event behind it. */
	for (;;)
		if (epoll_wait(self.epfd, &ev, 1, -1) == 1) {
			ear = ev.data.ptr;
			ear->heard(ear);
		}
}
