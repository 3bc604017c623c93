#ifndef BASE_ERRMSG_H_
#define BASE_ERRMSG_H_

/*
 * A message for the operator.  A function that can fail because of what the
 * operator wrote or because of the machine takes a struct errmsg and, when it
 * returns -1 or NULL, has filled it with one sentence that says what to change.
 */
struct errmsg {
	char text[1792];
};

/* Replaces the message by the formatted text (cut when too long).  Returns -1. */
int errmsg_set(struct errmsg *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts the formatted text and ": " in front of the message.  Returns -1. */
int errmsg_prefix(struct errmsg *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

#endif
