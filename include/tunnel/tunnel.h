#ifndef TUNNEL_TUNNEL_H_
#define TUNNEL_TUNNEL_H_

#include <stdbool.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "base/inbox.h"
#include "net/loop.h"
#include "tls/hello.h"
#include "tunnel/dial.h"
#include "tunnel/endpoint.h"
#include "tunnel/pool.h"
#include "tunnel/preface.h"
#include "tunnel/pump.h"
#include "tunnel/reason.h"
#include "tunnel/service.h"

/*
 * A tunnel: two endpoints, two pumps, and the step it is in.
 *
 *   server: [preface] → handshake → [preface] → connect → [preface] → hand over → splice → …
 *   client: connect → [preface] → handshake → [preface] → hand over → splice → …
 *
 * It belongs to one lane at a time, is handed over once, and only its lane's
 * thread touches it.  Events mark and post it; its task then runs its step.
 */
struct tunnel;
struct exec;
struct ocsp_talk;
struct starter;

enum verdict {
	STEP_NEXT, /* done: the next step of the row */
	STEP_GO,   /* the step was changed: run it */
	STEP_WAIT, /* nothing more until something happens */
	STEP_GONE, /* handed over: not ours any more */
	STEP_END,  /* over: the driver frees the tunnel */
};

struct step {
	const char *name; /* "while …" in the log */
	enum verdict (*run)(struct tunnel *);
	enum verdict (*late)(struct tunnel *); /* its deadline is over */
};

/* What a tunnel needs only until it is open. */
struct opening {
	struct opening *next_asker; /* in the lane: waits for a name */
	struct tunnel *tunnel;
	struct addr peer;           /* who was accepted; len 0: our stdio */
	struct addr as_peer;        /* … with any port, to connect from (transparent = source) */
	unsigned turn;              /* with failover = rr: whose turn it is */
	size_t tried;               /* connect lines that were tried before this one */
	struct sock_setup setup;    /* of what we connect */
	bool outcast;               /* may not pass: goes to the target of redirect */
	bool asking;
	bool unannounced;           /* its source is noisy: no word before the handshake is done */
	bool again;                 /* connected anew, since a session of before was in the way */
	bool met;                   /* the handshake is done: no stranger any more */
	struct dial dial;
	struct addr_spec wanted;    /* where the peer, or protocolHost, wants to go; text NULL: none */
	bool forbidden;             /* … which is not for it */
	struct preface preface;     /* the talk of this step */
	bool talking;               /* … has begun */
	bool heard_client;          /* something came from the accepted side */
	struct buf heard[2];        /* bytes that no talk has taken yet, by side */
	struct ocsp_talk *ocsp;     /* what is asked about the peer; NULL: nothing yet */
	struct hello_reader hello;  /* read before the session is made, or empty */
	bool heard_hello;           /* … which the time of the handshake began with */
	bool by_name;               /* sections are told apart by the name in it: */
	char name[HELLO_NAME];      /* … this one; "": none */
	size_t thrown_away;         /* bytes that came after the handshake had failed */
	struct errmsg why;          /* of the failure, for the log */
};

struct tunnel {
	struct inbox_msg msg;
	struct task task;
	struct loop_timer timer;
	struct tunnel *next, **link; /* in its lane */
	struct lane *lane;
	struct service *service;
	struct source *source;       /* where it counts, or NULL */
	const struct step *step;
	struct opening *opening;     /* NULL once open */
	uint64_t id;
	uint64_t started;            /* ms of the loop's clock, like those below */
	uint64_t active;             /* when the deadline's time began to run */
	uint64_t limit;              /* ms; 0: no deadline */
	size_t unsent;               /* bytes not taken at the last deadline */
	uint64_t poll_at;            /* when to run the step again without an event; 0: never */
	bool expired;
	bool stdio;                  /* an end of it is our stdio */
	bool unsaid;                 /* its end is not to be logged */
	bool truncated;              /* … and the far side was told a proper end */
	bool outlived;               /* the peer's certificate has expired */
	uint64_t outlives_at;        /* when to look at that again; 0: never */
	const char *const *names;    /* of which the peer must carry one */
	size_t nnames;
	char *host;                  /* … or that alone */
	const char *why;             /* while it is evicted: what the log says */
	enum reason reason;
	struct endpoint down, up;    /* the accepted side, the connected side */
	struct pump fwd, rev;        /* down → up, up → down */
	struct pump *tail;           /* after a failure: what may still bring bytes */
	struct endpoint *survivor;   /* … and whom to tell */
	struct exec *exec;           /* the program at its plain end, or NULL */
	struct starter *starter;     /* who began it; NULL: it was accepted */
	char *from, *to;             /* addresses as text */
	char name[24];               /* in the log */
};

/*
 * Makes a tunnel that holds a slot of the pool: the accepted descriptor (and another one to
 * write to, or the same) become its own.  The peer is where it comes from, NULL for our stdio.  Its task is posted to the lane's loop.  Returns NULL when memory ran
 * out: the descriptors are then closed and the slot given back.
 */
struct tunnel *tunnel_new(struct lane *, struct service *, int rfd, int wfd,
    const struct addr *peer);

/* The steps that open a tunnel of a service; the last hands it over to a worker lane. */
const struct step *tunnel_open(const struct service *);

/* The steps of an open tunnel. */
extern const struct step tunnel_spliced[];

/* Tells the failed handshake's peer why, then waits for it to leave. */
extern const struct step tunnel_farewell;

/* Runs the tunnel's step in this turn's task phase. */
void tunnel_wake(void *);

/* Changes the step. */
enum verdict tunnel_go(struct tunnel *, const struct step *);

/* Notes the reason, if there is none yet, and ends the tunnel. */
enum verdict tunnel_fail(struct tunnel *, enum reason);

/* The deadline: so many seconds from now, 0 for none; tunnel_touch() makes it run anew. */
void tunnel_limit(struct tunnel *, unsigned seconds);
void tunnel_touch(struct tunnel *);

/* Runs the step again after so many milliseconds. */
void tunnel_poll(struct tunnel *, unsigned ms);

/* The lane takes it, or gives it up: list, deadline, and both wires' loop.  Adopting
 * returns -1 when the kernel refuses to watch. */
int tunnel_adopt(struct tunnel *, struct lane *);
void tunnel_release(struct tunnel *);

/* The lane owns it from here on; it is the youngest there. */
void tunnel_enlist(struct tunnel *, struct lane *);

/* Frees what it needed only until it was open. */
void tunnel_opened(struct tunnel *);

/* Whether a side of a tunnel that failed is to see a proper end all the same: as stunnel
 * has it, of an error of TLS the plain side is told as reset says; else both are as abort says. */
bool tunnel_ends_orderly(const struct tunnel *, const struct endpoint *);

/* Ends a side of a tunnel that failed with a reset, or with none where reset = no. */
void tunnel_abort_side(const struct tunnel *, struct endpoint *);

/* Ends a tunnel at once, from outside its steps, in its lane's thread. */
void tunnel_cut(struct tunnel *);

/* The same for another reason, with more about it for the log. */
void tunnel_evict(struct tunnel *, enum reason, const char *why);

/* Ends the open tunnel when the peer's certificate expires, unless the service keeps such. */
void tunnel_mind_expiry(struct tunnel *);

/* One line in the log about how it ended; of one source's failed handshakes only
 * some (SOURCE_LINES), but all at the level debug. */
void tunnel_report(const struct tunnel *);

/* What a lane needs for it. */
void report_init(struct lane *);
/* A failure was not logged: the lane sees to it that it is told later. */
void report_later(struct lane *);

/* The endpoint that speaks TLS (its session may not exist yet), and the other one. */
struct endpoint *tunnel_tls_side(struct tunnel *);
struct endpoint *tunnel_plain_side(struct tunnel *);

#endif
