#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/systemd.h"
#include "server/upgrade.h"

#include "channel_priv.h"

/* The descriptor of the channel in the new process. */
#define CHANNEL_FD 3

/* How much of what it writes to stderr is kept. */
#define COMPLAINT 1024

struct upgrade {
	int sock;
	bool told;    /* to go */
	char complaint[COMPLAINT];
	char pidfile[PATH_MAX];
};

/* How we were started, and what the new process gets. */
static struct {
	char path[PATH_MAX];  /* of the program file, as it was then */
	char *line;           /* the arguments, each ended by a NUL */
	char **argv;
	int folder;           /* the folder that we were in */
	struct rlimit files;
	char **env;
} origin = { .folder = -1 };

static char channel_variable[] = CHANNEL_VARIABLE "=3";

/* All of a file of /proc, which has no size. */
static char *
slurp(const char *path, size_t *len)
{
	char *text = NULL, *more;
	ssize_t n = 1;
	int fd;

	*len = 0;
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return NULL;
	while (n > 0) {
		if ((more = realloc(text, *len + 4097)) == NULL)
			break;
		text = more;
		if ((n = read(fd, text + *len, 4096)) > 0)
			*len += (size_t)n;
		text[*len] = '\0';
	}
	close(fd);
	return text;
}

static void
remember_arguments(void)
{
	size_t len, n = 0;
	char *p;

	if ((origin.line = slurp("/proc/self/cmdline", &len)) == NULL)
		return;
	for (size_t i = 0; i < len; i++)
		n += origin.line[i] == '\0';
	if ((origin.argv = calloc(n + 2, sizeof(*origin.argv))) == NULL)
		return;
	n = 0;
	for (p = origin.line; p < origin.line + len; p += strlen(p) + 1)
		origin.argv[n++] = p;
}

/* What stands in the environment now, the manager's variables, and ours. */
static void
remember_environment(void)
{
	const char *const *kept = systemd_environment();
	size_t n = 0, k = 0, out = 0;

	while (environ[n] != NULL)
		n++;
	while (kept[k] != NULL)
		k++;
	if ((origin.env = calloc(n + k + 2, sizeof(*origin.env))) == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		origin.env[out++] = environ[i];
	for (size_t i = 0; i < k; i++)
		origin.env[out++] = (char *)(uintptr_t)kept[i];
	origin.env[out] = channel_variable;
}

void
upgrade_remember(void)
{
	ssize_t n;

	n = readlink("/proc/self/exe", origin.path, sizeof(origin.path) - 1);
	origin.path[n > 0 ? n : 0] = '\0';
	remember_arguments();
	remember_environment();
	origin.folder = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	getrlimit(RLIMIT_NOFILE, &origin.files);
}

void
upgrade_to_folder(void)
{
	int rc = origin.folder != -1 ? fchdir(origin.folder) : -1;

	(void)rc; /* where names are looked up then fails, and says so */
}

void
upgrade_leave_folder(void)
{
	if (origin.folder != -1)
		close(origin.folder);
	origin.folder = -1;
}

void
upgrade_forget(void)
{
	free(origin.line);
	free(origin.argv);
	free(origin.env);
	upgrade_leave_folder();
	memset(&origin, 0, sizeof(origin));
	origin.folder = -1;
}

/* It starts as we did: signals and limits as they were, our channel, nothing else. */
static void
start_anew(int fd)
{
	sigset_t none;

	/* First the folder: its descriptor may be the one that the channel gets.  The
	 * helper process has it no more, but is still there. */
	if (fchdir(origin.folder) == -1 && errno != EBADF && errno != ENOTDIR)
		return;
	if (dup2(fd, CHANNEL_FD) == -1 || fcntl(CHANNEL_FD, F_SETFD, 0) == -1 ||
	    dup2(CHANNEL_FD, STDERR_FILENO) == -1)
		return;
	setrlimit(RLIMIT_NOFILE, &origin.files);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* A name with a folder is followed anew: a link may have been turned. */
	if (strchr(origin.argv[0], '/') != NULL)
		execve(origin.argv[0], origin.argv, origin.env);
	execve(origin.path, origin.argv, origin.env);
}

void
upgrade_become(int fd)
{
	static const char sorry[] = "the program file cannot be started: ";
	struct iovec parts[2] = { { .iov_base = (char *)(uintptr_t)sorry,
		.iov_len = sizeof(sorry) - 1 } };
	const char *why;

	start_anew(fd);
	why = strerrordesc_np(errno);
	parts[1].iov_base = (char *)(uintptr_t)why;
	parts[1].iov_len = strlen(why);
	_exit(writev(fd, parts, 2) == -1 ? 126 : 127);
}

/* A grandchild: it outlives us, and whoever is to reap it shall know it from the
 * start. */
static int
start_orphan(int fd, struct errmsg *e)
{
	pid_t child;
	int status;

	if ((child = fork()) == -1)
		return errmsg_set(e, "cannot fork: %s", strerror(errno));
	if (child == 0) {
		if ((child = fork()) == 0)
			upgrade_become(fd);
		_exit(child == -1 ? 1 : 0);
	}
	while (waitpid(child, &status, 0) == -1)
		if (errno != EINTR)
			return errmsg_set(e, "cannot wait: %s", strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return errmsg_set(e, "cannot fork");
	return 0;
}

static int
send_all(int sock, const struct upgrade_socket *sockets, size_t n, bool detached)
{
	if (channel_send(sock, STDERR_FILENO, "stderr") == -1 ||
	    (detached && channel_send(sock, -1, "detached") == -1))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (channel_send(sock, sockets[i].fd, "%s %s\n%s",
		    sockets[i].managed ? "managed" : "socket", sockets[i].wanted,
		    sockets[i].service) == -1)
			return -1;
	return channel_send(sock, -1, "end");
}

struct upgrade *
upgrade_begin(const struct upgrade_socket *sockets, size_t n, bool detached,
    int (*start)(void *, int, struct errmsg *), void *arg, struct errmsg *e)
{
	struct upgrade *u;
	int fds[2], rc;

	if (origin.argv == NULL || origin.argv[0] == NULL || origin.env == NULL ||
	    (u = calloc(1, sizeof(*u))) == NULL) {
		errmsg_set(e, "it is not known how we were started");
		return NULL;
	}
	if (channel_pair(fds) == -1) {
		errmsg_set(e, "cannot make a socket: %s", strerror(errno));
		free(u);
		return NULL;
	}
	u->sock = fds[0];
	rc = start != NULL ? start(arg, fds[1], e) : start_orphan(fds[1], e);
	close(fds[1]);
	/* One that has died already is found by upgrade_next(). */
	if (rc == 0 && send_all(u->sock, sockets, n, detached) == -1 && errno != EPIPE)
		rc = errmsg_set(e, "cannot hand the sockets over: %s", strerror(errno));
	if (rc == -1) {
		upgrade_free(u);
		return NULL;
	}
	return u;
}

int
upgrade_fd(const struct upgrade *u)
{
	return u->sock;
}

/* Keeps what the new process writes while it starts: its end. */
static void
keep_complaint(struct upgrade *u, const char *text)
{
	size_t have = strlen(u->complaint), n = strlen(text);

	if (n >= COMPLAINT) {
		text += n - (COMPLAINT - 1);
		n = COMPLAINT - 1;
	}
	if (have + n >= COMPLAINT) {
		memmove(u->complaint, u->complaint + (have + n - (COMPLAINT - 1)),
		    COMPLAINT - 1 - n);
		have = COMPLAINT - 1 - n;
	}
	memcpy(u->complaint + have, text, n + 1);
}

/* What it wrote, as one line. */
static void
ended_early(struct upgrade *u, struct errmsg *e)
{
	size_t n = strlen(u->complaint);

	while (n > 0 && u->complaint[n - 1] == '\n')
		u->complaint[--n] = '\0';
	for (char *p = u->complaint; *p != '\0'; p++)
		if (*p == '\n')
			*p = ';';
	errmsg_set(e, "the new process ended before it served%s%s", n > 0 ? ": " : "",
	    u->complaint);
}

enum upgrade_state
upgrade_next(struct upgrade *u, bool give_up, pid_t *pid, struct errmsg *e)
{
	char text[CHANNEL_TEXT];
	enum channel_packet packet;
	char *end;
	int fd;

	while ((packet = channel_take(u->sock, 0, text, &fd)) != CHANNEL_NONE) {
		if (fd != -1)
			close(fd);
		if (packet == CHANNEL_END) {
			ended_early(u, e);
			return UPGRADE_FAILED;
		}
		if (packet == CHANNEL_STDERR) {
			keep_complaint(u, text);
		} else if (strncmp(text, "ready ", 6) == 0) {
			*pid = (pid_t)strtol(text + 6, &end, 10);
			snprintf(u->pidfile, sizeof(u->pidfile), "%s", end + (*end == ' '));
			return UPGRADE_READY;
		} else if (strncmp(text, "failed ", 7) == 0) {
			errmsg_set(e, "the new process cannot serve: %s", text + 7);
			return UPGRADE_FAILED;
		}
	}
	if (!give_up)
		return UPGRADE_WAIT;
	errmsg_set(e, "the new process does not become ready");
	return UPGRADE_FAILED;
}

const char *
upgrade_pidfile(const struct upgrade *u)
{
	return u->pidfile;
}

void
upgrade_go(struct upgrade *u)
{
	channel_send(u->sock, -1, "go");
	u->told = true;
}

void
upgrade_free(struct upgrade *u)
{
	if (u == NULL)
		return;
	if (!u->told)
		channel_send(u->sock, -1, "stop");
	close(u->sock);
	free(u);
}
