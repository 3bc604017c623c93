#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/check.h"
#include "cmd/doctor.h"
#include "cmd/explain.h"
#include "cmd/help.h"
#include "cmd/keygen.h"
#include "cmd/run.h"
#include "cmd/serve.h"
#include "cmd/upgrade.h"
#include "conf/value.h"

/* The commands: what main() does is to find the right row. */
static const struct {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0]: the command's name */
} commands[] = {
	{ "server", cmd_serve },
	{ "client", cmd_serve },
	{ "keygen", cmd_keygen },
	{ "check", cmd_check },
	{ "doctor", cmd_doctor },
	{ "explain", cmd_explain },
	{ "upgrade", cmd_upgrade },
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

/* What stunnel says about itself, on stderr. */
static const struct {
	const char *name;
	void (*print)(FILE *);
} notes[] = {
	{ "-help", help_file },
	{ "-version", help_build },
	{ "-sockets", help_sockets },
	{ "-options", help_sslopts },
};

#define NNOTES (sizeof(notes) / sizeof(notes[0]))

/* Whether a word is meant as a file's name and not as a command's. */
static bool
is_path(const char *word)
{
	return (word[0] != '-' && strpbrk(word, "./") != NULL) || access(word, F_OK) == 0;
}

static int
unknown(const char *word)
{
	const char *names[NCOMMANDS];
	const char *nearest;

	for (size_t i = 0; i < NCOMMANDS; i++)
		names[i] = commands[i].name;
	nearest = value_nearest(word, names, NCOMMANDS);
	if (nearest != NULL)
		fprintf(stderr, "sluss: unknown command %s (did you mean %s?)\n", word, nearest);
	else
		fprintf(stderr,
		    "sluss: unknown command %s: \"sluss --help\" lists them\n", word);
	return 1;
}

static int
run_file(int argc, char **argv)
{
	if (argc > 1) {
		fprintf(stderr, "sluss: stray argument \"%s\" behind the configuration %s\n",
		    argv[1], argv[0]);
		return 1;
	}
	return cmd_run_file(argv[0]);
}

static int
run_fd(int argc, char **argv)
{
	if (argc == 2)
		return cmd_run_fd(argv[1]);
	fprintf(stderr, "sluss: -fd needs the number of a descriptor and nothing else\n");
	return 1;
}

/* The name that we were called by. */
static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* stunnel knows no commands: what it does not know otherwise is a file. */
static int
run(const char *called, int argc, char **argv)
{
	for (size_t i = 0; i < NCOMMANDS; i++)
		if (strcmp(argv[0], commands[i].name) == 0)
			return commands[i].run(argc, argv);
	for (size_t i = 0; i < NNOTES; i++)
		if (strcmp(argv[0], notes[i].name) == 0) {
			notes[i].print(stderr);
			return 0;
		}
	if (strcmp(argv[0], "-fd") == 0)
		return run_fd(argc, argv);
	if (is_path(argv[0]) || strcmp(called, "stunnel") == 0)
		return run_file(argc, argv);
	return unknown(argv[0]);
}

static int
is_one_of(const char *arg, const char *a, const char *b, const char *c)
{
	return strcmp(arg, a) == 0 || strcmp(arg, b) == 0 || strcmp(arg, c) == 0;
}

/* A descriptor 0, 1 or 2 that is closed would be given to the next file or socket, and
 * what is printed would land there.  Each gets /dev/null, the wrong way round, so that
 * it still cannot be used. */
static void
fill_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
			open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

/* A text that did not reach its reader is a failure: a full disk, a closed pipe. */
static int
written(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	perror("sluss: standard output");
	return 1;
}

/* Without arguments the configuration is where it should be. */
static int
run_default_file(const char *called)
{
	const char *path = run_default(called);

	if (access(path, F_OK) == 0)
		return cmd_run_file(path);
	fprintf(stderr, "sluss: no command, and no configuration in %s\n\n", path);
	help_overview(stderr);
	return 1;
}

int
main(int argc, char **argv)
{
	static char help[] = "--help";
	const char *called = argc > 0 ? base_name(argv[0]) : "sluss";
	int status;

	fill_standard_fds();
	if (argc < 2)
		return run_default_file(called);
	if (is_one_of(argv[1], "--version", "-V", "version")) {
		help_version(stdout);
		return written();
	}
	if (!is_one_of(argv[1], "--help", "-h", "help")) {
		status = run(called, argc - 1, argv + 1);
	} else if (argc > 2) {
		char *of_command[] = { argv[2], help, NULL };

		status = run(called, 2, of_command);
	} else {
		help_overview(stdout);
		status = 0;
	}
	return status == 0 ? written() : status;
}
