#include <string.h>
#include <strings.h>

#include "conf/protocol.h"
#include "conf/sni.h"

bool
sni_is_named(const struct conf_service *s)
{
	return !s->client && s->sni != NULL && *s->sni != '\0';
}

/* The names of sections may have colons, those of hosts not. */
static const char *
colon(const struct conf_service *s)
{
	return strrchr(s->sni, ':');
}

const char *
sni_pattern(const struct conf_service *s)
{
	return colon(s) + 1;
}

bool
sni_matches(const char *pattern, const char *name)
{
	size_t n = strlen(name), tail;

	if (strcmp(pattern, "*") == 0)
		return n > 0;
	if (strncmp(pattern, "*.", 2) != 0)
		return strcasecmp(pattern, name) == 0;
	tail = strlen(pattern) - 1;
	return n > tail && strcasecmp(name + n - tail, pattern + 1) == 0;
}

static bool
may_have_names(const struct conf_service *s)
{
	return !s->client && !sni_is_named(s) && s->accept.n > 0;
}

const struct conf_service *
sni_primary(const struct config *c, const struct conf_service *s)
{
	size_t n = (size_t)(colon(s) - s->sni);

	for (size_t i = 0; i < c->nservices; i++)
		if (may_have_names(&c->services[i]) && strlen(c->services[i].name) == n &&
		    memcmp(c->services[i].name, s->sni, n) == 0)
			return &c->services[i];
	return NULL;
}

static bool
is_host_pattern(const char *p)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789-_.";

	if (strcmp(p, "*") == 0)
		return true;
	if (strncmp(p, "*.", 2) == 0)
		p += 2;
	return *p != '\0' && *p != '.' && p[strspn(p, letters)] == '\0' &&
	    p[strlen(p) - 1] != '.';
}

/* Whether the one takes every name that the other takes, where both stand in that order: names
 * without * are looked for first, wherever they stand. */
static bool
takes_all_of(const char *wide, const char *narrow)
{
	const size_t tail = strlen(wide) - 1, n = strlen(narrow);

	if (strcasecmp(wide, narrow) == 0)
		return true;
	if (*wide != '*' || *narrow != '*' || n <= tail)
		return false;
	return strcasecmp(narrow + n - tail, wide + 1) == 0;
}

/* One before it in the file that takes every name it could take, or NULL. */
static const struct conf_service *
in_front(const struct config *c, const struct conf_service *s)
{
	for (const struct conf_service *o = c->services; o != s; o++)
		if (sni_is_named(o) && colon(o) != NULL && sni_primary(c, o) == sni_primary(c, s) &&
		    takes_all_of(sni_pattern(o), sni_pattern(s)))
			return o;
	return NULL;
}

int
sni_check(const struct config *c, const struct conf_service *s, struct errmsg *why)
{
	const struct conf_service *primary, *other;

	if (colon(s) == NULL)
		return errmsg_set(why, "in a server's section write SECTION:PATTERN, the section "
		    "that listens and the name that clients ask for");
	if (!is_host_pattern(sni_pattern(s)))
		return errmsg_set(why, "\"%.128s\" is no pattern: give the name of a host, "
		    "*.example.org or *", sni_pattern(s));
	if ((primary = sni_primary(c, s)) == NULL)
		return errmsg_set(why, "there is no section [%.*s] that accepts as a TLS server",
		    (int)(colon(s) - s->sni), s->sni);
	if (protocol_greets(primary))
		return errmsg_set(why, "section [%s] connects before TLS begins (protocol = %s): "
		    "no name can choose another target", primary->name,
		    protocol_name(primary->protocol));
	if (protocol_greets(s) || s->protocol == PROTOCOL_PGSQL)
		return errmsg_set(why, "protocol = %s is said before any name: write it in "
		    "section [%s]", protocol_name(s->protocol), primary->name);
	if ((s->protocol == PROTOCOL_CONNECT) != (primary->protocol == PROTOCOL_CONNECT))
		return errmsg_set(why, "protocol = connect is said before any name, and chooses the "
		    "target: write it here and in section [%s], or in neither", primary->name);
	if ((other = in_front(c, s)) == NULL)
		return 0;
	if (strcasecmp(sni_pattern(other), sni_pattern(s)) == 0)
		return errmsg_set(why, "it can never match: section [%s] has the same pattern",
		    other->name);
	errmsg_set(why, "it can never match: section [%s] in front of it takes all these names; put "
	    "that one behind", other->name);
	return SNI_WARNING;
}
