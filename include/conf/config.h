#ifndef CONF_CONFIG_H_
#define CONF_CONFIG_H_

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "net/addr.h"

/*
 * The configuration: plain data, immutable once config_check() accepted it.
 * Fields are set through the option table (conf/options.h) and nowhere else.
 */

/* A list of strings that the configuration owns. */
struct conf_strings {
	char **items;
	size_t n;
};

/* A list of addresses as written, parsed when set. */
struct conf_addrs {
	struct addr_spec *items;
	size_t n;
};

/* What the far side of a tunnel is told when a side ends improperly. */
enum conf_abort { ABORT_STRICT, ABORT_COMPAT };

/* Protocol versions as the option sslVersion* names them. */
enum conf_version { VERSION_TLS12, VERSION_TLS13 };

/* One service: where to listen, where to connect, who may pass.  Times in seconds. */
struct conf_service {
	char *name;
	bool client;
	struct conf_addrs accept;
	struct conf_addrs connect;
	char *cert;
	char *key;                    /* NULL: in cert */
	struct conf_strings peer;
	struct conf_strings cafile;
	struct conf_strings checkhost;
	bool insecure;
	enum conf_version version_min;
	enum conf_version version_max;
	enum conf_abort abort;
	unsigned timeout_busy;
	unsigned timeout_connect;
	unsigned timeout_idle;
	unsigned timeout_close;
};

struct config {
	int debug;                    /* syslog level */
	unsigned timeout_drain;       /* seconds */
	unsigned max_tunnels;         /* 0: from the descriptor limit */
	unsigned accept_threads;      /* 0: one a CPU */
	unsigned worker_threads;      /* 0: one a CPU */
	struct conf_service *services;
	size_t nservices;
};

/* A configuration with one service of the given name, all defaults strict. */
struct config *config_new(const char *service, bool client, struct errmsg *);
void config_free(struct config *);

/* Judges the whole: what is missing or contradicts.  The message says what to
 * add or change, in the words of the option names.  Returns 0 or -1. */
int config_check(const struct config *, struct errmsg *);

#endif
