#include "protocols_priv.h"

#include <stdlib.h>
#include <string.h>

int
protocols_copy(struct protocols *p, const char *const *names, size_t n)
{
	size_t len = 1;
	char *at;

	*p = (struct protocols){ 0 };
	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		len += strlen(names[i]) + 1;
	/* First with commas, then each with its own NUL. */
	if ((p->names = reallocarray(NULL, n, sizeof(*p->names))) == NULL ||
	    (p->text = malloc(2 * len)) == NULL) {
		free(p->names);
		*p = (struct protocols){ 0 };
		return -1;
	}
	p->text[0] = '\0';
	at = p->text + len;
	for (size_t i = 0; i < n; i++) {
		strcat(strcat(p->text, i > 0 ? "," : ""), names[i]);
		p->names[i] = strcpy(at, names[i]);
		at += strlen(at) + 1;
	}
	p->n = n;
	return 0;
}

void
protocols_free(struct protocols *p)
{
	free(p->text);
	free(p->names);
	*p = (struct protocols){ 0 };
}

const char *
protocols_choose(const struct protocols *p, const struct hello *h)
{
	for (size_t i = 0; i < p->n; i++)
		if (hello_offers_protocol(h, p->names[i]))
			return p->names[i];
	return NULL;
}

/* Left to itself the library takes the client's first; of one name it can only take that. */
int
protocols_use(const struct protocols *p, const char *chosen, WOLFSSL *ssl)
{
	const char *list = chosen != NULL ? chosen : p->text;

	if (p->n == 0)
		return 0;
	/* It does not write into what it is given. */
	return wolfSSL_UseALPN(ssl, (char *)(uintptr_t)list, (word32)strlen(list),
	    WOLFSSL_ALPN_FAILED_ON_MISMATCH) == WOLFSSL_SUCCESS ? 0 : -1;
}

const char *
protocols_agreed(const struct protocols *p, WOLFSSL *ssl)
{
	char *name = NULL;
	word16 n = 0;

	if (p->n == 0 || wolfSSL_ALPN_GetProtocol(ssl, &name, &n) != WOLFSSL_SUCCESS)
		return NULL;
	for (size_t i = 0; i < p->n; i++)
		if (strlen(p->names[i]) == n && memcmp(p->names[i], name, n) == 0)
			return p->names[i];
	return NULL;
}

/* The vectors as text; what is no text is replaced. */
static void
write_list(const uint8_t *list, size_t len, char *text, size_t cap)
{
	size_t used = 0;

	for (size_t at = 0; at < len; at += 1 + list[at]) {
		if (used > 0 && used < cap - 1)
			text[used++] = ',';
		for (size_t i = 1; i <= list[at] && used < cap - 1; i++) {
			char c = (char)list[at + i];

			text[used++] = c > ' ' && c < 0x7f ? c : '?';
		}
	}
	text[used] = '\0';
}

void
protocols_explain(const struct protocols *p, const struct hello *h, struct errmsg *e)
{
	char offered[401];

	if (h->alpn == NULL) {
		errmsg_set(e, "the client offers no application protocol, and alpnRequire wants "
		    "one of %.400s", p->text);
		return;
	}
	write_list(h->alpn, h->alpn_len, offered, sizeof(offered));
	errmsg_set(e, "no application protocol in common: the client offers %s, alpn has %.400s",
	    offered, p->text);
}
