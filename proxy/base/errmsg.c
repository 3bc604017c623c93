#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/errmsg.h"

int
errmsg_set(struct errmsg *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return -1;
}

int
errmsg_prefix(struct errmsg *e, const char *fmt, ...)
{
	struct errmsg old = *e;
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, ": %s", old.text);
	return -1;
}
