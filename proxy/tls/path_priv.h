#ifndef TLS_PATH_PRIV_H_
#define TLS_PATH_PRIV_H_

#include "tls/rules_priv.h"

/* A certificate of the CA file. */
struct anchor {
	struct der der;
	struct x509 cert; /* points into der */
	bool issues;      /* it is a CA; else it is trusted exactly */
};

/* How many of the presented certificates are looked at. */
#define PATH_PRESENTED 16
/* How many CAs may stand between the peer's certificate and an anchor. */
#define PATH_DEPTH 8
/* How many signatures are checked at most, and how many certificates are tried. */
#define PATH_SIGNATURES 64
#define PATH_STEPS 512

/* The peer's certificate, presented[0], what came with it in any order, and what is
 * trusted. */
struct path_search {
	const struct x509 *presented;
	size_t npresented;
	const struct anchor *anchors;
	size_t nanchors;
	const struct occasion *occasion;
	unsigned depth;                /* CAs between, at most: up to PATH_DEPTH */
	const struct x509 *issuer;     /* found: whose key has verified presented[0] */
	const struct x509 *found[PATH_DEPTH + 2]; /* … and the whole path, up to the anchor */
	size_t nfound;
};

/* Looks for a path from the peer's certificate, which has been judged by itself, to an
 * anchor.  Returns TRUST_OK when there is one that keeps all rules; else the verdict of
 * the path that came closest, with the message filled. */
enum trust_verdict path_find(struct path_search *, struct errmsg *);

#endif
