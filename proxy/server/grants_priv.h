#ifndef SERVER_GRANTS_PRIV_H_
#define SERVER_GRANTS_PRIV_H_

#include <stdbool.h>

#include "conf/config.h"
#include "net/addr.h"
#include "net/sock.h"

/* What a configuration names: the whole of what the helper opens for a process without
 * privileges.  Paths are compared as they are written. */

/* A file of its own, of a section, or of one of its folders. */
bool grants_file(const struct config *, const char *path);

/* A folder of include or of CAs. */
bool grants_folder(const struct config *, const char *path);

/* The section of an accept line that means the address, or NULL; *setup is then what its socket
 * gets. */
const struct conf_service *grants_place(const struct config *, const struct addr *, struct sock_setup *setup);

/* Paths, each once. */
struct grants_list {
	char **items;
	size_t n;
};

bool grants_list_has(const struct grants_list *, const char *path);
void grants_list_add(struct grants_list *, const char *path);
void grants_list_free(struct grants_list *);

/* From begin to end it is noted, anew, what is read: the text of a configuration may be read by
 * whoever loads it next, though it was found wrong, and folders that are empty are named, too. */
void grants_note(bool begin);
bool grants_asked_file(const char *path);
bool grants_asked_folder(const char *path);

/* What a port without a host means, in IPv6 or in IPv4.  Returns 0, or -1 with the message filled. */
int grants_everywhere(bool six, const char *port, struct addr *, struct errmsg *);

#endif
