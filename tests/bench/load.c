/*
 * load --backend plain|tls --client plain|tls [--cert PEM --peer-cert PEM --ca PEM]
 *
 * Prints "backend PORT" and obeys commands on standard input, one a line:
 *
 *	port PORT                           where the tunnel is
 *	open COUNT                          see work_open() and so on in load.h
 *	close
 *	shake WIDTH COUNT full|resume
 *	exchange WIDTH LENGTH ANSWER COUNT
 *	paced RATE LENGTH ANSWER MILLISECONDS
 *
 *	storm WIDTH                         not answered; goes on until:
 *	calm
 *
 * Each other is answered with one line. The end of the input ends the program.
 */

#include "load.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct client client;

void
fail(const char *what)
{
	fprintf(stderr, "load: %s%s%s\n", what, errno ? ": " : "",
		errno ? strerror(errno) : "");
	exit(1);
}

int64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void
shake(const char *words)
{
	size_t width, count;
	char kind[16];

	if (sscanf(words, "%zu %zu %15s", &width, &count, kind) != 3)
		fail("shake WIDTH COUNT full|resume");
	work_shake(&client, width, count, strcmp(kind, "resume") == 0);
}

static void
storm(const char *words)
{
	work_storm(&client, strtoul(words, NULL, 10));
}

static void
calm(const char *words)
{
	(void)words;
	work_calm();
}

static void
exchange(const char *words)
{
	size_t width, count;
	uint64_t length, answer;

	if (sscanf(words, "%zu %lu %lu %zu", &width, &length, &answer, &count) != 4)
		fail("exchange WIDTH LENGTH ANSWER COUNT");
	work_exchange(width, length, answer, count);
}

static void
paced(const char *words)
{
	unsigned rate, milliseconds;
	uint64_t length, answer;

	if (sscanf(words, "%u %lu %lu %u", &rate, &length, &answer, &milliseconds) != 4)
		fail("paced RATE LENGTH ANSWER MILLISECONDS");
	work_paced(rate, length, answer, milliseconds);
}

static void
open_more(const char *words)
{
	work_open(&client, strtoul(words, NULL, 10));
}

static void
close_all(const char *words)
{
	(void)words;
	work_close();
}

static void
port_set(const char *words)
{
	client.port = atoi(words);
	puts("ok");
}

static const struct {
	const char *name;
	void (*run)(const char *words);
} commands[] = {
	{ "port ", port_set },
	{ "open ", open_more },
	{ "close", close_all },
	{ "shake ", shake },
	{ "exchange ", exchange },
	{ "paced ", paced },
	{ "storm ", storm },
	{ "calm", calm },
};

static void
command_run(const char *text)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		size_t len = strlen(commands[i].name);

		if (strncmp(text, commands[i].name, len) == 0) {
			commands[i].run(text + len);
			fflush(stdout);
			return;
		}
	}
	errno = 0;
	fail("unknown command");
}

static char line[256];

/* The driver waits for the answer to each line, so there is never more than one. */
static void
command_read(int fd)
{
	ssize_t n = read(fd, line, sizeof(line) - 1);

	if (n <= 0)
		exit(0);
	line[n] = '\0';
}

static const char *
option(int argc, char **argv, const char *name)
{
	for (int i = 1; i + 1 < argc; i += 2)
		if (strcmp(argv[i], name) == 0)
			return argv[i + 1];
	errno = 0;
	fail(name);
}

static SSL_CTX *
side(int argc, char **argv, const char *name, const char *cert)
{
	if (strcmp(option(argc, argv, name), "tls") != 0)
		return NULL;
	return tls_context(strcmp(name, "--backend") == 0, option(argc, argv, cert),
			   option(argc, argv, "--ca"));
}

int
main(int argc, char **argv)
{
	SSL_CTX *backend = side(argc, argv, "--backend", "--peer-cert");

	/* Buffers of CHUNK come and go with every read; they are not for mmap. */
	mallopt(M_MMAP_THRESHOLD, 1 << 25);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	signal(SIGPIPE, SIG_IGN);
	client.ctx = side(argc, argv, "--client", "--cert");
	printf("backend %d\n", backend_listen(backend));
	fflush(stdout);
	loop_watch(STDIN_FILENO, command_read);
	for (;;) {
		loop_turn(-1);
		if (line[0] == '\0')
			continue;
		/* Not from within the loop: commands have turns of their own. */
		loop_unwatch(STDIN_FILENO);
		command_run(line);
		line[0] = '\0';
		loop_watch(STDIN_FILENO, command_read);
	}
}
