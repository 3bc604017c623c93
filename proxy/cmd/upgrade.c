#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cmd/upgrade.h"
#include "server/asking.h"

static int
read_pid(const char *path, pid_t *pid, struct errmsg *e)
{
	char line[32] = "", *end;
	long n;
	FILE *f;

	if ((f = fopen(path, "re")) == NULL)
		return errmsg_set(e, "%s: %s", path, strerror(errno));
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	fclose(f);
	n = strtol(line, &end, 10);
	if (n <= 1 || (*end != '\n' && *end != '\0'))
		return errmsg_set(e, "%s holds no process id", path);
	*pid = (pid_t)n;
	return 0;
}

/* A process that did not set itself up for the signal would die of it: a leftover pid
 * file may name anybody. */
static int
check_listens(pid_t pid, struct errmsg *e)
{
	char path[64], line[256];
	unsigned long long blocked = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	if ((f = fopen(path, "re")) == NULL)
		return errmsg_set(e, "there is no process %ld", (long)pid);
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "SigBlk: %llx", &blocked) == 1)
			break;
	fclose(f);
	if (blocked >> (asking_signal() - 1) & 1)
		return 0;
	return errmsg_set(e, "process %ld is no sluss that can be asked", (long)pid);
}

static int
ask(const char *path, struct errmsg *e)
{
	pid_t pid = -1, successor;
	int fd;

	if (read_pid(path, &pid, e) == -1 || check_listens(pid, e) == -1 ||
	    (fd = asking_open(e)) == -1)
		return -1;
	successor = asking_ask(fd, pid, e);
	close(fd);
	if (successor == -1)
		return -1;
	printf("Process %ld serves instead of %ld\n", (long)successor, (long)pid);
	return 0;
}

int
cmd_upgrade(int argc, char **argv)
{
	struct errmsg e;

	if (argc != 2 || argv[1][0] == '-') {
		bool help = argc == 2 && strcasecmp(argv[1], "--help") == 0;

		fputs("Usage: sluss upgrade PIDFILE\n\n"
		    "Has the process whose id is in the file replaced by the program and the\n"
		    "configuration that are there now.  No connection is refused; the tunnels of\n"
		    "the old process may finish within its TIMEOUTdrain.\n",
		    help ? stdout : stderr);
		return help ? 0 : 1;
	}
	if (ask(argv[1], &e) == 0)
		return 0;
	fprintf(stderr, "sluss: upgrade: %s\n", e.text);
	return 1;
}
