#ifndef TUNNEL_EXEC_PRIV_H_
#define TUNNEL_EXEC_PRIV_H_

#include "net/helper.h"
#include "tunnel/tunnel.h"

/* What the helper is asked, put together from the section and the tunnel. */
struct exec_request {
	struct helper_program program;
	const char **argv, **env;
	char *made[4];          /* the variables that are ours */
	size_t nmade;
};

/* Returns 0, or -1 (memory); freed in either case. */
int exec_request(struct exec_request *, const struct tunnel *);
void exec_request_free(struct exec_request *);

#endif
