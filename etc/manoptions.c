/*
 * Prints the option table as man(7) source: the build puts it into sluss(8) at
 * the line @OPTIONS@, so that the page cannot disagree with the program.
 */
#include <stdbool.h>
#include <stdio.h>

#include "conf/options.h"

/* Text for roff: a minus must stay one, so that it can be copied and searched. */
static void
put_text(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '-')
			fputs("\\-", stdout);
		else if (*text == '\\')
			fputs("\\e", stdout);
		else
			putchar(*text);
}

/* As the command line has it. */
static void
put_flag(const struct option *o)
{
	char flag[OPTION_FLAG_TEXT];

	fputs("\\fB", stdout);
	put_text(options_flag(o, flag));
	fputs(o->type == OPTION_FLAG ? "\\fR[=\\fI" : "\\fR \\fI", stdout);
	put_text(o->argument);
	fputs(o->type == OPTION_FLAG ? "\\fR]\n" : "\\fR\n", stdout);
}

/* As files have it. */
static void
put_line(const struct option *o)
{
	fputs("\\fB", stdout);
	put_text(o->name);
	fputs("\\fR = \\fI", stdout);
	put_text(o->argument);
	fputs("\\fR\n", stdout);
}

/* The sentences behind the help: what holds in files, what becomes of it. */
static void
put_status(const struct option *o)
{
	const char *const becomes = o->status == OPTION_IGNORED ? "Ignored, with a warning: " :
	    "Refused: ";

	if (o->stunnel != NULL)
		printf(" In files: %s.", o->stunnel);
	if (o->alias != NULL)
		printf(" Also written %s.", o->alias);
	if (o->status == OPTION_WORKS)
		return;
	printf(" %s", becomes);
	put_text(o->note);
	if (o->harmless != NULL)
		printf("; %s is taken in silence", o->harmless);
	putchar('.');
}

static void
put_option(const struct option *o)
{
	char text[512];

	fputs(".TP\n", stdout);
	if (o->commands != 0)
		put_flag(o);
	else
		put_line(o);
	/* \& keeps a first '.' or quote from being a request. */
	fputs("\\&", stdout);
	put_text(options_help(o, text, sizeof(text)));
	put_status(o);
	putchar('\n');
}

static bool
is_in(const struct option *o, unsigned commands, enum option_scope scope, bool works)
{
	if (o->commands != commands)
		return false;
	return commands != 0 || (o->scope == scope && (o->status == OPTION_WORKS) == works);
}

static void
put_group(const char *title, unsigned commands, enum option_scope scope, bool works)
{
	const struct option *o;
	int n = 0;

	for (size_t i = 0; (o = options_row(i)) != NULL; i++) {
		if (!is_in(o, commands, scope, works))
			continue;
		if (n++ == 0)
			printf(".SS %s\n", title);
		put_option(o);
	}
}

int
main(void)
{
	put_group("Of both commands", OPTION_FOR_BOTH, OPTION_SERVICE, true);
	put_group("Of the server", OPTION_FOR_SERVER, OPTION_SERVICE, true);
	put_group("Of the client", OPTION_FOR_CLIENT, OPTION_SERVICE, true);
	put_group("Of files only, for the whole program", 0, OPTION_GLOBAL, true);
	put_group("Of files only, for a section", 0, OPTION_SERVICE, true);
	put_group("Not there, for the whole program", 0, OPTION_GLOBAL, false);
	put_group("Not there, for a section", 0, OPTION_SERVICE, false);
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
