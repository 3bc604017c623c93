#ifndef CONF_CIPHERS_H_
#define CONF_CIPHERS_H_

#include "base/errmsg.h"
#include "conf/config.h"

/*
 * From OpenSSL's ways to name cipher suites and groups to the lists that the TLS
 * layer takes.  Each function replaces the list and returns 0; 1 when something was asked for that is
 * not to be had but enough is left (the message names it: a warning); or -1 when nothing is left or the text
 * makes no sense (the list is then untouched).
 */

/*
 * "HIGH:!aNULL:@STRENGTH", for TLS 1.2: IANA names, of AEAD suites with ECDHE only.  The operators
 * and the order are OpenSSL's.  Of a word for many suites (HIGH, ALL, AES …) those that are there are
 * meant; a suite by name, or a word for suites of which none is there, is named in the warning.
 */
int ciphers_tls12(const char *, struct conf_strings *, struct errmsg *);

/* "TLS_AES_128_GCM_SHA256:…", for TLS 1.3: IANA names.  Unknown names are passed over with a warning. */
int ciphers_tls13(const char *, struct conf_strings *, struct errmsg *);

/* "X25519:P-256:secp384r1": our spelling of the groups, X25519MLKEM768, X25519, P-256, P-384, P-521. */
int ciphers_groups(const char *, struct conf_strings *, struct errmsg *);

#endif
