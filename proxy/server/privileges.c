#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <netdb.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/privileges.h"

/* More groups than this no user has. */
#define GROUPS_MAX 65536

/* A number as the id of a user or a group; false when it is none.  -1 means "none" to
 * the kernel. */
static bool
is_id(const char *text, unsigned *id)
{
	unsigned long long n = 0;

	if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0')
		return false;
	errno = 0;
	n = strtoull(text, NULL, 10);
	*id = (unsigned)n;
	return errno == 0 && n < UINT32_MAX;
}

static int
find_user(const char *text, uid_t *uid, const struct passwd **pw, struct errmsg *e)
{
	unsigned id;

	if ((*pw = getpwnam(text)) != NULL) {
		*uid = (*pw)->pw_uid;
		return 0;
	}
	if (!is_id(text, &id))
		return errmsg_set(e, "setuid: there is no user \"%.128s\": give the name of "
		    "one in the passwd database, or a number", text);
	*uid = id;
	*pw = getpwuid(id);
	return 0;
}

static int
find_group(const char *text, gid_t *gid, struct errmsg *e)
{
	const struct group *gr;
	unsigned id;

	if ((gr = getgrnam(text)) != NULL) {
		*gid = gr->gr_gid;
		return 0;
	}
	if (!is_id(text, &id))
		return errmsg_set(e, "setgid: there is no group \"%.128s\": give the name of "
		    "one in the group database, or a number", text);
	*gid = id;
	return 0;
}

/* The groups of the user, who has an entry. */
static int
groups_of(struct privileges *p, const struct passwd *pw, struct errmsg *e)
{
	gid_t *groups;
	int n = 64;

	for (;;) {
		if ((groups = reallocarray(p->groups, (size_t)n, sizeof(*groups))) == NULL)
			return errmsg_set(e, "out of memory");
		p->groups = groups;
		if (getgrouplist(pw->pw_name, pw->pw_gid, groups, &n) != -1)
			break;
		if (n > GROUPS_MAX)
			return errmsg_set(e, "setuid: too many groups of %s", pw->pw_name);
	}
	p->ngroups = (size_t)n;
	p->gid = pw->pw_gid;
	p->group = true;
	return 0;
}

static int
only_group(struct privileges *p, const char *text, struct errmsg *e)
{
	if ((p->groups = malloc(sizeof(*p->groups))) == NULL)
		return errmsg_set(e, "out of memory");
	if (find_group(text, &p->gid, e) == -1)
		return -1;
	p->groups[0] = p->gid;
	p->ngroups = 1;
	p->group = true;
	return 0;
}

/* Whether a section connects from addresses that are not ours. */
static bool
is_transparent(const struct config *c)
{
	for (size_t i = 0; i < c->nservices; i++)
		if (c->services[i].transparent & TRANSPARENT_SOURCE)
			return true;
	return false;
}

int
privileges_find(struct privileges *p, const struct config *c, struct errmsg *e)
{
	const struct passwd *pw = NULL;

	*p = (struct privileges){ .root = c->chroot, .transparent = is_transparent(c) };
	if (c->setuid != NULL) {
		if (find_user(c->setuid, &p->uid, &pw, e) == -1)
			return -1;
		p->user = true;
	}
	if (c->setgid != NULL ? only_group(p, c->setgid, e) == -1 :
	    pw != NULL && groups_of(p, pw, e) == -1) {
		privileges_free(p);
		return -1;
	}
	return 0;
}

void
privileges_free(struct privileges *p)
{
	free(p->groups);
	p->groups = NULL;
	p->ngroups = 0;
}

bool
privileges_change(const struct privileges *p)
{
	return p->root != NULL || p->user || p->group;
}

/* The libraries that look up names are loaded while the files can still be found. */
static void
preload_resolver(void)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;

	if (getaddrinfo("localhost", "https", &hints, &found) == 0)
		freeaddrinfo(found);
}

static int
enter_root(const char *root, struct errmsg *e)
{
	preload_resolver();
	if (chroot(root) == -1 || chdir("/") == -1)
		return errmsg_set(e, "chroot %s: %s", root, strerror(errno));
	return 0;
}

/* glibc has no wrapper, and libcap is a library more for one call. */
static int
keep_only(uint32_t caps)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	data[0].permitted = data[0].effective = caps;
	return (int)syscall(SYS_capset, &header, data);
}

static int
become_group(const struct privileges *p, struct errmsg *e)
{
	if (setgid(p->gid) == -1)
		return errmsg_set(e, "setgid to %u: %s; start as root", p->gid, strerror(errno));
	return 0;
}

/* Whoever changes has no business with the groups of the one who started us. */
static int
leave_groups(const struct privileges *p, struct errmsg *e)
{
	if (setgroups(p->ngroups, p->groups) == -1)
		return errmsg_set(e, "cannot set the groups of %s: %s; start as root",
		    p->user ? "setuid" : "setgid", strerror(errno));
	return 0;
}

static int
become_user(const struct privileges *p, struct errmsg *e)
{
	/* The kernel lets IP_TRANSPARENT pass with either of two; this is the lesser. */
	const uint32_t foreign = 1u << CAP_NET_RAW;
	const bool keep = p->transparent && p->uid != 0;

	if (keep && prctl(PR_SET_KEEPCAPS, 1) == -1)
		return errmsg_set(e, "cannot keep capabilities: %s", strerror(errno));
	if (setuid(p->uid) == -1)
		return errmsg_set(e, "setuid to %u: %s; start as root", p->uid, strerror(errno));
	if (p->uid != 0 && (setuid(0) == 0 || seteuid(0) == 0))
		return errmsg_set(e, "setuid to %u did not hold", p->uid);
	if (p->uid != 0 && keep_only(keep ? foreign : 0) == -1)
		return errmsg_set(e, "cannot keep the capability that transparent needs: %s",
		    strerror(errno));
	return 0;
}

/* One who is there already needs no rights to get there. */
static bool
is_there(const struct privileges *p)
{
	return (!p->user || (geteuid() == p->uid && getuid() == p->uid && p->uid != 0)) &&
	    (!p->group || (getegid() == p->gid && getgid() == p->gid && geteuid() != 0));
}

int
privileges_drop(const struct privileges *p, struct errmsg *e)
{
	if (p->root != NULL && enter_root(p->root, e) == -1)
		return -1;
	if ((!p->user && !p->group) || is_there(p))
		return 0;
	if (p->group && become_group(p, e) == -1)
		return -1;
	if (leave_groups(p, e) == -1)
		return -1;
	return p->user ? become_user(p, e) : 0;
}

/* Whoever owns the folder may have put a link, of either kind, in the place of the socket
 * that was just made: nothing else is given away. */
static int
give_socket(const char *path, uid_t uid, gid_t gid)
{
	int rc = -1, why, fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd == -1)
		return -1;
	errno = EPERM;
	if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_nlink == 1)
		rc = fchownat(fd, "", uid, gid, AT_EMPTY_PATH);
	why = errno;
	close(fd);
	errno = why;
	return rc;
}

int
privileges_give(const char *path, const char *user, const char *group, struct errmsg *e)
{
	const struct passwd *pw;
	uid_t uid = (uid_t)-1;
	gid_t gid = (gid_t)-1;

	if (user != NULL && find_user(user, &uid, &pw, e) == -1)
		return -1;
	if (group != NULL && find_group(group, &gid, e) == -1)
		return -1;
	if (give_socket(path, uid, gid) == -1)
		return errmsg_set(e, "cannot give %s to its owner: %s", path, strerror(errno));
	return 0;
}
