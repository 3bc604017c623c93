#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* What an event of the loop belongs to: a connection, or a descriptor of another kind. */
struct watch {
	struct conn base; /* ready is NULL */
	void (*ready)(int fd);
};

static int epoll = -1;
static struct watch watches[8];

static void
loop_control(int op, struct conn *c, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	if (epoll == -1 && (epoll = epoll_create1(EPOLL_CLOEXEC)) == -1)
		fail("epoll_create1");
	c->events = events;
	if (epoll_ctl(epoll, op, c->fd, &e) == -1)
		fail("epoll_ctl");
}

/* Handlers may free connections only when they are their own. */
void
loop_turn(int milliseconds)
{
	struct epoll_event events[64];
	int n = epoll_wait(epoll, events, 64, milliseconds);

	if (n == -1 && errno != EINTR)
		fail("epoll_wait");
	for (int i = 0; i < n; i++) {
		struct conn *c = events[i].data.ptr;

		if (c->ready != NULL)
			c->ready(c);
		else
			((struct watch *)c)->ready(c->fd);
	}
}

void
loop_watch(int fd, void (*ready)(int fd))
{
	for (size_t i = 0; i < sizeof(watches) / sizeof(watches[0]); i++) {
		struct watch *w = &watches[i];

		if (w->ready != NULL)
			continue;
		*w = (struct watch){ .base.fd = fd, .ready = ready };
		loop_control(EPOLL_CTL_ADD, &w->base, EPOLLIN);
		return;
	}
	fail("too many descriptors to watch");
}

void
loop_unwatch(int fd)
{
	for (size_t i = 0; i < sizeof(watches) / sizeof(watches[0]); i++)
		if (watches[i].ready != NULL && watches[i].base.fd == fd) {
			loop_control(EPOLL_CTL_DEL, &watches[i].base, 0);
			watches[i].ready = NULL;
		}
}

static void
tls_init(struct conn *c, SSL_CTX *ctx, bool server, SSL_SESSION *session)
{
	BIO *in = BIO_new_socket(c->fd, BIO_NOCLOSE);

	c->ssl = SSL_new(ctx);
	c->out = BIO_new(BIO_s_mem());
	if (c->ssl == NULL || c->out == NULL || in == NULL)
		fail("out of memory");
	SSL_set_bio(c->ssl, in, c->out);
	if (session != NULL && SSL_set_session(c->ssl, session) != 1)
		fail("SSL_set_session");
	if (server)
		SSL_set_accept_state(c->ssl);
	else
		SSL_set_connect_state(c->ssl);
}

void
conn_init(struct conn *c, int fd, SSL_CTX *ctx, bool server, SSL_SESSION *session,
	  void (*ready)(struct conn *))
{
	int on = 1;

	*c = (struct conn){ .fd = fd, .ready = ready };
	if (fcntl(fd, F_SETFL, O_NONBLOCK) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1)
		fail("cannot set up a socket");
	if (ctx != NULL)
		tls_init(c, ctx, server, session);
	loop_control(EPOLL_CTL_ADD, c, EPOLLIN);
}

void
conn_fini(struct conn *c)
{
	SSL_free(c->ssl);
	close(c->fd);
	c->ssl = NULL;
	c->fd = -1;
}

int
dial(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1)
		fail("cannot connect to the tunnel");
	return fd;
}

bool
conn_pending(struct conn *c)
{
	char *data;
	size_t len;
	ssize_t n;

	if (c->out == NULL)
		return false;
	len = (size_t)BIO_get_mem_data(c->out, &data);
	if (len == 0)
		return false;
	n = send(c->fd, data + c->sent, len - c->sent, 0);
	if (n == -1 && errno != EAGAIN && errno != EPIPE && errno != ECONNRESET)
		fail("cannot send");
	c->sent += n > 0 ? (size_t)n : 0;
	if (c->sent < len)
		return true;
	c->sent = 0;
	(void)BIO_reset(c->out);
	return false;
}

void
conn_await(struct conn *c, bool more)
{
	uint32_t events = more ? EPOLLIN | EPOLLOUT : EPOLLIN;

	if (events != c->events)
		loop_control(EPOLL_CTL_MOD, c, events);
}

_Noreturn static void
tls_fail(const char *what)
{
	ERR_print_errors_fp(stderr);
	fail(what);
}

int
conn_handshake(struct conn *c)
{
	int n;

	if (c->ssl == NULL)
		return 1;
	errno = 0;
	n = SSL_do_handshake(c->ssl);
	if (n != 1 && SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ)
		tls_fail("a handshake failed");
	conn_await(c, conn_pending(c));
	return n == 1;
}

static size_t
plain_write(struct conn *c, const void *data, size_t len)
{
	ssize_t n = send(c->fd, data, len < CHUNK ? len : CHUNK, 0);

	if (n == -1 && errno != EAGAIN)
		fail("cannot send");
	return n > 0 ? (size_t)n : 0;
}

/* Many records, one system call. */
size_t
conn_write(struct conn *c, const void *data, size_t len)
{
	size_t done = 0;

	if (c->ssl == NULL)
		return plain_write(c, data, len);
	if (conn_pending(c))
		return 0;
	while (done < len && done < CHUNK) {
		size_t n = len - done < 16384 ? len - done : 16384;

		if (SSL_write(c->ssl, (const char *)data + done, (int)n) != (int)n)
			tls_fail("SSL_write");
		done += n;
	}
	(void)conn_pending(c);
	return done;
}

static int
plain_read(struct conn *c, void *data, size_t len)
{
	ssize_t n = recv(c->fd, data, len, 0);

	if (n == -1 && errno == EAGAIN)
		return 0;
	return n > 0 ? (int)n : -1;
}

int
conn_read(struct conn *c, void *data, size_t len)
{
	int n;

	if (c->ssl == NULL)
		return plain_read(c, data, len);
	errno = 0;
	n = SSL_read(c->ssl, data, (int)len);
	if (n > 0)
		return n;
	if (SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ)
		return 0;
	ERR_clear_error();
	return -1;
}

void
conn_finish(struct conn *c)
{
	if (c->ssl != NULL) {
		(void)SSL_shutdown(c->ssl);
		ERR_clear_error();
		(void)conn_pending(c);
	}
	(void)shutdown(c->fd, SHUT_WR);
	conn_await(c, false);
}

SSL_CTX *
tls_context(bool server, const char *cert, const char *ca)
{
	SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") != 1 ||
	    SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, cert, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1)
		tls_fail("cannot set up TLS");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	/* Many records a system call here too; clients get short answers. */
	SSL_CTX_set_read_ahead(ctx, 1);
	if (server)
		SSL_CTX_set_default_read_buffer_len(ctx, CHUNK);
	return ctx;
}
