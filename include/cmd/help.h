#ifndef CMD_HELP_H_
#define CMD_HELP_H_

#include <stdbool.h>
#include <stdio.h>

/* What `sluss --help` prints: what it is, its commands, examples. */
void help_overview(FILE *);

/* What `sluss server --help` or `sluss client --help` prints. */
void help_command(FILE *, bool client);

/* What `sluss --version` prints: our version and the TLS library's. */
void help_version(FILE *);

#endif
