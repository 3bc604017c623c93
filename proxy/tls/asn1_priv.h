#ifndef TLS_ASN1_PRIV_H_
#define TLS_ASN1_PRIV_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A strict reader of DER: definite, shortest lengths and one-byte tags only.
 * Everything points into the bytes that are read; nothing is allocated.
 */

/* Some bytes of somebody else's. */
struct span {
	const unsigned char *p;
	size_t n;
};

/* The tags that certificates are made of. */
enum asn1_tag {
	TAG_BOOLEAN = 0x01,
	TAG_INTEGER = 0x02,
	TAG_BITS = 0x03,
	TAG_OCTETS = 0x04,
	TAG_NULL = 0x05,
	TAG_OID = 0x06,
	TAG_UTF8 = 0x0c,
	TAG_PRINTABLE = 0x13,
	TAG_T61 = 0x14,
	TAG_IA5 = 0x16,
	TAG_UTC_TIME = 0x17,
	TAG_GENERAL_TIME = 0x18,
	TAG_BMP = 0x1e,
	TAG_SEQUENCE = 0x30,
	TAG_SET = 0x31
};

/* The context-specific tags [n], holding a value or other elements. */
#define TAG_CONTEXT(n) (0x80u | (n))
#define TAG_CONTEXT_OF(n) (0xa0u | (n))

struct element {
	unsigned tag;
	struct span body;  /* without tag and length */
	struct span whole; /* with them */
};

/* Takes the first element off the span.  Returns false when there is none or it is
 * not DER. */
bool asn1_next(struct span *, struct element *);

/* Takes the first element off the span if it has the tag, and gives its body. */
bool asn1_take(struct span *, unsigned tag, struct span *body);

/* Whether the first byte is that tag. */
bool asn1_ahead(const struct span *, unsigned tag);

bool span_equal(struct span, struct span);

/* Likewise, with the letters of ASCII alike in both cases. */
bool span_equal_nocase(struct span, struct span);

/* Whether the span holds exactly the bytes of a string literal. */
#define SPAN_IS(s, literal) \
	span_equal(         \
	    s, (struct span){ (const unsigned char *)(literal), sizeof(literal) - 1 })

/* Takes a small INTEGER that is not negative; a larger one than 2^31 - 1 is cut to
 * that. */
bool asn1_take_number(struct span *, unsigned tag, unsigned *);

/* Takes a BOOLEAN if it stands there; else the value stays as it is.  Returns false
 * for a malformed one. */
bool asn1_take_flag(struct span *, bool *);

/* Takes a BIT STRING that is a whole number of bytes. */
bool asn1_take_octet_bits(struct span *, struct span *body);

/* Takes a UTCTime or GeneralizedTime of the forms RFC 5280 allows, as seconds since
 * the epoch. */
bool asn1_take_time(struct span *, int64_t *);

/* Writes an object identifier as "1.2.840" into the buffer, cut where it must be;
 * returns the buffer. */
const char *asn1_oid_text(struct span, char *, size_t);

#endif
