#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "server/systemd.h"

/* The first socket that is passed; the protocol says so. */
#define FIRST_FD 3

/* More than this is a mistake. */
#define SOCKETS_MAX 4096

static struct {
	int fd;               /* connected to the manager; -1: there is none */
	bool waits;
	unsigned nsockets;
	unsigned taken;
	uint64_t watchdog_us; /* 0: none */
	char environment[2][PATH_MAX + 64];
	const char *kept[3];  /* into environment, NULL behind the last */
} manager = { .fd = -1 };

/* A number in the environment; false when the variable is not set or none. */
static bool
number(const char *name, uint64_t *n)
{
	const char *text = getenv(name);
	char *end;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*n = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

/* Whether the variable names this process: what we inherited from another is not ours. */
static bool
is_us(const char *name)
{
	uint64_t pid;

	return number(name, &pid) && pid == (uint64_t)getpid();
}

static void
keep(const char *name, const char *value)
{
	size_t i = manager.kept[0] == NULL ? 0 : 1;

	snprintf(manager.environment[i], sizeof(manager.environment[i]), "%s=%s", name, value);
	manager.kept[i] = manager.environment[i];
}

static int
take_sockets(struct errmsg *e)
{
	uint64_t n;
	int flags;

	if (!is_us("LISTEN_PID") || !number("LISTEN_FDS", &n))
		return 0;
	if (n > SOCKETS_MAX)
		return errmsg_set(e, "LISTEN_FDS=%" PRIu64 ": that many sockets cannot be", n);
	for (unsigned i = 0; i < n; i++) {
		flags = fcntl(FIRST_FD + (int)i, F_GETFD);
		if (flags == -1 ||
		    fcntl(FIRST_FD + (int)i, F_SETFD, flags | FD_CLOEXEC) == -1)
			return errmsg_set(e, "LISTEN_FDS=%" PRIu64 ", but descriptor %u: %s", n,
			    FIRST_FD + i, strerror(errno));
	}
	manager.nsockets = (unsigned)n;
	return 0;
}

/* A new root has not the manager's socket: the descriptor is connected at once. */
static int
connect_to(const char *path)
{
	static const struct timeval patience = { .tv_sec = 2 };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int fd;

	if (len < 2 || len > sizeof(un.sun_path) || (path[0] != '/' && path[0] != '@'))
		return -1;
	memcpy(un.sun_path, path, len);
	if (path[0] == '@')
		un.sun_path[0] = '\0';
	if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		return -1;
	/* A manager that does not listen delays us no longer than this. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&un,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
take_notices(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (path == NULL)
		return;
	if ((manager.fd = connect_to(path)) == -1) {
		log_line(LOG_WARNING, "main", "cannot notify the service manager at %s: %s",
		    path, strerror(errno));
		return;
	}
	keep("NOTIFY_SOCKET", path);
	manager.waits = is_us("SYSTEMD_EXEC_PID");
}

static void
take_watchdog(void)
{
	uint64_t us;

	if (!number("WATCHDOG_USEC", &us) || us == 0 || us == UINT64_MAX ||
	    (getenv("WATCHDOG_PID") != NULL && !is_us("WATCHDOG_PID")))
		return;
	manager.watchdog_us = us;
	keep("WATCHDOG_USEC", getenv("WATCHDOG_USEC"));
}

int
systemd_open(struct errmsg *e)
{
	static const char *const names[] = { "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
		"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC" };
	int rc;

	rc = take_sockets(e);
	take_notices();
	take_watchdog();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
	return rc;
}

void
systemd_close(void)
{
	if (manager.fd != -1)
		close(manager.fd);
	memset(&manager, 0, sizeof(manager));
	manager.fd = -1;
}

bool
systemd_waits(void)
{
	return manager.waits;
}

unsigned
systemd_sockets(void)
{
	return manager.nsockets;
}

unsigned
systemd_left(void)
{
	return manager.nsockets - manager.taken;
}

int
systemd_take(void)
{
	return systemd_left() == 0 ? -1 : FIRST_FD + (int)manager.taken++;
}

static void
notify(const char *state, const char *status)
{
	char text[1024];
	int n;

	if (manager.fd == -1)
		return;
	n = status == NULL ? snprintf(text, sizeof(text), "%s", state) :
	    snprintf(text, sizeof(text), "%sSTATUS=%s\n", state, status);
	if (n > 0)
		send(manager.fd, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1,
		    MSG_NOSIGNAL);
}

void
systemd_ready(const char *status)
{
	char text[64];

	snprintf(text, sizeof(text), "READY=1\nMAINPID=%ld\n", (long)getpid());
	notify(text, status);
}

void
systemd_reloading(void)
{
	struct timespec ts;
	char text[64];

	clock_gettime(CLOCK_MONOTONIC, &ts);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu\n",
	    (unsigned long long)ts.tv_sec * 1000000 + (unsigned long long)ts.tv_nsec / 1000);
	notify(text, "Reloading");
}

void
systemd_stopping(const char *status)
{
	notify("STOPPING=1\n", status);
}

void
systemd_status(const char *status)
{
	notify("", status);
}

void
systemd_hand_over(long pid)
{
	char text[64];

	snprintf(text, sizeof(text), "MAINPID=%ld\n", pid);
	notify(text, NULL);
	if (manager.fd != -1)
		close(manager.fd);
	manager.fd = -1;
	manager.watchdog_us = 0;
}

unsigned
systemd_watchdog_ms(void)
{
	uint64_t ms = manager.watchdog_us / 1000;

	if (manager.watchdog_us == 0 || manager.fd == -1)
		return 0;
	return ms == 0 ? 1 : ms > INT_MAX ? INT_MAX : (unsigned)ms;
}

void
systemd_alive(void)
{
	notify("WATCHDOG=1\n", NULL);
}

const char *const *
systemd_environment(void)
{
	return manager.kept;
}
