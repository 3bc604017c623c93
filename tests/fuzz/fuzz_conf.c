/* The configuration file, from its text to the checked whole.  Nothing is opened but what is
 * included, so that the input cannot name a folder of the machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/load.h"

int LLVMFuzzerTestOneInput(const unsigned char *, size_t);

static void
say(void *arg, int level, const char *text)
{
	unsigned *said = arg;

	(void)level;
	if (text[0] == '\0' || strlen(text) >= sizeof(((struct errmsg *)0)->text))
		abort();
	(*said)++;
}

/* "include" is tried by the unit tests. */
static int
includes(const unsigned char *data, size_t n)
{
	for (size_t i = 0; i + 7 <= n; i++)
		if (strncasecmp((const char *)data + i, "include", 7) == 0)
			return 1;
	return 0;
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	unsigned said = 0;
	const struct conf_report report = { .arg = &said, .say = say };
	struct config *config;
	int fd;

	if (includes(data, n))
		return -1;
	if ((fd = memfd_create("conf", MFD_CLOEXEC)) == -1 ||
	    write(fd, data, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	if ((config = config_load_fd(fd, "fuzz", &report)) == NULL && said == 0)
		abort(); /* refused without a word */
	config_free(config);
	return 0;
}
