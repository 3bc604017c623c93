#include <string.h>

#include "conf/options.h"
#include "dump_priv.h"
#include "tls/cert.h"

#define VALUE_MAX 16384

/* What is on stdio has no line of its own, and the name of a section is in its brackets. */
static bool
is_implied(const struct config *c, const struct option *o)
{
	return (c->inetd && strcmp(o->name, "accept") == 0) ||
	    (!c->inetd && o->scope == OPTION_SERVICE && strcmp(o->name, "service") == 0);
}

static void
dump_option(FILE *out, const struct config *c, const struct conf_service *s,
    const struct option *o)
{
	static char text[VALUE_MAX];
	const char *value;

	for (size_t i = 0; (value = options_value(o, c, s, i, text, sizeof(text))) != NULL; i++) {
		if (options_secret(o))
			fprintf(out, "# %s is given\n", o->name);
		else
			fprintf(out, "%s = %s\n", o->name, value);
	}
}

static void
dump_options(FILE *out, const struct config *c, const struct conf_service *s,
    enum option_scope scope)
{
	const struct option *o;

	for (size_t i = 0; (o = options_row(i)) != NULL; i++)
		if (o->scope == scope && !is_implied(c, o))
			dump_option(out, c, s, o);
}

static void
dump_cert(FILE *out, const char *option, const struct der *der)
{
	char from[32], to[32];
	struct cert_info *info;
	struct errmsg e;

	if ((info = cert_info_new(der, &e)) == NULL)
		return;
	fprintf(out, "# %s: \"%s\" %s%svalid from %s to %s\n", option, info->subject, info->names,
	    info->names[0] != '\0' ? " " : "", cert_time_text(info->not_before, from),
	    cert_time_text(info->not_after, to));
	cert_info_free(info);
}

static void
dump_certs(FILE *out, const char *option, const char *file)
{
	struct der_list list = { 0 };
	struct errmsg e;

	if (cert_load_chain(file, &list, &e) == -1)
		return; /* service_new() has said what there is to say */
	for (size_t i = 0; i < list.n; i++)
		dump_cert(out, option, &list.items[i]);
	der_list_free(&list);
}

static void
dump_dates(FILE *out, const struct conf_service *s)
{
	for (size_t i = 0; i < s->cert.n; i++)
		dump_certs(out, "cert", s->cert.items[i]);
	for (size_t i = 0; i < s->peer.n; i++)
		dump_certs(out, "peer", s->peer.items[i]);
	for (size_t i = 0; i < s->cafile.n; i++)
		if (strcmp(s->cafile.items[i], "system") != 0)
			dump_certs(out, "CAfile", s->cafile.items[i]);
}

void
dump_config(FILE *out, const struct config *c)
{
	dump_options(out, c, NULL, OPTION_GLOBAL);
	for (size_t i = 0; i < c->nservices; i++) {
		const struct conf_service *s = &c->services[i];

		if (c->inetd)
			fputc('\n', out);
		else
			fprintf(out, "\n[%s]\n", s->name);
		dump_options(out, c, s, OPTION_SERVICE);
		dump_dates(out, s);
	}
}
