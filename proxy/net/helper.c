/* The helper process as everybody else sees it. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "net/helper_priv.h"

/* How long its end is waited for, in steps of a millisecond. */
#define STOP_TRIES 2000

/* Room for requests under way; the kernel may grant less. */
#define SEND_BUFFER (1024 * 1024)

static struct helper *
failed(struct helper *h, const char *what, struct errmsg *e)
{
	errmsg_set(e, "cannot start the helper process: %s: %s", what, strerror(errno));
	free(h);
	return NULL;
}

/* In the helper: what it needs of this process, and that it dies with it. */
static _Noreturn void
begin(int sock, const struct helper_policy *policy, const struct rlimit *nofile,
    pid_t parent)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	helper_main(sock, policy, nofile);
}

struct helper *
helper_start(const struct helper_policy *policy, struct errmsg *e)
{
	const int size = SEND_BUFFER;
	pid_t parent = getpid();
	struct rlimit nofile;
	struct helper *h;
	int pair[2];

	if ((h = calloc(1, sizeof(*h))) == NULL ||
	    getrlimit(RLIMIT_NOFILE, &nofile) == -1)
		return failed(h, "memory", e);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return failed(h, "socketpair", e);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if ((h->pid = fork()) == 0)
		begin(pair[1], policy, &nofile, parent);
	close(pair[1]);
	if (h->pid == -1) {
		close(pair[0]);
		return failed(h, "fork", e);
	}
	h->sock = pair[0];
	pthread_mutex_init(&h->lock, NULL);
	return h;
}

void
helper_stop(struct helper *h)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	int tries = STOP_TRIES;

	if (h == NULL)
		return;
	close(h->sock);
	while (!h->dead && waitpid(h->pid, NULL, WNOHANG) == 0 && tries-- > 0)
		nanosleep(&ms, NULL);
	/* One that is stuck may be beyond us; it ends with the process then. */
	if (tries < 0 && kill(h->pid, SIGKILL) == 0)
		waitpid(h->pid, NULL, 0);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

pid_t
helper_pid(const struct helper *h)
{
	return h->pid;
}

int
helper_fd(const struct helper *h)
{
	return h == NULL || h->dead ? -1 : h->sock;
}

bool
helper_died(struct helper *h)
{
	struct pollfd p = { .fd = helper_fd(h) };

	if (p.fd == -1 || poll(&p, 1, 0) != 1 || (p.revents & POLLHUP) == 0)
		return false;
	waitpid(h->pid, NULL, 0);
	return h->dead = true;
}

/* Asks and waits.  Returns what was received (the caller frees it; head.value is 0), or
 * NULL with errno and the message set. */
static struct helper_message *
ask(struct helper *h, const struct helper_head *head, const void *text, size_t n,
    struct errmsg *e)
{
	struct helper_message *m;
	int rc = 0, why;

	if ((m = malloc(sizeof(*m))) == NULL)
		goto err0;
	pthread_mutex_lock(&h->lock);
	if (helper_send(h->sock, head, text, n, NULL, 0, 0) == 0)
		rc = helper_receive(h->sock, &m->head, m->text, sizeof(m->text) - 1,
		    &m->n, m->fds, &m->nfds, 0);
	if (rc == 0)
		errno = EPIPE;
	pthread_mutex_unlock(&h->lock);
	if (rc != 1)
		goto err1;
	if (m->head.value == 0)
		return m;
	m->text[m->n] = '\0';
	errmsg_set(e, "%s", m->text);
	errno = m->head.value;
	free(m);
	return NULL;

err1:
	why = errno;
	free(m);
	errno = why;
err0:
	errmsg_set(e, "the helper process: %s", strerror(errno));
	return NULL;
}

static struct helper_message *
ask_about(struct helper *h, enum helper_kind kind, const char *path)
{
	const struct helper_head head = { .kind = kind };
	struct errmsg e;

	return ask(h, &head, path, strlen(path) + 1, &e);
}

static int
ask_path(struct helper *h, enum helper_kind kind, const char *path)
{
	struct helper_message *m = ask_about(h, kind, path);
	int fd;

	if (m == NULL)
		return -1;
	fd = m->nfds == 1 ? m->fds[0] : -1;
	free(m);
	if (fd == -1)
		errno = EPROTO;
	return fd;
}

int
helper_open(struct helper *h, const char *path)
{
	return ask_path(h, ASK_OPEN, path);
}

/* Reads the file of names whole; *n bytes, a NUL behind each name. */
static char *
read_whole(int fd, size_t *n)
{
	struct stat st;
	char *text;
	ssize_t got;

	if (fstat(fd, &st) == -1 || (text = malloc((size_t)st.st_size + 1)) == NULL)
		return NULL;
	got = pread(fd, text, (size_t)st.st_size, 0);
	if (got != st.st_size) {
		free(text);
		return NULL;
	}
	*n = (size_t)got;
	return text;
}

static int
split_names(const char *text, size_t n, char ***names, size_t *count)
{
	const char *end = text + n;
	size_t most = 0, i = 0;

	for (const char *p = text; p < end; p += strlen(p) + 1)
		most++;
	if ((*names = calloc(most + 1, sizeof(**names))) == NULL)
		return -1;
	for (const char *p = text; p < end; p += strlen(p) + 1, i++)
		if (((*names)[i] = strdup(p)) == NULL) {
			while (i > 0)
				free((*names)[--i]);
			free(*names);
			return -1;
		}
	*count = most;
	return 0;
}

int
helper_names(struct helper *h, const char *path, char ***names, size_t *n)
{
	int fd, rc = -1, why;
	size_t size = 0;
	char *text;

	if ((fd = ask_path(h, ASK_NAMES, path)) == -1)
		return -1;
	if ((text = read_whole(fd, &size)) != NULL)
		rc = split_names(text, size, names, n);
	why = errno;
	free(text);
	close(fd);
	errno = why;
	return rc;
}

int
helper_listen(struct helper *h, const struct addr *a, bool overlaps, struct addr *bound,
    struct errmsg *e)
{
	const struct helper_head head = { .kind = ASK_LISTEN, .value = overlaps };
	struct helper_message *m;
	int fd = -1;

	if ((m = ask(h, &head, a, sizeof(*a), e)) == NULL)
		return -1;
	if (m->nfds == 1 && m->n == sizeof(*bound)) {
		memcpy(bound, m->text, sizeof(*bound));
		fd = m->fds[0];
	}
	free(m);
	return fd;
}

int
helper_lstat(struct helper *h, const char *path, struct stat *st)
{
	struct helper_message *m = ask_about(h, ASK_LSTAT, path);

	if (m == NULL)
		return -1;
	memcpy(st, m->text, sizeof(*st));
	free(m);
	return 0;
}

int
helper_unlink(struct helper *h, const char *path)
{
	struct helper_message *m = ask_about(h, ASK_UNLINK, path);

	free(m);
	return m != NULL ? 0 : -1;
}

int
helper_renew(struct helper *h, struct errmsg *e)
{
	const struct helper_head head = { .kind = ASK_RENEW };
	struct helper_message *m = ask(h, &head, NULL, 0, e);

	free(m);
	return m != NULL ? 0 : -1;
}

int
helper_succeed(struct helper *h, int fd, struct errmsg *e)
{
	const struct helper_head head = { .kind = ASK_SUCCEED };

	if (helper_send(h->sock, &head, NULL, 0, &fd, 1, 0) == -1)
		return errmsg_set(e, "the helper process: %s", strerror(errno));
	return 0;
}
