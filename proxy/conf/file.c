#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/errmsg.h"
#include "base/file.h"
#include "conf/file.h"

#define CANNOT_OPEN "cannot open the configuration"

/* What all files of one reading share. */
struct reading {
	const struct file_reader *reader;
	bool stopped; /* folders that include one another would multiply without end */
};

/* One file as it is being read. */
struct input {
	struct reading *all;
	FILE *stream;
	struct file_place place;
	unsigned depth;
	char line[FILE_LINE_MAX + 1];
};

/* What became of a line. */
enum line_state { LINE_END, LINE_GOOD, LINE_LONG, LINE_NUL };

static void read_fd(int, const char *, struct reading *, unsigned depth);

static void
fail(const struct input *in, const char *why)
{
	in->all->reader->error(in->all->reader->arg, &in->place, why);
}

static void
fail_file(const struct file_reader *reader, const char *path, const char *what, int error)
{
	const struct file_place place = { .path = path,
		.file = reader->opened(reader->arg, path) };
	struct errmsg why;

	errmsg_set(&why, "%s: %s", what, strerror(error));
	reader->error(reader->arg, &place, why.text);
}

/* A line without its '\n'; of one that is no text the beginning. */
static enum line_state
next_line(struct input *in)
{
	enum line_state state = LINE_GOOD;
	size_t n = 0;
	bool some = false;
	int c;

	while ((c = getc(in->stream)) != EOF && c != '\n') {
		some = true;
		if (c == '\0')
			state = LINE_NUL;
		else if (n < FILE_LINE_MAX)
			in->line[n++] = (char)c;
		else if (state == LINE_GOOD)
			state = LINE_LONG;
	}
	in->line[n] = '\0';
	return c == EOF && !some ? LINE_END : state;
}

/* Without blanks at both ends, in place. */
static char *
trim(char *s)
{
	size_t n;

	while (isspace((unsigned char)*s))
		s++;
	for (n = strlen(s); n > 0 && isspace((unsigned char)s[n - 1]); n--)
		;
	s[n] = '\0';
	return s;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A file of a folder; what is no file, or leads nowhere, is passed over. */
static void
include_file(struct input *in, const char *folder, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path)) {
		fail(in, "the path of a file in the folder is too long");
		return;
	}
	if ((fd = file_open(path)) == -1) {
		if (errno != ENOENT && errno != ENXIO && errno != EISDIR && errno != EINVAL)
			fail_file(in->all->reader, path, CANNOT_OPEN, errno);
	} else if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		close(fd);
	else
		read_fd(fd, path, in->all, in->depth + 1);
}

/* The files of a folder in the order of their names. */
static void
include(struct input *in, const char *folder)
{
	struct errmsg why;
	char **names;
	size_t n;

	if (in->depth >= FILE_DEPTH_MAX) {
		fail(in, "folders include one another without end");
		in->all->stopped = true;
		return;
	}
	if (in->all->reader->folder != NULL)
		in->all->reader->folder(in->all->reader->arg, folder);
	if (file_names(folder, &names, &n) == -1) {
		errmsg_set(&why, "cannot read the folder %.256s: %s", folder,
		    strerror(errno));
		fail(in, why.text);
		return;
	}
	if (n > 0)
		qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n && !in->all->stopped; i++)
		include_file(in, folder, names[i]);
	file_names_free(names, n);
}

/* "key = value": the line is cut into the two, so the place gets a copy of it. */
static void
take_pair(struct input *in, char *equals)
{
	char *key, *value, *copy;

	if ((copy = strdup(in->place.text)) == NULL) {
		fail(in, "out of memory");
		return;
	}
	key = copy;
	copy[equals - in->place.text] = '\0';
	key = trim(key);
	value = trim(copy + (equals - in->place.text) + 1);
	if (strcasecmp(key, "include") == 0)
		include(in, value);
	else
		in->all->reader->option(in->all->reader->arg, &in->place, key, value);
	free(copy);
}

static void
take_section(struct input *in, size_t n)
{
	char *name;

	if ((name = strndup(in->place.text + 1, n - 2)) == NULL) {
		fail(in, "out of memory");
		return;
	}
	in->all->reader->section(in->all->reader->arg, &in->place, name);
	free(name);
}

static void
take_line(struct input *in, char *text)
{
	size_t n = strlen(text);
	char *equals;

	in->place.text = text;
	if (n == 0 || text[0] == '#' || text[0] == ';')
		return;
	if (n > 1 && text[0] == '[' && text[n - 1] == ']')
		take_section(in, n);
	else if ((equals = strchr(text, '=')) != NULL)
		take_pair(in, equals);
	else
		fail(in, text[0] == '[' ?
		    "the section's name has no ] at the end of the line" :
		    "there is no = between an option and its value");
}

/* A line that is no text is quoted by its beginning. */
static void
refuse_line(struct input *in, enum line_state state)
{
	in->line[64] = '\0';
	in->place.text = in->line;
	fail(in, state == LINE_NUL ? "there is a byte 0 in the line" :
	    "the line is longer than 16384 bytes");
}

static void
read_lines(struct input *in)
{
	static const char bom[] = "\xef\xbb\xbf";
	enum line_state state;
	char *text;

	while (!in->all->stopped && (state = next_line(in)) != LINE_END) {
		in->place.line++;
		text = in->line;
		if (in->place.line == 1 && strncmp(text, bom, 3) == 0)
			text += 3;
		if (state == LINE_GOOD)
			take_line(in, trim(text));
		else
			refuse_line(in, state);
	}
	if (ferror(in->stream)) {
		in->place.text = NULL;
		in->place.line = 0;
		fail(in, strerror(errno));
	}
}

static void
read_fd(int fd, const char *name, struct reading *all, unsigned depth)
{
	struct input *in;

	if ((in = malloc(sizeof(*in))) == NULL || (in->stream = fdopen(fd, "r")) == NULL) {
		fail_file(all->reader, name, "cannot read the configuration", errno);
		close(fd);
		free(in);
		return;
	}
	in->all = all;
	in->depth = depth;
	in->place = (struct file_place){ .path = name,
		.file = all->reader->opened(all->reader->arg, name) };
	read_lines(in);
	fclose(in->stream);
	free(in);
}

/* What is named may be a pipe, which is waited for. */
static void
wait_for_input(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags != -1)
		fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

void
file_read(const char *path, const struct file_reader *reader)
{
	struct reading all = { .reader = reader };
	int fd = file_open(path);

	if (fd == -1) {
		fail_file(reader, path, CANNOT_OPEN, errno);
		return;
	}
	wait_for_input(fd);
	read_fd(fd, path, &all, 0);
}

void
file_read_fd(int fd, const char *name, const struct file_reader *reader)
{
	struct reading all = { .reader = reader };

	read_fd(fd, name, &all, 0);
}
