#ifndef CMD_UPGRADE_H_
#define CMD_UPGRADE_H_

/* `sluss upgrade PIDFILE`: has a running process replaced by the program that is installed now.
 * argv[0] is "upgrade".  Returns the exit status. */
int cmd_upgrade(int argc, char **argv);

#endif
