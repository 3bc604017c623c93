#ifndef CMD_DOCTOR_H_
#define CMD_DOCTOR_H_

/*
 * `sluss doctor HOST:PORT [OPTION]...`: shakes hands with a TLS server in every way that we can, and
 * says on standard output what it offers, whether it may be trusted, whether it lets us in,
 * and what to change.  argv[0] is "doctor".  Returns the exit status, a DOCTOR_….
 */
int cmd_doctor(int argc, char **argv);

#define DOCTOR_FINE 0
#define DOCTOR_OPERATOR 1    /* the arguments or their files are wrong */
#define DOCTOR_UNREACHABLE 2 /* no such name, no connection */
#define DOCTOR_NO_TLS 3      /* no TLS, or none that both sides speak */
#define DOCTOR_UNTRUSTED 4   /* its certificate is not to be trusted */
#define DOCTOR_REFUSED 5     /* it refused us */

#endif
