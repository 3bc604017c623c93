#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cmd/keygen_args_priv.h"
#include "conf/value.h"

#define NELEMS(a) (sizeof(a) / sizeof((a)[0]))
#define DAYS_DEFAULT 3650
#define DAYS_MAX 36500
#define INDENT 20 /* where the text of an option begins */
#define NAME_SHOWN 128

/* Values of an option that may be repeated. */
struct list {
	const char **items;
	size_t n;
};

/* The arguments as they were written. */
struct written {
	const char *name;
	struct list dns, ip, uri, email;
	const char *type;
	const char *days;
	const char *cn;
	const char *ca;
	bool make_ca;
	bool force;
	bool help;
};

/* How a value is stored. */
enum kind { LIST, TEXT, FLAG };

/* The options: what drives the parser, --help and suggestions. */
static const struct row {
	const char *name; /* without the dashes */
	const char *argument;
	enum kind kind;
	size_t offset;
	const char *help;
} rows[] = {
	{ "dns", "HOST", LIST, offsetof(struct written, dns),
	    "A host name to certify, also \"*.example.org\"; repeatable." },
	{ "ip", "ADDRESS", LIST, offsetof(struct written, ip),
	    "An IPv4 or IPv6 address to certify; repeatable." },
	{ "uri", "URI", LIST, offsetof(struct written, uri),
	    "A URI to certify, as spiffe://example.org/db; repeatable." },
	{ "email", "ADDRESS", LIST, offsetof(struct written, email),
	    "An email address to certify; repeatable." },
	{ "cn", "TEXT", TEXT, offsetof(struct written, cn),
	    "The subject's common name (default: NAME without folder)." },
	{ "type", "TYPE", TEXT, offsetof(struct written, type),
	    "ecdsa (P-256), ed25519 or rsa3072 (default: ecdsa)." },
	{ "days", "NUMBER", TEXT, offsetof(struct written, days),
	    "How long it is valid (default: 3650, or until the CA ends)." },
	{ "ca", "FILE", TEXT, offsetof(struct written, ca),
	    "Key and certificate of the CA that issues, in one PEM file." },
	{ "make-ca", "", FLAG, offsetof(struct written, make_ca),
	    "Make a CA, which can issue certificates." },
	{ "force", "", FLAG, offsetof(struct written, force),
	    "Replace files that exist." },
	{ "help", "", FLAG, offsetof(struct written, help), "This text." },
};

void
keygen_args_help(FILE *out)
{
	size_t i;

	fputs("Usage: sluss keygen NAME [OPTION]...\n"
	      "\n"
	      "Makes a private key and its certificate:\n"
	      "  NAME.pem  key and certificate, for this side alone (mode 600)\n"
	      "  NAME.crt  the certificate, for the other side\n"
	      "\n"
	      "Options (names in any case, --name value or --name=value):\n",
	    out);
	for (i = 0; i < NELEMS(rows); i++)
		fprintf(out, "  --%s %-*s%s\n", rows[i].name,
		    INDENT - 5 - (int)strlen(rows[i].name), rows[i].argument,
		    rows[i].help);
	fputs("\n"
	      "Examples:\n"
	      "  sluss keygen server --dns db.example.org\n"
	      "  sluss keygen ca --make-ca\n"
	      "  sluss keygen server --dns db.example.org --ca ca.pem\n",
	    out);
}

/* From arguments to what was written. */

static int
unknown_option(const char *arg, size_t n, struct errmsg *why)
{
	const size_t dashes = strspn(arg, "-");
	const int shown = n < NAME_SHOWN ? (int)n : NAME_SHOWN;
	const char *names[NELEMS(rows)];
	const char *nearest = NULL;
	char bare[32];
	size_t i;

	for (i = 0; i < NELEMS(rows); i++)
		names[i] = rows[i].name;
	if (n - dashes < sizeof(bare)) {
		memcpy(bare, arg + dashes, n - dashes);
		bare[n - dashes] = '\0';
		nearest = value_nearest(bare, names, NELEMS(rows));
	}
	if (nearest == NULL)
		return errmsg_set(why,
		    "unknown option %.*s: \"sluss keygen --help\" lists them", shown,
		    arg);
	return errmsg_set(
	    why, "unknown option %.*s (did you mean --%s?)", shown, arg, nearest);
}

/* The row of an option that is written as n bytes, or NULL. */
static const struct row *
find_row(const char *arg, size_t n)
{
	size_t i;

	if (n == 2 && memcmp(arg, "-h", n) == 0) {
		arg = "--help";
		n = strlen(arg);
	}
	if (n < 2 || memcmp(arg, "--", 2) != 0)
		return NULL;
	for (i = 0; i < NELEMS(rows); i++)
		if (strlen(rows[i].name) == n - 2 &&
		    strncasecmp(rows[i].name, arg + 2, n - 2) == 0)
			return &rows[i];
	return NULL;
}

static int
store(struct written *w, const struct row *row, const char *value, struct errmsg *why)
{
	void *at = (char *)w + row->offset;
	struct list *list = at;

	switch (row->kind) {
	case FLAG:
		if (value_bool(value, at, why) == -1)
			return errmsg_prefix(why, "--%s", row->name);
		return 0;
	case TEXT:
		*(const char **)at = value;
		return 0;
	case LIST:
		list->items[list->n++] = value;
		return 0;
	}
	assert(0);
	return -1;
}

/* One option, at argv[*i]: its value is behind "=" or in the next argument.  What
 * begins with two dashes is the next option. */
static int
take_option(struct written *w, char **argv, int *i, struct errmsg *why)
{
	const char *arg = argv[*i], *equals = strchr(arg, '='), *next = argv[*i + 1];
	size_t n = equals == NULL ? strlen(arg) : (size_t)(equals - arg);
	const struct row *row = find_row(arg, n);

	if (row == NULL)
		return unknown_option(arg, n, why);
	if (equals != NULL)
		return store(w, row, equals + 1, why);
	if (row->kind == FLAG)
		return store(w, row, "yes", why);
	if (next == NULL || strncmp(next, "--", 2) == 0)
		return errmsg_set(why, "--%s needs a value: write --%s %s", row->name,
		    row->name, row->argument);
	(*i)++;
	return store(w, row, next, why);
}

static int
take_name(struct written *w, const char *arg, struct errmsg *why)
{
	if (w->name != NULL)
		return errmsg_set(why,
		    "stray argument \"%.128s\": give one NAME, and options as --name "
		    "value",
		    arg);
	w->name = arg;
	return 0;
}

static int
take_all(struct written *w, char **argv, struct errmsg *why)
{
	int i, rc = 0;

	for (i = 1; rc == 0 && argv[i] != NULL; i++)
		rc = argv[i][0] == '-' ? take_option(w, argv, &i, why)
				       : take_name(w, argv[i], why);
	return rc;
}

/* From what was written to what is asked for. */

static const char *
last_component(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash == NULL ? name : slash + 1;
}

static int
check_name(const char *name, struct errmsg *why)
{
	const char *last, *dot;

	if (name == NULL)
		return errmsg_set(why,
		    "NAME is missing: write sluss keygen NAME, as in \"sluss keygen "
		    "server --dns db.example.org\"");
	last = last_component(name);
	dot = strrchr(last, '.');
	if (*last == '\0' || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
		return errmsg_set(why,
		    "\"%.128s\" names no file: give a NAME, with or without a folder in "
		    "front",
		    name);
	if (dot != NULL && (strcasecmp(dot, ".pem") == 0 || strcasecmp(dot, ".crt") == 0))
		return errmsg_set(why,
		    "write \"%.*s\" instead of \"%.128s\": .pem and .crt are added to "
		    "NAME",
		    (int)(dot - name < NAME_SHOWN ? dot - name : NAME_SHOWN), name, name);
	return 0;
}

static int
fill_request(struct keygen_request *r, const struct written *w, struct errmsg *why)
{
	static const char *const types[] = {
		[KEY_ECDSA_P256] = "ecdsa",
		[KEY_ED25519] = "ed25519",
		[KEY_RSA3072] = "rsa3072",
	};
	unsigned days = DAYS_DEFAULT;
	size_t type = KEY_ECDSA_P256;

	if (w->type != NULL &&
	    value_choice(w->type, types, NELEMS(types), &type, why) == -1)
		return errmsg_prefix(why, "--type");
	if (w->days != NULL &&
	    value_number(w->days, "days", 1, DAYS_MAX, &days, why) == -1)
		return errmsg_prefix(why, "--days");
	*r = (struct keygen_request){
		.type = (enum key_type)type,
		.common_name = w->cn != NULL ? w->cn : last_component(w->name),
		.dns = w->dns.items,
		.ndns = w->dns.n,
		.ip = w->ip.items,
		.nip = w->ip.n,
		.uri = w->uri.items,
		.nuri = w->uri.n,
		.email = w->email.items,
		.nemail = w->email.n,
		.days = (int)days,
		.make_ca = w->make_ca,
	};
	return 0;
}

static int
judge(struct keygen_args *a, const struct written *w, struct errmsg *why)
{
	a->help = w->help;
	if (a->help)
		return 0;
	if (check_name(w->name, why) == -1 || fill_request(&a->request, w, why) == -1)
		return -1;
	a->name = w->name;
	a->ca = w->ca;
	a->force = w->force;
	return 0;
}

int
keygen_args_read(struct keygen_args *a, int argc, char **argv, struct errmsg *why)
{
	const char **room = calloc((size_t)argc * 4, sizeof(*room));
	struct written w = {
		.dns.items = room,
		.ip.items = room + argc,
		.uri.items = room + 2 * argc,
		.email.items = room + 3 * argc,
	};

	*a = (struct keygen_args){ .room = room };
	if (room == NULL)
		return errmsg_set(why, "out of memory");
	if (take_all(&w, argv, why) == 0 && judge(a, &w, why) == 0)
		return 0;
	keygen_args_free(a);
	return -1;
}

void
keygen_args_free(struct keygen_args *a)
{
	free(a->room);
	a->room = NULL;
}
