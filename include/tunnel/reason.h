#ifndef TUNNEL_REASON_H_
#define TUNNEL_REASON_H_

#include <stdbool.h>

/* Why a tunnel ended: X(name, whether it is a proper end, text for the log). */
#define REASONS(X)                                                             \
	X(REASON_CLOSED, true, "closed")                                       \
	X(REASON_TRUNCATED, false, "truncated by the TLS peer (no close_notify)") \
	X(REASON_TLS_RESET, false, "reset by the TLS peer")                    \
	X(REASON_PLAIN_RESET, false, "reset by the plain side")                \
	X(REASON_ALERT, false, "fatal alert from the TLS peer")                \
	X(REASON_PROTOCOL, false, "TLS protocol error")                        \
	X(REASON_REFUSED_BY_PEER, false, "refused by peer")                    \
	X(REASON_HANDSHAKE, false, "TLS handshake failed")                     \
	X(REASON_PROBE, false, "peer left before the TLS handshake")           \
	X(REASON_PREFACE, false, "no agreement with the peer")                 \
	X(REASON_PROXY, false, "PROXY header refused")                         \
	X(REASON_SOURCE, false, "source refused")                              \
	X(REASON_CROWDED, false, "dropped to make room, its handshake unfinished") \
	X(REASON_UNAUTHORISED, false, "peer refused")                          \
	X(REASON_BUSY_TIMEOUT, false, "TIMEOUTbusy exceeded")                  \
	X(REASON_RESOLVE, false, "name not resolved")                          \
	X(REASON_TARGET, false, "target refused")                              \
	X(REASON_CONNECT, false, "connect failed")                             \
	X(REASON_EXEC, false, "program not started")                          \
	X(REASON_STDIO_TAKEN, false, "stdio serves another tunnel")            \
	X(REASON_IDLE_TIMEOUT, false, "TIMEOUTidle exceeded")                  \
	X(REASON_CLOSE_TIMEOUT, false, "TIMEOUTclose exceeded")                \
	X(REASON_REVOKED, false, "revoked")                                    \
	X(REASON_DENIED, false, "denied")                                      \
	X(REASON_EXPIRED, false, "expired")                                    \
	X(REASON_CUT, false, "cut at shutdown")                                \
	X(REASON_NOMEM, false, "out of memory or past a bound")

enum reason {
	REASON_NONE, /* it lives */
#define REASON_ENUM(name, proper, text) name,
	REASONS(REASON_ENUM)
#undef REASON_ENUM
	REASON_COUNT
};

const char *reason_text(enum reason);

/* Whether both sides ended properly. */
bool reason_is_proper(enum reason);

#endif
