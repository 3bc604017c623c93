#ifndef TUNNEL_OCSP_PRIV_H_
#define TUNNEL_OCSP_PRIV_H_

#include "net/http.h"
#include "net/loop.h"
#include "tunnel/dial.h"
#include "tunnel/ocsp.h"

/*
 * One question to one responder: find it, connect, send, read.  Of the desk's thread; none of it
 * waits.
 */
struct ocsp_fetch {
	struct loop *loop;    /* NULL: not begun, or over */
	uint64_t id;          /* of the look-up, or 0 */
	struct http_url url;
	struct dial dial;
	bool dialling;
	int fd;               /* -1: none */
	struct watch watch;
	struct task task;
	struct loop_timer timer;
	bool late;
	unsigned seconds;
	char *out;            /* owned */
	size_t out_len, sent;
	char *in;             /* owned */
	size_t in_len, in_cap;
	/* It is over: with a body, or with the message filled.  The fetch may be begun anew or freed. */
	void (*done)(struct ocsp_fetch *, const unsigned char *body, size_t, const struct errmsg *);
};

/* Begins; done is called later, never from within.  Id: for the look-up, whose answer goes to
 * the loop's inbox with deliver, and then to ocsp_fetch_found().  Returns 0 or -1. */
int ocsp_fetch_start(struct ocsp_fetch *, struct loop *, struct resolver *, const char *url,
    const unsigned char *request, size_t, unsigned seconds, uint64_t id,
    void (*deliver)(struct inbox_msg *, void *), struct errmsg *);
void ocsp_fetch_found(struct ocsp_fetch *, struct resolve_answer *);
void ocsp_fetch_stop(struct ocsp_fetch *);

/* The certificates of ours that are asked about over and over: of the desk's thread. */
struct ocsp_keeper;
#define OCSP_KEEPERS 1024
struct ocsp_keepers {
	struct ocsp_keeper *first;
	size_t n;
	uint64_t last_id;
};

void ocsp_keepers_free(struct ocsp_keepers *);

/* The desk's, and its loop; its thread must have begun.  Returns 0, or -1 with the message filled. */
int ocsp_desk_begin(struct ocsp_desk *, struct errmsg *);
struct ocsp_keepers *ocsp_desk_keepers(struct ocsp_desk *);
struct loop *ocsp_desk_loop(struct ocsp_desk *);

/* Answers by the keys of their questions and what was asked of them; no lock inside. */
#define OCSP_WAYS 8
#define OCSP_SETS 512

struct ocsp_kept {
	unsigned char key[OCSP_KEY];
	unsigned flags;
	int64_t until;          /* 0: free */
	unsigned long long used;
	struct ocsp_answer answer;
};

struct ocsp_cache {
	struct ocsp_kept (*sets)[OCSP_WAYS]; /* NULL: nothing was ever kept */
	unsigned long long turn;
};

bool ocsp_cache_find(struct ocsp_cache *, const unsigned char *key, unsigned flags, int64_t now,
    struct ocsp_answer *);
void ocsp_cache_keep(struct ocsp_cache *, const unsigned char *key, unsigned flags, int64_t now,
    const struct ocsp_answer *);
void ocsp_cache_free(struct ocsp_cache *);

#endif
