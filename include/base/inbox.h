#ifndef BASE_INBOX_H_
#define BASE_INBOX_H_

#include <pthread.h>
#include <stdbool.h>

/*
 * Messages for one thread from any other.  A message is a node inside the
 * object that is handed over, so a push cannot fail; after it the sender must
 * not touch the object.  Messages arrive in the order of the pushes.
 */
struct inbox_msg {
	struct inbox_msg *next;
	/* Called by the receiving thread with what it owns. */
	void (*deliver)(struct inbox_msg *, void *);
};

struct inbox {
	pthread_mutex_t lock;
	struct inbox_msg *head;
	struct inbox_msg **tail;
	int fd; /* eventfd: readable when messages wait */
};

/* Returns 0, or -1 with errno set. */
int inbox_init(struct inbox *);

/* What is still in it is forgotten: its owner must have taken it. */
void inbox_destroy(struct inbox *);

/* Hands a message over; the eventfd is written only when the box was empty. */
void inbox_push(struct inbox *, struct inbox_msg *);

/* Takes all messages as a list, in order, and empties the eventfd. */
struct inbox_msg *inbox_take(struct inbox *);

#endif
