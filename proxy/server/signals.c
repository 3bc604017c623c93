#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "server/asking.h"
#include "server/signals.h"

int
signals_open(struct errmsg *e)
{
	static const int ends[] = { SIGTERM, SIGINT, SIGQUIT };
	const int requests[] = { SIGHUP, SIGUSR1, SIGUSR2, asking_signal() };
	struct sigaction old;
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		sigaddset(&set, requests[i]);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaddset(&set, ends[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == -1 ||
	    (fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) == -1)
		return errmsg_set(e, "cannot take signals: %s", strerror(errno));
	return fd;
}

int
signals_next(int fd, pid_t *sender)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	*sender = (pid_t)info.ssi_pid;
	return (int)info.ssi_signo;
}
