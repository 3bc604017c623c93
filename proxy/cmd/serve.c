#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/args.h"
#include "cmd/help.h"
#include "cmd/serve.h"
#include "server/server.h"

/* The command line, to be read again. */
struct words {
	int argc;
	char **argv;
};

static struct config *
load_words(void *arg, struct errmsg *e)
{
	const struct words *w = arg;
	struct config *config;

	return args_config(w->argc, w->argv, &config, e) == 0 ? config : NULL;
}

int
cmd_serve(int argc, char **argv)
{
	struct words words = { argc, argv };
	const struct loader loader = { load_words, &words };
	struct config *config;
	struct errmsg e;
	int rc;

	switch (args_config(argc, argv, &config, &e)) {
	case 0:
		break;
	case 1:
		help_command(stdout, strcmp(argv[0], "client") == 0);
		return 0;
	default:
		fprintf(stderr, "sluss: %s\n", e.text);
		return 1;
	}
	rc = server_run(config, &loader, &e);
	config_free(config);
	if (rc == -1) {
		log_give_up();
		fprintf(stderr, "sluss: %s\n", e.text);
		return 1;
	}
	return rc;
}
