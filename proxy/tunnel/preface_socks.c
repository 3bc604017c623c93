/* SOCKS 4, 4a and 5 (RFC 1928) inside TLS: a client asks for protocolHost; a server is asked
 * for a target, and answers when it has connected to it. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tunnel/preface.h"

#define V4_USER_MAX 255

enum { TYPE_V4 = 1, TYPE_NAME = 3, TYPE_V6 = 4 };
enum { COMMAND_CONNECT = 1 };

/* Replies: of version 5, and what version 4 has for them. */
enum {
	REPLY_DONE = 0,
	REPLY_FAILED = 1,
	REPLY_FORBIDDEN = 2,
	REPLY_UNREACHABLE = 4,
	REPLY_COMMAND = 7,
	REPLY_TYPE = 8,
};
#define V4_DONE 0x5a
#define V4_FAILED 0x5b

static const char *const replies[] = { "", "a general failure", "its rules forbid it",
	"the network is unreachable", "the host is unreachable", "the connection was refused",
	"the time to live expired", "it does not know the command",
	"it does not know the kind of address" };

/* Client */

enum { CLIENT_GREETS, CLIENT_METHOD, CLIENT_REPLY };

/* The destination as the request has it: type, address, port. */
static enum preface_verdict
ask(struct preface *p, struct errmsg *why)
{
	uint8_t request[4 + 1 + 255 + 2] = { 5, COMMAND_CONNECT, 0, 0 };
	enum preface_verdict v = PREFACE_FAILED;
	struct addr_spec spec;
	unsigned long port;
	size_t n = 4;
	char *end;

	if (addr_parse(p->conf->protocol_host, &spec, why) == -1)
		return PREFACE_FAILED;
	port = strtoul(spec.port, &end, 10);
	if (spec.kind != ADDR_TCP || spec.host == NULL || strlen(spec.host) > 255 ||
	    *end != '\0' || port == 0 || port > 65535) {
		errmsg_set(why, "protocolHost must be HOST:PORT, with the port as a number");
		goto out;
	}
	if (inet_pton(AF_INET, spec.host, request + n) == 1) {
		request[3] = TYPE_V4;
		n += 4;
	} else if (inet_pton(AF_INET6, spec.host, request + n) == 1) {
		request[3] = TYPE_V6;
		n += 16;
	} else {
		request[3] = TYPE_NAME;
		request[n] = (uint8_t)strlen(spec.host);
		memcpy(request + n + 1, spec.host, strlen(spec.host));
		n += 1 + strlen(spec.host);
	}
	request[n++] = (uint8_t)(port >> 8);
	request[n++] = (uint8_t)port;
	p->state = CLIENT_REPLY;
	if (preface_put(p, PREFACE_UP, why, request, n) == 0)
		v = PREFACE_MORE;
out:
	addr_spec_free(&spec);
	return v;
}

/* How long an address of a type is, with what stands in front of it; 0: unknown. */
static size_t
address_len(uint8_t type, uint8_t first)
{
	switch (type) {
	case TYPE_V4:
		return 4;
	case TYPE_V6:
		return 16;
	case TYPE_NAME:
		return 1 + (size_t)first;
	default:
		return 0;
	}
}

static enum preface_verdict
hear_reply(const uint8_t *in, size_t n, size_t *used, struct errmsg *why)
{
	size_t len;

	if (n >= 2 && in[0] == 5 && in[1] != REPLY_DONE) {
		errmsg_set(why, "the SOCKS server refuses: %s",
		    in[1] < sizeof(replies) / sizeof(replies[0]) ? replies[in[1]] :
		    "it does not say why");
		return PREFACE_FAILED;
	}
	if (n < 5)
		return PREFACE_MORE;
	len = address_len(in[3], in[4]);
	if (in[0] != 5 || len == 0) {
		errmsg_set(why, "no SOCKS server: its reply is none");
		return PREFACE_FAILED;
	}
	if (n < 4 + len + 2)
		return PREFACE_MORE;
	*used = 4 + len + 2;
	return PREFACE_DONE;
}

enum preface_verdict
preface_socks_client(struct preface *p, const uint8_t *in, size_t n, size_t *used,
    struct errmsg *why)
{
	p->from = PREFACE_UP;
	if (p->state == CLIENT_GREETS) {
		p->state = CLIENT_METHOD;
		return preface_put(p, PREFACE_UP, why, "\5\1\0", 3) == -1 ? PREFACE_FAILED :
		    PREFACE_MORE;
	}
	if (p->state == CLIENT_REPLY)
		return hear_reply(in, n, used, why);
	if (n < 2)
		return PREFACE_MORE;
	*used = 2;
	if (in[0] == 5 && in[1] == 0)
		return ask(p, why);
	errmsg_set(why, in[0] == 5 ? "the SOCKS server wants a login" :
	    "no SOCKS server: its answer is none");
	return PREFACE_FAILED;
}

/* Server */

enum { SERVER_BEGINS, SERVER_REQUEST };

static int
reply(struct preface *p, unsigned code, struct errmsg *why)
{
	uint8_t v5[] = { 5, (uint8_t)code, 0, TYPE_V4, 0, 0, 0, 0, 0, 0 };
	uint8_t v4[] = { 0, code == REPLY_DONE ? V4_DONE : V4_FAILED, 0, 0, 0, 0, 0, 0 };

	if (p->kind == 5)
		return preface_put(p, PREFACE_DOWN, why, v5, sizeof(v5));
	return preface_put(p, PREFACE_DOWN, why, v4, sizeof(v4));
}

static enum preface_verdict
refuse(struct preface *p, unsigned code, struct errmsg *why, const char *text)
{
	if (reply(p, code, why) == 0)
		errmsg_set(why, "%s", text);
	return PREFACE_FAILED;
}

static enum preface_verdict
take_target(struct preface *p, const char *host, size_t n, const uint8_t *port,
    struct errmsg *why)
{
	struct errmsg wrong;
	char text[8];
	int len;

	len = snprintf(text, sizeof(text), "%u", (unsigned)port[0] << 8 | port[1]);
	if (preface_target(p, host, n, text, (size_t)len, &wrong) == -1)
		return refuse(p, REPLY_FAILED, why, wrong.text);
	return PREFACE_DONE;
}

/* 4, command, port, address, user, NUL; behind an address 0.0.0.x a name, NUL. */
static enum preface_verdict
hear_v4(struct preface *p, const uint8_t *in, size_t n, size_t *used, struct errmsg *why)
{
	const size_t fixed = 8;
	const uint8_t *user_end, *name, *name_end;
	char text[INET_ADDRSTRLEN];

	p->kind = 4;
	if (n < fixed)
		return PREFACE_MORE;
	if (in[1] != COMMAND_CONNECT)
		return refuse(p, REPLY_COMMAND, why, "a SOCKS4 command that is not CONNECT");
	user_end = memchr(in + fixed, '\0', n - fixed);
	if ((user_end != NULL ? (size_t)(user_end - in) : n) - fixed > V4_USER_MAX)
		return refuse(p, REPLY_FAILED, why, "a SOCKS4 user of more than 255 bytes");
	if (user_end == NULL)
		return PREFACE_MORE;
	if (in[4] != 0 || in[5] != 0 || in[6] != 0 || in[7] == 0) {
		*used = (size_t)(user_end - in) + 1;
		inet_ntop(AF_INET, in + 4, text, sizeof(text));
		return take_target(p, text, strlen(text), in + 2, why);
	}
	name = user_end + 1;
	n -= (size_t)(name - in);
	if ((name_end = memchr(name, '\0', n)) == NULL && n <= 255)
		return PREFACE_MORE;
	if (name_end == NULL)
		return refuse(p, REPLY_FAILED, why, "a SOCKS4 name of more than 255 bytes");
	*used = (size_t)(name_end - in) + 1;
	return take_target(p, (const char *)name, (size_t)(name_end - name), in + 2, why);
}

/* 5, the number of methods, methods: of these, only none at all (0) is for us. */
static enum preface_verdict
hear_methods(struct preface *p, const uint8_t *in, size_t n, size_t *used,
    struct errmsg *why)
{
	if (n < 2 || n < 2 + (size_t)in[1])
		return PREFACE_MORE;
	*used = 2 + (size_t)in[1];
	p->kind = 5;
	p->state = SERVER_REQUEST;
	if (memchr(in + 2, 0, in[1]) != NULL)
		return preface_put(p, PREFACE_DOWN, why, "\5\0", 2) == -1 ? PREFACE_FAILED :
		    PREFACE_MORE;
	if (preface_put(p, PREFACE_DOWN, why, "\5\xff", 2) == 0)
		errmsg_set(why, "the SOCKS client insists on a login");
	return PREFACE_FAILED;
}

/* 5, command, 0, type, address, port. */
static enum preface_verdict
hear_v5(struct preface *p, const uint8_t *in, size_t n, size_t *used, struct errmsg *why)
{
	char text[INET6_ADDRSTRLEN];
	size_t len;

	if (n < 5)
		return PREFACE_MORE;
	if (in[0] != 5)
		return refuse(p, REPLY_FAILED, why, "a SOCKS request that is not of version 5");
	if (in[1] != COMMAND_CONNECT)
		return refuse(p, REPLY_COMMAND, why, "a SOCKS5 command that is not CONNECT");
	if ((len = address_len(in[3], in[4])) == 0)
		return refuse(p, REPLY_TYPE, why, "a SOCKS5 address of an unknown kind");
	if (n < 4 + len + 2)
		return PREFACE_MORE;
	*used = 4 + len + 2;
	if (in[3] == TYPE_NAME)
		return take_target(p, (const char *)in + 5, len - 1, in + 4 + len, why);
	inet_ntop(in[3] == TYPE_V4 ? AF_INET : AF_INET6, in + 4, text, sizeof(text));
	return take_target(p, text, strlen(text), in + 4 + len, why);
}

enum preface_verdict
preface_socks_server(struct preface *p, const uint8_t *in, size_t n, size_t *used,
    struct errmsg *why)
{
	if (n == 0)
		return PREFACE_MORE;
	if (p->state == SERVER_REQUEST)
		return hear_v5(p, in, n, used, why);
	if (in[0] == 4)
		return hear_v4(p, in, n, used, why);
	if (in[0] == 5)
		return hear_methods(p, in, n, used, why);
	errmsg_set(why, "no SOCKS client");
	return PREFACE_FAILED;
}

enum preface_verdict
preface_socks_answer(struct preface *p, const uint8_t *in, size_t n, size_t *used,
    struct errmsg *why)
{
	unsigned code = p->failure == PREFACE_FORBIDDEN ? REPLY_FORBIDDEN :
	    p->failure == PREFACE_UNREACHABLE ? REPLY_UNREACHABLE : REPLY_DONE;

	(void)in, (void)n, (void)used;
	return reply(p, code, why) == -1 ? PREFACE_FAILED : PREFACE_DONE;
}
