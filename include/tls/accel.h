#ifndef TLS_ACCEL_H_
#define TLS_ACCEL_H_

#include <stdbool.h>

/*
 * AES-GCM of large records by libipsec-mb, which is more than twice as fast as wolfSSL where
 * the CPU has AVX-512 and VAES.  All else, and all records elsewhere, stay with wolfSSL.
 */

/*
 * Decides for the process, once, after tls_library_start() and before a context is made or
 * another thread exists.  When wanted it looks at the CPU and compares the two libraries; where they
 * differ, a warning is logged and wolfSSL goes on alone.
 */
void accel_start(bool wanted);

/* What encrypts, and why not the other: "AES-GCM by libipsec-mb 1.3.0". */
const char *accel_text(void);

#endif
