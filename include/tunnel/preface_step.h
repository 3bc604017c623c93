#ifndef TUNNEL_PREFACE_STEP_H_
#define TUNNEL_PREFACE_STEP_H_

#include "tunnel/preface.h"
#include "tunnel/tunnel.h"

/*
 * The step of a stage: holds its talk, if the service has one there, within TIMEOUTbusy in
 * all.  What was read too much stays with the endpoint, or is dropped with a line in the log.
 */
enum verdict preface_run(struct tunnel *, enum preface_stage);

/* The target is not to be had, for this reason: a peer that waits for the answer to its request is
 * told, and the tunnel ends. */
enum verdict preface_refuse(struct tunnel *, enum reason);

/* The talk's time is over. */
enum verdict preface_late(struct tunnel *);

#endif
