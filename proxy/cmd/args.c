#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "cmd/args.h"

static const char *
command(bool client)
{
	return client ? "client" : "server";
}

int
args_applies(const struct option *o, bool client, struct errmsg *why)
{
	char flag[OPTION_FLAG_TEXT];

	if ((o->commands & (client ? OPTION_FOR_CLIENT : OPTION_FOR_SERVER)) != 0)
		return 0;
	return errmsg_set(why,
	    "%s is an option of \"sluss %s\", not of \"sluss %s\": leave it out",
	    options_flag(o, flag), command(!client), command(client));
}

static int
unknown(const char *name, size_t n, bool client, struct errmsg *why)
{
	const int shown = n < 128 ? (int)n : 128;
	char bare[OPTION_FLAG_TEXT], flag[OPTION_FLAG_TEXT];
	const char *nearest = NULL;
	const size_t dashes = strspn(name, "-");

	if (n - dashes < sizeof(bare)) {
		memcpy(bare, name + dashes, n - dashes);
		bare[n - dashes] = '\0';
		nearest = options_nearest(bare);
	}
	if (nearest == NULL)
		return errmsg_set(why,
		    "unknown option %.*s: \"sluss %s --help\" lists them", shown, name,
		    command(client));
	return errmsg_set(why, "unknown option %.*s (did you mean %s?)", shown, name,
	    options_flag(options_find(nearest, false), flag));
}

/* The row of the n bytes of "--name", or NULL with the message filled. */
static const struct option *
find(const char *name, size_t n, bool client, struct errmsg *why)
{
	const struct option *o = NULL;
	char bare[OPTION_FLAG_TEXT];

	if (n > 2 && strncmp(name, "--", 2) == 0 && n - 2 < sizeof(bare)) {
		memcpy(bare, name + 2, n - 2);
		bare[n - 2] = '\0';
		o = options_find(bare, false);
	}
	if (o != NULL && o->commands == 0) {
		errmsg_set(why, "%s is an option of configuration files only: write it there, "
		    "or leave it out", options_flag(o, bare));
		o = NULL;
	} else if (o == NULL)
		unknown(name, n, client, why);
	else if (args_applies(o, client, why) == -1)
		o = NULL;
	return o;
}

static int
stray(char **argv, int i, struct errmsg *why)
{
	/* "--insecure no": a flag takes its value behind "=" only. */
	const struct option *flag =
	    strncmp(argv[i - 1], "--", 2) == 0 ? options_find(argv[i - 1] + 2, false) : NULL;

	if (flag != NULL && flag->type == OPTION_FLAG)
		return errmsg_set(why, "stray argument \"%.128s\": write %.128s=%.128s",
		    argv[i], argv[i - 1], argv[i]);
	return errmsg_set(why,
	    "stray argument \"%.128s\": options are written --name value, e.g. --accept "
	    "4433",
	    argv[i]);
}

/*
 * The value of the option that stands at argv[*i], "=" and value at its end or
 * value behind it; then *i moves on.  What begins with two dashes is the next option,
 * so a value that does is written behind "=".
 */
static const char *
value_of(const struct option *o, char **argv, int *i, struct errmsg *why)
{
	const char *equals = strchr(argv[*i], '=');
	const char *next = argv[*i + 1];
	char flag[OPTION_FLAG_TEXT];

	if (equals != NULL)
		return equals + 1;
	if (o->type == OPTION_FLAG)
		return "yes";
	if (next == NULL || strncmp(next, "--", 2) == 0) {
		errmsg_set(why, "%s needs a value: write %s %s", options_flag(o, flag),
		    flag, o->argument);
		return NULL;
	}
	(*i)++;
	return next;
}

/* One option, at argv[*i].  Returns 0, 1 (help was asked for) or -1. */
static int
take(char **argv, int *i, struct config *config, struct errmsg *why)
{
	struct conf_service *service = &config->services[0];
	const char *arg = argv[*i], *value;
	const struct option *o;
	char flag[OPTION_FLAG_TEXT];

	if (strcasecmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)
		return 1;
	if (arg[0] != '-' || strcmp(arg, "-") == 0 || strcmp(arg, "--") == 0)
		return stray(argv, *i, why);
	o = find(arg, strcspn(arg, "="), service->client, why);
	if (o == NULL || (value = value_of(o, argv, i, why)) == NULL)
		return -1;
	options_mark(o, config, service, &(const struct conf_mark){ .line = 1, .here = true });
	switch (options_assign(o, config, service, value, why)) {
	case -1:
		return errmsg_prefix(why, "%s", options_flag(o, flag));
	case OPTIONS_WARNING:
		log_line(LOG_WARNING, "main", "%s: %s", options_flag(o, flag), why->text);
		break;
	}
	return 0;
}

/* The only service is called what the operator calls the whole. */
static int
name_service(struct config *config, struct errmsg *why)
{
	char *name;

	if (config->ident == NULL)
		return 0;
	if ((name = strdup(config->ident)) == NULL)
		return errmsg_set(why, "out of memory");
	free(config->services[0].name);
	config->services[0].name = name;
	return 0;
}

int
args_config(int argc, char **argv, struct config **result, struct errmsg *why)
{
	struct config *config;
	int i, rv = 0;

	*result = NULL;
	assert(argc > 0);
	config = config_new(argv[0], strcmp(argv[0], "client") == 0, why);
	if (config == NULL)
		return -1;
	for (i = 1; i < argc && rv == 0; i++)
		rv = take(argv, &i, config, why);
	if (rv == 0)
		rv = name_service(config, why);
	if (rv == 0)
		rv = config_check(config, why);
	if (rv != 0) {
		config_free(config);
		return rv;
	}
	*result = config;
	return 0;
}
