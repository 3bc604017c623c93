/* How a child of the helper turns into a program. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/helper_priv.h"

/* What a terminal is like that nobody has measured. */
static const struct winsize window = { .ws_row = 24, .ws_col = 80 };

int
helper_terminal(const struct helper_policy *policy, int *slave, struct errmsg *e)
{
	char name[64];
	int master;

	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master == -1)
		return errmsg_set(e, "cannot make a terminal: %s", strerror(errno));
	if (grantpt(master) == -1 || unlockpt(master) == -1 ||
	    ptsname_r(master, name, sizeof(name)) != 0 ||
	    (*slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)) == -1) {
		errmsg_set(e, "cannot make a terminal: %s", strerror(errno));
		close(master);
		return -1;
	}
	ioctl(*slave, TIOCSWINSZ, &window);
	if (policy->owner != (uid_t)-1 && fchown(*slave, policy->owner, (gid_t)-1) == -1)
		errno = 0; /* the program has it open already */
	fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
	return master;
}

/* A program expects signals as a login has them: none blocked, none ignored.  The kernel
 * is asked directly: the C library keeps two for itself, but they may have been ignored
 * before it. */
static void
reset_signals(void)
{
	static const unsigned long dfl[8];
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		syscall(SYS_rt_sigaction, sig, dfl, NULL, (size_t)NSIG / 8);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool
is_replaced(const char *variable, char **env)
{
	size_t n = strcspn(variable, "=");

	for (; *env != NULL; env++)
		if (strcspn(*env, "=") == n && strncmp(variable, *env, n) == 0)
			return true;
	return false;
}

/* The helper's own environment, with these put in; the later of one name holds, and one
 * without a value is not to be there. */
static char **
environment(char **env)
{
	size_t have = 0, add = 0, n = 0;
	char **all;

	while (environ[have] != NULL)
		have++;
	while (env[add] != NULL)
		add++;
	if ((all = calloc(have + add + 1, sizeof(*all))) == NULL)
		return NULL;
	for (char **v = environ; *v != NULL; v++)
		if (!is_replaced(*v, env))
			all[n++] = *v;
	for (char **v = env; *v != NULL; v++)
		if (!is_replaced(*v, v + 1) && strchr(*v, '=') != NULL)
			all[n++] = *v;
	return all;
}

static int
take_descriptors(const struct helper_start *s, struct errmsg *e)
{
	bool errors = s->pty || s->policy->stderr_is_peer;

	if (s->pty && ioctl(s->in, TIOCSCTTY, 0) == -1)
		return errmsg_set(e, "cannot give it a terminal: %s", strerror(errno));
	for (int fd = 0; fd <= (errors ? 2 : 1); fd++)
		if (dup2(s->in, fd) == -1)
			return errmsg_set(e, "cannot give it descriptor %d: %s", fd,
			    strerror(errno));
	return 0;
}

void
helper_become(const struct helper_start *s, struct errmsg *e)
{
	const struct helper_policy *p = s->policy;
	char **env;

	setsid();
	if (p->folder != NULL && chdir(p->folder) == -1) {
		errmsg_set(e, "%s: %s", p->folder, strerror(errno));
		return;
	}
	if (take_descriptors(s, e) == -1)
		return;
	if ((env = environment(s->env)) == NULL) {
		errmsg_set(e, "out of memory");
		return;
	}
	if (setrlimit(RLIMIT_NOFILE, s->nofile) == -1) {
		errmsg_set(e, "cannot set the limit on open files: %s", strerror(errno));
		return;
	}
	if (p->drop != NULL && p->drop(p->arg, e) == -1)
		return;
	reset_signals();
	execvpe(s->path, s->argv, env);
	errmsg_set(e, "%s", strerror(errno));
}
