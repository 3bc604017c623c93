#ifndef CMD_SERVE_H_
#define CMD_SERVE_H_

/* sluss server, sluss client: argv[0] is the command's name.  Returns the exit status. */
int cmd_serve(int argc, char **argv);

#endif
