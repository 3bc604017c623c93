#ifndef CMD_KEYGEN_ARGS_PRIV_H_
#define CMD_KEYGEN_ARGS_PRIV_H_

#include <stdbool.h>
#include <stdio.h>

#include "base/errmsg.h"
#include "tls/keygen.h"

/* What the arguments of `sluss keygen` ask for.  The strings are those of argv. */
struct keygen_args {
	const char *name; /* NAME; it has a last component and no suffix of ours */
	const char *ca;   /* the CA's file, or NULL */
	bool force;
	bool help;                     /* asked for: then nothing else is set */
	struct keygen_request request; /* all but the text of the CA's file */
	const char **room;             /* what the request's lists point into */
};

/* Reads and judges the arguments; argv[0] is "keygen", argv[argc] is NULL.  Returns 0,
 * and keygen_args_free() is to be called; or -1 with the message filled. */
int keygen_args_read(struct keygen_args *, int argc, char **argv, struct errmsg *);

void keygen_args_free(struct keygen_args *);

/* What `sluss keygen --help` prints. */
void keygen_args_help(FILE *);

#endif
