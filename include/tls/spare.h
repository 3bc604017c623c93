#ifndef TLS_SPARE_H_
#define TLS_SPARE_H_

#define TLS_SPARES 5

/*
 * Blocks of memory that a thread keeps for the records that it reads and writes, one of each
 * size: the library asks for one a record and gives it back in the same call.  All zero at first;
 * 22 KiB at most.  One thread at a time; a block may come from one and go to another.
 */
struct tls_spares {
	void *block[TLS_SPARES];
};

/* Gives back what is kept; more may be kept later. */
void tls_spares_free(struct tls_spares *);

#endif
