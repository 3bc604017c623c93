#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "server/filewatch.h"

#define MASK (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | \
	IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

/* What happens to the folder itself. */
#define OF_FOLDER (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)

/* As the kernel: more links on the way are a loop. */
#define LINKS_MAX 40

/* An entry of a folder, or all of them. */
struct spot {
	int folder; /* of inotify */
	char *name; /* NULL: all */
};

struct spots {
	struct spot *items;
	size_t n;
};

struct filewatch {
	int fd;
	struct spots now, next;
	bool keep, warned;
};

/* A path being followed: a folder without links, and what is to come. */
struct walk {
	char at[PATH_MAX];
	char rest[2 * PATH_MAX];
	char name[NAME_MAX + 1];
	unsigned links;
};

struct filewatch *
filewatch_new(struct errmsg *e)
{
	struct filewatch *w;

	if ((w = calloc(1, sizeof(*w))) == NULL) {
		errmsg_set(e, "out of memory");
		return NULL;
	}
	if ((w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) == -1) {
		errmsg_set(e, "cannot watch files: %s", strerror(errno));
		free(w);
		return NULL;
	}
	return w;
}

static void
spots_free(struct spots *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->items[i].name);
	free(s->items);
	*s = (struct spots){ 0 };
}

void
filewatch_free(struct filewatch *w)
{
	if (w == NULL)
		return;
	close(w->fd);
	spots_free(&w->now);
	spots_free(&w->next);
	free(w);
}

int
filewatch_fd(const struct filewatch *w)
{
	return w->fd;
}

static bool
has_folder(const struct spots *s, int folder)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->items[i].folder == folder)
			return true;
	return false;
}

static bool
has(const struct spots *s, int folder, const char *name)
{
	for (size_t i = 0; i < s->n; i++) {
		const char *other = s->items[i].name;

		if (s->items[i].folder == folder && (name == NULL || other == NULL ?
		    name == other : strcmp(name, other) == 0))
			return true;
	}
	return false;
}

static int
add(struct spots *s, int folder, const char *name)
{
	struct spot *items;
	char *copy = NULL;

	if (has(s, folder, name))
		return 0;
	if (name != NULL && (copy = strdup(name)) == NULL)
		return -1;
	if ((items = reallocarray(s->items, s->n + 1, sizeof(*items))) == NULL) {
		free(copy);
		return -1;
	}
	s->items = items;
	items[s->n++] = (struct spot){ folder, copy };
	return 0;
}

/* One warning is enough: whatever the cause, others will fail alike. */
static void
note(struct filewatch *w, const char *folder, const char *name)
{
	int wd = inotify_add_watch(w->fd, folder, MASK);

	if ((wd != -1 && add(&w->next, wd, name) != -1) || w->warned || w->keep)
		return;
	w->warned = true;
	log_line(LOG_WARNING, "main", "changes in %s will not be noticed: %s; send SIGHUP "
	    "after them", folder, strerror(errno));
}

/* Takes the next name off the rest; false when there is none. */
static bool
next_name(struct walk *k)
{
	const char *p = k->rest + strspn(k->rest, "/");
	size_t n = strcspn(p, "/");

	if (n == 0 || n > NAME_MAX)
		return false;
	memcpy(k->name, p, n);
	k->name[n] = '\0';
	p += n;
	p += strspn(p, "/");
	memmove(k->rest, p, strlen(p) + 1);
	return true;
}

/* The path goes on where the link points to. */
static bool
follow_link(struct walk *k, const char *link)
{
	char target[PATH_MAX], rest[2 * PATH_MAX];
	ssize_t n = readlink(link, target, sizeof(target) - 1);

	if (n <= 0 || ++k->links > LINKS_MAX)
		return false;
	target[n] = '\0';
	if (target[0] == '/')
		strcpy(k->at, "/");
	if ((size_t)snprintf(rest, sizeof(rest), "%s/%s", target, k->rest) >= sizeof(rest))
		return false;
	memcpy(k->rest, rest, strlen(rest) + 1);
	return true;
}

/* Notes every place of the path where another file could take over: its links, its end, and the first name
 * that is missing.  Returns whether it leads to something, which is then in k->at. */
static bool
follow(struct filewatch *w, const char *path, struct walk *k)
{
	char full[PATH_MAX];
	struct stat st;

	k->links = 0;
	strcpy(k->at, path[0] == '/' ? "/" : ".");
	if ((size_t)snprintf(k->rest, sizeof(k->rest), "%s", path) >= sizeof(k->rest))
		return false;
	while (next_name(k)) {
		if ((size_t)snprintf(full, sizeof(full), "%s/%s", k->at, k->name) >= sizeof(full))
			return false;
		if (lstat(full, &st) == -1) {
			note(w, k->at, k->name);
			return false;
		}
		if (S_ISLNK(st.st_mode) || k->rest[0] == '\0')
			note(w, k->at, k->name);
		if (!S_ISLNK(st.st_mode))
			memcpy(k->at, full, strlen(full) + 1);
		else if (!follow_link(k, full))
			return false;
	}
	return true;
}

void
filewatch_begin(struct filewatch *w, bool keep)
{
	w->keep = keep;
	spots_free(&w->next);
}

void
filewatch_file(struct filewatch *w, const char *path)
{
	struct walk k;

	follow(w, path, &k);
}

void
filewatch_folder(struct filewatch *w, const char *path)
{
	struct walk k;

	if (follow(w, path, &k))
		note(w, k.at, NULL);
}

void
filewatch_end(struct filewatch *w)
{
	for (size_t i = 0; i < w->now.n; i++) {
		const struct spot *s = &w->now.items[i];

		if (w->keep)
			add(&w->next, s->folder, s->name);
		else if (!has_folder(&w->next, s->folder))
			inotify_rm_watch(w->fd, s->folder);
	}
	spots_free(&w->now);
	w->now = w->next;
	w->next = (struct spots){ 0 };
}

/* The folder is gone for good. */
static void
forget(struct spots *s, int folder)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->items[i].folder == folder)
			free(s->items[i].name);
		else
			s->items[n++] = s->items[i];
	s->n = n;
}

static bool
concerns(const struct filewatch *w, const struct inotify_event *ev)
{
	const struct spot *s;

	if (ev->mask & IN_Q_OVERFLOW)
		return true;
	for (s = w->now.items; s < w->now.items + w->now.n; s++)
		if (s->folder == ev->wd && ((ev->mask & OF_FOLDER) ||
		    (ev->len > 0 && (s->name == NULL || strcmp(s->name, ev->name) == 0))))
			return true;
	return false;
}

bool
filewatch_changed(struct filewatch *w)
{
	_Alignas(struct inotify_event) char buf[8192];
	const struct inotify_event *ev;
	bool changed = false;
	ssize_t n;

	while ((n = read(w->fd, buf, sizeof(buf))) > 0)
		for (char *p = buf; p < buf + n; p += sizeof(*ev) + ev->len) {
			ev = (const struct inotify_event *)p;
			changed = concerns(w, ev) || changed;
			if (ev->mask & IN_IGNORED)
				forget(&w->now, ev->wd);
		}
	return changed;
}
