#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/inbox.h"

int
inbox_init(struct inbox *in)
{
	*in = (struct inbox){ .fd = -1 };
	in->tail = &in->head;
	in->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (in->fd == -1)
		return -1;
	pthread_mutex_init(&in->lock, NULL);
	return 0;
}

void
inbox_destroy(struct inbox *in)
{
	close(in->fd);
	in->fd = -1;
	pthread_mutex_destroy(&in->lock);
}

void
inbox_push(struct inbox *in, struct inbox_msg *m)
{
	const uint64_t one = 1;
	bool was_empty;
	ssize_t n;

	m->next = NULL;
	pthread_mutex_lock(&in->lock);
	was_empty = in->head == NULL;
	*in->tail = m;
	in->tail = &m->next;
	pthread_mutex_unlock(&in->lock);
	if (was_empty) {
		n = write(in->fd, &one, sizeof(one));
		assert(n == sizeof(one) || errno == EAGAIN);
	}
}

struct inbox_msg *
inbox_take(struct inbox *in)
{
	struct inbox_msg *list;
	uint64_t count;
	ssize_t n;

	/* Emptied before the list is taken: a later push finds it empty and writes. */
	n = read(in->fd, &count, sizeof(count));
	assert(n == sizeof(count) || errno == EAGAIN || errno == EINTR);
	pthread_mutex_lock(&in->lock);
	list = in->head;
	in->head = NULL;
	in->tail = &in->head;
	pthread_mutex_unlock(&in->lock);
	return list;
}
