#ifndef BASE_RULE_H_
#define BASE_RULE_H_

#include <stdbool.h>
#include <stddef.h>

/*
 * A rule about who may pass, as plain data: conf reads it (conf/rule.h), tls asks it
 * (tls/rule.h).
 */

/* What a rule can ask for: X(name, word, whether a certificate has only one). */
#define RULE_KEYS(X)                                                           \
	X(RULE_CN, "cn", true)                                                 \
	X(RULE_OU, "ou", false)                                                \
	X(RULE_DNS, "dns", false)                                              \
	X(RULE_URI, "uri", false)                                              \
	X(RULE_IP, "ip", false)                                                \
	X(RULE_EMAIL, "email", false)                                          \
	X(RULE_CERT, "cert-sha256", true)                                      \
	X(RULE_SPKI, "spki-sha256", true)                                      \
	X(RULE_SERIAL, "serial", true)                                         \
	X(RULE_ISSUER, "issuer-spki-sha256", true)

enum rule_key {
#define RULE_ENUM(name, word, one) name,
	RULE_KEYS(RULE_ENUM)
#undef RULE_ENUM
};

/* Bytes of a fingerprint or a serial number. */
#define RULE_BYTES 32

/* One key and its value. */
struct rule_term {
	enum rule_key key;
	const char *text; /* of the names: with "*" within a segment, "**" across them */
	unsigned char bytes[RULE_BYTES]; /* of the others; of ip IPv6's 16, IPv4 as ::ffff:a.b.c.d */
	size_t n;         /* bytes; of a serial number without zeros in front */
	unsigned bits;    /* of ip: how many of its 128 count */
};

#define RULE_TERMS 8  /* on one line */
#define RULE_TEXT 512 /* bytes of a line, its NUL included */

/* A line: all of its terms must hold.  A value; what points does so into text and words. */
struct rule {
	bool deny;
	bool report;  /* judged and told of, not enforced */
	size_t n;
	struct rule_term terms[RULE_TERMS];
	char text[RULE_TEXT];  /* as it was written, without blanks at the ends */
	char words[RULE_TEXT]; /* its values */
};

#endif
