/* Programs, as those see them who have the helper start them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/helper_priv.h"

/* Appends the texts of a list, a NUL behind each.  Returns how many; *used is beyond cap
 * when they do not fit. */
static uint32_t
put_texts(char *text, size_t cap, size_t *used, const char *const *list)
{
	uint32_t count = 0;
	size_t n;

	for (; *list != NULL; list++, count++) {
		n = strlen(*list) + 1;
		if (*used + n <= cap)
			memcpy(text + *used, *list, n);
		*used += n;
	}
	return count;
}

int
helper_spawn(struct helper *h, const struct helper_program *p, int fd)
{
	const char *const path[] = { p->path, NULL };
	struct helper_head head = { .kind = ASK_SPAWN, .value = p->pty ? SPAWN_PTY : 0 };
	size_t used = 0;
	int pair[2], fds[2], why;
	char *text;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	if ((text = malloc(HELPER_TEXT)) == NULL)
		goto err;
	put_texts(text, HELPER_TEXT, &used, path);
	head.nargs = put_texts(text, HELPER_TEXT, &used, p->argv);
	head.nenv = put_texts(text, HELPER_TEXT, &used, p->env);
	fds[0] = pair[1];
	fds[1] = fd;
	errno = E2BIG;
	if (used > HELPER_TEXT ||
	    helper_send(h->sock, &head, text, used, fds, p->pty ? 1 : 2, MSG_DONTWAIT) ==
		-1)
		goto err;
	free(text);
	close(pair[1]);
	return pair[0];

err:
	why = errno == EMSGSIZE ? E2BIG : errno;
	free(text);
	close(pair[0]);
	close(pair[1]);
	errno = why;
	return -1;
}

enum helper_event
helper_next(int fd, struct helper_news *news)
{
	char text[sizeof(news->why.text)];
	int rc, fds[HELPER_FDS];
	struct helper_head head;
	size_t n, nfds;

	*news = (struct helper_news){ .event = HELPER_GONE, .pty = -1 };
	rc = helper_receive(
	    fd, &head, text, sizeof(text) - 1, &n, fds, &nfds, MSG_DONTWAIT);
	if (rc == -1 && errno == EAGAIN)
		return news->event = HELPER_SILENT;
	if (rc != 1)
		return news->event;
	text[n] = '\0';
	errmsg_set(&news->why, "%s", text);
	news->pid = head.pid;
	news->status = head.value;
	news->pty = nfds > 0 ? fds[0] : -1;
	news->event = head.kind == TELL_STARTED ? HELPER_STARTED :
	    head.kind == TELL_EXITED ? HELPER_EXITED : HELPER_FAILED;
	return news->event;
}

void
helper_hangup(int fd, int end)
{
	const struct helper_head head = { .kind = ASK_HANGUP };

	helper_send(fd, &head, NULL, 0, &end, end != -1, MSG_DONTWAIT);
}

const char *
helper_status_text(int status, char *text, size_t cap)
{
	if (WIFSIGNALED(status))
		snprintf(text, cap, "was ended by signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else
		snprintf(text, cap, "exited with status %d", WEXITSTATUS(status));
	return text;
}
