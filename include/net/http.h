#ifndef NET_HTTP_H_
#define NET_HTTP_H_

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"

/*
 * As much of HTTP as asking a question and getting a bounded answer needs: http://, POST, no
 * redirects, one connection a question.  Pure; no connection is made here.
 */

#define HTTP_HOST 256
#define HTTP_PATH 512
#define HTTP_HEAD_MOST 2048 /* of a request's head, its NUL included */

/* Where to ask. */
struct http_url {
	char host[HTTP_HOST]; /* a name, or an IP address without brackets */
	char port[8];
	char path[HTTP_PATH]; /* with the query */
};

/* Parses http://HOST[:PORT][/PATH].  Returns 0, or -1 with the message filled (another scheme, a
 * user, blanks, control characters, too long). */
int http_url_parse(const char *, struct http_url *, struct errmsg *);

/* Writes the head of a POST of so many bytes of that type into a buffer of HTTP_HEAD_MOST bytes.
 * Returns its length. */
size_t http_post(const struct http_url *, const char *type, size_t body, char *);

/* What has come of the answer so far. */
enum http_state { HTTP_MORE, HTTP_DONE, HTTP_FAILED };

/*
 * Looks at all n bytes that have come; ended: the peer has closed.  HTTP_DONE: the answer's body is
 * where *body and *len say.  HTTP_FAILED with the message filled: another status than 200, another type,
 * a body above most bytes, or none, or what this is no answer at all.
 */
enum http_state http_answer(const char *, size_t n, bool ended, const char *type, size_t most,
    const char **body, size_t *len, struct errmsg *);

/* The bytes of a head that are read at most. */
#define HTTP_ANSWER_HEAD ((size_t)8 * 1024)

#endif
