/*
 * Prints the option table as man(7) source: the build puts it into sluss(8) at
 * the line @OPTIONS@, so that the page cannot disagree with the program.
 */
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

static void
put_option(const struct option *o)
{
	char flag[OPTION_FLAG_TEXT], text[512];

	fputs(".TP\n\\fB", stdout);
	put_text(options_flag(o, flag));
	fputs(o->type == OPTION_FLAG ? "\\fR[=\\fI" : "\\fR \\fI", stdout);
	put_text(o->argument);
	fputs(o->type == OPTION_FLAG ? "\\fR]\n" : "\\fR\n", stdout);
	/* \& keeps a first '.' or quote from being a request. */
	fputs("\\&", stdout);
	put_text(options_help(o, text, sizeof(text)));
	putchar('\n');
}

static void
put_group(const char *title, unsigned commands)
{
	const struct option *o;
	size_t i;
	int n = 0;

	for (i = 0; (o = options_row(i)) != NULL; i++) {
		if (o->commands != commands)
			continue;
		if (n++ == 0)
			printf(".SS %s\n", title);
		put_option(o);
	}
}

int
main(void)
{
	put_group("Of both commands", OPTION_FOR_BOTH);
	put_group("Of the server", OPTION_FOR_SERVER);
	put_group("Of the client", OPTION_FOR_CLIENT);
	put_group("Of configuration files only", 0);
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
