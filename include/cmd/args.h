#ifndef CMD_ARGS_H_
#define CMD_ARGS_H_

#include <stdbool.h>

#include "base/errmsg.h"
#include "conf/config.h"
#include "conf/options.h"

/*
 * Turns the arguments of a command into a checked configuration.  argv[0] is the
 * command's name, "server" or "client"; options follow as "--name value" or
 * "--name=value", names in any case, a flag's value only behind "=".
 *
 * Returns 0 with *config set, which the caller frees; 1 when help was asked
 * for: the caller prints it (help_command in cmd/help.h); or -1 with a message
 * that names the option as it was written.  *config is NULL unless 0.
 */
int args_config(int argc, char **argv, struct config **config, struct errmsg *);

/* Whether the option applies to the command: 0, or -1 with the message. */
int args_applies(const struct option *, bool client, struct errmsg *);

#endif
