#include <sched.h>
#include <sys/resource.h>

#include "server/limits.h"

/* Descriptors that are no tunnel's: threads, listeners, log, libraries. */
#define SPARE_FDS 200

/* A hard limit may be a thousand million; tables of the kernel grow with what is used. */
#define NOFILE_MAX 1048576

/* Raises the limit on descriptors as far as allowed; returns what holds then. */
static rlim_t
raise_nofile(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return 1024;
	rl.rlim_cur = rl.rlim_max < NOFILE_MAX ? rl.rlim_max : NOFILE_MAX;
	setrlimit(RLIMIT_NOFILE, &rl);
	getrlimit(RLIMIT_NOFILE, &rl);
	return rl.rlim_cur;
}

/* Descriptors of a tunnel: both its ends, and what tells of a program. */
static unsigned
fds_of_each(const struct config *c)
{
	for (size_t i = 0; i < c->nservices; i++)
		if (c->services[i].exec != NULL)
			return 3;
	return 2;
}

static unsigned
tunnels_of(rlim_t fds, unsigned each)
{
	if (fds > SPARE_FDS + each)
		return (unsigned)((fds - SPARE_FDS) / each);
	return fds > 60 + 2 * each ? (unsigned)((fds - 60 - each) / each) : 1;
}

unsigned
limits_tunnels(void)
{
	return tunnels_of(raise_nofile(), 2);
}

int
limits_max_tunnels(const struct config *c, unsigned *max, struct errmsg *e)
{
	rlim_t fds = raise_nofile();
	unsigned each = fds_of_each(c), can = tunnels_of(fds, each);

	if (c->max_tunnels > can)
		return errmsg_set(e, "--maxtunnels %u needs %llu open files but the limit is "
		    "%llu; raise it (ulimit -n) or ask for at most %u", c->max_tunnels,
		    1ULL * each * c->max_tunnels + SPARE_FDS, (unsigned long long)fds, can);
	*max = c->max_tunnels > 0 ? c->max_tunnels : can;
	return 0;
}

unsigned
limits_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == -1)
		return 1;
	return (unsigned)CPU_COUNT(&set);
}
