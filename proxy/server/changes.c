#include <sys/stat.h>

#include "base/log.h"
#include "conf/paths.h"
#include "server/changes.h"

/* At rest after so long, and read in any case after that. */
#define REST_MS 250
#define LONGEST_MS 3000

static bool
follow(void *files, const char *path, bool folder)
{
	if (folder)
		filewatch_folder(files, path);
	else
		filewatch_file(files, path);
	return false;
}

/* Whether a file of the configuration's text was changed since reading began: nobody watched. */
static bool
was_missed(const struct config *conf)
{
	const struct timespec *begun = &conf->begun;
	struct stat st;

	for (size_t i = 0; i < conf->files.n; i++)
		if (stat(conf->files.items[i], &st) == 0 &&
		    (st.st_ctim.tv_sec > begun->tv_sec || (st.st_ctim.tv_sec == begun->tv_sec &&
		    st.st_ctim.tv_nsec > begun->tv_nsec)))
			return true;
	return false;
}

void
changes_follow(struct changes *c, const struct config *conf, bool keep)
{
	bool wanted = conf->reload_on_change && conf->files.n > 0 && !conf->inetd;
	struct errmsg e;

	if (!wanted) {
		changes_close(c);
		return;
	}
	if (c->files == NULL && (c->files = filewatch_new(&e)) == NULL) {
		log_line(LOG_WARNING, "main", "%s; send SIGHUP when they have changed", e.text);
		return;
	}
	filewatch_begin(c->files, keep);
	paths_each(conf, follow, c->files);
	filewatch_end(c->files);
	if (was_missed(conf))
		c->first = c->last = 1;
}

void
changes_close(struct changes *c)
{
	filewatch_free(c->files);
	*c = (struct changes){ 0 };
}

int
changes_fd(const struct changes *c)
{
	return c->files != NULL ? filewatch_fd(c->files) : -1;
}

void
changes_look(struct changes *c, uint64_t now)
{
	if (c->files == NULL || !filewatch_changed(c->files))
		return;
	c->last = now;
	if (c->first == 0)
		c->first = now;
}

int
changes_wait(const struct changes *c, uint64_t now)
{
	uint64_t due = c->last + REST_MS;

	if (c->first == 0)
		return -1;
	if (due > c->first + LONGEST_MS)
		due = c->first + LONGEST_MS;
	return due > now ? (int)(due - now) : 0;
}

void
changes_take(struct changes *c)
{
	if (c->files != NULL)
		filewatch_changed(c->files);
	c->first = c->last = 0;
}
