#ifndef SERVER_GRANTS_H_
#define SERVER_GRANTS_H_

#include <sys/stat.h>

#include "base/errmsg.h"
#include "conf/config.h"
#include "net/helper.h"
#include "net/sock.h"
#include "server/server.h"

/*
 * The helper process of a configuration, and what it may do: start the programs of exec; and, once
 * privileges are given up or the root is changed, open the files and folders that the configuration
 * names, and listen where it says.  What it says then is for the helper to find out: it reads the
 * file itself.
 */

/* Starts it where the configuration needs one.  Call before any thread runs, before privileges are
 * given up and before a file with a secret is read.  *helper is NULL when none is needed.  The
 * loader must outlive it.  Returns 0, or -1 with the message filled. */
int grants_start(struct config *, const struct loader *, struct helper **helper,
    struct errmsg *);

/* Whether the helper that there is, or none, serves another configuration: it cannot be started
 * later.  Returns 0, or -1 with the message filled. */
int grants_check(const struct config *, const struct helper *, struct errmsg *);

/* Privileges are given up, if any were to be: from here on main asks the helper. */
void grants_settle(struct helper *);

/* Has it read the configuration anew, where it is asked; else nothing.  Returns 0, or -1 with the
 * message filled: what was granted stays. */
int grants_renew(struct errmsg *);

/* As sock_listen() or, without an address, sock_listen_any(), by the helper where it is asked.  A
 * unix socket's file gets the section's owner. */
int grants_listen(const struct addr *, const char *port, const struct conf_service *,
    const struct sock_setup *, struct addr *bound, struct errmsg *);

/* As lstat() and unlink() of a unix socket's file, by the helper where it is asked. */
int grants_lstat(const char *path, struct stat *);
int grants_unlink(const char *path);

/* Has it start the process that takes our place, where it is asked: see upgrade_begin(). */
int grants_succeed(void *helper, int fd, struct errmsg *);

/* The end: files are the kernel's again. */
void grants_end(struct helper *);

#endif
