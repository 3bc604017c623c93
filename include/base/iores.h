#ifndef BASE_IORES_H_
#define BASE_IORES_H_

/* What an attempt to move bytes came to; every layer above speaks in these. */
enum iores {
	IO_OK,        /* done, or progress was made */
	IO_WANT,      /* nothing more now: the kernel (or the peer) must act first */
	IO_EOF,       /* the peer ended this direction properly: FIN or close_notify */
	IO_TRUNCATED, /* TLS only: the transport ended without close_notify */
	IO_RESET,     /* the transport was reset or is broken */
	IO_ALERT,     /* TLS only: the peer sent a fatal alert */
	IO_PROTOCOL,  /* TLS only: what the peer sent is not acceptable */
	IO_NOMEM,     /* memory or a bound of ours ran out */
};

#endif
