#ifndef NET_SOCKOPT_H_
#define NET_SOCKOPT_H_

#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/errmsg.h"

/*
 * Socket options as the configuration names them, "a:SO_REUSEADDR=1": for the listening
 * (a), the accepted (l) or the connected (r) socket.  Names are the kernel's, in their case.
 */
struct sockopt {
	char side;        /* 'a', 'l' or 'r' */
	int level, name;  /* of setsockopt(2) */
	socklen_t len;
	union {
		int number;
		struct linger linger;
		struct timeval time;
		char text[16]; /* the name of a device */
	} value;
	const char *text; /* the option's name, static */
};

/* Parses "a|l|r:NAME=VALUE[:VALUE]".  Returns 0, or -1 with the message filled. */
int sockopt_parse(const char *, struct sockopt *, struct errmsg *);

/* Sets those of one side.  What a socket of this kind does not know (TCP options of a unix
 * socket) is passed over.  Returns 0, or -1 with the message filled, naming the option. */
int sockopt_apply(int fd, char side, const struct sockopt *, size_t n, struct errmsg *);

/* Whether two lists mean the same for one side, in the same order. */
bool sockopt_same(const struct sockopt *, size_t n, const struct sockopt *, size_t m, char side);

/* Prints the table of names with the defaults of each side, as `stunnel -sockets` does. */
void sockopt_list(FILE *);

#endif
