#ifndef CMD_CHECK_H_
#define CMD_CHECK_H_

/*
 * `sluss check [CONFIG]`: does all that a start would but for listening.  The effective
 * configuration goes to standard output, as a configuration file with the dates of the
 * certificates in comments; what is wrong to standard error.  argv[0] is "check".  Returns the
 * exit status: 0, or 1 after an error.
 */
int cmd_check(int argc, char **argv);

#endif
