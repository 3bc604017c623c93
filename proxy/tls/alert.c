#include "alert.h"

#include <stdio.h>

/* RFC 8446 section 6, with the older ones of RFC 5246. */
static const struct {
	int code;
	const char *name;
} names[] = {
	{ 10, "unexpected_message" }, { 20, "bad_record_mac" }, { 21, "decryption_failed" },
	{ 22, "record_overflow" }, { 30, "decompression_failure" }, { 40, "handshake_failure" },
	{ 41, "no_certificate" }, { 42, "bad_certificate" }, { 43, "unsupported_certificate" },
	{ 44, "certificate_revoked" }, { 45, "certificate_expired" },
	{ 46, "certificate_unknown" }, { 47, "illegal_parameter" }, { 48, "unknown_ca" },
	{ 49, "access_denied" }, { 50, "decode_error" }, { 51, "decrypt_error" },
	{ 60, "export_restriction" }, { 70, "protocol_version" },
	{ 71, "insufficient_security" }, { 80, "internal_error" },
	{ 86, "inappropriate_fallback" }, { 90, "user_canceled" }, { 100, "no_renegotiation" },
	{ 109, "missing_extension" }, { 110, "unsupported_extension" },
	{ 112, "unrecognized_name" }, { 113, "bad_certificate_status_response" },
	{ 115, "unknown_psk_identity" }, { 116, "certificate_required" },
	{ 120, "no_application_protocol" },
};

static int
fatal_code(const WOLFSSL_ALERT *a)
{
	return a->level == alert_fatal && a->code != close_notify ? a->code : ALERT_NONE;
}

int
alert_sent(WOLFSSL *ssl)
{
	WOLFSSL_ALERT_HISTORY h;

	wolfSSL_get_alert_history(ssl, &h);
	return fatal_code(&h.last_tx);
}

int
alert_received(WOLFSSL *ssl)
{
	WOLFSSL_ALERT_HISTORY h;

	wolfSSL_get_alert_history(ssl, &h);
	return fatal_code(&h.last_rx);
}

/*
 * The library closes without an alert on some errors, a chain that is too long among
 * them, and has no public function to send one.  Its own is found when it is linked
 * statically, as --deps builds it; a shared library hides it.
 */
int SendAlert(WOLFSSL *, int severity, int type) __attribute__((weak));

static int
code_for(int error)
{
	switch (error) {
	case VERSION_ERROR:
		return wolfssl_alert_protocol_version;
	case MAX_CHAIN_ERROR:
		return bad_certificate;
	case UNKNOWN_RECORD_TYPE:
	case OUT_OF_ORDER_E:
	case SANITY_MSG_E:
		return unexpected_message;
	case LENGTH_ERROR:
		return record_overflow;
	case BUFFER_ERROR:
	case BUFFER_E:
	case PARSE_ERROR:
	case INCOMPLETE_DATA:
	case HANDSHAKE_SIZE_ERROR:
	case BAD_TICKET_MSG_SZ:
		return decode_error;
	default:
		return handshake_failure;
	}
}

void
alert_send_for(WOLFSSL *ssl, int error)
{
	if (SendAlert != NULL)
		SendAlert(ssl, alert_fatal, code_for(error));
}

bool
alert_send(WOLFSSL *ssl, int code)
{
	return SendAlert != NULL && SendAlert(ssl, alert_fatal, code) == 0;
}

const char *
alert_name(int code)
{
	static _Thread_local char text[48];
	const char *name = "unknown alert";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].code == code)
			name = names[i].name;
	snprintf(text, sizeof(text), "%s (%d)", name, code);
	return text;
}
