#ifndef CMD_KEYGEN_H_
#define CMD_KEYGEN_H_

/*
 * `sluss keygen NAME [OPTION]...`: makes a key and its certificate, NAME.pem and
 * NAME.crt.  argv[0] is "keygen".  What was made and what to do next goes to
 * standard output.  Returns the exit status: 0, or 1 after one message on
 * standard error.
 */
int cmd_keygen(int argc, char **argv);

#endif
