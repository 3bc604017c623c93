#include <errno.h>
#include <sched.h>
#include <sys/resource.h>

#include "base/thread.h"

int
thread_nice(int more)
{
	int now;

	/* 0 is the calling thread, not the process. */
	errno = 0;
	now = getpriority(PRIO_PROCESS, 0);
	if (now == -1 && errno != 0)
		return -1;
	return setpriority(PRIO_PROCESS, 0, now + more);
}

/* The i-th CPU of a set that is not empty. */
static size_t
cpu_of(const cpu_set_t *set, unsigned i)
{
	size_t cpu = 0;

	for (i %= (unsigned)CPU_COUNT(set);; cpu++)
		if (CPU_ISSET(cpu, set) && i-- == 0)
			return cpu;
}

int
thread_pin(unsigned i)
{
	cpu_set_t may, one;

	if (sched_getaffinity(0, sizeof(may), &may) == -1)
		return -1;
	CPU_ZERO(&one);
	CPU_SET(cpu_of(&may, i), &one);
	return sched_setaffinity(0, sizeof(one), &one);
}
