#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/heritage.h"

#include "channel_priv.h"

/* The other one answers at once, or is dead, or hangs; then it is better to serve. */
#define ANSWER_MS 30000

/* It sends everything before we look. */
#define SOCKETS_MS 30000

struct heir {
	char *wanted;
	char *service; /* inside wanted */
	int fd;        /* -1: taken */
	bool managed;
};

static struct {
	int sock;   /* -1: there is no heritage */
	bool detached;
	struct heir *items;
	size_t n;
} heritage = { .sock = -1 };

static int
add(const char *name, int fd, bool managed)
{
	struct heir *items;
	char *end;

	items = reallocarray(heritage.items, heritage.n + 1, sizeof(*items));
	if (items == NULL)
		return -1;
	heritage.items = items;
	items += heritage.n;
	*items = (struct heir){ .wanted = strdup(name), .fd = fd, .managed = managed };
	if (items->wanted == NULL)
		return -1;
	end = strchrnul(items->wanted, '\n');
	items->service = *end == '\0' ? end : end + 1;
	*end = '\0';
	heritage.n++;
	return 0;
}

/* The text behind the word, when the message begins with it, or NULL. */
static const char *
behind(const char *text, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(text, word, len) != 0)
		return NULL;
	return text[len] == ' ' ? text + len + 1 : text[len] == '\0' ? text + len : NULL;
}

/* Returns 1 when that was the last message, 0, or -1. */
static int
understand(const char *text, int fd)
{
	const char *rest;

	if ((rest = behind(text, "socket")) != NULL && fd != -1)
		return add(rest, fd, false);
	if ((rest = behind(text, "managed")) != NULL && fd != -1)
		return add(rest, fd, true);
	if (behind(text, "stderr") != NULL && fd != -1) {
		dup2(fd, STDERR_FILENO);
		close(fd);
		return 0;
	}
	if (behind(text, "detached") != NULL)
		heritage.detached = true;
	return behind(text, "end") != NULL;
}

static int
receive(struct errmsg *e)
{
	char text[CHANNEL_TEXT];
	int fd, rc;

	do {
		if (channel_take(heritage.sock, SOCKETS_MS, text, &fd) != CHANNEL_MESSAGE)
			return errmsg_set(e, "the process to be replaced did not hand over "
			    "its sockets");
		if ((rc = understand(text, fd)) == -1)
			return errmsg_set(e, "out of memory");
	} while (rc == 0);
	return 0;
}

int
heritage_open(struct errmsg *e)
{
	const char *text = getenv(CHANNEL_VARIABLE);

	if (text == NULL)
		return 0;
	heritage.sock = atoi(text);
	unsetenv(CHANNEL_VARIABLE);
	if (fcntl(heritage.sock, F_SETFD, FD_CLOEXEC) == -1) {
		heritage.sock = -1;
		return errmsg_set(e, CHANNEL_VARIABLE " is for sluss itself: unset it");
	}
	return receive(e);
}

bool
heritage_is(void)
{
	return heritage.sock != -1;
}

bool
heritage_detached(void)
{
	return heritage.detached;
}

static bool
fits(const struct heir *h, const char *wanted, const char *service)
{
	size_t len = strlen(wanted);

	if (h->fd == -1 || strcmp(h->wanted, wanted) != 0)
		return false;
	/* Only what is one place for all may change its service. */
	return strcmp(h->service, service) == 0 ||
	    (len > 2 && strcmp(wanted + len - 2, ":0") != 0);
}

int
heritage_take(const char *wanted, const char *service, bool *managed)
{
	for (size_t i = 0; i < heritage.n; i++) {
		struct heir *h = &heritage.items[i];
		int fd = h->fd;

		if (!fits(h, wanted, service))
			continue;
		h->fd = -1;
		*managed = h->managed;
		return fd;
	}
	return -1;
}

int
heritage_ready(const char *pidfile, struct errmsg *e)
{
	enum channel_packet packet = CHANNEL_END;
	char text[CHANNEL_TEXT];
	int fd = -1;

	if (heritage.sock == -1)
		return 0;
	if (channel_send(heritage.sock, -1, "ready %ld %s", (long)getpid(),
	    pidfile != NULL ? pidfile : "") == 0)
		packet = channel_take(heritage.sock, ANSWER_MS, text, &fd);
	if (fd != -1)
		close(fd);
	if (packet == CHANNEL_MESSAGE && behind(text, "stop") != NULL)
		return errmsg_set(e, "the process to be replaced goes on");
	/* It gave the place away, or died: all is ours. */
	heritage_close();
	return 0;
}

void
heritage_failed(const struct errmsg *e)
{
	if (heritage.sock != -1)
		channel_send(heritage.sock, -1, "failed %s", e->text);
}

void
heritage_close(void)
{
	for (size_t i = 0; i < heritage.n; i++) {
		if (heritage.items[i].fd != -1)
			close(heritage.items[i].fd);
		free(heritage.items[i].wanted);
	}
	free(heritage.items);
	if (heritage.sock != -1)
		close(heritage.sock);
	memset(&heritage, 0, sizeof(heritage));
	heritage.sock = -1;
}
