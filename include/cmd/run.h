#ifndef CMD_RUN_H_
#define CMD_RUN_H_

/*
 * `sluss CONFIG`, `sluss -fd N`, `sluss`: serves what a configuration file says.  Everything
 * that is wrong with it is logged.  Returns the exit status.
 */
int cmd_run_file(const char *path);
int cmd_run_fd(char *number);

/* Where the configuration is when none is named: of the name that the program was called by
 * ("sluss" or "stunnel"), the first that exists, else where it should be. */
const char *run_default(const char *called);

#endif
