#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/log.h"
#include "tunnel/trace.h"

/* 22 characters of 64 make 132 bits: no two tunnels of any machine have the same. */
#define UNIQUE 22

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void
unique(char *text)
{
	unsigned char random[UNIQUE];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		memset(random, 0, sizeof(random));
	for (int i = 0; i < UNIQUE; i++)
		text[i] = digits[random[i] % 64];
	text[UNIQUE] = '\0';
}

void
trace_name(struct tunnel *t)
{
	switch (t->service->conf->log_id) {
	case LOG_ID_UNIQUE:
		unique(t->name);
		break;
	case LOG_ID_PROCESS:
		snprintf(t->name, sizeof(t->name), "%d", (int)getpid());
		break;
	case LOG_ID_THREAD:
		/* Another thread may carry it on; for a name the one that accepted it will do. */
		snprintf(t->name, sizeof(t->name), "%d", (int)gettid());
		break;
	default:
		snprintf(t->name, sizeof(t->name), "%llu", (unsigned long long)t->id);
	}
}

static struct log_speaker
speaker(const struct tunnel *t)
{
	const struct conf_service *c = t->service->conf;

	return (struct log_speaker){ .id = t->name, .service = c->name, .level = c->debug };
}

bool
tunnel_log_wants(const struct tunnel *t, int level)
{
	struct log_speaker who = speaker(t);

	return log_speaker_wants(&who, level);
}

static void
say(const struct tunnel *t, int level, const char *fmt, va_list ap)
{
	char text[LOG_TEXT_BYTES];
	struct log_speaker who = speaker(t);

	if (!log_speaker_wants(&who, level))
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	log_say(&who, level, "%s", text);
}

void
tunnel_log(const struct tunnel *t, int level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(t, level, fmt, ap);
	va_end(ap);
}

void
tunnel_trace(const struct tunnel *t, int level, const char *fmt, ...)
{
	va_list ap;

	if (t->service->conf->profile == PROFILE_STRICT)
		return;
	va_start(ap, fmt);
	say(t, level, fmt, ap);
	va_end(ap);
}

static void
say_accepted(const struct tunnel *t)
{
	tunnel_trace(t, LOG_DEBUG, "Service [%s] started", t->service->conf->name);
	tunnel_trace(t, LOG_NOTICE, "Service [%s] accepted connection from %s",
	    t->service->conf->name, t->from);
}

void
trace_accepted(struct tunnel *t)
{
	t->opening->unannounced = source_is_noisy(t->source, loop_now(t->lane->loop));
	if (!t->opening->unannounced)
		say_accepted(t);
}

static bool
is_client(const struct tunnel *t)
{
	return t->service->conf->client;
}

void
trace_negotiated(struct tunnel *t)
{
	const char *shared = tls_session_shared(tunnel_tls_side(t)->tls);
	const char *protocol = tls_session_protocol(tunnel_tls_side(t)->tls);

	if (t->opening->unannounced)
		say_accepted(t);
	t->opening->unannounced = false;
	tunnel_trace(t, LOG_INFO, "TLS %s: %s", is_client(t) ? "connected" : "accepted",
	    tls_session_resumed(tunnel_tls_side(t)->tls) ? "previous session reused" :
	    "new session negotiated");
	if (protocol != NULL)
		tunnel_trace(t, LOG_INFO, "ALPN: %s", protocol);
	if (shared != NULL)
		tunnel_trace(t, LOG_INFO, "PSK identity: %s", shared);
}

/* Our own end of what we connected. */
static const char *
own_address(const struct tunnel *t, char *text)
{
	struct addr a = { .len = sizeof(a.u) };

	if (t->up.wire.rfd == -1 || getsockname(t->up.wire.rfd, &a.u.sa, &a.len) == -1)
		return NULL;
	return addr_text(&a, text);
}

void
trace_connected(const struct tunnel *t, const char *to)
{
	char text[ADDR_TEXT];
	const char *from;

	if (t->service->conf->profile == PROFILE_STRICT || !tunnel_log_wants(t, LOG_NOTICE))
		return;
	tunnel_trace(t, LOG_NOTICE, "s_connect: connected %s", to);
	if ((from = own_address(t, text)) != NULL)
		tunnel_trace(t, LOG_NOTICE, "Service [%s] connected remote server from %s",
		    t->service->conf->name, from);
}

void
trace_not_connected(const struct tunnel *t, const char *to, int why)
{
	tunnel_trace(t, LOG_ERR, "s_connect: connect %s: %s (%d)", to, strerror(why), why);
}

void
trace_not_resolved(const struct tunnel *t, const char *host, const char *why)
{
	tunnel_trace(t, LOG_ERR, "Error resolving \"%s\": %s", host, why);
}

/* The handshake: what went wrong, and first the peer's certificate when that was it. */
static void
trace_handshake(const struct tunnel *t, const char *why)
{
	const char *step = is_client(t) ? "SSL_connect" : "SSL_accept";

	if (t->reason != REASON_UNAUTHORISED) {
		tunnel_trace(t, LOG_ERR, "%s: %s", step, why);
		return;
	}
	tunnel_trace(t, LOG_WARNING, "VERIFY ERROR: depth=0, error=%s", why);
	tunnel_trace(t, LOG_ERR, "%s: certificate verify failed", step);
}

/* What failed, where our own line at info may not be shown. */
static void
trace_failure(const struct tunnel *t, const char *why)
{
	switch (t->reason) {
	case REASON_CONNECT:
		tunnel_trace(t, LOG_ERR, "No more addresses to connect");
		break;
	case REASON_RESOLVE:
		tunnel_trace(t, LOG_ERR, "No host resolved");
		break;
	case REASON_HANDSHAKE:
	case REASON_UNAUTHORISED:
	case REASON_REFUSED_BY_PEER:
		trace_handshake(t, why);
		break;
	case REASON_ALERT:
	case REASON_PROTOCOL:
		tunnel_trace(t, LOG_ERR, "SSL_read: %s", why);
		break;
	case REASON_REVOKED:
	case REASON_DENIED:
	case REASON_EXPIRED:
		tunnel_trace(t, LOG_ERR, "The peer may not stay, %s%s%s", reason_text(t->reason),
		    *why ? ": " : "", why);
		break;
	case REASON_CROWDED:
		tunnel_trace(t, LOG_WARNING, "Connection dropped: too many clients");
		break;
	case REASON_PREFACE:
	case REASON_PROXY:
	case REASON_SOURCE:
	case REASON_TARGET:
	case REASON_STDIO_TAKEN:
	case REASON_NOMEM:
		tunnel_trace(t, LOG_ERR, "%s%s%s", reason_text(t->reason), *why ? ": " : "", why);
		break;
	default:
		break;
	}
}

void
trace_ended(const struct tunnel *t, const char *why)
{
	bool open = t->opening == NULL;
	const struct pump *to_tls = is_client(t) ? &t->fwd : &t->rev;
	const struct pump *to_plain = is_client(t) ? &t->rev : &t->fwd;

	trace_failure(t, why);
	tunnel_trace(t, LOG_NOTICE,
	    "Connection %s: %llu byte(s) sent to TLS, %llu byte(s) sent to socket",
	    reason_is_proper(t->reason) || t->reason == REASON_PROBE ? "closed" : "reset",
	    open ? (unsigned long long)to_tls->bytes : 0,
	    open ? (unsigned long long)to_plain->bytes : 0);
}
