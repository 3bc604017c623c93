#ifndef SERVER_PRIVILEGES_H_
#define SERVER_PRIVILEGES_H_

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/errmsg.h"
#include "conf/config.h"

/*
 * Whom to become once the sockets are open.  The names are looked up first, since the
 * new root may have no passwd file.
 */
struct privileges {
	const char *root;      /* the new root folder, or NULL; the configuration's */
	bool user, group;      /* whether these change */
	uid_t uid;
	gid_t gid;
	gid_t *groups;         /* all supplementary groups that are left */
	size_t ngroups;
	bool transparent;      /* binding to foreign addresses stays allowed */
};

/* Looks up what the options chroot, setuid and setgid ask for.  With setuid alone the
 * groups are those of the user; with setgid it is that group alone.  privileges_free()
 * frees it.  Returns 0, or -1 with the message filled. */
int privileges_find(struct privileges *, const struct config *, struct errmsg *);
void privileges_free(struct privileges *);

/* Whether anything is to be given up. */
bool privileges_change(const struct privileges *);

/*
 * Goes to the new root, then becomes group and user, for good; of the capabilities only
 * the one that `transparent` needs is kept.  While there is one thread.  Returns 0, or
 * -1 with the message filled: then the process is half way and must end.
 */
int privileges_drop(const struct privileges *, struct errmsg *);

/* Gives a unix socket's file to the user and the group of a section; NULL: as it is.
 * Returns 0, or -1 with the message filled. */
int privileges_give(const char *path, const char *user, const char *group,
    struct errmsg *);

#endif
