#ifndef CONF_CONFIG_H_
#define CONF_CONFIG_H_

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/errmsg.h"
#include "net/addr.h"
#include "net/prefix.h"
#include "net/sockopt.h"

/*
 * The configuration: plain data, immutable once config_check() accepted it; refcounted, for
 * tunnels keep the one that they began with.
 * Fields are set through the option table (conf/options.h) and nowhere else.
 */

/* A list of strings that the configuration owns. */
struct conf_strings {
	char **items;
	size_t n;
};

/* Where an option was set: all zero, it was not (its default holds). */
struct conf_mark {
	unsigned line;      /* from 1; of the command line: 1 */
	unsigned short file; /* index into config.files */
	bool here;          /* in this very section, not inherited from the defaults */
};

/* A list of rules as written, judged when set (conf/rule.h). */
struct conf_rule {
	char *text;
	struct conf_mark at;
};

struct conf_rules {
	struct conf_rule *items;
	size_t n;
};

/* A list of addresses as written, parsed when set. */
struct conf_addrs {
	struct addr_spec *items;
	size_t n;
};

/* A list of address prefixes, parsed when set. */
struct conf_prefixes {
	struct addr_prefix *items;
	size_t n;
};

/* A list of socket options, parsed when set. */
struct conf_sockopts {
	struct sockopt *items;
	size_t n;
};

/* Which of the two defaults of each option hold: ours, or stunnel's (of files). */
enum conf_profile { PROFILE_STRICT, PROFILE_STUNNEL };

/* What the far side of a tunnel is told when a side ends improperly. */
enum conf_abort { ABORT_STRICT, ABORT_COMPAT };

/* Protocol versions as the option sslVersion* names them. */
enum conf_version { VERSION_TLS12, VERSION_TLS13 };

/* What is said in clear before TLS begins. */
enum conf_protocol {
	PROTOCOL_NONE,
	PROTOCOL_CONNECT,
	PROTOCOL_IMAP,
	PROTOCOL_LDAP,
	PROTOCOL_NNTP,
	PROTOCOL_PGSQL,
	PROTOCOL_POP3,
	PROTOCOL_PROXY,
	PROTOCOL_PROXY2,
	PROTOCOL_SMTP,
	PROTOCOL_SOCKS,
};

/* How protocolUsername and protocolPassword are presented. */
enum conf_authentication { AUTH_BASIC, AUTH_PLAIN, AUTH_LOGIN };

/* The order in which targets are tried. */
enum conf_failover { FAILOVER_PRIO, FAILOVER_RR };

/* What becomes of a peer about whom no list of revoked certificates in date tells. */
enum conf_crl_policy { CRL_STRICT, CRL_SOFT };

/* What becomes of a tunnel when the peer's certificate expires. */
enum conf_expired { EXPIRED_END, EXPIRED_KEEP };

/* Bits: whose address the far side of an endpoint sees, where the peer wanted to go. */
enum conf_transparent {
	TRANSPARENT_NONE = 0,
	TRANSPARENT_SOURCE = 1,
	TRANSPARENT_DESTINATION = 2,
	TRANSPARENT_BOTH = 3,
};

/* The id that begins the log lines of a tunnel. */
enum conf_log_id { LOG_ID_SEQUENTIAL, LOG_ID_UNIQUE, LOG_ID_THREAD, LOG_ID_PROCESS };

/* Text lines as stunnel's, or an object a line. */
enum conf_log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Whether AES-GCM goes to libipsec-mb where that is faster. */
enum conf_accel { ACCEL_AUTO, ACCEL_OFF };

/* Whether the log's file is added to or begun anew. */
enum conf_log_mode { LOG_APPEND, LOG_OVERWRITE };

/* Whether to go into the background, and whether to log to stderr. */
enum conf_foreground { FOREGROUND_NO, FOREGROUND_YES, FOREGROUND_QUIET };

/* Options that the table may have. */
#define CONF_OPTIONS_MAX 160

/* One service: where to listen, where to connect, who may pass.  Times in seconds. */
struct conf_service {
	char *name;          /* of the section, verbatim */
	bool client;
	enum conf_profile profile;

	struct conf_addrs accept;
	struct conf_addrs connect;
	struct conf_addrs redirect;   /* one, or none */
	char *local;                  /* source address of what we connect; NULL: any */
	enum conf_failover failover;
	bool delay;                   /* names are looked up for each connection: always so */
	bool retry;                   /* exec + connect: over and over */
	unsigned retry_ms;
	enum conf_transparent transparent;
	struct conf_sockopts sockopts;

	char *exec;                   /* program, or NULL */
	struct conf_strings execargs; /* argv with its 0th; none: the program's path alone */
	bool pty;

	struct conf_strings cert;     /* one for each type of key */
	struct conf_strings key;      /* none: in cert */
	char *key_pass;               /* file with the passphrase of an encrypted key, or NULL */
	char *psk_secrets;            /* file of keys shared beforehand, or NULL: certificates */
	char *psk_identity;           /* client: whose; NULL: the first */
	struct conf_strings peer;     /* exact certificates, by fingerprint */
	struct conf_strings cafile;
	struct conf_strings capath;   /* folders of CA certificates */
	struct conf_strings checkhost, checkip, checkemail;
	struct conf_rules allow, deny; /* who may pass of those that are verified */
	unsigned chain_depth;         /* CAs between the peer and an anchor */
	struct conf_strings crlfile, crlpath; /* lists of revoked certificates */
	bool crl_check_chain;         /* of the CAs on the path, too */
	enum conf_crl_policy crl_policy;
	char *ocsp_url;               /* responder, or NULL */
	bool ocsp_aia;                /* … those that certificates name */
	bool ocsp_require, ocsp_nonce;
	struct conf_strings ocsp_flags;
	struct conf_strings ocsp_staple; /* files: what responders said of our own certificates */
	bool ocsp_staple_fetch;       /* … or the responders themselves */
	enum conf_expired expired_peers;
	bool insecure;
	bool verify_chain;            /* stunnel's: a path to a CA in cafile/capath */
	bool verify_peer;             /* stunnel's: the very certificate in cafile/capath */
	bool require_cert;            /* stunnel's: any certificate will do */
	unsigned verify;              /* stunnel's old level 0 … 4; CONF_VERIFY_OFF: not set */
	unsigned security_level;      /* 0 … 5: least key sizes */
	char *sni;                    /* client: the name to ask for; "": none; NULL: the host */
	enum conf_version version_min;
	enum conf_version version_max;
	struct conf_strings suites12; /* IANA names, in order; none: our own choice */
	struct conf_strings suites13;
	struct conf_strings groups;
	bool server_preference;
	struct conf_strings alpn;     /* application protocols, the best first; none: not spoken of */
	bool alpn_require;            /* a peer that agrees on none is refused */
	bool no_tls12, no_tls13;      /* by options: see sslopt_versions() */

	bool session_resume;          /* server: by tickets that carry who the peer is */
	unsigned session_cache_size;  /* peers to know; 0: as many as there are */
	unsigned session_cache_timeout;
	char *ticket_key_secret, *ticket_mac_secret; /* hexadecimal, or NULL */
	char *ticket_key_file;        /* or NULL */

	enum conf_protocol protocol;
	char *protocol_host, *protocol_username, *protocol_password, *protocol_domain;
	struct conf_strings protocol_header;
	enum conf_authentication protocol_authentication;
	bool proxy_in;                /* a PROXY header stands in front of what we accept */
	struct conf_prefixes proxy_from;

	enum conf_abort abort;
	bool reset;                   /* stunnel's: a reset tells the plain side of an error */
	unsigned timeout_busy;
	unsigned timeout_connect;
	unsigned timeout_ocsp;
	unsigned timeout_idle;
	unsigned timeout_close;

	unsigned max_per_source;      /* tunnels; 0: no limit */
	unsigned per_source_v4, per_source_v6; /* prefix lengths that are one source */
	unsigned handshake_rate;      /* handshakes a second and source; 0: no limit */
	struct conf_prefixes allow_from, deny_from;

	int debug;                    /* syslog level; -1: the global one */
	enum conf_log_id log_id;
	char *setuid, *setgid;        /* owner of the unix sockets of accept */

	struct conf_mark at;          /* its [name] */
	struct conf_mark marks[CONF_OPTIONS_MAX];
};

#define CONF_VERIFY_OFF 99u

struct config {
	atomic_uint refs;
	struct conf_strings files;    /* read, in order; 0 is the main one; none: command line */
	struct conf_strings folders;  /* of include */
	struct timespec begun;        /* when reading it began, by the clock of files */
	int debug;                    /* syslog level */
	int facility;                 /* of syslog */
	enum conf_foreground foreground;
	char *pid;                    /* file, or NULL */
	char *output;                 /* file of the log, or NULL */
	enum conf_log_mode log_mode;
	enum conf_log_format log_format;
	bool syslog;
	char *ident;                  /* name for syslog and, without sections, of the service */
	char *setuid, *setgid;        /* whom to become, or NULL */
	char *chroot;                 /* or NULL */
	struct conf_strings setenv;   /* NAME=VALUE for exec */
	bool reload_on_change;
	unsigned timeout_drain;       /* seconds */
	unsigned max_tunnels;         /* 0: from the descriptor limit */
	unsigned accept_threads;      /* 0: one a CPU */
	unsigned worker_threads;      /* 0: one a CPU */
	unsigned accept_nice;         /* of the accept threads, above the others */
	bool affinity;                /* each thread stays on one CPU */
	enum conf_accel accel;
	bool inetd;                   /* a file without sections: one tunnel on fds 0 and 1 */

	struct conf_service defaults; /* what a section begins with */
	struct conf_service *services;
	size_t nservices;
	struct conf_mark marks[CONF_OPTIONS_MAX];
};

/* A configuration without services whose defaults are those of the profile. */
struct config *config_empty(enum conf_profile, struct errmsg *);

/* Adds a service of the given name that begins with the defaults as they stand.
 * Returns it, or NULL (memory); valid until the next one is added. */
struct conf_service *config_add(struct config *, const char *name, struct errmsg *);

/* A configuration with one service of the given name, all defaults strict. */
struct config *config_new(const char *service, bool client, struct errmsg *);
struct config *config_ref(struct config *);

/* Gives a reference back; the last one frees. */
void config_free(struct config *);

/* Puts where a section of a file begins in front of a message about it, as messages about its
 * lines have it; one of the command line's it leaves as it is.  Returns -1. */
int config_prefix(const struct config *, const struct conf_service *, struct errmsg *);

/* "FILE:LINE: " of an option of a section into the buffer, or of the section where the option does not
 * stand in it; "" for one of the command line's.  Returns the buffer. */
const char *config_where(const struct config *, const struct conf_service *, const char *option,
    char *, size_t);

/* Judges the whole: what is missing or contradicts.  The message says what to
 * add or change, in the words of the option names.  Returns 0 or -1. */
int config_check(const struct config *, struct errmsg *);

#endif
