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

/*
 * What stunnel's own options print, in the form that its callers parse: after some lines about
 * the build, one line a name, which begins it.
 */

/* `sluss -help`: the options of configuration files, with what becomes of each. */
void help_file(FILE *);

/* `sluss -version`: the defaults of configuration files. */
void help_build(FILE *);

/* `sluss -sockets`: the names that socket takes. */
void help_sockets(FILE *);

/* `sluss -options`: the names that options takes. */
void help_sslopts(FILE *);

#endif
