#ifndef TUNNEL_PREFACE_FACTS_PRIV_H_
#define TUNNEL_PREFACE_FACTS_PRIV_H_

#include "tunnel/preface.h"
#include "tunnel/tunnel.h"

/* More bytes of alternative names are not told, as a target must be able to take the header. */
#define FACTS_NAMES 4096

/* What a target's header tells, and what of it lives nowhere else. */
struct facts {
	struct preface_facts told;
	struct addr local;
	const char *unbound; /* why there is no channel binding */
	uint8_t names[FACTS_NAMES];
};

/* Gathers it for the tunnel; it holds as long as the step, and stays where it is. */
enum verdict facts_find(struct tunnel *, struct facts *);

/* The header is sent: what was left out of it is said in the log. */
void facts_told(const struct tunnel *, const struct facts *);

#endif
